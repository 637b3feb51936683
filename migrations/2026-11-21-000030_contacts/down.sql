DROP INDEX users_display_name_idx, users_username_prefix_idx;
DROP TABLE blocks, contacts, contact_books;
