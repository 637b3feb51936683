UPDATE attempts SET outcome = 'COMPLETED' WHERE outcome = 'CACHED';
ALTER TABLE attempts DROP CONSTRAINT attempts_outcome_check;
ALTER TABLE attempts ADD CONSTRAINT attempts_outcome_check
    CHECK (outcome IN ('COMPLETED', 'FAILED', 'STOPPED', 'INTERRUPTED'));
COMMENT ON COLUMN attempts.outcome IS 'How it ended.';
DROP TABLE cached_answers;
