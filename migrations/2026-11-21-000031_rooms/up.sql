ALTER TABLE chats
    DROP CONSTRAINT chats_kind_check,
    ADD CONSTRAINT chats_kind_check CHECK (kind IN ('ASSISTANT', 'DIRECT', 'GROUP')),
    -- A room of several people outlives the account of whoever made it.
    ALTER COLUMN created_by DROP NOT NULL,
    ADD COLUMN description text,
    ADD COLUMN icon_url text,
    ADD COLUMN direct_low_id uuid REFERENCES users ON DELETE SET NULL,
    ADD COLUMN direct_high_id uuid REFERENCES users ON DELETE SET NULL,
    ADD COLUMN history text NOT NULL DEFAULT 'FROM_JOINING' CHECK (history IN ('FROM_JOINING', 'FROM_START')),
    ADD COLUMN may_post text NOT NULL DEFAULT 'MEMBER' CHECK (may_post IN ('MEMBER', 'MODERATOR', 'OWNER')),
    ADD COLUMN may_add_members text NOT NULL DEFAULT 'MODERATOR' CHECK (may_add_members IN ('MEMBER', 'MODERATOR', 'OWNER')),
    ADD COLUMN may_pin text NOT NULL DEFAULT 'MODERATOR' CHECK (may_pin IN ('MEMBER', 'MODERATOR', 'OWNER')),
    ADD COLUMN may_change_details text NOT NULL DEFAULT 'MODERATOR' CHECK (may_change_details IN ('MEMBER', 'MODERATOR', 'OWNER')),
    ADD COLUMN may_ask_ai text NOT NULL DEFAULT 'MEMBER' CHECK (may_ask_ai IN ('MEMBER', 'MODERATOR', 'OWNER')),
    ADD CONSTRAINT chats_assistant_has_a_person CHECK ((kind = 'ASSISTANT') = (created_by IS NOT NULL)),
    ADD CONSTRAINT chats_only_direct_has_a_pair CHECK (kind = 'DIRECT' OR (direct_low_id IS NULL AND direct_high_id IS NULL)),
    ADD CONSTRAINT chats_pair_in_order CHECK (direct_low_id < direct_high_id);
CREATE UNIQUE INDEX chats_direct_key ON chats (direct_low_id, direct_high_id);
CREATE INDEX chats_direct_high_id_idx ON chats (direct_high_id);
COMMENT ON COLUMN chats.kind IS 'Who is in the room: ASSISTANT is one person and an AI, DIRECT two people, GROUP as many as there are.';
COMMENT ON COLUMN chats.created_by IS 'Whose chat with an AI it is; null for rooms of several people, which outlive whoever made them.';
COMMENT ON COLUMN chats.description IS 'What a group is for, in its own words.';
COMMENT ON COLUMN chats.icon_url IS 'The picture of a group.';
COMMENT ON COLUMN chats.direct_low_id IS 'Of the two people of a direct chat the one with the lower id; null when the account is gone.';
COMMENT ON COLUMN chats.direct_high_id IS 'Of the two people of a direct chat the one with the higher id; null when the account is gone.';
COMMENT ON COLUMN chats.history IS 'What those see who join the group from now on: what is said after they joined, or all from the start.';
COMMENT ON COLUMN chats.may_post IS 'The lowest role in the group that may send messages.';
COMMENT ON COLUMN chats.may_add_members IS 'The lowest role in the group that may add people.';
COMMENT ON COLUMN chats.may_pin IS 'The lowest role in the group that may pin messages.';
COMMENT ON COLUMN chats.may_change_details IS 'The lowest role in the group that may change title, description and icon.';
COMMENT ON COLUMN chats.may_ask_ai IS 'The lowest role in the group that may ask its assistants.';

ALTER TABLE chat_members
    ADD COLUMN role text NOT NULL DEFAULT 'MEMBER' CHECK (role IN ('MEMBER', 'MODERATOR', 'OWNER')),
    ADD COLUMN history_after bigint NOT NULL DEFAULT 0,
    ADD COLUMN version integer NOT NULL DEFAULT 0;
UPDATE chat_members SET role = 'OWNER';
CREATE UNIQUE INDEX chat_members_owner_key ON chat_members (chat_id) WHERE role = 'OWNER';
COMMENT ON TABLE chat_members IS 'Who is in which chat, and how the chat looks to them. Who leaves or is removed has no row any more.';
COMMENT ON COLUMN chat_members.role IS 'What this person may do in the chat; a group has one owner.';
COMMENT ON COLUMN chat_members.history_after IS 'Messages up to this number are not shown to this person: they were sent before they joined, or were cleared by them.';
COMMENT ON COLUMN chat_members.version IS 'Grows with each change of what only this person sees of the chat; the version that they see is the sum of it and the chat''s.';

CREATE TABLE system_notes (
    message_id uuid PRIMARY KEY REFERENCES messages ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('CREATED', 'MEMBER_ADDED', 'MEMBER_REMOVED', 'MEMBER_LEFT', 'ROLE_CHANGED', 'DETAILS_CHANGED')),
    subject_id uuid REFERENCES users ON DELETE SET NULL,
    role text CHECK (role IN ('MEMBER', 'MODERATOR', 'OWNER')),
    details text[] NOT NULL DEFAULT '{}'
);
CREATE INDEX system_notes_subject_id_idx ON system_notes (subject_id);
COMMENT ON TABLE system_notes IS 'What happened in a room, for messages of the role SYSTEM. Who did it is the message''s author.';
COMMENT ON COLUMN system_notes.message_id IS 'The message that tells of it.';
COMMENT ON COLUMN system_notes.kind IS 'What happened.';
COMMENT ON COLUMN system_notes.subject_id IS 'To whom it happened; null when to nobody, and when the account is gone.';
COMMENT ON COLUMN system_notes.role IS 'The role that the person was given.';
COMMENT ON COLUMN system_notes.details IS 'Which details of the group were changed.';
