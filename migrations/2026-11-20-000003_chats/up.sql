CREATE TABLE chats (
    id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('ASSISTANT')),
    title text,
    title_source text CHECK (title_source IN ('HEURISTIC', 'USER')),
    provider text,
    model text,
    created_by uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    is_default boolean NOT NULL DEFAULT false,
    idempotency_key text,
    request_hash bytea,
    last_sequence bigint NOT NULL DEFAULT 0,
    cleared_sequence bigint NOT NULL DEFAULT 0,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    last_activity_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX chats_default_key ON chats (created_by) WHERE is_default;
CREATE UNIQUE INDEX chats_idempotency_key ON chats (created_by, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX chats_created_by_idx ON chats (created_by);
COMMENT ON TABLE chats IS 'Rooms.';
COMMENT ON COLUMN chats.kind IS 'Who is in the room: ASSISTANT is one person and an AI.';
COMMENT ON COLUMN chats.title IS 'What it is called; null until its first message gives it a title.';
COMMENT ON COLUMN chats.title_source IS 'Who gave the title; a person''s is never replaced by itself.';
COMMENT ON COLUMN chats.provider IS 'Whose model answers here; null for whichever key there is.';
COMMENT ON COLUMN chats.model IS 'The model that answers here; null for the server''s default.';
COMMENT ON COLUMN chats.created_by IS 'Who made it.';
COMMENT ON COLUMN chats.is_default IS 'Whether this is its creator''s always-there chat.';
COMMENT ON COLUMN chats.idempotency_key IS 'The creator''s key for the creation, so that a retry makes no second chat.';
COMMENT ON COLUMN chats.request_hash IS 'SHA-256 of what was asked under the key, to tell a retry from another creation.';
COMMENT ON COLUMN chats.last_sequence IS 'The number of the newest message. Its row lock orders everything that happens in the chat.';
COMMENT ON COLUMN chats.cleared_sequence IS 'Messages up to this number were cleared.';
COMMENT ON COLUMN chats.version IS 'Grows with each change of the chat as its members see it.';
COMMENT ON COLUMN chats.last_activity_at IS 'When the newest message was sent, else when the chat was made.';

CREATE TABLE chat_members (
    chat_id uuid NOT NULL REFERENCES chats ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    joined_at timestamptz NOT NULL DEFAULT now(),
    last_read_sequence bigint NOT NULL DEFAULT 0,
    pinned_at timestamptz,
    archived_at timestamptz,
    PRIMARY KEY (chat_id, user_id)
);
CREATE INDEX chat_members_user_id_idx ON chat_members (user_id, chat_id);
COMMENT ON TABLE chat_members IS 'Who is in which chat, and how the chat looks to them.';
COMMENT ON COLUMN chat_members.chat_id IS 'Where somebody is a member.';
COMMENT ON COLUMN chat_members.user_id IS 'Who is.';
COMMENT ON COLUMN chat_members.joined_at IS 'Since when.';
COMMENT ON COLUMN chat_members.last_read_sequence IS 'The newest message that this person has read; never goes back.';
COMMENT ON COLUMN chat_members.pinned_at IS 'Since when this person keeps the chat on top; null when not.';
COMMENT ON COLUMN chat_members.archived_at IS 'Since when this person has put the chat away; null when not.';

CREATE TABLE messages (
    id uuid PRIMARY KEY,
    chat_id uuid NOT NULL REFERENCES chats ON DELETE CASCADE,
    sequence bigint NOT NULL,
    role text NOT NULL CHECK (role IN ('USER', 'ASSISTANT', 'SYSTEM', 'TOOL')),
    author_id uuid REFERENCES users ON DELETE SET NULL,
    content text NOT NULL,
    parent_id uuid REFERENCES messages ON DELETE SET NULL,
    idempotency_key text,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    edited_at timestamptz,
    deleted_at timestamptz,
    UNIQUE (chat_id, sequence)
);
CREATE INDEX messages_author_id_idx ON messages (author_id);
CREATE INDEX messages_parent_id_idx ON messages (parent_id);
COMMENT ON TABLE messages IS 'What was said, by people and by models.';
COMMENT ON COLUMN messages.chat_id IS 'Where it was said.';
COMMENT ON COLUMN messages.sequence IS 'Its place in the chat, given under the chat''s row lock: dense at first, with gaps once messages are removed.';
COMMENT ON COLUMN messages.role IS 'Whose turn it is in the conversation that a model is shown.';
COMMENT ON COLUMN messages.author_id IS 'The person who wrote it; null for a model and for a deleted account.';
COMMENT ON COLUMN messages.content IS 'The text, byte for byte. While an answer streams it is at most 250 ms behind what was shown.';
COMMENT ON COLUMN messages.parent_id IS 'The message that this one answers.';
COMMENT ON COLUMN messages.idempotency_key IS 'The sender''s key for it; shown to the sender alone.';
COMMENT ON COLUMN messages.version IS 'Grows with each change: an event is applied only when its version is higher.';
COMMENT ON COLUMN messages.edited_at IS 'When its author last changed the text.';
COMMENT ON COLUMN messages.deleted_at IS 'Since when it is a tombstone; its text is gone.';

CREATE TABLE sends (
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    idempotency_key text NOT NULL,
    request_hash bytea NOT NULL,
    chat_id uuid NOT NULL,
    message_id uuid NOT NULL,
    generation_id uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, idempotency_key)
);
COMMENT ON TABLE sends IS 'The first answer to every send, for good: a repeat gets it again, also after the message was removed.';
COMMENT ON COLUMN sends.user_id IS 'Who sent it.';
COMMENT ON COLUMN sends.idempotency_key IS 'The sender''s key, used once for good.';
COMMENT ON COLUMN sends.request_hash IS 'SHA-256 of what was asked, to tell a repeat from another request under the same key.';
COMMENT ON COLUMN sends.chat_id IS 'Where it was sent. Not a reference: the row outlives the chat.';
COMMENT ON COLUMN sends.message_id IS 'The message that it made.';
COMMENT ON COLUMN sends.generation_id IS 'The answer that it started.';

CREATE TABLE generations (
    id uuid PRIMARY KEY,
    message_id uuid NOT NULL UNIQUE REFERENCES messages ON DELETE CASCADE,
    chat_id uuid NOT NULL REFERENCES chats ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    status text NOT NULL CHECK (status IN ('QUEUED', 'STREAMING', 'COMPLETED', 'FAILED', 'STOPPED', 'INTERRUPTED')),
    provider text NOT NULL,
    model text NOT NULL,
    key_source text NOT NULL CHECK (key_source IN ('USER', 'SERVER', 'NONE')),
    sequence integer NOT NULL DEFAULT 0,
    reasoning text,
    finish_reason text,
    error_code text,
    error_retry_after_seconds integer,
    provider_request_id text,
    input_tokens bigint,
    cached_input_tokens bigint,
    output_tokens bigint,
    reasoning_tokens bigint,
    raw_usage jsonb,
    stop_requested_at timestamptz,
    queued_at timestamptz NOT NULL DEFAULT now(),
    first_token_at timestamptz,
    finished_at timestamptz,
    leased_by uuid NOT NULL,
    lease_expires_at timestamptz NOT NULL,
    CHECK ((status IN ('QUEUED', 'STREAMING')) = (finished_at IS NULL))
);
CREATE INDEX generations_chat_id_idx ON generations (chat_id, id);
CREATE INDEX generations_user_id_idx ON generations (user_id, id);
CREATE INDEX generations_running_user_idx ON generations (user_id) WHERE finished_at IS NULL;
CREATE INDEX generations_running_idx ON generations (lease_expires_at) WHERE finished_at IS NULL;
COMMENT ON TABLE generations IS 'AI answers: what is known of each besides its text, which is its message''s content.';
COMMENT ON COLUMN generations.message_id IS 'The message that the answer is written into.';
COMMENT ON COLUMN generations.chat_id IS 'The chat of its message.';
COMMENT ON COLUMN generations.user_id IS 'Who asked.';
COMMENT ON COLUMN generations.status IS 'QUEUED and STREAMING are running; the others are final.';
COMMENT ON COLUMN generations.provider IS 'Whose model answers.';
COMMENT ON COLUMN generations.model IS 'Which model answers.';
COMMENT ON COLUMN generations.key_source IS 'Whose key paid: the asking person''s, the server''s, or none (scripted).';
COMMENT ON COLUMN generations.sequence IS 'The number of the last delta in the stored text.';
COMMENT ON COLUMN generations.reasoning IS 'What the model showed of its thinking.';
COMMENT ON COLUMN generations.finish_reason IS 'Why the model stopped; null unless it said so.';
COMMENT ON COLUMN generations.error_code IS 'Why there is no complete answer.';
COMMENT ON COLUMN generations.error_retry_after_seconds IS 'How long the provider asks to wait.';
COMMENT ON COLUMN generations.provider_request_id IS 'The provider''s own id for the call, for its support.';
COMMENT ON COLUMN generations.input_tokens IS 'Tokens of the prompt, cached ones included.';
COMMENT ON COLUMN generations.cached_input_tokens IS 'Tokens of the prompt that the provider had cached.';
COMMENT ON COLUMN generations.output_tokens IS 'Tokens of the answer, reasoning included.';
COMMENT ON COLUMN generations.reasoning_tokens IS 'Tokens of the reasoning.';
COMMENT ON COLUMN generations.raw_usage IS 'The provider''s usage, word for word.';
COMMENT ON COLUMN generations.stop_requested_at IS 'When somebody asked to stop it, for the process that runs it.';
COMMENT ON COLUMN generations.queued_at IS 'When it was asked for.';
COMMENT ON COLUMN generations.first_token_at IS 'When the model''s first word came.';
COMMENT ON COLUMN generations.finished_at IS 'When it ended; null while it runs.';
COMMENT ON COLUMN generations.leased_by IS 'The process that runs it.';
COMMENT ON COLUMN generations.lease_expires_at IS 'When that process counts as dead unless it says otherwise before.';
