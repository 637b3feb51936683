CREATE INDEX attempts_user_id_idx ON attempts (user_id, started_at);
DROP INDEX attempts_payer_time_idx;

DELETE FROM messages WHERE id IN (SELECT message_id FROM system_notes WHERE kind IN ('ASSISTANT_ADDED', 'ASSISTANT_REMOVED'));
ALTER TABLE system_notes
    DROP COLUMN assistant_id,
    DROP CONSTRAINT system_notes_kind_check,
    ADD CONSTRAINT system_notes_kind_check CHECK (kind IN ('CREATED', 'MEMBER_ADDED', 'MEMBER_REMOVED', 'MEMBER_LEFT', 'ROLE_CHANGED', 'DETAILS_CHANGED'));

DROP INDEX chat_members_joined_after_idx;
ALTER TABLE chat_members DROP COLUMN joined_after;
DELETE FROM chat_assistants USING chats WHERE chats.id = chat_id AND kind <> 'ASSISTANT';
ALTER TABLE chats
    DROP COLUMN payer,
    DROP COLUMN assistant_replies;
