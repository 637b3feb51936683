CREATE TABLE models (
    provider text NOT NULL,
    model text NOT NULL,
    source text NOT NULL CHECK (source IN ('IMPORT', 'ADMIN')),
    display_name text,
    context_window bigint CHECK (context_window > 0),
    max_output_tokens bigint CHECK (max_output_tokens > 0),
    input_modalities text[],
    tools boolean,
    reasoning boolean,
    mode text CHECK (mode IN ('CHAT', 'RESPONSES')),
    input_price bigint CHECK (input_price >= 0),
    cached_input_price bigint CHECK (cached_input_price >= 0),
    cache_write_price bigint CHECK (cache_write_price >= 0),
    output_price bigint CHECK (output_price >= 0),
    reasoning_price bigint CHECK (reasoning_price >= 0),
    long_above_tokens bigint CHECK (long_above_tokens > 0),
    long_input_price bigint CHECK (long_input_price >= 0),
    long_cached_input_price bigint CHECK (long_cached_input_price >= 0),
    long_cache_write_price bigint CHECK (long_cache_write_price >= 0),
    long_output_price bigint CHECK (long_output_price >= 0),
    price_version text,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (provider, model, source),
    CHECK ((input_price IS NULL) = (output_price IS NULL)),
    CHECK ((input_price IS NULL) = (price_version IS NULL)),
    CHECK ((long_above_tokens IS NULL) = (long_input_price IS NULL)),
    CHECK ((long_above_tokens IS NULL) = (long_output_price IS NULL))
);
COMMENT ON TABLE models IS 'What is known of models beyond what came with this version: an imported price map, and what administrators have set.';
COMMENT ON COLUMN models.provider IS 'Whose model.';
COMMENT ON COLUMN models.model IS 'The provider''s name of it.';
COMMENT ON COLUMN models.source IS 'IMPORT takes the place of what came with this version; what is not null in ADMIN counts before both.';
COMMENT ON COLUMN models.display_name IS 'What people call it.';
COMMENT ON COLUMN models.context_window IS 'The most tokens that a prompt may have.';
COMMENT ON COLUMN models.max_output_tokens IS 'The most tokens that an answer may have.';
COMMENT ON COLUMN models.input_modalities IS 'What it reads: TEXT, IMAGE, AUDIO, VIDEO, PDF.';
COMMENT ON COLUMN models.tools IS 'Whether it can call tools.';
COMMENT ON COLUMN models.reasoning IS 'Whether it thinks before it answers.';
COMMENT ON COLUMN models.mode IS 'Which of its provider''s APIs it speaks: RESPONSES where Chat Completions does not have it.';
COMMENT ON COLUMN models.input_price IS 'Micro-USD for a million tokens of prompt; null when nobody knows the prices.';
COMMENT ON COLUMN models.cached_input_price IS 'Micro-USD for a million tokens of prompt from the provider''s cache; null when they cost as much as others.';
COMMENT ON COLUMN models.cache_write_price IS 'Micro-USD for a million tokens of prompt put into the provider''s cache; null when they cost as much as others.';
COMMENT ON COLUMN models.output_price IS 'Micro-USD for a million tokens of answer.';
COMMENT ON COLUMN models.reasoning_price IS 'Micro-USD for a million tokens of reasoning; null when they cost as much as others.';
COMMENT ON COLUMN models.long_above_tokens IS 'Prompts of more tokens than this have the prices that follow; null when all prompts cost the same.';
COMMENT ON COLUMN models.long_input_price IS 'As input_price, for long prompts.';
COMMENT ON COLUMN models.long_cached_input_price IS 'As cached_input_price, for long prompts.';
COMMENT ON COLUMN models.long_cache_write_price IS 'As cache_write_price, for long prompts.';
COMMENT ON COLUMN models.long_output_price IS 'As output_price, for answers to long prompts.';
COMMENT ON COLUMN models.price_version IS 'Names these prices on whatever was charged by them.';

CREATE TABLE model_changes (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    version bigint NOT NULL DEFAULT 0
);
INSERT INTO model_changes DEFAULT VALUES;
COMMENT ON TABLE model_changes IS 'The one row that tells servers when to read models anew.';
COMMENT ON COLUMN model_changes.singleton IS 'Always true: there is one row.';
COMMENT ON COLUMN model_changes.version IS 'Grows with each change of models, in its transaction.';
