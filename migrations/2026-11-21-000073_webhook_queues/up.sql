-- What waits for the webhooks of one keeper is one job, and not a job for each: nobody's slow service keeps all of them busy.
ALTER TABLE webhook_deliveries ADD COLUMN next_at timestamptz NOT NULL DEFAULT now();
COMMENT ON COLUMN webhook_deliveries.next_at IS 'When it is to be tried, while it is PENDING.';
UPDATE webhook_deliveries SET next_at = jobs.run_at FROM jobs
    WHERE state = 'PENDING' AND jobs.kind = 'notify.webhook' AND jobs.key = webhook_deliveries.id::text;
CREATE INDEX webhook_deliveries_pending_idx ON webhook_deliveries (webhook_id, next_at) WHERE state = 'PENDING';
ALTER TABLE webhooks ADD COLUMN silences integer NOT NULL DEFAULT 0, ADD COLUMN rests_until timestamptz;
COMMENT ON COLUMN webhooks.silences IS 'How many attempts in a row it did not answer in time.';
COMMENT ON COLUMN webhooks.rests_until IS 'Until when it is told of nothing, because it was silent too often; what waits for it is told then.';

DELETE FROM jobs WHERE kind = 'notify.webhook';
INSERT INTO jobs (id, kind, key, payload)
    SELECT gen_random_uuid(), 'notify.webhook', coalesce(owner_id, webhook_id)::text,
        CASE WHEN owner_id IS NULL THEN jsonb_build_object('server', webhook_id) ELSE jsonb_build_object('person', owner_id) END
    FROM (SELECT DISTINCT owner_id, CASE WHEN owner_id IS NULL THEN webhooks.id END AS webhook_id
        FROM webhook_deliveries JOIN webhooks ON webhooks.id = webhook_id WHERE state = 'PENDING') AS waiting;

-- Whoever looks for jobs of one kind does not walk past those of another that nobody has come to do.
DROP INDEX jobs_run_at_idx;
CREATE INDEX jobs_kind_run_at_idx ON jobs (kind, run_at);
