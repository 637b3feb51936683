DROP INDEX generations_lanes_of_idx;
ALTER TABLE generations
    DROP COLUMN race,
    DROP COLUMN lanes_of;
