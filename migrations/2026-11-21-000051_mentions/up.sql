CREATE TABLE message_mentions (
    message_id uuid NOT NULL REFERENCES messages ON DELETE CASCADE,
    position smallint NOT NULL,
    user_id uuid REFERENCES users ON DELETE CASCADE,
    assistant_id uuid REFERENCES assistants ON DELETE CASCADE,
    chat_id uuid NOT NULL,
    sequence bigint NOT NULL,
    PRIMARY KEY (message_id, position),
    CHECK (num_nonnulls(user_id, assistant_id) = 1)
);
-- Whoever has unread mentions in a chat is a range of it.
CREATE INDEX message_mentions_user_id_idx ON message_mentions (user_id, chat_id, sequence);
CREATE INDEX message_mentions_assistant_id_idx ON message_mentions (assistant_id);
COMMENT ON TABLE message_mentions IS 'Who is mentioned by which message, people and assistants.';
COMMENT ON COLUMN message_mentions.message_id IS 'The message.';
COMMENT ON COLUMN message_mentions.position IS 'The place among those whom it mentions.';
COMMENT ON COLUMN message_mentions.user_id IS 'The person who is mentioned; null for an assistant.';
COMMENT ON COLUMN message_mentions.assistant_id IS 'The assistant that is mentioned; null for a person.';
COMMENT ON COLUMN message_mentions.chat_id IS 'The chat of the message, for the index. Not a reference.';
COMMENT ON COLUMN message_mentions.sequence IS 'The number of the message, for the index.';
