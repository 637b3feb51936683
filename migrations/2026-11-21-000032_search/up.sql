CREATE EXTENSION IF NOT EXISTS unaccent;

-- A table of its own: a message's row changes often (while its answer streams, with every branch that is shown), and each
-- version of a row has its own entries in every index, which for a text are many.
CREATE TABLE message_words (
    message_id uuid PRIMARY KEY REFERENCES messages ON DELETE CASCADE,
    words tsvector NOT NULL
);
-- Without a list of pending entries: every search would have to read through it, and a message has few words.
CREATE INDEX message_words_idx ON message_words USING gin (words) WITH (fastupdate = off);
COMMENT ON TABLE message_words IS 'What messages are found by. A running answer has no row yet, a tombstone none any more.';
COMMENT ON COLUMN message_words.message_id IS 'Which message.';
COMMENT ON COLUMN message_words.words IS 'Its words without accents, with their places; their stems; and marks of where, when and by whom it was said.';

-- The parts of a chat that are searched one by one: 1024 messages each. The mark of one begins as no word does.
CREATE FUNCTION search_block(chat_id uuid, block bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT '=' || left(md5(chat_id::text || block), 16)
$$;

-- Everything that Postgres would read as part of one longer word, a path or a tag: people look for the words in it.
-- Scripts without spaces have a word of every character; the order of the words finds what was meant.
CREATE FUNCTION search_text(content text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN octet_length(content) = length(content) THEN translate(content, './@-<>&:=?~+%#''', '               ')
        ELSE regexp_replace(translate(content, './@-<>&:=?~+%#''’', '                '),
            '([\u0E00-\u0EFF\u3040-\u30FF\u3400-\u4DBF\u4E00-\u9FFF\uF900-\uFAFF\U00020000-\U0003FFFF])', ' \1 ', 'g')
    END
$$;

-- The languages whose words are also found in their other forms, each with frequent words that give it away.
CREATE FUNCTION search_languages() RETURNS TABLE (language regconfig, hint tsquery) LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    VALUES
        ('english'::regconfig, 'the|and|is|of|to|that|it|for|you|with|this|are|was|what|have'::tsquery),
        ('german', 'der|die|und|ist|das|nicht|ich|ein|eine|mit|zu|auf|wie|den|sie'),
        ('french', 'le|les|et|est|des|une|pour|dans|pas|qui|vous|je|du|au|sur'),
        ('spanish', 'el|los|las|que|y|es|una|por|con|para|en|como|del|se|lo'),
        ('portuguese', 'o|os|e|que|uma|nao|para|com|do|da|em|por|voce|mais|no'),
        ('italian', 'il|di|che|e|un|una|per|non|con|sono|del|della|come|gli|nel'),
        ('dutch', 'de|het|een|en|van|is|dat|niet|voor|met|op|te|zijn|ik|wat'),
        ('swedish', 'och|att|det|som|en|inte|jag|ett|pa|med|ar|den|av|for|vi'),
        ('russian', 'и|в|не|на|что|это|с|как|но|для|вы|я|по|из|к')
$$;

-- The words of a text: all of them as they are written but for case and accents, so that every language, name and number is
-- found, and a phrase word for word; beside them, without a place, their stems in the language that the text is in. A text
-- too short to tell gets those of every language. Only the beginning of a very long text is read: a tsvector holds 1 MB.
CREATE FUNCTION search_words(content text) RETURNS tsvector LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    cleaned text := search_text(left(content, 50000));
    words tsvector := to_tsvector('simple', unaccent(cleaned));
    stems tsvector := '';
    best real;
    spoken record;
BEGIN
    FOR spoken IN SELECT language, ts_rank(words, hint) AS score FROM search_languages() ORDER BY score DESC LOOP
        best := coalesce(best, spoken.score);
        EXIT WHEN spoken.score < best * 0.8 OR (best = 0 AND length(words) > 12);
        stems := stems || strip(to_tsvector(spoken.language, cleaned));
    END LOOP;
    RETURN words || unaccent(stems::text)::tsvector;
END
$$;

-- What one message is found by. The marks narrow a search before any row is read: where, when, by whom, as whose turn.
CREATE FUNCTION search_entry(message messages) RETURNS tsvector LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT search_words(message.content) || array_to_tsvector(array_remove(ARRAY[
        search_block(message.chat_id, message.sequence / 1024),
        '~' || to_char(message.created_at AT TIME ZONE 'UTC', 'YYYYMM'),
        '!' || message.role,
        '@' || left(md5(message.author_id::text), 16)
    ], NULL))
$$;

-- What a word may stand as: itself without accents, or one of its stems. Several words are a phrase.
CREATE FUNCTION search_term(term text) RETURNS tsquery LANGUAGE plpgsql STABLE PARALLEL SAFE SET client_min_messages = warning AS $$
DECLARE
    cleaned text := search_text(term);
    found tsquery := phraseto_tsquery('simple', unaccent(cleaned));
    stem tsquery;
    spoken record;
BEGIN
    IF numnode(found) = 1 THEN
        FOR spoken IN SELECT language FROM search_languages() LOOP
            stem := unaccent(plainto_tsquery(spoken.language, cleaned)::text)::tsquery;
            IF numnode(stem) = 1 AND NOT found @> stem THEN
                found := found || stem;
            END IF;
        END LOOP;
    END IF;
    RETURN found;
END
$$;

CREATE FUNCTION search_index() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT SET client_min_messages = warning AS $$
BEGIN
    IF new.content = '' OR new.deleted_at IS NOT NULL THEN
        DELETE FROM message_words WHERE message_id = new.id;
    ELSE
        INSERT INTO message_words VALUES (new.id, search_entry(new))
        ON CONFLICT (message_id) DO UPDATE SET words = excluded.words;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION search_index() IS 'Keeps what a message is found by, in the transaction that writes the message.';

CREATE TRIGGER messages_search_insert AFTER INSERT ON messages FOR EACH ROW
    WHEN (new.content <> '' AND new.deleted_at IS NULL) EXECUTE FUNCTION search_index();
-- A change that clients are told of has another version. The checkpoints of a running answer, ten a second, have not.
CREATE TRIGGER messages_search_update AFTER UPDATE OF content, deleted_at ON messages FOR EACH ROW
    WHEN (new.version <> old.version) EXECUTE FUNCTION search_index();

-- What was said before is filled in by a job, a few rows at a time, while the server runs.
INSERT INTO jobs (id, kind, key, payload) SELECT gen_random_uuid(), 'search.fill', 'all', '{}' WHERE EXISTS (SELECT FROM messages);
