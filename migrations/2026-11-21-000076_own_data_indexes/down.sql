DROP INDEX attempts_user_idx;
CREATE INDEX message_reactions_user_id_idx ON message_reactions (user_id);
DROP INDEX message_reactions_user_idx;
CREATE INDEX messages_author_id_idx ON messages (author_id);
DROP INDEX messages_author_idx;
