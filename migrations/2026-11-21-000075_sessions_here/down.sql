ALTER TABLE people_here DROP COLUMN sessions;
