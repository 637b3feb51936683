ALTER TABLE chat_members
    ADD COLUMN draft_text text,
    ADD COLUMN draft_reply_to_id uuid REFERENCES messages ON DELETE SET NULL,
    ADD COLUMN draft_updated_at timestamptz,
    ADD COLUMN draft_version integer NOT NULL DEFAULT 0,
    ADD CONSTRAINT chat_members_draft_is_whole CHECK ((draft_text IS NULL) = (draft_updated_at IS NULL));
CREATE INDEX chat_members_draft_reply_to_id_idx ON chat_members (draft_reply_to_id) WHERE draft_reply_to_id IS NOT NULL;
COMMENT ON COLUMN chat_members.draft_text IS 'What this person has begun to write; null when nothing.';
COMMENT ON COLUMN chat_members.draft_reply_to_id IS 'The message that they are about to reply to.';
COMMENT ON COLUMN chat_members.draft_updated_at IS 'When they last went on with it; null when there is no draft.';
COMMENT ON COLUMN chat_members.draft_version IS 'Grows with each change of the draft, and with each message that they send: a device that saves late is told.';
