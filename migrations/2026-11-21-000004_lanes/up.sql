ALTER TABLE generations
    ADD COLUMN lanes_of uuid,
    ADD COLUMN race boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT generations_race_has_lanes CHECK (lanes_of IS NOT NULL OR NOT race);
CREATE INDEX generations_lanes_of_idx ON generations (lanes_of) WHERE lanes_of IS NOT NULL;
COMMENT ON COLUMN generations.lanes_of IS 'The first of the answers that were asked for together with it, its own id on that one; null when it was asked for alone. Not a reference.';
COMMENT ON COLUMN generations.race IS 'Whether the first of them to be done is kept, and the others are removed.';
