CREATE TABLE jobs (
    id uuid PRIMARY KEY,
    kind text NOT NULL,
    key text NOT NULL,
    payload jsonb NOT NULL,
    revision integer NOT NULL DEFAULT 1,
    run_at timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0,
    last_error text,
    leased_by uuid,
    leased_until timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (kind, key)
);
CREATE INDEX jobs_run_at_idx ON jobs (run_at);
COMMENT ON TABLE jobs IS 'What is to be done in the background. Written in the transaction that calls for it; removed when it is done or given up.';
COMMENT ON COLUMN jobs.kind IS 'What is to be done, such as chat.title.';
COMMENT ON COLUMN jobs.key IS 'What it is to be done to: there is one job of a kind for each.';
COMMENT ON COLUMN jobs.payload IS 'What else there is to know.';
COMMENT ON COLUMN jobs.revision IS 'Grows when it is called for again: what was begun before that is done once more.';
COMMENT ON COLUMN jobs.run_at IS 'Not before.';
COMMENT ON COLUMN jobs.attempts IS 'How often it was begun since it was called for.';
COMMENT ON COLUMN jobs.last_error IS 'Why the last attempt failed, for whoever runs the server.';
COMMENT ON COLUMN jobs.leased_by IS 'The process that does it.';
COMMENT ON COLUMN jobs.leased_until IS 'When that process counts as dead unless it says otherwise before; null while nobody does it.';

ALTER TABLE chats DROP CONSTRAINT chats_title_source_check;
ALTER TABLE chats ADD CONSTRAINT chats_title_source_check CHECK (title_source IN ('HEURISTIC', 'USER', 'MODEL'));
ALTER TABLE chats ADD COLUMN title_asked_at timestamptz;
COMMENT ON COLUMN chats.title_asked_at IS 'When a model was first called upon for a title; it is not done twice by itself.';
