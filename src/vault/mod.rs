//! Provider keys, encrypted at rest.
