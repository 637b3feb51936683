-- A table of its own: marks of a direct chat outlive that one of the two deletes it, and nobody who sends waits for them.
CREATE TABLE receipts (
    chat_id uuid NOT NULL REFERENCES chats ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    delivered_sequence bigint NOT NULL,
    read_sequence bigint NOT NULL DEFAULT 0,
    untold boolean NOT NULL DEFAULT false,
    PRIMARY KEY (chat_id, user_id),
    CHECK (delivered_sequence >= read_sequence)
);
CREATE INDEX receipts_user_id_idx ON receipts (user_id);
CREATE INDEX receipts_untold_idx ON receipts (chat_id) WHERE untold;
COMMENT ON TABLE receipts IS 'How far people have come in rooms of several, as the others are told. Who has left a group is not among them any more.';
COMMENT ON COLUMN receipts.chat_id IS 'In which room.';
COMMENT ON COLUMN receipts.user_id IS 'Who.';
COMMENT ON COLUMN receipts.delivered_sequence IS 'The number of the newest message that a device of theirs was handed; never goes back.';
COMMENT ON COLUMN receipts.read_sequence IS 'The number of the newest message that they have read; never goes back.';
COMMENT ON COLUMN receipts.untold IS 'Whether the others have yet to be told: whichever process comes by does, also when the one that set it has died.';
INSERT INTO receipts (chat_id, user_id, delivered_sequence, read_sequence)
SELECT chat_id, user_id, last_read_sequence, last_read_sequence FROM chat_members JOIN chats ON chats.id = chat_id
WHERE chats.kind <> 'ASSISTANT' AND last_read_sequence > 0;
