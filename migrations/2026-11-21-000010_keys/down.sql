DROP TABLE replays;
COMMENT ON COLUMN api_keys.provider IS 'Which wire format the key is for.';
ALTER TABLE api_keys
    DROP COLUMN format,
    DROP COLUMN throttled_until,
    DROP COLUMN requests_limit,
    DROP COLUMN requests_remaining,
    DROP COLUMN tokens_limit,
    DROP COLUMN tokens_remaining,
    DROP COLUMN headroom_resets_at,
    DROP COLUMN headroom_at;
