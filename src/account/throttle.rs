//! How often things may be done (GCRA, by the crate governor): requests and messages, sign-ins and registrations.
//!
//! A guesser is slowed per account and address, and per address. The limit per account alone counts only
//! addresses that the account's owner never signed in from, so that a stranger cannot lock the owner out.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::viewer::Viewer;
use crate::error::{Error, Result};
use crate::id::UserId;

/// The limits on how often.
#[derive(Debug)]
pub struct Throttle {
    clock: DefaultClock,
    pair: DefaultKeyedRateLimiter<(String, IpAddr)>,
    address: DefaultKeyedRateLimiter<IpAddr>,
    strangers: DefaultKeyedRateLimiter<UserId>,
    registrations: DefaultKeyedRateLimiter<IpAddr>,
    passwords: DefaultKeyedRateLimiter<UserId>,
    shared_changes: DefaultKeyedRateLimiter<UserId>,
    finds: DefaultKeyedRateLimiter<UserId>,
    requests: Option<DefaultKeyedRateLimiter<Principal>>,
    messages: Option<DefaultKeyedRateLimiter<UserId>>,
}

/// Whose requests are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Principal {
    User(UserId),
    Address(IpAddr),
}

impl Throttle {
    /// The limits, of which these two can be set; 0 is no limit.
    pub fn new(requests_per_minute: u32, messages_per_minute: u32) -> Self {
        Throttle {
            clock: DefaultClock::default(),
            pair: limiter(10, Duration::from_secs(15)),
            address: limiter(100, Duration::from_secs(1)),
            strangers: limiter(100, Duration::from_secs(10)),
            registrations: limiter(60, Duration::from_secs(10)),
            passwords: limiter(10, Duration::from_secs(15)),
            shared_changes: limiter(20, Duration::from_secs(3)),
            finds: limiter(1_000, Duration::from_millis(100)),
            requests: per_minute(requests_per_minute),
            messages: per_minute(messages_per_minute),
        }
    }

    /// Counts a request of `root_fields` fields: those of a signed-in person together, others by address.
    ///
    /// # Errors
    /// [`Error::RateLimited`].
    pub fn request(&self, viewer: &Viewer, address: IpAddr, root_fields: u32) -> Result<()> {
        let (Some(limiter), Some(fields)) = (&self.requests, NonZeroU32::new(root_fields)) else {
            return Ok(());
        };
        let principal = match viewer {
            Viewer::SignedIn(who) => Principal::User(who.user_id),
            Viewer::Anonymous => Principal::Address(network(address)),
        };
        self.check_many(limiter, &principal, fields)
    }

    /// Counts a message of a person, or a reaction; a repeat of a message that was sent does not count.
    ///
    /// # Errors
    /// [`Error::RateLimited`].
    pub fn message(&self, user_id: UserId) -> Result<()> {
        self.messages
            .as_ref()
            .map_or(Ok(()), |limiter| self.check(limiter, &user_id))
    }

    /// Counts an attempt to sign in as `identifier` from `address`.
    ///
    /// # Errors
    /// [`Error::RateLimited`].
    pub fn login(&self, identifier: &str, address: IpAddr) -> Result<()> {
        let address = network(address);
        self.check(&self.address, &address)?;
        self.check(&self.pair, &(identifier.to_lowercase(), address))
    }

    /// Counts an attempt on an account from an address that its owner never signed in from.
    ///
    /// # Errors
    /// [`Error::RateLimited`].
    pub fn stranger(&self, user_id: UserId) -> Result<()> {
        self.check(&self.strangers, &user_id)
    }

    /// Counts a registration from `address`.
    ///
    /// # Errors
    /// [`Error::RateLimited`].
    pub fn registration(&self, address: IpAddr) -> Result<()> {
        self.check(&self.registrations, &network(address))
    }

    /// Counts a signed-in person's attempt to prove the password again.
    ///
    /// # Errors
    /// [`Error::RateLimited`].
    pub fn password(&self, user_id: UserId) -> Result<()> {
        self.check(&self.passwords, &user_id)
    }

    /// Counts a person's change of something that everybody on this server sees, and is told of.
    ///
    /// # Errors
    /// [`Error::RateLimited`].
    pub fn shared_change(&self, user_id: UserId) -> Result<()> {
        self.check(&self.shared_changes, &user_id)
    }

    /// Counts a search of a person that may find so many others: whoever wants to know everybody on this server has to
    /// wait long.
    ///
    /// # Errors
    /// [`Error::RateLimited`].
    pub fn find(&self, user_id: UserId, others: u32) -> Result<()> {
        let others = NonZeroU32::new(others).unwrap_or(NonZeroU32::MIN);
        self.check_many(&self.finds, &user_id, others)
    }

    /// Forgets whoever has been quiet, so that memory stays bounded by recent traffic.
    pub fn sweep(&self) {
        self.pair.retain_recent();
        self.address.retain_recent();
        self.strangers.retain_recent();
        self.registrations.retain_recent();
        self.passwords.retain_recent();
        self.shared_changes.retain_recent();
        self.finds.retain_recent();
        if let Some(requests) = &self.requests {
            requests.retain_recent();
        }
        if let Some(messages) = &self.messages {
            messages.retain_recent();
        }
    }

    fn check<K: std::hash::Hash + Eq + Clone>(&self, limiter: &DefaultKeyedRateLimiter<K>, key: &K) -> Result<()> {
        limiter.check_key(key).map_err(|wait| Error::RateLimited {
            retry_after: wait.wait_time_from(self.clock.now()),
        })
    }

    fn check_many<K: std::hash::Hash + Eq + Clone>(
        &self,
        limiter: &DefaultKeyedRateLimiter<K>,
        key: &K,
        many: NonZeroU32,
    ) -> Result<()> {
        match limiter.check_key_n(key, many) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(wait)) => Err(Error::RateLimited {
                retry_after: wait.wait_time_from(self.clock.now()),
            }),
            // More than the limit ever lets through at once.
            Err(_) => Err(Error::RateLimited {
                retry_after: Duration::from_secs(60),
            }),
        }
    }
}

fn limiter<K: std::hash::Hash + Eq + Clone>(burst: u32, every: Duration) -> DefaultKeyedRateLimiter<K> {
    let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
    let quota = Quota::with_period(every)
        .unwrap_or(Quota::per_second(NonZeroU32::MIN))
        .allow_burst(burst);
    RateLimiter::keyed(quota)
}

fn per_minute<K: std::hash::Hash + Eq + Clone>(most: u32) -> Option<DefaultKeyedRateLimiter<K>> {
    NonZeroU32::new(most).map(|most| RateLimiter::keyed(Quota::per_minute(most)))
}

/// One customer of a provider has a whole /64 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => {
                let [a, b, c, d, ..] = v6.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        },
    }
}
