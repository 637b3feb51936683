ALTER TABLE api_keys
    ADD COLUMN format text CHECK (format IN ('chat_completions', 'responses', 'anthropic_messages', 'gemini_generate', 'ollama_chat')),
    ADD COLUMN throttled_until timestamptz,
    ADD COLUMN requests_limit bigint,
    ADD COLUMN requests_remaining bigint,
    ADD COLUMN tokens_limit bigint,
    ADD COLUMN tokens_remaining bigint,
    ADD COLUMN headroom_resets_at timestamptz,
    ADD COLUMN headroom_at timestamptz;
COMMENT ON COLUMN api_keys.provider IS 'Whose key it is for.';
COMMENT ON COLUMN api_keys.format IS 'In which format the provider is asked; null for its usual one.';
COMMENT ON COLUMN api_keys.throttled_until IS 'Until when the provider asked to wait; null when it did not, or took another request since.';
COMMENT ON COLUMN api_keys.requests_limit IS 'How many requests the provider takes in its window, as it last said.';
COMMENT ON COLUMN api_keys.requests_remaining IS 'How many of them were left.';
COMMENT ON COLUMN api_keys.tokens_limit IS 'How many tokens the provider takes in its window, as it last said.';
COMMENT ON COLUMN api_keys.tokens_remaining IS 'How many of them were left.';
COMMENT ON COLUMN api_keys.headroom_resets_at IS 'When there is more of what was scarcest.';
COMMENT ON COLUMN api_keys.headroom_at IS 'When the provider said so.';

CREATE TABLE replays (
    generation_id uuid PRIMARY KEY REFERENCES generations ON DELETE CASCADE,
    format text NOT NULL CHECK (format IN ('chat_completions', 'responses', 'anthropic_messages', 'gemini_generate', 'ollama_chat')),
    model text NOT NULL,
    content text NOT NULL
);
COMMENT ON TABLE replays IS 'Answers as their provider wrote them, where something in them is signed: sent back word for word with the next question.';
COMMENT ON COLUMN replays.generation_id IS 'The answer.';
COMMENT ON COLUMN replays.format IS 'The format it is written in; it goes back in the same one only.';
COMMENT ON COLUMN replays.model IS 'The model that wrote it; it goes back to the same one only.';
COMMENT ON COLUMN replays.content IS 'JSON, byte for byte.';
