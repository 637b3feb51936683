DROP INDEX messages_reply_to_id_idx;
ALTER TABLE messages
    DROP COLUMN metadata,
    DROP COLUMN importance,
    DROP COLUMN kind,
    DROP COLUMN reply_to_id;
