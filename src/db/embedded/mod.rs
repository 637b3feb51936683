//! A real PostgreSQL as a child process.
