CREATE TABLE reaction_counts (
    message_id uuid NOT NULL REFERENCES messages ON DELETE CASCADE,
    emoji text NOT NULL,
    people integer NOT NULL CHECK (people > 0),
    first_ids uuid[] NOT NULL CHECK (cardinality(first_ids) BETWEEN 1 AND 5),
    since timestamptz NOT NULL,
    PRIMARY KEY (message_id, emoji)
);
COMMENT ON TABLE reaction_counts IS 'What message_reactions come to, so that nobody who looks at them counts and sorts: changed with them, under the lock of the chat.';
COMMENT ON COLUMN reaction_counts.message_id IS 'To which message.';
COMMENT ON COLUMN reaction_counts.emoji IS 'In which way.';
COMMENT ON COLUMN reaction_counts.people IS 'How many people react so, with those whose reaction is withheld from somebody.';
COMMENT ON COLUMN reaction_counts.first_ids IS 'The first five of them. Not references.';
COMMENT ON COLUMN reaction_counts.since IS 'When the first of them did.';
INSERT INTO reaction_counts (message_id, emoji, people, first_ids, since)
    SELECT message_id, emoji, count(*), (array_agg(user_id ORDER BY created_at, user_id))[1:5], min(created_at)
    FROM message_reactions GROUP BY message_id, emoji;
CREATE INDEX message_reactions_withheld_idx ON message_reactions (message_id, emoji, withheld_from) WHERE withheld_from IS NOT NULL;
