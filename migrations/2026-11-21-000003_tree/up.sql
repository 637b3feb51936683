ALTER TABLE messages
    ADD COLUMN active boolean NOT NULL DEFAULT true,
    ADD COLUMN chosen boolean NOT NULL DEFAULT true,
    ADD CONSTRAINT messages_active_is_chosen CHECK (chosen OR NOT active),
    DROP CONSTRAINT messages_chat_id_sequence_key;
ALTER TABLE generations
    DROP CONSTRAINT generations_message_id_key,
    ADD COLUMN text_octets integer CHECK (text_octets >= 0);
-- So far every chat is one branch: each message follows the one that was sent before it.
UPDATE messages SET parent_id = line.before
FROM (SELECT id, lag(id) OVER (PARTITION BY chat_id ORDER BY sequence) AS before FROM messages) AS line
WHERE line.id = messages.id AND line.before IS DISTINCT FROM messages.parent_id;
-- One index for pages of the active branch and for everything of a chat. A partial one beside (chat_id, sequence) costs
-- every message another entry, and the planner may well take the wrong one of the two.
CREATE UNIQUE INDEX messages_branch_key ON messages (chat_id, active, sequence);
CREATE INDEX messages_roots_idx ON messages (chat_id, sequence) WHERE parent_id IS NULL;
CREATE INDEX generations_message_id_idx ON generations (message_id);
CREATE UNIQUE INDEX generations_newest_key ON generations (message_id) WHERE text_octets IS NULL;
COMMENT ON COLUMN messages.parent_id IS 'The message before it in its branch; null where a branch begins. Its sequence is lower.';
COMMENT ON COLUMN messages.active IS 'Whether it is on the branch that is shown: one path from a beginning to an end.';
COMMENT ON COLUMN messages.chosen IS 'Whether it is the one among its siblings that was shown last: the way down when a message above is selected.';
COMMENT ON COLUMN generations.message_id IS 'The message that the answer is written into. Several when an answer was continued; one of them is the newest.';
COMMENT ON COLUMN generations.text_octets IS 'How many bytes of its message''s text were there when another generation went on with it; null for the newest, whose text is all of it.';
COMMENT ON COLUMN sends.message_id IS 'The message that it made, or the answer that it continued.';
