DROP TABLE own_changes;
