//! What one reader makes of something that many read.

use std::any::Any;
use std::sync::{Arc, OnceLock};

/// What one reader has made of an event for all who read it: they find it here, and ask nobody.
#[derive(Debug, Default)]
pub struct Made {
    made: OnceLock<(Arc<dyn Any + Send + Sync>, usize)>,
}

impl Made {
    /// What was made, if it was, and is of this type.
    pub fn get<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        Arc::clone(&self.made.get()?.0).downcast().ok()
    }

    /// Leaves it for the others, unless somebody was faster; it takes about so many bytes.
    pub fn put<T: Any + Send + Sync>(&self, made: T, bytes: usize) {
        self.made.get_or_init(|| (Arc::new(made), bytes));
    }

    /// About how many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        self.made.get().map_or(0, |(_, bytes)| *bytes)
    }
}
