DROP TABLE chat_lifetimes;
