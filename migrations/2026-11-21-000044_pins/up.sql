ALTER TABLE messages
    ADD COLUMN pinned_at timestamptz,
    ADD COLUMN pinned_by uuid REFERENCES users ON DELETE SET NULL;
CREATE INDEX messages_pinned_idx ON messages (chat_id, sequence) WHERE pinned_at IS NOT NULL;
CREATE INDEX messages_pinned_by_idx ON messages (pinned_by) WHERE pinned_by IS NOT NULL;
COMMENT ON COLUMN messages.pinned_at IS 'Since when it is kept in sight for all in the chat; null when not.';
COMMENT ON COLUMN messages.pinned_by IS 'Who has pinned it; null when it is not pinned, and when the account is gone.';
ALTER TABLE system_notes DROP CONSTRAINT system_notes_kind_check;
ALTER TABLE system_notes ADD CONSTRAINT system_notes_kind_check
    CHECK (kind IN ('CREATED', 'MEMBER_ADDED', 'MEMBER_REMOVED', 'MEMBER_LEFT', 'ROLE_CHANGED', 'DETAILS_CHANGED', 'MESSAGE_PINNED'));
