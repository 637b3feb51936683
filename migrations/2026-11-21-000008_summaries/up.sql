CREATE TABLE chat_summaries (
    id uuid PRIMARY KEY,
    chat_id uuid NOT NULL REFERENCES chats ON DELETE CASCADE,
    through_message_id uuid NOT NULL REFERENCES messages ON DELETE CASCADE,
    through_sequence bigint NOT NULL,
    content text NOT NULL,
    tokens integer NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    reverted_at timestamptz
);
CREATE INDEX chat_summaries_chat_id_idx ON chat_summaries (chat_id, through_sequence);
CREATE INDEX chat_summaries_through_message_id_idx ON chat_summaries (through_message_id);
COMMENT ON TABLE chat_summaries IS 'What models are shown of long conversations in the place of their beginnings. The messages themselves stay.';
COMMENT ON COLUMN chat_summaries.chat_id IS 'Of which chat.';
COMMENT ON COLUMN chat_summaries.through_message_id IS 'The last message that it covers, and with it all before it in its branch.';
COMMENT ON COLUMN chat_summaries.through_sequence IS 'The number of that message.';
COMMENT ON COLUMN chat_summaries.content IS 'What was said, in few words.';
COMMENT ON COLUMN chat_summaries.tokens IS 'How many tokens the content has, by the count that prompts are planned with.';
COMMENT ON COLUMN chat_summaries.provider IS 'Whose model wrote it.';
COMMENT ON COLUMN chat_summaries.model IS 'Which model wrote it.';
COMMENT ON COLUMN chat_summaries.version IS 'Grows with each change.';
COMMENT ON COLUMN chat_summaries.reverted_at IS 'Since when somebody does not want it used; null while it may be.';

ALTER TABLE chats ADD COLUMN summary_asked_at timestamptz;
COMMENT ON COLUMN chats.summary_asked_at IS 'When a summary was last called for by itself; not again for a minute, whatever becomes of it.';
