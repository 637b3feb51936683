DROP INDEX audit_log_target_idx, audit_log_actor_id_idx;
ALTER TABLE users DROP CONSTRAINT users_deleted_is_deactivated, DROP COLUMN deleted_at;
