DROP TABLE tool_calls;
DROP TABLE generation_steps;
UPDATE generations SET status = 'INTERRUPTED', finished_at = now(), lease_expires_at = now() WHERE status = 'WAITING_FOR_APPROVAL';
ALTER TABLE generations DROP CONSTRAINT generations_lease_check;
ALTER TABLE generations DROP CONSTRAINT generations_check;
ALTER TABLE generations ADD CONSTRAINT generations_check CHECK ((status IN ('QUEUED', 'STREAMING')) = (finished_at IS NULL));
ALTER TABLE generations DROP CONSTRAINT generations_status_check;
ALTER TABLE generations ADD CONSTRAINT generations_status_check
    CHECK (status IN ('QUEUED', 'STREAMING', 'COMPLETED', 'FAILED', 'STOPPED', 'INTERRUPTED'));
ALTER TABLE generations ALTER COLUMN lease_expires_at SET NOT NULL;
COMMENT ON COLUMN generations.status IS 'QUEUED and STREAMING are running; the others are final.';
COMMENT ON COLUMN generations.lease_expires_at IS 'When that process counts as dead unless it says otherwise before.';
ALTER TABLE chats DROP COLUMN builtin_tools;
ALTER TABLE chats DROP COLUMN tool_server_ids;
DROP TABLE tool_grants;
