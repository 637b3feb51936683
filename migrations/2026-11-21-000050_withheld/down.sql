ALTER TABLE preferences DROP COLUMN addable_by;
ALTER TABLE chat_members DROP COLUMN own_activity_at;
-- What was withheld would be seen without its mark.
DELETE FROM messages WHERE withheld_from IS NOT NULL;
ALTER TABLE messages DROP COLUMN withheld_from;
