ALTER TABLE messages ADD COLUMN tokens integer;
COMMENT ON COLUMN messages.tokens IS 'How many tokens the text has, counted with o200k_base; null while an answer is written and for messages from before counting.';
