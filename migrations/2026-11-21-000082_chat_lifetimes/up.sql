CREATE TABLE chat_lifetimes (
    chat_id uuid PRIMARY KEY REFERENCES chats ON DELETE CASCADE,
    seconds integer CHECK (seconds BETWEEN 60 AND 31536000),
    gone_through bigint NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE chat_lifetimes IS 'The chats whose messages disappear, and those that the server''s own retention has taken messages from that are still to be deleted.';
COMMENT ON COLUMN chat_lifetimes.chat_id IS 'Which chat.';
COMMENT ON COLUMN chat_lifetimes.seconds IS 'How old a message of it may get; null when as old as it likes.';
COMMENT ON COLUMN chat_lifetimes.gone_through IS 'Messages up to this number are gone for everybody, and deleted step by step.';
COMMENT ON COLUMN chat_lifetimes.due_at IS 'Before this moment nothing in it gets too old.';
CREATE INDEX chat_lifetimes_due_at_idx ON chat_lifetimes (due_at);
