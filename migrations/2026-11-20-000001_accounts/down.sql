DROP TABLE audit_log, refresh_tokens, sessions, users;
