//! How many pushes are on their way at once, and how many of them to one person: whose push services are slow keeps nobody
//! else waiting.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::id::UserId;
use crate::job::Jobs;

/// How many pushes to one person are on their way at once.
const OF_ONE: usize = 4;

/// The pushes that are on their way.
#[derive(Debug)]
pub struct Pushes {
    jobs: Jobs,
    taken: Mutex<HashMap<UserId, usize>>,
}

/// The place of one push; free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pushes: &'a Pushes,
    user_id: UserId,
}

impl Pushes {
    /// As many at once.
    pub fn at_once(most: usize) -> Self {
        Pushes {
            jobs: Jobs::at_once(most),
            taken: Mutex::default(),
        }
    }

    /// What runs them.
    pub fn jobs(&self) -> &Jobs {
        &self.jobs
    }

    /// Says that there are some to do.
    pub fn wake(&self) {
        self.jobs.wake();
    }

    /// A place for a push to this person; none when they have as many as anybody may have.
    pub(super) fn place(&self, user_id: UserId) -> Option<Place<'_>> {
        let mut taken = self.taken();
        let count = taken.entry(user_id).or_default();
        if *count >= OF_ONE {
            return None;
        }
        *count += 1;
        Some(Place { pushes: self, user_id })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<UserId, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut taken = self.pushes.taken();
        let left = taken.get(&self.user_id).map_or(0, |count| count.saturating_sub(1));
        if left == 0 {
            taken.remove(&self.user_id);
        } else {
            taken.insert(self.user_id, left);
        }
    }
}
