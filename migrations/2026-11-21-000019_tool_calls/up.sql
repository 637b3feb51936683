CREATE TABLE tool_grants (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    tool_server_id uuid NOT NULL REFERENCES tool_servers ON DELETE CASCADE,
    tool text NOT NULL,
    chat_id uuid REFERENCES chats ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (user_id, tool_server_id, tool, chat_id)
);
CREATE UNIQUE INDEX tool_grants_everywhere_key ON tool_grants (user_id, tool_server_id, tool) WHERE chat_id IS NULL;
CREATE INDEX tool_grants_tool_server_id_idx ON tool_grants (tool_server_id);
CREATE INDEX tool_grants_chat_id_idx ON tool_grants (chat_id);
COMMENT ON TABLE tool_grants IS 'Tools that a person lets models use without being asked again.';
COMMENT ON COLUMN tool_grants.user_id IS 'Who lets them.';
COMMENT ON COLUMN tool_grants.tool_server_id IS 'Whose tool it is.';
COMMENT ON COLUMN tool_grants.tool IS 'Its name at that server.';
COMMENT ON COLUMN tool_grants.chat_id IS 'The only chat that it is for; null for all.';

ALTER TABLE chats ADD COLUMN tool_server_ids uuid[] NOT NULL DEFAULT '{}';
ALTER TABLE chats ADD COLUMN builtin_tools text[] NOT NULL DEFAULT '{}'
    CHECK (builtin_tools <@ ARRAY['SEARCH_CHATS', 'SAVE_MEMORY']);
COMMENT ON COLUMN chats.tool_server_ids IS 'The servers whose tools answers here may use; those that are gone are passed over.';
COMMENT ON COLUMN chats.builtin_tools IS 'Which of Parlor''s own tools answers here may use.';

ALTER TABLE generations ALTER COLUMN lease_expires_at DROP NOT NULL;
ALTER TABLE generations DROP CONSTRAINT generations_status_check;
ALTER TABLE generations ADD CONSTRAINT generations_status_check
    CHECK (status IN ('QUEUED', 'STREAMING', 'WAITING_FOR_APPROVAL', 'COMPLETED', 'FAILED', 'STOPPED', 'INTERRUPTED'));
ALTER TABLE generations DROP CONSTRAINT generations_check;
ALTER TABLE generations ADD CONSTRAINT generations_check
    CHECK ((status IN ('QUEUED', 'STREAMING', 'WAITING_FOR_APPROVAL')) = (finished_at IS NULL));
ALTER TABLE generations ADD CONSTRAINT generations_lease_check
    CHECK (finished_at IS NOT NULL OR (status = 'WAITING_FOR_APPROVAL') = (lease_expires_at IS NULL));
COMMENT ON COLUMN generations.status IS 'QUEUED and STREAMING are running, WAITING_FOR_APPROVAL waits for a person; the others are final.';
COMMENT ON COLUMN generations.lease_expires_at IS 'Until when the process counts as alive without renewing this; null while nobody runs it because it waits for a person.';

CREATE TABLE generation_steps (
    generation_id uuid NOT NULL REFERENCES generations ON DELETE CASCADE,
    step integer NOT NULL,
    text text NOT NULL,
    replay_format text,
    replay_model text,
    replay_content text,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (generation_id, step),
    CHECK ((replay_format IS NULL) = (replay_content IS NULL)),
    CHECK ((replay_format IS NULL) = (replay_model IS NULL))
);
COMMENT ON TABLE generation_steps IS 'The turns of a model that ended with calls of tools: what it is shown again with their results.';
COMMENT ON COLUMN generation_steps.generation_id IS 'Which answer.';
COMMENT ON COLUMN generation_steps.step IS 'Which turn of it, from 0.';
COMMENT ON COLUMN generation_steps.text IS 'What the model said in this turn.';
COMMENT ON COLUMN generation_steps.replay_format IS 'The wire format that the replay is in.';
COMMENT ON COLUMN generation_steps.replay_model IS 'The model that the replay is of.';
COMMENT ON COLUMN generation_steps.replay_content IS 'The turn as the provider wants it back, byte for byte.';

CREATE TABLE tool_calls (
    id uuid PRIMARY KEY,
    generation_id uuid NOT NULL REFERENCES generations ON DELETE CASCADE,
    step integer NOT NULL,
    position integer NOT NULL,
    call_id text NOT NULL,
    function text NOT NULL,
    tool_server_id uuid REFERENCES tool_servers ON DELETE SET NULL,
    server text,
    name text NOT NULL,
    arguments text NOT NULL,
    status text NOT NULL CHECK (status IN ('PENDING_APPROVAL', 'QUEUED', 'RUNNING', 'COMPLETED', 'FAILED', 'DENIED', 'CANCELLED')),
    result text,
    decided_by uuid REFERENCES users ON DELETE SET NULL,
    decided_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    ended_at timestamptz,
    UNIQUE (generation_id, step, position),
    CHECK ((status IN ('COMPLETED', 'FAILED', 'DENIED', 'CANCELLED')) = (ended_at IS NOT NULL))
);
CREATE INDEX tool_calls_tool_server_id_idx ON tool_calls (tool_server_id);
CREATE INDEX tool_calls_decided_by_idx ON tool_calls (decided_by);
COMMENT ON TABLE tool_calls IS 'What models asked of tools, and what came of it.';
COMMENT ON COLUMN tool_calls.generation_id IS 'The answer that it is for.';
COMMENT ON COLUMN tool_calls.step IS 'The turn of the model that asked.';
COMMENT ON COLUMN tool_calls.position IS 'Its place among the calls of that turn, from 0.';
COMMENT ON COLUMN tool_calls.call_id IS 'What the model calls it.';
COMMENT ON COLUMN tool_calls.function IS 'The tool as the model named it.';
COMMENT ON COLUMN tool_calls.tool_server_id IS 'The server that runs it; null for Parlor''s own tools, for unknown ones, and once the server is gone.';
COMMENT ON COLUMN tool_calls.server IS 'The name of that server then; null for Parlor''s own tools and unknown ones.';
COMMENT ON COLUMN tool_calls.name IS 'The tool as its server names it.';
COMMENT ON COLUMN tool_calls.arguments IS 'What it is called with, as JSON text.';
COMMENT ON COLUMN tool_calls.status IS 'PENDING_APPROVAL waits for a person, QUEUED and RUNNING are on their way; the others are final.';
COMMENT ON COLUMN tool_calls.result IS 'What the model is told about it.';
COMMENT ON COLUMN tool_calls.decided_by IS 'Who let it run or denied it; null when nobody was asked.';
COMMENT ON COLUMN tool_calls.decided_at IS 'When they did.';
COMMENT ON COLUMN tool_calls.started_at IS 'When it began to run.';
COMMENT ON COLUMN tool_calls.ended_at IS 'When it was over.';
