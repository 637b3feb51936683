DELETE FROM jobs WHERE kind = 'notify.webhook';
DROP TABLE webhook_deliveries, webhooks;
