DROP TABLE event_log, events;
