ALTER TABLE chats DROP COLUMN title_asked_at;
UPDATE chats SET title_source = 'HEURISTIC' WHERE title_source = 'MODEL';
ALTER TABLE chats DROP CONSTRAINT chats_title_source_check;
ALTER TABLE chats ADD CONSTRAINT chats_title_source_check CHECK (title_source IN ('HEURISTIC', 'USER'));
DROP TABLE jobs;
