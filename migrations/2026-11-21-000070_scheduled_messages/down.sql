DELETE FROM jobs WHERE kind = 'chat.schedule';
DROP TABLE scheduled_messages;
