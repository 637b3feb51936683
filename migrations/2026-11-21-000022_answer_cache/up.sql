CREATE TABLE cached_answers (
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    generation_id uuid NOT NULL REFERENCES generations ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, hash)
);
CREATE INDEX cached_answers_generation_id_idx ON cached_answers (generation_id);
CREATE INDEX cached_answers_created_at_idx ON cached_answers (created_at);
COMMENT ON TABLE cached_answers IS 'Which answer is given again to whom when the same is asked again. Its text is where it was written, and goes with it.';
COMMENT ON COLUMN cached_answers.user_id IS 'Who asked. Nobody else is given it.';
COMMENT ON COLUMN cached_answers.hash IS 'SHA-256 of everything that the model was asked, and of where.';
COMMENT ON COLUMN cached_answers.generation_id IS 'The answer that it gave.';
COMMENT ON COLUMN cached_answers.created_at IS 'When it gave it; how long that counts is a setting.';

ALTER TABLE attempts DROP CONSTRAINT attempts_outcome_check;
ALTER TABLE attempts ADD CONSTRAINT attempts_outcome_check
    CHECK (outcome IN ('COMPLETED', 'FAILED', 'STOPPED', 'INTERRUPTED', 'CACHED'));
COMMENT ON COLUMN attempts.outcome IS 'How it ended; CACHED when an earlier answer was given again and nobody was asked.';
