DROP INDEX message_reactions_withheld_idx;
DROP TABLE reaction_counts;
