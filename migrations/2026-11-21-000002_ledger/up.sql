CREATE TABLE attempts (
    id uuid PRIMARY KEY,
    generation_id uuid REFERENCES generations ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
    user_id uuid NOT NULL,
    payer_id uuid NOT NULL,
    chat_id uuid,
    provider text NOT NULL,
    model text NOT NULL,
    key_source text NOT NULL CHECK (key_source IN ('USER', 'SERVER', 'NONE')),
    api_key_id uuid,
    purpose text NOT NULL CHECK (purpose IN ('ANSWER', 'TITLE', 'SUMMARY')),
    started_at timestamptz NOT NULL DEFAULT now(),
    first_token_at timestamptz,
    ended_at timestamptz,
    outcome text CHECK (outcome IN ('COMPLETED', 'FAILED', 'STOPPED', 'INTERRUPTED')),
    error_code text,
    provider_request_id text,
    input_tokens bigint NOT NULL CHECK (input_tokens >= 0),
    cached_input_tokens bigint NOT NULL DEFAULT 0 CHECK (cached_input_tokens >= 0),
    cache_write_tokens bigint NOT NULL DEFAULT 0 CHECK (cache_write_tokens >= 0),
    output_tokens bigint NOT NULL DEFAULT 0 CHECK (output_tokens >= 0),
    reasoning_tokens bigint NOT NULL DEFAULT 0 CHECK (reasoning_tokens >= 0),
    raw_usage jsonb,
    cost_micro_usd bigint CHECK (cost_micro_usd >= 0),
    price_version text,
    state text NOT NULL DEFAULT 'ESTIMATED' CHECK (state IN ('ESTIMATED', 'REPORTED', 'RECONCILED')),
    reserved_micro_usd bigint NOT NULL DEFAULT 0 CHECK (reserved_micro_usd >= 0),
    CHECK ((ended_at IS NULL) = (outcome IS NULL))
);
CREATE INDEX attempts_generation_id_idx ON attempts (generation_id);
CREATE INDEX attempts_user_id_idx ON attempts (user_id, started_at);
CREATE INDEX attempts_payer_id_idx ON attempts (payer_id, key_source, started_at);
CREATE INDEX attempts_started_at_idx ON attempts (started_at);
CREATE INDEX attempts_open_idx ON attempts (started_at) WHERE ended_at IS NULL;
COMMENT ON TABLE attempts IS 'The ledger: every attempt at a provider, what it used and what it cost.';
COMMENT ON COLUMN attempts.generation_id IS 'The answer that it was made for; null for other purposes and once the answer is removed.';
COMMENT ON COLUMN attempts.user_id IS 'Who asked. Not a reference: what was spent outlives the account.';
COMMENT ON COLUMN attempts.payer_id IS 'Whose key or budget pays. Not a reference.';
COMMENT ON COLUMN attempts.chat_id IS 'Where it was asked. Not a reference: what was spent outlives the chat.';
COMMENT ON COLUMN attempts.provider IS 'Who was asked.';
COMMENT ON COLUMN attempts.model IS 'Which model.';
COMMENT ON COLUMN attempts.key_source IS 'Whose key: the asking person''s, the server''s, or none (scripted).';
COMMENT ON COLUMN attempts.api_key_id IS 'Which of the person''s keys. Not a reference.';
COMMENT ON COLUMN attempts.purpose IS 'What for: an answer, or a title or summary made in the background.';
COMMENT ON COLUMN attempts.started_at IS 'When it began.';
COMMENT ON COLUMN attempts.first_token_at IS 'When its first word came.';
COMMENT ON COLUMN attempts.ended_at IS 'When it ended; null while it runs, and until then its figures are what was expected.';
COMMENT ON COLUMN attempts.outcome IS 'How it ended.';
COMMENT ON COLUMN attempts.error_code IS 'Why it failed or broke off.';
COMMENT ON COLUMN attempts.provider_request_id IS 'The provider''s own id for it.';
COMMENT ON COLUMN attempts.input_tokens IS 'Tokens of the prompt, cached ones included.';
COMMENT ON COLUMN attempts.cached_input_tokens IS 'Tokens of the prompt that the provider had cached.';
COMMENT ON COLUMN attempts.cache_write_tokens IS 'Tokens of the prompt that the provider put into its cache.';
COMMENT ON COLUMN attempts.output_tokens IS 'Tokens of what was written, reasoning included.';
COMMENT ON COLUMN attempts.reasoning_tokens IS 'Tokens of the reasoning.';
COMMENT ON COLUMN attempts.raw_usage IS 'The provider''s usage, word for word.';
COMMENT ON COLUMN attempts.cost_micro_usd IS 'What it cost, in millionths of a US dollar; null when nobody knows the price.';
COMMENT ON COLUMN attempts.price_version IS 'The prices that it was charged by; provider when the provider told the cost itself.';
COMMENT ON COLUMN attempts.state IS 'How sure the figures are: counted here, told by the provider, or compared with its bill.';
COMMENT ON COLUMN attempts.reserved_micro_usd IS 'What it holds, or in the end held, of its payer''s budget.';

CREATE TABLE budgets (
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    scope text NOT NULL CHECK (scope IN ('SERVER_KEY', 'OWN_KEYS')),
    limit_micro_usd bigint NOT NULL CHECK (limit_micro_usd >= 0),
    period text NOT NULL CHECK (period IN ('DAY', 'MONTH', 'TOTAL')),
    period_started_at timestamptz NOT NULL,
    period_ends_at timestamptz,
    spent_micro_usd bigint NOT NULL DEFAULT 0 CHECK (spent_micro_usd >= 0),
    reserved_micro_usd bigint NOT NULL DEFAULT 0 CHECK (reserved_micro_usd >= 0),
    PRIMARY KEY (user_id, scope),
    CHECK ((period = 'TOTAL') = (period_ends_at IS NULL))
);
COMMENT ON TABLE budgets IS 'What people may spend. Its row is locked by whoever reserves or settles, so that nobody overspends together.';
COMMENT ON COLUMN budgets.user_id IS 'Whose budget.';
COMMENT ON COLUMN budgets.scope IS 'SERVER_KEY: what the server''s keys may spend for them, set by administrators. OWN_KEYS: what their own keys may spend, set by themselves.';
COMMENT ON COLUMN budgets.limit_micro_usd IS 'The most of a period, in millionths of a US dollar.';
COMMENT ON COLUMN budgets.period IS 'How long it lasts: a day or a month of UTC, or for good.';
COMMENT ON COLUMN budgets.period_started_at IS 'When the period began.';
COMMENT ON COLUMN budgets.period_ends_at IS 'When it ends and nothing counts as spent; null for TOTAL.';
COMMENT ON COLUMN budgets.spent_micro_usd IS 'What the ended attempts of the period cost.';
COMMENT ON COLUMN budgets.reserved_micro_usd IS 'What the running attempts hold.';

ALTER TABLE generations
    ADD COLUMN cost_micro_usd bigint,
    ADD COLUMN cost_state text CHECK (cost_state IN ('ESTIMATED', 'REPORTED', 'RECONCILED')),
    ADD COLUMN price_version text;
COMMENT ON COLUMN generations.cost_micro_usd IS 'What its attempts cost together, in millionths of a US dollar; null when nobody knows the price.';
COMMENT ON COLUMN generations.cost_state IS 'How sure its figures are; null while it runs.';
COMMENT ON COLUMN generations.price_version IS 'The prices that it was charged by.';
