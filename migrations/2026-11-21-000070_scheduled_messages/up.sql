CREATE TABLE scheduled_messages (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    chat_id uuid NOT NULL,
    content text NOT NULL,
    rule text,
    time_zone text NOT NULL,
    starts_at timestamptz NOT NULL,
    next_at timestamptz,
    missed text NOT NULL CHECK (missed IN ('SEND_LATE', 'SKIP')),
    state text NOT NULL DEFAULT 'ACTIVE' CHECK (state IN ('ACTIVE', 'DONE', 'FAILED', 'CANCELLED')),
    sent_count integer NOT NULL DEFAULT 0,
    last_sent_at timestamptz,
    last_message_id uuid,
    missed_count integer NOT NULL DEFAULT 0,
    missed_at timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    failures integer NOT NULL DEFAULT 0,
    error_code text CHECK (error_code IN ('CHAT_GONE', 'FORBIDDEN', 'ACCOUNT_DEACTIVATED', 'KEY_MISSING', 'BUDGET_EXCEEDED', 'MISSED', 'UNAVAILABLE', 'REFUSED')),
    error_message text,
    idempotency_key text NOT NULL,
    request_hash bytea NOT NULL,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((state = 'ACTIVE') = (next_at IS NOT NULL))
);
CREATE INDEX scheduled_messages_user_id_idx ON scheduled_messages (user_id, id);
CREATE UNIQUE INDEX scheduled_messages_idempotency_key ON scheduled_messages (user_id, idempotency_key);
COMMENT ON TABLE scheduled_messages IS 'Messages that are to be sent later, once or again and again. The time of the next one is also that of a job.';
COMMENT ON COLUMN scheduled_messages.user_id IS 'Who sends them.';
COMMENT ON COLUMN scheduled_messages.chat_id IS 'Where to. Not a reference: the row outlives the chat, to say that it is gone.';
COMMENT ON COLUMN scheduled_messages.content IS 'The text.';
COMMENT ON COLUMN scheduled_messages.rule IS 'When again: a recurrence rule (RFC 5545) or a cron pattern; null for once.';
COMMENT ON COLUMN scheduled_messages.time_zone IS 'The time zone of the rule, as IANA names it.';
COMMENT ON COLUMN scheduled_messages.starts_at IS 'When it is to be sent, or the beginning of the rule.';
COMMENT ON COLUMN scheduled_messages.next_at IS 'When the next message is due; null when there is none any more. Part of the idempotency key of that message.';
COMMENT ON COLUMN scheduled_messages.missed IS 'What becomes of a time that passed while no server ran: SEND_LATE or SKIP.';
COMMENT ON COLUMN scheduled_messages.state IS 'What becomes of it: ACTIVE, DONE, FAILED or CANCELLED.';
COMMENT ON COLUMN scheduled_messages.sent_count IS 'How many messages were sent.';
COMMENT ON COLUMN scheduled_messages.last_sent_at IS 'When the last one was.';
COMMENT ON COLUMN scheduled_messages.last_message_id IS 'The last one. Not a reference: the message may be gone.';
COMMENT ON COLUMN scheduled_messages.missed_count IS 'How many times passed without a message.';
COMMENT ON COLUMN scheduled_messages.missed_at IS 'The newest time that was not kept: its message was late, or there was none.';
COMMENT ON COLUMN scheduled_messages.attempts IS 'How often the next message was tried in vain for what may pass.';
COMMENT ON COLUMN scheduled_messages.failures IS 'How many times in a row were refused.';
COMMENT ON COLUMN scheduled_messages.error_code IS 'Why the last one was not sent; null when it was.';
COMMENT ON COLUMN scheduled_messages.error_message IS 'The same in words for its owner.';
COMMENT ON COLUMN scheduled_messages.idempotency_key IS 'The owner''s key for the scheduling, so that a retry schedules nothing twice.';
COMMENT ON COLUMN scheduled_messages.request_hash IS 'SHA-256 of what was asked under the key, to tell a retry from something else.';
COMMENT ON COLUMN scheduled_messages.version IS 'Grows with each change.';
