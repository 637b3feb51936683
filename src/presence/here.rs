//! Who has live streams on this server, by person and device.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use super::{Presences, lock};
use crate::account::viewer::SignedIn;
use crate::id::{SessionId, UserId};

/// How long a device without a stream still counts: a page that is loaded again comes back within it.
const GRACE: Duration = Duration::from_secs(2);

/// Who is here, and what of it is written down.
#[derive(Debug, Default)]
pub struct Here {
    people: HashMap<UserId, HashMap<SessionId, Device>>,
    /// Who is in the database, and as what.
    stored: HashMap<UserId, State>,
    /// Whose state may be another one than what is stored.
    unsettled: HashSet<UserId>,
}

#[derive(Debug)]
struct Device {
    streams: usize,
    away: bool,
    /// Since when it has no stream.
    left: Option<Instant>,
}

/// How somebody is here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Whether all their devices say that nobody is in front of them.
    pub away: bool,
    /// Their devices, in order.
    pub sessions: Vec<SessionId>,
}

/// What has to be written down.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Who is here, and how.
    pub here: Vec<(UserId, State)>,
    /// Who of them looks to others as before.
    pub unseen: HashSet<UserId>,
    /// Who is here no more.
    pub gone: Vec<UserId>,
}

impl Changes {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.here.is_empty() && self.gone.is_empty()
    }

    /// Whose state changed, as others see it.
    pub fn people(&self) -> impl Iterator<Item = UserId> + '_ {
        let here = self.here.iter().map(|(user_id, _)| *user_id);
        let here = here.filter(|user_id| !self.unseen.contains(user_id));
        here.chain(self.gone.iter().copied())
    }
}

impl Here {
    /// A stream of a device begins.
    pub fn arrive(&mut self, user_id: UserId, session_id: SessionId) {
        let devices = self.people.entry(user_id).or_default();
        let device = devices.entry(session_id).or_insert(Device {
            streams: 0,
            away: false,
            left: None,
        });
        device.streams += 1;
        device.left = None;
        self.unsettled.insert(user_id);
    }

    /// A stream of a device ends.
    pub fn leave(&mut self, user_id: UserId, session_id: SessionId, now: Instant) {
        let devices = self.people.get_mut(&user_id);
        if let Some(device) = devices.and_then(|devices| devices.get_mut(&session_id)) {
            device.streams = device.streams.saturating_sub(1);
            device.left = (device.streams == 0).then_some(now);
            self.unsettled.insert(user_id);
        }
    }

    /// Somebody is in front of a device, or not. A device that is not here is somebody else's to know.
    pub fn set_away(&mut self, user_id: UserId, session_id: SessionId, away: bool) {
        let devices = self.people.get_mut(&user_id);
        if let Some(device) = devices.and_then(|devices| devices.get_mut(&session_id)) {
            device.away = away;
            self.unsettled.insert(user_id);
        }
    }

    /// What differs from what is stored; it counts as stored from now on. At most `most` people at once.
    pub fn settle(&mut self, now: Instant, most: usize) -> Changes {
        let mut changes = Changes::default();
        let people: Vec<UserId> = self.unsettled.iter().copied().collect();
        for user_id in people {
            if changes.here.len() + changes.gone.len() >= most {
                break;
            }
            let devices = self.people.entry(user_id).or_default();
            devices.retain(|_, device| device.left.is_none_or(|left| now.duration_since(left) < GRACE));
            let waits = devices.values().any(|device| device.left.is_some());
            let mut sessions: Vec<SessionId> = devices.keys().copied().collect();
            sessions.sort_unstable();
            let state = (!devices.is_empty()).then(|| State {
                away: devices.values().all(|device| device.away),
                sessions,
            });
            if devices.is_empty() {
                self.people.remove(&user_id);
            }
            if !waits {
                self.unsettled.remove(&user_id);
            }
            if state.as_ref() == self.stored.get(&user_id) {
                continue;
            }
            match state {
                Some(state) => {
                    let before = self.stored.insert(user_id, state.clone());
                    if before.is_some_and(|before| before.away == state.away) {
                        changes.unseen.insert(user_id);
                    }
                    changes.here.push((user_id, state));
                }
                None => {
                    self.stored.remove(&user_id);
                    changes.gone.push(user_id);
                }
            }
        }
        changes
    }

    /// Takes back that these changes count as stored.
    pub fn unsettle(&mut self, changes: &Changes) {
        for (user_id, _) in &changes.here {
            self.stored.remove(user_id);
            self.unsettled.insert(*user_id);
        }
        for user_id in &changes.gone {
            // Of any state: being gone differs from it.
            self.stored.insert(*user_id, State::default());
            self.unsettled.insert(*user_id);
        }
    }

    /// Notes that the database knows of nobody here any more.
    pub fn forget_stored(&mut self) {
        self.stored.clear();
        self.unsettled.extend(self.people.keys().copied());
    }
}

/// A live stream's part in somebody's being here; over when it is dropped.
#[derive(Debug)]
pub struct Attending {
    presences: Presences,
    user_id: UserId,
    session_id: SessionId,
}

impl Attending {
    pub(super) fn new(presences: Presences, who: &SignedIn) -> Self {
        Attending {
            presences,
            user_id: who.user_id,
            session_id: who.session_id,
        }
    }
}

impl Drop for Attending {
    fn drop(&mut self) {
        lock(&self.presences.inner.here).leave(self.user_id, self.session_id, Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Clock(Instant);

    impl Clock {
        fn pass(&mut self, time: Duration) -> Instant {
            self.0 += time;
            self.0
        }
    }

    #[test]
    fn any_device_in_use_makes_online_and_the_last_one_to_leave_offline() {
        let mut clock = Clock(Instant::now());
        let (ada, phone, laptop) = (UserId::new(), SessionId::new(), SessionId::new());
        let mut here = Here::default();
        let here_as = |away, mut sessions: Vec<SessionId>| {
            sessions.sort_unstable();
            Changes {
                here: vec![(ada, State { away, sessions })],
                ..Changes::default()
            }
        };
        here.arrive(ada, phone);
        here.arrive(ada, phone);
        assert_eq!(here.settle(clock.0, 10), here_as(false, vec![phone]));
        here.set_away(ada, phone, true);
        assert_eq!(here.settle(clock.0, 10), here_as(true, vec![phone]));
        here.arrive(ada, laptop);
        assert_eq!(here.settle(clock.0, 10), here_as(false, vec![phone, laptop]));
        here.set_away(ada, laptop, true);
        here.set_away(ada, SessionId::new(), false);
        assert_eq!(here.settle(clock.0, 10), here_as(true, vec![phone, laptop]));
        here.leave(ada, laptop, clock.0);
        here.leave(ada, phone, clock.0);
        here.leave(ada, phone, clock.0);
        assert!(here.settle(clock.pass(GRACE / 2), 10).is_empty(), "it may be a reload");
        here.arrive(ada, phone);
        let back = here.settle(clock.pass(GRACE), 10);
        assert_eq!(back.here, here_as(true, vec![phone]).here);
        assert_eq!(back.people().count(), 0, "it was, and is as away as before");
        here.leave(ada, phone, clock.0);
        let gone = Changes {
            gone: vec![ada],
            ..Changes::default()
        };
        assert_eq!(here.settle(clock.pass(GRACE), 10), gone);
        assert!(here.people.is_empty() && here.stored.is_empty() && here.unsettled.is_empty());
    }

    #[test]
    fn what_was_not_stored_is_brought_again() {
        let now = Instant::now();
        let (ada, bob, device) = (UserId::new(), UserId::new(), SessionId::new());
        let mut here = Here::default();
        here.arrive(ada, device);
        here.arrive(bob, device);
        let mut people = Vec::new();
        for _ in 0..2 {
            let changes = here.settle(now, 1);
            assert_eq!(changes.here.len(), 1, "as many as may be at once");
            people.extend(changes.people());
            here.unsettle(&changes);
            assert_eq!(here.settle(now, 1).here.len(), 1);
        }
        here.leave(ada, device, now);
        let gone = here.settle(now + GRACE, 10);
        here.unsettle(&gone);
        assert!(here.settle(now + GRACE, 10).gone.contains(&ada));
        here.forget_stored();
        let again = State {
            away: false,
            sessions: vec![device],
        };
        assert_eq!(here.settle(now, 10).here, [(bob, again)]);
    }
}
