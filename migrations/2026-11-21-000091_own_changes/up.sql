-- Who is blocked decides for nobody else how long messages of their direct chat stay, and what they do with what is withheld
-- changes nothing for the other.
CREATE TABLE own_changes (
    chat_id uuid NOT NULL REFERENCES chats ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    lifetime_seconds integer CHECK (lifetime_seconds = 0 OR lifetime_seconds BETWEEN 60 AND 31536000),
    changes integer NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chat_id, user_id)
);
COMMENT ON TABLE own_changes IS 'What somebody changed of a direct chat that the other, who blocked them, is not shown.';
COMMENT ON COLUMN own_changes.chat_id IS 'Which chat.';
COMMENT ON COLUMN own_changes.user_id IS 'Who did, in the chat or gone out of it.';
COMMENT ON COLUMN own_changes.lifetime_seconds IS 'How old a message of it may get for them; 0 when as old as it likes, null where the chat''s own rule holds.';
COMMENT ON COLUMN own_changes.changes IS 'How often they changed something, but for messages that they sent: a part of the version that they see.';
COMMENT ON COLUMN own_changes.updated_at IS 'When they last did.';
CREATE INDEX own_changes_user_id_idx ON own_changes (user_id);
CREATE INDEX own_changes_lifetime_idx ON own_changes (chat_id, user_id) WHERE lifetime_seconds > 0;
