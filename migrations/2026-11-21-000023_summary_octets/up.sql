ALTER TABLE chat_summaries ADD COLUMN through_octets integer;
UPDATE chat_summaries SET through_octets = octet_length(messages.content) FROM messages WHERE messages.id = through_message_id;
ALTER TABLE chat_summaries ALTER COLUMN through_octets SET NOT NULL;
COMMENT ON COLUMN chat_summaries.through_octets IS 'How much of that message it covers; it is not used once the message says more, because an answer was gone on with.';
