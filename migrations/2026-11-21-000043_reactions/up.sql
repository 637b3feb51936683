CREATE TABLE message_reactions (
    message_id uuid NOT NULL REFERENCES messages ON DELETE CASCADE,
    emoji text NOT NULL,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (message_id, emoji, user_id)
);
CREATE INDEX message_reactions_user_id_idx ON message_reactions (user_id);
COMMENT ON TABLE message_reactions IS 'What people have answered to messages in one sign.';
COMMENT ON COLUMN message_reactions.message_id IS 'To which message.';
COMMENT ON COLUMN message_reactions.emoji IS 'The sign, or a word or two.';
COMMENT ON COLUMN message_reactions.user_id IS 'Who did.';
