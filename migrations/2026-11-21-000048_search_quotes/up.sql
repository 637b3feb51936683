-- Some letters are a quote without their accent (the ʻ of ʻokina, the ˈ of phonetic writing): within the text form of a
-- tsvector or tsquery that ends a word. So words are taken out of it first, one by one.
CREATE FUNCTION search_plain(words tsvector) RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT array(SELECT DISTINCT plain FROM unnest(tsvector_to_array(words)) AS word, unaccent(word) AS plain WHERE octet_length(plain) BETWEEN 1 AND 1024)
$$;
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
    -- Most texts have no accents at all.
    RETURN words || CASE WHEN octet_length(cleaned) = length(cleaned) THEN stems ELSE array_to_tsvector(search_plain(stems)) END;
END
$$;
CREATE OR REPLACE FUNCTION search_term(term text) RETURNS tsquery LANGUAGE plpgsql STABLE PARALLEL SAFE SET client_min_messages = warning AS $$
DECLARE
    cleaned text := search_text(term);
    found tsquery := phraseto_tsquery('simple', unaccent(cleaned));
    stems text[];
    stem tsquery;
    spoken record;
BEGIN
    IF numnode(found) = 1 THEN
        FOR spoken IN SELECT language FROM search_languages() LOOP
            stems := search_plain(to_tsvector(spoken.language, cleaned));
            CONTINUE WHEN cardinality(stems) <> 1;
            stem := ('''' || replace(replace(stems[1], '\', '\\'), '''', '''''') || '''')::tsquery;
            IF NOT found @> stem THEN
                found := found || stem;
            END IF;
        END LOOP;
    END IF;
    RETURN found;
END
$$;
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
