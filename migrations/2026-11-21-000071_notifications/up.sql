ALTER TABLE chat_members
    ADD COLUMN notifications text NOT NULL DEFAULT 'ALL' CHECK (notifications IN ('ALL', 'MENTIONS', 'NONE')),
    ADD COLUMN muted_until timestamptz;
COMMENT ON COLUMN chat_members.notifications IS 'Of which messages this person is notified: ALL, MENTIONS or NONE.';
COMMENT ON COLUMN chat_members.muted_until IS 'Until when this person is notified of nothing; null when not muted.';

CREATE TABLE log_readers (
    name text PRIMARY KEY,
    cursor text
);
COMMENT ON TABLE log_readers IS 'How far those have come who read the event log on the server''s behalf. The row''s lock has the servers take turns.';
COMMENT ON COLUMN log_readers.name IS 'Who reads.';
COMMENT ON COLUMN log_readers.cursor IS 'A position in the log, as clients have them; null while there is nobody to read for.';
INSERT INTO log_readers (name) VALUES ('notify');

CREATE TABLE push_subscriptions (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    session_id uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
    endpoint text NOT NULL,
    p256dh bytea NOT NULL,
    auth bytea NOT NULL,
    last_pushed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX push_subscriptions_endpoint_key ON push_subscriptions (endpoint);
CREATE INDEX push_subscriptions_user_id_idx ON push_subscriptions (user_id);
CREATE INDEX push_subscriptions_session_id_idx ON push_subscriptions (session_id);
COMMENT ON TABLE push_subscriptions IS 'The browsers that are to be woken by web push (RFC 8030).';
COMMENT ON COLUMN push_subscriptions.user_id IS 'Whose browser.';
COMMENT ON COLUMN push_subscriptions.session_id IS 'The sign-in that it was registered with: when that is over, nothing is pushed any more.';
COMMENT ON COLUMN push_subscriptions.endpoint IS 'Where its push service takes messages for it.';
COMMENT ON COLUMN push_subscriptions.p256dh IS 'Its public key: what is pushed is encrypted for it (RFC 8291).';
COMMENT ON COLUMN push_subscriptions.auth IS 'The secret that it shares with us for that.';
COMMENT ON COLUMN push_subscriptions.last_pushed_at IS 'When its push service last took something.';

CREATE TABLE vapid_keys (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    sealed bytea NOT NULL,
    master_key_id text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE vapid_keys IS 'The one key by which push services know this server (RFC 8292), where the settings give none.';
COMMENT ON COLUMN vapid_keys.singleton IS 'Always true: there is one row.';
COMMENT ON COLUMN vapid_keys.sealed IS 'The key under a data key of its own, and that data key under the master key.';
COMMENT ON COLUMN vapid_keys.master_key_id IS 'Which master key wraps the data key.';
