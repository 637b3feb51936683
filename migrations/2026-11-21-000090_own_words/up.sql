-- What somebody said in other words while they were blocked, they find by these words, and not by those that the other reads.
ALTER TABLE message_words ADD COLUMN own_words tsvector;
COMMENT ON COLUMN message_words.own_words IS 'What its author finds it by, while the other of the pair reads other words. Null when all read the same.';
CREATE INDEX messages_own_idx ON messages (author_id) WHERE own_content IS NOT NULL;

CREATE OR REPLACE FUNCTION search_index() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT SET client_min_messages = warning AS $$
DECLARE
    entry tsvector;
    own tsvector;
    own_message messages := new;
BEGIN
    IF new.content = '' OR new.deleted_at IS NOT NULL THEN
        DELETE FROM message_words WHERE message_id = new.id;
    ELSE
        -- A message that cannot be found is better than one that cannot be said.
        BEGIN
            entry := search_entry(new);
            IF new.own_content IS NOT NULL THEN
                own_message.content := new.own_content;
                own := search_entry(own_message);
            END IF;
        EXCEPTION WHEN data_exception OR syntax_error OR program_limit_exceeded THEN
            RAISE WARNING 'message % cannot be searched for: %', new.id, SQLERRM;
            entry := coalesce(entry, '');
            own := CASE WHEN new.own_content IS NOT NULL THEN ''::tsvector END;
        END;
        INSERT INTO message_words (message_id, words, own_words) VALUES (new.id, entry, own)
        ON CONFLICT (message_id) DO UPDATE SET words = excluded.words, own_words = excluded.own_words;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER messages_search_own AFTER UPDATE OF own_content ON messages FOR EACH ROW EXECUTE FUNCTION search_index();
UPDATE messages SET own_content = own_content WHERE own_content IS NOT NULL;
-- As long as it is not known how few these are, searches would walk all messages of a person for them.
ANALYZE messages (own_content);
