CREATE TABLE api_keys (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    provider text NOT NULL,
    label text,
    base_url text,
    hint text NOT NULL,
    fingerprint text NOT NULL,
    sealed bytea NOT NULL,
    master_key_id text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    last_verified_at timestamptz,
    last_error_code text,
    last_error_at timestamptz,
    UNIQUE (user_id, provider)
);
CREATE INDEX api_keys_master_key_id_idx ON api_keys (master_key_id);
COMMENT ON TABLE api_keys IS 'The provider keys that people brought, encrypted.';
COMMENT ON COLUMN api_keys.user_id IS 'Whose key it is.';
COMMENT ON COLUMN api_keys.provider IS 'Which wire format the key is for.';
COMMENT ON COLUMN api_keys.label IS 'What its owner calls it.';
COMMENT ON COLUMN api_keys.base_url IS 'Where it is used; null for the provider''s own address.';
COMMENT ON COLUMN api_keys.hint IS 'The ends of the key, to recognise it by.';
COMMENT ON COLUMN api_keys.fingerprint IS 'A hash of the key that tells two keys apart and gives neither away.';
COMMENT ON COLUMN api_keys.sealed IS 'The key under a data key of its own, and that data key under the master key.';
COMMENT ON COLUMN api_keys.master_key_id IS 'Which master key wraps the data key.';
COMMENT ON COLUMN api_keys.last_used_at IS 'When it last started an answer.';
COMMENT ON COLUMN api_keys.last_verified_at IS 'When the provider last accepted it.';
COMMENT ON COLUMN api_keys.last_error_code IS 'What the provider last refused it with; null since it was last accepted.';
COMMENT ON COLUMN api_keys.last_error_at IS 'When that was.';

CREATE TABLE master_keys (
    id text PRIMARY KEY,
    canary bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE master_keys IS 'The master keys that provider keys were ever sealed with, by id; the keys themselves are never here.';
COMMENT ON COLUMN master_keys.id IS 'Derived from the key; says nothing about it.';
COMMENT ON COLUMN master_keys.canary IS 'A known text sealed with it: whoever cannot open it has the wrong key.';
