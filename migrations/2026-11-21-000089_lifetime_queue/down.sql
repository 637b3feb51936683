DROP TRIGGER chat_lifetimes_rearm ON messages;
DROP FUNCTION chat_lifetimes_rearm;
UPDATE chat_lifetimes SET due_at = now() WHERE due_at IS NULL;
ALTER TABLE chat_lifetimes ALTER COLUMN due_at SET NOT NULL;
COMMENT ON COLUMN chat_lifetimes.due_at IS 'Before this moment nothing in it gets too old.';
