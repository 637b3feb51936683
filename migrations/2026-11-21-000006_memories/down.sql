DROP TABLE preferences, memories;
