ALTER TABLE messages ADD COLUMN withheld_from uuid;
COMMENT ON COLUMN messages.withheld_from IS 'Who blocked the author when this was sent to a direct chat: they never see it, also when they unblock the author. Not a reference.';

ALTER TABLE chat_members ADD COLUMN own_activity_at timestamptz;
COMMENT ON COLUMN chat_members.own_activity_at IS 'When this person last sent what is withheld from the other: for them the chat''s latest activity, if there is none later.';

ALTER TABLE preferences ADD COLUMN addable_by text NOT NULL DEFAULT 'EVERYBODY' CHECK (addable_by IN ('EVERYBODY', 'CONTACTS', 'NOBODY'));
COMMENT ON COLUMN preferences.addable_by IS 'Who may add this person to groups. Whoever they block gets the answer of those who may not.';
