DROP TABLE master_keys, api_keys;
