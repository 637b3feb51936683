-- A chat in which nothing is left to disappear is not looked at again before something is said in it.
ALTER TABLE chat_lifetimes ALTER COLUMN due_at DROP NOT NULL;
COMMENT ON COLUMN chat_lifetimes.due_at IS 'Before this moment nothing in it gets too old; null while there is nothing in it.';
CREATE FUNCTION chat_lifetimes_rearm() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE chat_lifetimes SET due_at = now() + make_interval(secs => seconds)
        WHERE due_at IS NULL AND chat_id IN (SELECT said.chat_id FROM said);
    RETURN NULL;
END $$;
CREATE TRIGGER chat_lifetimes_rearm AFTER INSERT ON messages REFERENCING NEW TABLE AS said
    FOR EACH STATEMENT EXECUTE FUNCTION chat_lifetimes_rearm();
