CREATE TABLE assistants (
    id uuid PRIMARY KEY,
    owner_id uuid REFERENCES users ON DELETE CASCADE,
    display_name text NOT NULL,
    public_name text,
    description text,
    instructions text NOT NULL DEFAULT '',
    provider text,
    model text,
    temperature double precision CHECK (temperature BETWEEN 0 AND 2),
    max_output_tokens integer CHECK (max_output_tokens > 0),
    avatar_url text,
    visibility text NOT NULL DEFAULT 'PRIVATE' CHECK (visibility IN ('PRIVATE', 'SHARED')),
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz
);
CREATE INDEX assistants_owner_id_idx ON assistants (owner_id, id);
CREATE INDEX assistants_shared_idx ON assistants (id) WHERE visibility = 'SHARED' AND deleted_at IS NULL;
COMMENT ON TABLE assistants IS 'AIs with a personality. The first one is everybody''s: it answers where no other was chosen.';
COMMENT ON COLUMN assistants.owner_id IS 'Who made it; null for the server''s own.';
COMMENT ON COLUMN assistants.display_name IS 'The name to show to those who can use it.';
COMMENT ON COLUMN assistants.public_name IS 'The name when it was last shared, which others keep seeing on what it wrote; null if it never was.';
COMMENT ON COLUMN assistants.description IS 'What it is for, in a few words.';
COMMENT ON COLUMN assistants.instructions IS 'What it is told before every conversation.';
COMMENT ON COLUMN assistants.provider IS 'Whose model answers; null for whichever key there is.';
COMMENT ON COLUMN assistants.model IS 'The model that answers; null for the default.';
COMMENT ON COLUMN assistants.temperature IS 'How freely it chooses its words; null leaves it to the provider.';
COMMENT ON COLUMN assistants.max_output_tokens IS 'How long an answer may get; null leaves it to the provider.';
COMMENT ON COLUMN assistants.avatar_url IS 'A picture: an https address or a path on this server. Never fetched by the server.';
COMMENT ON COLUMN assistants.visibility IS 'PRIVATE is for its owner alone, SHARED for everybody on this server.';
COMMENT ON COLUMN assistants.version IS 'Grows with each change.';
COMMENT ON COLUMN assistants.deleted_at IS 'Since when it is gone but for its name on what it wrote.';
INSERT INTO assistants (id, display_name, public_name, visibility)
VALUES ('00000000-0000-7000-8000-000000000001', 'Assistant', 'Assistant', 'SHARED');

CREATE TABLE chat_assistants (
    chat_id uuid NOT NULL REFERENCES chats ON DELETE CASCADE,
    assistant_id uuid NOT NULL REFERENCES assistants ON DELETE CASCADE,
    position smallint NOT NULL,
    PRIMARY KEY (chat_id, assistant_id),
    UNIQUE (chat_id, position)
);
CREATE INDEX chat_assistants_assistant_id_idx ON chat_assistants (assistant_id);
COMMENT ON TABLE chat_assistants IS 'Which assistants were chosen for a chat; the default one where there are none.';
COMMENT ON COLUMN chat_assistants.chat_id IS 'Where.';
COMMENT ON COLUMN chat_assistants.assistant_id IS 'Who.';
COMMENT ON COLUMN chat_assistants.position IS 'Their order: the first one that can be used answers.';

-- No reference: it is written with every answer, and a reference would lock the one row that most of them name.
ALTER TABLE messages ADD COLUMN assistant_id uuid;
COMMENT ON COLUMN messages.assistant_id IS 'The assistant that wrote it; null for people''s messages and for answers from before there was a choice. Not a reference.';

ALTER TABLE events DROP CONSTRAINT events_check;
ALTER TABLE events ADD CONSTRAINT events_check CHECK (user_id IS NULL OR chat_id IS NULL);
CREATE INDEX events_everybody_idx ON events (xid) WHERE user_id IS NULL AND chat_id IS NULL;
COMMENT ON COLUMN events.user_id IS 'The one person it is for, if it is for one.';
COMMENT ON COLUMN events.chat_id IS 'The chat whose members it is for; it is for everybody when this and the person are null.';
