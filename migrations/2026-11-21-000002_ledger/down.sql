ALTER TABLE generations DROP COLUMN cost_micro_usd, DROP COLUMN cost_state, DROP COLUMN price_version;
DROP TABLE budgets, attempts;
