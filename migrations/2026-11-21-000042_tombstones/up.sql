ALTER TABLE messages ADD COLUMN deleted_by uuid REFERENCES users ON DELETE SET NULL;
CREATE INDEX messages_deleted_by_idx ON messages (deleted_by) WHERE deleted_by IS NOT NULL;
COMMENT ON COLUMN messages.deleted_by IS 'Who made it a tombstone; null when Parlor did, and when the account is gone.';
