ALTER TABLE assistants ADD COLUMN reasoning_effort text CHECK (reasoning_effort IN ('LOW', 'MEDIUM', 'HIGH'));
COMMENT ON COLUMN assistants.reasoning_effort IS 'How much it thinks before it answers; null leaves it to the provider.';
