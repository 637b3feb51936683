ALTER TABLE message_reactions DROP COLUMN withheld_from;
ALTER TABLE message_edits DROP COLUMN withheld_from;
ALTER TABLE messages
    DROP CONSTRAINT messages_own_content_has_a_time,
    DROP COLUMN own_edited_at,
    DROP COLUMN own_content;
