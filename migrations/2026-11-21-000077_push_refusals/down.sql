ALTER TABLE push_subscriptions DROP COLUMN refusals;
