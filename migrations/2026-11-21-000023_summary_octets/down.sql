ALTER TABLE chat_summaries DROP COLUMN through_octets;
