DROP INDEX chat_members_draft_reply_to_id_idx;
ALTER TABLE chat_members
    DROP CONSTRAINT chat_members_draft_is_whole,
    DROP COLUMN draft_version,
    DROP COLUMN draft_updated_at,
    DROP COLUMN draft_reply_to_id,
    DROP COLUMN draft_text;
