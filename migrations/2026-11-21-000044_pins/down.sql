DELETE FROM messages WHERE id IN (SELECT message_id FROM system_notes WHERE kind = 'MESSAGE_PINNED');
ALTER TABLE system_notes DROP CONSTRAINT system_notes_kind_check;
ALTER TABLE system_notes ADD CONSTRAINT system_notes_kind_check
    CHECK (kind IN ('CREATED', 'MEMBER_ADDED', 'MEMBER_REMOVED', 'MEMBER_LEFT', 'ROLE_CHANGED', 'DETAILS_CHANGED'));
DROP INDEX messages_pinned_by_idx;
DROP INDEX messages_pinned_idx;
ALTER TABLE messages
    DROP COLUMN pinned_by,
    DROP COLUMN pinned_at;
