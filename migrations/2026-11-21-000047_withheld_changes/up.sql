ALTER TABLE messages
    ADD COLUMN own_content text,
    ADD COLUMN own_edited_at timestamptz,
    ADD CONSTRAINT messages_own_content_has_a_time CHECK ((own_content IS NULL) = (own_edited_at IS NULL));
COMMENT ON COLUMN messages.own_content IS 'What its author alone sees it say: they changed it while the other of a direct chat blocked them. Null when all see the same.';
COMMENT ON COLUMN messages.own_edited_at IS 'When they changed it.';
ALTER TABLE message_edits ADD COLUMN withheld_from uuid;
COMMENT ON COLUMN message_edits.withheld_from IS 'Who never saw that the message said this no more, or that it ever did. Not a reference.';
ALTER TABLE message_reactions ADD COLUMN withheld_from uuid;
COMMENT ON COLUMN message_reactions.withheld_from IS 'Who never sees it, because they blocked this person then. Not a reference.';
