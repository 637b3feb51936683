-- As they were.
CREATE OR REPLACE FUNCTION search_words(content text) RETURNS tsvector LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
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
CREATE OR REPLACE FUNCTION search_term(term text) RETURNS tsquery LANGUAGE plpgsql STABLE PARALLEL SAFE SET client_min_messages = warning AS $$
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
CREATE OR REPLACE FUNCTION search_index() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT SET client_min_messages = warning AS $$
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
DROP FUNCTION search_plain(tsvector);
