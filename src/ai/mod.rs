//! Talking to models, in neutral words.
