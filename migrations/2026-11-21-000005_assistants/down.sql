DELETE FROM events WHERE user_id IS NULL AND chat_id IS NULL;
DROP INDEX events_everybody_idx;
ALTER TABLE events DROP CONSTRAINT events_check;
ALTER TABLE events ADD CONSTRAINT events_check CHECK ((user_id IS NULL) <> (chat_id IS NULL));
COMMENT ON COLUMN events.user_id IS 'The one person it is for, or else it is for a chat''s members.';
COMMENT ON COLUMN events.chat_id IS 'The chat whose members it is for.';
ALTER TABLE messages DROP COLUMN assistant_id;
DROP TABLE chat_assistants, assistants;
