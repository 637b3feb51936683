ALTER TABLE chats
    ADD COLUMN assistant_replies text NOT NULL DEFAULT 'WHEN_ADDRESSED' CHECK (assistant_replies IN ('WHEN_ADDRESSED', 'ALWAYS')),
    ADD COLUMN payer text NOT NULL DEFAULT 'ASKER' CHECK (payer IN ('ASKER', 'OWNER', 'SERVER'));
COMMENT ON COLUMN chats.assistant_replies IS 'When the assistants of a group answer: when they are addressed, or to every message.';
COMMENT ON COLUMN chats.payer IS 'Who pays for the answers in a group: whoever asks, its owner, or the server.';

ALTER TABLE chat_members ADD COLUMN joined_after bigint NOT NULL DEFAULT 0;
UPDATE chat_members SET joined_after = history_after;
CREATE INDEX chat_members_joined_after_idx ON chat_members (chat_id, joined_after);
COMMENT ON COLUMN chat_members.joined_after IS 'Messages up to this number were kept from this person when they joined; unlike history_after it does not grow when they clear the chat for themselves. Assistants are shown what nobody is kept from.';

ALTER TABLE system_notes
    ADD COLUMN assistant_id uuid REFERENCES assistants ON DELETE SET NULL,
    DROP CONSTRAINT system_notes_kind_check,
    ADD CONSTRAINT system_notes_kind_check CHECK (kind IN ('CREATED', 'MEMBER_ADDED', 'MEMBER_REMOVED', 'MEMBER_LEFT', 'ROLE_CHANGED', 'DETAILS_CHANGED', 'ASSISTANT_ADDED', 'ASSISTANT_REMOVED'));
CREATE INDEX system_notes_assistant_id_idx ON system_notes (assistant_id);
COMMENT ON COLUMN system_notes.assistant_id IS 'The assistant that it happened to; null when to none, and when it is gone.';

-- What people pay is reported by who paid, which is not always who asked.
CREATE INDEX attempts_payer_time_idx ON attempts (payer_id, started_at);
DROP INDEX attempts_user_id_idx;
