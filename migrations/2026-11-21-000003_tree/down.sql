DELETE FROM generations WHERE text_octets IS NOT NULL;
DROP INDEX generations_newest_key;
DROP INDEX generations_message_id_idx;
ALTER TABLE generations
    DROP COLUMN text_octets,
    ADD CONSTRAINT generations_message_id_key UNIQUE (message_id);
DROP INDEX messages_roots_idx;
DROP INDEX messages_branch_key;
ALTER TABLE messages
    DROP COLUMN chosen,
    DROP COLUMN active,
    ADD CONSTRAINT messages_chat_id_sequence_key UNIQUE (chat_id, sequence);
UPDATE messages SET parent_id = NULL WHERE role <> 'ASSISTANT';
COMMENT ON COLUMN messages.parent_id IS 'The message that this one answers.';
COMMENT ON COLUMN generations.message_id IS 'The message that the answer is written into.';
COMMENT ON COLUMN sends.message_id IS 'The message that it made.';
