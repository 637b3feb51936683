CREATE TABLE webhooks (
    id uuid PRIMARY KEY,
    owner_id uuid REFERENCES users ON DELETE CASCADE,
    url text NOT NULL,
    description text,
    kinds text[] NOT NULL CHECK (cardinality(kinds) > 0 AND kinds <@ ARRAY['MESSAGE_CREATED', 'MESSAGE_UPDATED', 'CHAT_UPDATED', 'NOTIFICATION']),
    sealed bytea NOT NULL,
    master_key_id text NOT NULL,
    enabled boolean NOT NULL DEFAULT true,
    disabled_reason text CHECK (disabled_reason IN ('BY_HAND', 'FAILING', 'GONE')),
    failing_since timestamptz,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK (enabled = (disabled_reason IS NULL))
);
CREATE INDEX webhooks_owner_id_idx ON webhooks (owner_id);
COMMENT ON TABLE webhooks IS 'Addresses of other services that are told of what happens.';
COMMENT ON COLUMN webhooks.owner_id IS 'Whose chats they are told of; null for the server''s own, which are told of all.';
COMMENT ON COLUMN webhooks.url IS 'Where.';
COMMENT ON COLUMN webhooks.description IS 'What its keeper calls it.';
COMMENT ON COLUMN webhooks.kinds IS 'Of what.';
COMMENT ON COLUMN webhooks.sealed IS 'What deliveries are signed with, under a data key of its own, and that data key under the master key.';
COMMENT ON COLUMN webhooks.master_key_id IS 'Which master key wraps the data key.';
COMMENT ON COLUMN webhooks.enabled IS 'Whether it is told of anything.';
COMMENT ON COLUMN webhooks.disabled_reason IS 'Why not: BY_HAND, FAILING for too long, or GONE by its own word.';
COMMENT ON COLUMN webhooks.failing_since IS 'When the first delivery failed since the last that did not.';
COMMENT ON COLUMN webhooks.version IS 'Grows with each change.';

CREATE TABLE webhook_deliveries (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    webhook_id uuid NOT NULL REFERENCES webhooks ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('MESSAGE_CREATED', 'MESSAGE_UPDATED', 'CHAT_UPDATED', 'NOTIFICATION')),
    payload jsonb NOT NULL,
    state text NOT NULL DEFAULT 'PENDING' CHECK (state IN ('PENDING', 'DELIVERED', 'FAILED', 'SKIPPED')),
    attempts integer NOT NULL DEFAULT 0,
    response_status integer,
    error text,
    finished_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX webhook_deliveries_webhook_id_idx ON webhook_deliveries (webhook_id, created_at, id);
CREATE INDEX webhook_deliveries_created_at_idx ON webhook_deliveries (created_at);
COMMENT ON TABLE webhook_deliveries IS 'What webhooks were told, or are to be. Kept for a while.';
COMMENT ON COLUMN webhook_deliveries.webhook_id IS 'Which webhook.';
COMMENT ON COLUMN webhook_deliveries.kind IS 'What happened.';
COMMENT ON COLUMN webhook_deliveries.payload IS 'The ids that it speaks of: what they name is read when it is delivered.';
COMMENT ON COLUMN webhook_deliveries.state IS 'What became of it: PENDING, DELIVERED, FAILED, or SKIPPED because there was nothing to tell any more.';
COMMENT ON COLUMN webhook_deliveries.attempts IS 'How often it was tried.';
COMMENT ON COLUMN webhook_deliveries.response_status IS 'The HTTP status of the last answer.';
COMMENT ON COLUMN webhook_deliveries.error IS 'What was wrong the last time.';
COMMENT ON COLUMN webhook_deliveries.finished_at IS 'When it was delivered, given up or skipped.';
