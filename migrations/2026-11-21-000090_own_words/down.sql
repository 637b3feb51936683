DROP TRIGGER messages_search_own ON messages;
CREATE OR REPLACE FUNCTION search_index() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT SET client_min_messages = warning AS $$
DECLARE
    entry tsvector;
BEGIN
    IF new.content = '' OR new.deleted_at IS NOT NULL THEN
        DELETE FROM message_words WHERE message_id = new.id;
    ELSE
        -- A message that cannot be found is better than one that cannot be said.
        BEGIN
            entry := search_entry(new);
        EXCEPTION WHEN data_exception OR syntax_error OR program_limit_exceeded THEN
            RAISE WARNING 'message % cannot be searched for: %', new.id, SQLERRM;
            entry := '';
        END;
        INSERT INTO message_words VALUES (new.id, entry)
        ON CONFLICT (message_id) DO UPDATE SET words = excluded.words;
    END IF;
    RETURN NULL;
END
$$;
DROP INDEX messages_own_idx;
ALTER TABLE message_words DROP COLUMN own_words;
