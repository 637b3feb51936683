-- Archives are read in pages: each of these serves what is one person's, in the order of the pages.
CREATE INDEX messages_author_idx ON messages (author_id, id);
DROP INDEX messages_author_id_idx;
CREATE INDEX message_reactions_user_idx ON message_reactions (user_id, message_id, emoji);
DROP INDEX message_reactions_user_id_idx;
CREATE INDEX attempts_user_idx ON attempts (user_id, id);
