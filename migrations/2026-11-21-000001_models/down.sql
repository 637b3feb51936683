DROP TABLE model_changes, models;
