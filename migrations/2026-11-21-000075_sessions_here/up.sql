ALTER TABLE people_here ADD COLUMN sessions uuid[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN people_here.sessions IS 'The sign-ins that they have live streams with there: a device that has one needs no push.';
