-- Brings a database back to where its migrations left it. Sequences may go on.
DO $$
DECLARE
    used record;
    columns text;
    super boolean := (SELECT rolsuper FROM pg_roles WHERE rolname = current_user);
BEGIN
    IF super THEN
        -- No triggers and no foreign keys: the order does not matter.
        SET LOCAL session_replication_role = replica;
    END IF;
    FOR used IN
        SELECT c.oid::regclass AS name, pg_relation_size(c.oid) AS size
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND pg_relation_size(c.oid) > 0
            AND n.nspname NOT LIKE 'pg\_%'
            AND n.nspname NOT IN ('information_schema', 'test_seeds')
            AND c.relname <> '__diesel_schema_migrations'
    LOOP
        -- TRUNCATE makes new files, which takes longer than deleting a few rows.
        IF super AND used.size < 262144 THEN
            EXECUTE format('DELETE FROM %s', used.name);
        ELSE
            EXECUTE format('TRUNCATE %s CASCADE', used.name);
        END IF;
    END LOOP;
    FOR used IN
        SELECT c.relname, c.relname::text::oid AS oid, c.relname::text::oid::regclass AS name
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'test_seeds' AND c.relkind = 'r'
    LOOP
        SELECT string_agg(quote_ident(attname), ', ') INTO columns
        FROM pg_attribute
        WHERE attrelid = used.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '';
        EXECUTE format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM test_seeds.%I',
            used.name, columns, columns, used.relname);
    END LOOP;
END $$
