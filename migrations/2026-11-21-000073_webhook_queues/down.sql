DROP INDEX jobs_kind_run_at_idx;
CREATE INDEX jobs_run_at_idx ON jobs (run_at);
DELETE FROM jobs WHERE kind = 'notify.webhook';
INSERT INTO jobs (id, kind, key, payload, run_at)
    SELECT gen_random_uuid(), 'notify.webhook', id::text, jsonb_build_object('id', id), next_at FROM webhook_deliveries WHERE state = 'PENDING';
ALTER TABLE webhooks DROP COLUMN rests_until, DROP COLUMN silences;
DROP INDEX webhook_deliveries_pending_idx;
ALTER TABLE webhook_deliveries DROP COLUMN next_at;
