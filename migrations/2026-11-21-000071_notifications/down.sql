DELETE FROM jobs WHERE kind = 'notify.push';
DROP TABLE vapid_keys, push_subscriptions, log_readers;
ALTER TABLE chat_members DROP COLUMN muted_until, DROP COLUMN notifications;
