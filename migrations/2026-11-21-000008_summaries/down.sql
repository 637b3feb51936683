ALTER TABLE chats DROP COLUMN summary_asked_at;
DROP TABLE chat_summaries;
