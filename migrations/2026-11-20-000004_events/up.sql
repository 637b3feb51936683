CREATE TABLE events (
    id bigserial PRIMARY KEY,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    user_id uuid REFERENCES users ON DELETE CASCADE,
    chat_id uuid REFERENCES chats ON DELETE CASCADE,
    kind text NOT NULL,
    payload jsonb NOT NULL DEFAULT '{}',
    occurred_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((user_id IS NULL) <> (chat_id IS NULL))
);
CREATE INDEX events_xid_idx ON events (xid);
CREATE INDEX events_user_id_idx ON events (user_id, xid);
CREATE INDEX events_chat_id_idx ON events (chat_id, xid);
CREATE INDEX events_occurred_at_idx ON events (occurred_at);
COMMENT ON TABLE events IS 'What happened, for clients that follow along or catch up. Written in the transaction that made it happen.';
COMMENT ON COLUMN events.id IS 'Given in lock order within a chat. Across chats it says nothing: transactions commit out of order.';
COMMENT ON COLUMN events.xid IS 'The writing transaction: a reader has seen an event exactly if its snapshot shows this transaction as done.';
COMMENT ON COLUMN events.user_id IS 'The one person it is for, or else it is for a chat''s members.';
COMMENT ON COLUMN events.chat_id IS 'The chat whose members it is for.';
COMMENT ON COLUMN events.kind IS 'What kind of event it is.';
COMMENT ON COLUMN events.payload IS 'The ids that it speaks of; readers load what they name as it is now.';
COMMENT ON COLUMN events.occurred_at IS 'When its transaction began.';

CREATE TABLE event_log (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    epoch uuid NOT NULL DEFAULT gen_random_uuid(),
    trimmed_xid xid8 NOT NULL DEFAULT '0',
    home text
);
INSERT INTO event_log DEFAULT VALUES;
COMMENT ON TABLE event_log IS 'The one row about the event log as a whole.';
COMMENT ON COLUMN event_log.singleton IS 'Always true: there is one row.';
COMMENT ON COLUMN event_log.epoch IS 'Part of every cursor: changes when the log is moved to another Postgres, whose transaction ids mean nothing here.';
COMMENT ON COLUMN event_log.home IS 'Which Postgres, timeline and database the transaction ids are of; null before the first start.';
COMMENT ON COLUMN event_log.trimmed_xid IS 'Events of transactions up to this one may have been removed.';
