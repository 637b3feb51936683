ALTER TABLE users
    ADD COLUMN deleted_at timestamptz,
    -- Who is gone can do nothing: whatever refuses a barred account refuses it, too.
    ADD CONSTRAINT users_deleted_is_deactivated CHECK (deleted_at IS NULL OR deactivated_at IS NOT NULL);
COMMENT ON COLUMN users.deleted_at IS 'Since when the account is deleted; the row then only says so to those who have something of the person.';

-- What one person did, and what was done to them.
CREATE INDEX audit_log_actor_id_idx ON audit_log (actor_id, id);
CREATE INDEX audit_log_target_idx ON audit_log (target, id);
