//! How often sign-ins and registrations may be tried (GCRA, by the crate governor).
//!
//! A guesser is slowed per account and address, and per address. The limit per account alone counts only
//! addresses that the account's owner never signed in from, so that a stranger cannot lock the owner out.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::error::{Error, Result};
use crate::id::UserId;

/// The limits on sign-ins and registrations.
#[derive(Debug)]
pub struct Throttle {
    clock: DefaultClock,
    pair: DefaultKeyedRateLimiter<(String, IpAddr)>,
    address: DefaultKeyedRateLimiter<IpAddr>,
    strangers: DefaultKeyedRateLimiter<UserId>,
    registrations: DefaultKeyedRateLimiter<IpAddr>,
    passwords: DefaultKeyedRateLimiter<UserId>,
}

impl Default for Throttle {
    fn default() -> Self {
        Throttle {
            clock: DefaultClock::default(),
            pair: limiter(10, Duration::from_secs(15)),
            address: limiter(100, Duration::from_secs(1)),
            strangers: limiter(100, Duration::from_secs(10)),
            registrations: limiter(60, Duration::from_secs(10)),
            passwords: limiter(10, Duration::from_secs(15)),
        }
    }
}

impl Throttle {
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

    /// Forgets whoever has been quiet, so that memory stays bounded by recent traffic.
    pub fn sweep(&self) {
        self.pair.retain_recent();
        self.address.retain_recent();
        self.strangers.retain_recent();
        self.registrations.retain_recent();
        self.passwords.retain_recent();
    }

    fn check<K: std::hash::Hash + Eq + Clone>(&self, limiter: &DefaultKeyedRateLimiter<K>, key: &K) -> Result<()> {
        limiter.check_key(key).map_err(|wait| Error::RateLimited {
            retry_after: wait.wait_time_from(self.clock.now()),
        })
    }
}

fn limiter<K: std::hash::Hash + Eq + Clone>(burst: u32, every: Duration) -> DefaultKeyedRateLimiter<K> {
    let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
    let quota = Quota::with_period(every)
        .unwrap_or(Quota::per_second(NonZeroU32::MIN))
        .allow_burst(burst);
    RateLimiter::keyed(quota)
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
