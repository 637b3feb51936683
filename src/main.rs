//! Parlor
fn main() {}
