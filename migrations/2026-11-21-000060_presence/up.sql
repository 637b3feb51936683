CREATE TABLE presences (
    user_id uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    invisible boolean NOT NULL DEFAULT false,
    last_seen_at timestamptz
);
COMMENT ON TABLE presences IS 'What is kept of whether people are here; a row for whoever ever was, or hid.';
COMMENT ON COLUMN presences.user_id IS 'Whose.';
COMMENT ON COLUMN presences.invisible IS 'Whether they want to be seen by nobody.';
COMMENT ON COLUMN presences.last_seen_at IS 'When the last of their devices left; null while they have never been gone.';

-- Who is here is not worth a write-ahead log: after a crash of Postgres everybody says it again.
CREATE UNLOGGED TABLE nodes (
    id uuid PRIMARY KEY,
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE nodes IS 'The servers on this database that are alive. One renewal is enough for everybody who is connected to a server.';
COMMENT ON COLUMN nodes.expires_at IS 'Until when it counts as alive without another word of it.';

CREATE UNLOGGED TABLE people_here (
    user_id uuid NOT NULL,
    node_id uuid NOT NULL REFERENCES nodes ON DELETE CASCADE,
    away boolean NOT NULL,
    PRIMARY KEY (user_id, node_id)
);
CREATE INDEX people_here_node_id_idx ON people_here (node_id);
COMMENT ON TABLE people_here IS 'Who has live streams, and on which server: one row each, however many devices they have there.';
COMMENT ON COLUMN people_here.user_id IS 'Who. Not a reference: the check of one would lock the account for each who comes.';
COMMENT ON COLUMN people_here.node_id IS 'Which server.';
COMMENT ON COLUMN people_here.away IS 'Whether all their devices there say that nobody is in front of them.';
