DROP TABLE tool_servers;
