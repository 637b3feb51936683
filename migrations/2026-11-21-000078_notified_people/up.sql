-- Whoever deletes their account is named in no delivery any more.
CREATE INDEX webhook_deliveries_notified_idx ON webhook_deliveries ((payload->>'userId')) WHERE kind = 'NOTIFICATION';
