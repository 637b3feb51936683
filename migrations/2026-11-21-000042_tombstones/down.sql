DROP INDEX messages_deleted_by_idx;
ALTER TABLE messages DROP COLUMN deleted_by;
