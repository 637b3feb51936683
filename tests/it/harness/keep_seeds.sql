-- Copies every table that the migrations have filled into a schema of its own.
DO $$
DECLARE
    seeded record;
BEGIN
    FOR seeded IN
        SELECT c.oid, c.oid::regclass AS name
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND pg_relation_size(c.oid) > 0
            AND n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema'
            AND c.relname <> '__diesel_schema_migrations'
    LOOP
        CREATE SCHEMA IF NOT EXISTS test_seeds;
        EXECUTE format('CREATE TABLE test_seeds.%I AS TABLE %s', seeded.oid, seeded.name);
    END LOOP;
END $$
