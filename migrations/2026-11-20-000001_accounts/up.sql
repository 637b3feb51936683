CREATE EXTENSION IF NOT EXISTS pg_trgm;

CREATE TABLE users (
    id uuid PRIMARY KEY,
    username text NOT NULL,
    email text NOT NULL,
    display_name text NOT NULL,
    bio text,
    password_hash text NOT NULL,
    role text NOT NULL DEFAULT 'USER' CHECK (role IN ('USER', 'ADMIN')),
    deactivated_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX users_username_key ON users (lower(username));
CREATE UNIQUE INDEX users_email_key ON users (lower(email));
CREATE INDEX users_created_at_idx ON users (created_at DESC, id DESC);
CREATE INDEX users_search_idx ON users USING gin (lower(username || ' ' || email || ' ' || display_name) gin_trgm_ops);
CREATE INDEX users_active_admins_idx ON users (id) WHERE role = 'ADMIN' AND deactivated_at IS NULL;
COMMENT ON TABLE users IS 'People with an account.';
COMMENT ON COLUMN users.username IS 'Unique without regard to case, shown as it was typed.';
COMMENT ON COLUMN users.email IS 'Unique without regard to case, seen by its owner and administrators only.';
COMMENT ON COLUMN users.display_name IS 'The name that others see.';
COMMENT ON COLUMN users.bio IS 'A few words about oneself.';
COMMENT ON COLUMN users.password_hash IS 'Argon2id in PHC format; never leaves the account module.';
COMMENT ON COLUMN users.role IS 'What the person may do on the server as a whole.';
COMMENT ON COLUMN users.deactivated_at IS 'Since when an administrator has barred the account; null while it is active.';

CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    generation integer NOT NULL DEFAULT 0,
    user_agent text,
    address text,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    revoked_reason text CHECK (revoked_reason IN ('LOGOUT', 'REVOKED', 'REUSE', 'PASSWORD_CHANGED', 'DEACTIVATED'))
);
CREATE INDEX sessions_user_id_idx ON sessions (user_id, created_at DESC);
CREATE INDEX sessions_expires_at_idx ON sessions (expires_at);
COMMENT ON TABLE sessions IS 'One sign-in on one device, and the family of refresh tokens that came from it.';
COMMENT ON COLUMN sessions.user_id IS 'Who signed in.';
COMMENT ON COLUMN sessions.generation IS 'The number of the newest refresh token of the family.';
COMMENT ON COLUMN sessions.user_agent IS 'What the client called itself when it signed in.';
COMMENT ON COLUMN sessions.address IS 'The address it signed in from.';
COMMENT ON COLUMN sessions.last_used_at IS 'When the refresh token was last rotated.';
COMMENT ON COLUMN sessions.expires_at IS 'When the session ends unless it is used before.';
COMMENT ON COLUMN sessions.revoked_at IS 'Since when the session is over; null while it lives.';
COMMENT ON COLUMN sessions.revoked_reason IS 'Why it is over.';

CREATE TABLE refresh_tokens (
    token_hash bytea PRIMARY KEY,
    session_id uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
    generation integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    used_at timestamptz
);
CREATE INDEX refresh_tokens_session_id_idx ON refresh_tokens (session_id);
COMMENT ON TABLE refresh_tokens IS 'Every refresh token of a living session, used ones too, so that a stolen one is recognised.';
COMMENT ON COLUMN refresh_tokens.token_hash IS 'SHA-256 of the 256-bit token.';
COMMENT ON COLUMN refresh_tokens.session_id IS 'The family that it belongs to.';
COMMENT ON COLUMN refresh_tokens.generation IS 'Its place in the family: a child is one higher than its parent.';
COMMENT ON COLUMN refresh_tokens.used_at IS 'When it was exchanged for its child; null while it is the newest.';

CREATE TABLE audit_log (
    id uuid PRIMARY KEY,
    occurred_at timestamptz NOT NULL DEFAULT now(),
    actor_id uuid,
    action text NOT NULL,
    target text,
    address text,
    detail jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_log_occurred_at_idx ON audit_log (occurred_at DESC, id DESC);
COMMENT ON TABLE audit_log IS 'Who did or read what, where it matters: administration, keys, failed sign-ins.';
COMMENT ON COLUMN audit_log.occurred_at IS 'When it happened.';
COMMENT ON COLUMN audit_log.actor_id IS 'Who did it; null for the command line and for people who are not signed in. Not a reference: the entry outlives the account.';
COMMENT ON COLUMN audit_log.action IS 'What was done, such as admin.set_role.';
COMMENT ON COLUMN audit_log.target IS 'The public id of what it was done to.';
COMMENT ON COLUMN audit_log.address IS 'The address it came from.';
COMMENT ON COLUMN audit_log.detail IS 'What else an administrator needs to know; never a secret or a message text.';
