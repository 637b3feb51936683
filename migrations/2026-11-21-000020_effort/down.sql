ALTER TABLE assistants DROP COLUMN reasoning_effort;
