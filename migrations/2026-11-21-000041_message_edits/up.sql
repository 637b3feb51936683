CREATE TABLE message_edits (
    message_id uuid NOT NULL REFERENCES messages ON DELETE CASCADE,
    number integer NOT NULL CHECK (number > 0),
    content text NOT NULL,
    written_at timestamptz NOT NULL,
    replaced_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (message_id, number)
);
COMMENT ON TABLE message_edits IS 'What messages said before their authors changed them. Gone once a message is deleted.';
COMMENT ON COLUMN message_edits.message_id IS 'Which message.';
COMMENT ON COLUMN message_edits.number IS 'The first text has 1, the next 2.';
COMMENT ON COLUMN message_edits.content IS 'What it said.';
COMMENT ON COLUMN message_edits.written_at IS 'Since when it said so.';
COMMENT ON COLUMN message_edits.replaced_at IS 'Until when.';
