ALTER TABLE push_subscriptions ADD COLUMN refusals integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN push_subscriptions.refusals IS 'How many times in a row its push service refused what was pushed; after some it is forgotten.';
