CREATE TABLE memories (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    content text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX memories_user_id_idx ON memories (user_id, id);
COMMENT ON TABLE memories IS 'What the AI is to remember of people across their chats.';
COMMENT ON COLUMN memories.user_id IS 'Of whom.';
COMMENT ON COLUMN memories.content IS 'What, in a sentence or two.';
COMMENT ON COLUMN memories.version IS 'Grows with each change.';

CREATE TABLE preferences (
    user_id uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    about_me text,
    response_style text,
    language text,
    memory_enabled boolean NOT NULL DEFAULT true,
    titles_enabled boolean NOT NULL DEFAULT true,
    summaries_enabled boolean NOT NULL DEFAULT true,
    version integer NOT NULL DEFAULT 1,
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE preferences IS 'How people want the AI to be with them. Whoever has no row has changed nothing yet.';
COMMENT ON COLUMN preferences.user_id IS 'Whose.';
COMMENT ON COLUMN preferences.about_me IS 'What the person says about themselves.';
COMMENT ON COLUMN preferences.response_style IS 'How the person wants to be answered.';
COMMENT ON COLUMN preferences.language IS 'The language that the person wants to be answered in; null for that of the question.';
COMMENT ON COLUMN preferences.memory_enabled IS 'Whether models are told the person''s memories.';
COMMENT ON COLUMN preferences.titles_enabled IS 'Whether models are asked for titles of the person''s chats.';
COMMENT ON COLUMN preferences.summaries_enabled IS 'Whether long chats of the person are summarised by themselves.';
COMMENT ON COLUMN preferences.version IS 'Grows with each change.';
