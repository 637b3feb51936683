ALTER TABLE messages
    ADD COLUMN reply_to_id uuid REFERENCES messages ON DELETE SET NULL,
    ADD COLUMN kind text NOT NULL DEFAULT 'TEXT' CHECK (kind IN ('TEXT', 'IMAGE', 'AUDIO', 'VIDEO', 'FILE', 'SYSTEM', 'ENCRYPTED')),
    ADD COLUMN importance text NOT NULL DEFAULT 'NORMAL' CHECK (importance IN ('LOW', 'NORMAL', 'HIGH', 'URGENT')),
    ADD COLUMN metadata jsonb;
UPDATE messages SET kind = 'SYSTEM' WHERE role = 'SYSTEM';
-- Few messages reply to another: the others need no entry.
CREATE INDEX messages_reply_to_id_idx ON messages (reply_to_id) WHERE reply_to_id IS NOT NULL;
COMMENT ON COLUMN messages.reply_to_id IS 'The message of the same chat that it replies to; of a system message, the one that it speaks of.';
COMMENT ON COLUMN messages.kind IS 'What is in it: SYSTEM is what Parlor tells, ENCRYPTED what only the members can read.';
COMMENT ON COLUMN messages.importance IS 'How much it matters to its author.';
COMMENT ON COLUMN messages.metadata IS 'What the client has added for clients, a JSON object; Parlor does not read it.';
