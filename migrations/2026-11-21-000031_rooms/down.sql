DELETE FROM chats WHERE kind <> 'ASSISTANT';
DROP TABLE system_notes;
DROP INDEX chat_members_owner_key;
ALTER TABLE chat_members
    DROP COLUMN version,
    DROP COLUMN history_after,
    DROP COLUMN role;
COMMENT ON TABLE chat_members IS 'Who is in which chat, and how the chat looks to them.';
DROP INDEX chats_direct_high_id_idx;
DROP INDEX chats_direct_key;
ALTER TABLE chats
    DROP CONSTRAINT chats_pair_in_order,
    DROP CONSTRAINT chats_only_direct_has_a_pair,
    DROP CONSTRAINT chats_assistant_has_a_person,
    DROP COLUMN may_ask_ai,
    DROP COLUMN may_change_details,
    DROP COLUMN may_pin,
    DROP COLUMN may_add_members,
    DROP COLUMN may_post,
    DROP COLUMN history,
    DROP COLUMN direct_high_id,
    DROP COLUMN direct_low_id,
    DROP COLUMN icon_url,
    DROP COLUMN description,
    ALTER COLUMN created_by SET NOT NULL,
    DROP CONSTRAINT chats_kind_check,
    ADD CONSTRAINT chats_kind_check CHECK (kind IN ('ASSISTANT'));
COMMENT ON COLUMN chats.kind IS 'Who is in the room: ASSISTANT is one person and an AI.';
COMMENT ON COLUMN chats.created_by IS 'Who made it.';
