CREATE TABLE tool_servers (
    id uuid PRIMARY KEY,
    owner_id uuid REFERENCES users ON DELETE CASCADE,
    name text NOT NULL,
    transport text NOT NULL CHECK (transport IN ('STREAMABLE_HTTP', 'STDIO')),
    url text,
    command text,
    arguments text[] NOT NULL DEFAULT '{}',
    secret_names text[] NOT NULL DEFAULT '{}',
    sealed bytea,
    master_key_id text,
    approval text NOT NULL CHECK (approval IN ('ALWAYS', 'WRITES', 'NEVER')),
    tells_user boolean NOT NULL,
    enabled boolean NOT NULL DEFAULT true,
    tools jsonb NOT NULL DEFAULT '[]',
    tools_listed_at timestamptz,
    revision integer NOT NULL DEFAULT 1,
    last_error text,
    last_error_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((transport = 'STREAMABLE_HTTP') = (url IS NOT NULL)),
    CHECK ((transport = 'STDIO') = (command IS NOT NULL)),
    CHECK (transport <> 'STDIO' OR owner_id IS NULL),
    CHECK ((sealed IS NULL) = (master_key_id IS NULL))
);
CREATE UNIQUE INDEX tool_servers_owner_name_key ON tool_servers (owner_id, name);
CREATE UNIQUE INDEX tool_servers_shared_name_key ON tool_servers (name) WHERE owner_id IS NULL;
CREATE INDEX tool_servers_master_key_id_idx ON tool_servers (master_key_id);
COMMENT ON TABLE tool_servers IS 'The MCP servers whose tools models may use.';
COMMENT ON COLUMN tool_servers.owner_id IS 'Whose it is; null for one that administrators share with everybody.';
COMMENT ON COLUMN tool_servers.name IS 'What it is called, and what the names of its tools begin with.';
COMMENT ON COLUMN tool_servers.transport IS 'How it is spoken to: over HTTP, or as a process of this machine.';
COMMENT ON COLUMN tool_servers.url IS 'Where it is, if it is spoken to over HTTP.';
COMMENT ON COLUMN tool_servers.command IS 'What to start, if it is a process.';
COMMENT ON COLUMN tool_servers.arguments IS 'What to start it with.';
COMMENT ON COLUMN tool_servers.secret_names IS 'The names of its headers or environment variables, whose values are sealed.';
COMMENT ON COLUMN tool_servers.sealed IS 'Those headers or variables with their values, as JSON, in an envelope.';
COMMENT ON COLUMN tool_servers.master_key_id IS 'Which master key the envelope was sealed under.';
COMMENT ON COLUMN tool_servers.approval IS 'Which calls of its tools wait for a person: all, those that may change something, or none.';
COMMENT ON COLUMN tool_servers.tells_user IS 'Whether it is told the id of the person who asks.';
COMMENT ON COLUMN tool_servers.enabled IS 'Whether its tools are offered.';
COMMENT ON COLUMN tool_servers.tools IS 'Its tools, as it listed them last.';
COMMENT ON COLUMN tool_servers.tools_listed_at IS 'When that was.';
COMMENT ON COLUMN tool_servers.revision IS 'Grows when the way to it changes: a connection that was made before is not used again.';
COMMENT ON COLUMN tool_servers.last_error IS 'What was wrong with it last, in our own words; null since it last worked.';
COMMENT ON COLUMN tool_servers.last_error_at IS 'When that was.';
