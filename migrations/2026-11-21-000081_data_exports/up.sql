CREATE TABLE data_exports (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    state text NOT NULL DEFAULT 'QUEUED' CHECK (state IN ('QUEUED', 'RUNNING', 'READY', 'FAILED', 'EXPIRED')),
    run integer NOT NULL DEFAULT 0,
    progress integer NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 100),
    bytes bigint CHECK (bytes >= 0),
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    expires_at timestamptz,
    CHECK ((state IN ('READY', 'EXPIRED')) = (bytes IS NOT NULL)),
    CHECK ((bytes IS NULL) = (expires_at IS NULL)),
    CHECK ((state IN ('QUEUED', 'RUNNING')) = (finished_at IS NULL))
);
COMMENT ON TABLE data_exports IS 'What people asked to take along of their data, and what came of it.';
COMMENT ON COLUMN data_exports.user_id IS 'Whose data.';
COMMENT ON COLUMN data_exports.state IS 'Where it stands; an EXPIRED one was READY, and its bytes are deleted.';
COMMENT ON COLUMN data_exports.run IS 'How often it was begun: only the last one to begin may write.';
COMMENT ON COLUMN data_exports.progress IS 'How much of it is gathered, in percent.';
COMMENT ON COLUMN data_exports.bytes IS 'How long the archive is; null until it is whole.';
COMMENT ON COLUMN data_exports.version IS 'Grows with each change.';
COMMENT ON COLUMN data_exports.finished_at IS 'When it was ready, or given up.';
COMMENT ON COLUMN data_exports.expires_at IS 'When the archive is deleted; null until it is whole.';
CREATE INDEX data_exports_user_id_idx ON data_exports (user_id, id);
CREATE UNIQUE INDEX data_exports_open_key ON data_exports (user_id) WHERE state IN ('QUEUED', 'RUNNING');
CREATE INDEX data_exports_expires_at_idx ON data_exports (expires_at) WHERE state = 'READY';

CREATE TABLE data_export_chunks (
    export_id uuid NOT NULL REFERENCES data_exports ON DELETE CASCADE,
    run integer NOT NULL,
    position integer NOT NULL,
    bytes bytea NOT NULL,
    PRIMARY KEY (export_id, run, position)
);
-- It is packed already.
ALTER TABLE data_export_chunks ALTER COLUMN bytes SET STORAGE EXTERNAL;
COMMENT ON TABLE data_export_chunks IS 'The archives, in pieces of a bounded size: whichever server is asked has them.';
COMMENT ON COLUMN data_export_chunks.export_id IS 'Which one it is a piece of.';
COMMENT ON COLUMN data_export_chunks.run IS 'Which of its runs wrote it; those of earlier runs are never read.';
COMMENT ON COLUMN data_export_chunks.position IS 'Its place, from 0.';
COMMENT ON COLUMN data_export_chunks.bytes IS 'The piece.';
