CREATE TABLE contact_books (
    user_id uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    version integer NOT NULL DEFAULT 1
);
COMMENT ON TABLE contact_books IS 'One row for each person who ever added or blocked somebody: its lock has their changes take turns.';
COMMENT ON COLUMN contact_books.user_id IS 'Whose.';
COMMENT ON COLUMN contact_books.version IS 'Grows with each change, also of what is gone by now.';

CREATE TABLE contacts (
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    contact_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    version integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, contact_id),
    CHECK (user_id <> contact_id)
);
CREATE UNIQUE INDEX contacts_version_key ON contacts (user_id, version);
CREATE INDEX contacts_contact_id_idx ON contacts (contact_id);
COMMENT ON TABLE contacts IS 'Whom people have in their address books. One-sided: the other is not asked and not told.';
COMMENT ON COLUMN contacts.user_id IS 'Whose address book.';
COMMENT ON COLUMN contacts.contact_id IS 'Who is in it.';
COMMENT ON COLUMN contacts.version IS 'The version of the book when they were added: lists are ordered by it.';

CREATE TABLE blocks (
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    blocked_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    version integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, blocked_id),
    CHECK (user_id <> blocked_id)
);
CREATE UNIQUE INDEX blocks_version_key ON blocks (user_id, version);
CREATE INDEX blocks_blocked_id_idx ON blocks (blocked_id, user_id);
COMMENT ON TABLE blocks IS 'Whom people want to hear nothing from. The blocked are never told.';
COMMENT ON COLUMN blocks.user_id IS 'Who blocks.';
COMMENT ON COLUMN blocks.blocked_id IS 'Who is blocked.';
COMMENT ON COLUMN blocks.version IS 'The version of the blocking person''s book when they were blocked: lists are ordered by it.';

-- In the C collation a prefix is a range, whatever the database's own collation is.
CREATE INDEX users_username_prefix_idx ON users (lower(username) COLLATE "C") WHERE deactivated_at IS NULL;
-- With a space before it every word of a name begins after one. Not partial, and with much told of it: Postgres guesses from
-- this whether few fit, who are found here, or many, who are found sooner in the order of user names.
CREATE INDEX users_display_name_idx ON users USING gin (lower(' ' || display_name) gin_trgm_ops);
ALTER INDEX users_display_name_idx ALTER COLUMN 1 SET STATISTICS 1000;
