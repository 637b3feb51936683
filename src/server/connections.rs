//! How many connections, sockets and streams an address and an account have open, and the caps on them.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::doors::DoorSettings;
use crate::id::UserId;

/// Who has connections, sockets and streams open.
#[derive(Debug)]
pub struct Connections {
    users: Counts<UserId>,
    addresses: Counts<IpAddr>,
    peers: Counts<IpAddr>,
}

/// A place among the open connections; leaves on drop.
#[derive(Debug)]
pub struct Place<K: Eq + Hash + Copy> {
    key: K,
    counts: Counts<K>,
}

impl Connections {
    /// Nobody yet, and at most as many each as the settings say.
    pub fn new(settings: &DoorSettings) -> Self {
        Connections {
            users: Counts::new(settings.streams_per_user),
            addresses: Counts::new(settings.streams_per_address),
            peers: Counts::new(settings.connections_per_address),
        }
    }

    /// A place for one more HTTP connection from this end, or None when it has too many.
    pub fn of_peer(&self, peer: IpAddr) -> Option<Place<IpAddr>> {
        self.peers.enter(network(peer))
    }

    /// A place for one more socket or stream of this account, or None when it has too many.
    pub fn of_user(&self, user: UserId) -> Option<Place<UserId>> {
        self.users.enter(user)
    }

    /// A place for one more socket or stream from this address, or None when it has too many.
    pub fn of_address(&self, address: IpAddr) -> Option<Place<IpAddr>> {
        self.addresses.enter(network(address))
    }
}

/// One household is one address in IPv4 and a /64 in IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            std::net::Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[derive(Debug)]
struct Counts<K> {
    limit: usize,
    open: Arc<Mutex<HashMap<K, usize>>>,
}

impl<K: Eq + Hash + Copy> Counts<K> {
    fn new(limit: usize) -> Self {
        Counts {
            limit,
            open: Arc::default(),
        }
    }

    fn enter(&self, key: K) -> Option<Place<K>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(key).or_default();
        if *count >= self.limit {
            return None;
        }
        *count += 1;
        Some(Place {
            key,
            counts: Counts {
                limit: self.limit,
                open: self.open.clone(),
            },
        })
    }
}

impl<K: Eq + Hash + Copy> Drop for Place<K> {
    fn drop(&mut self) {
        let mut open = self.counts.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections(streams_per_address: usize) -> Connections {
        Connections::new(&DoorSettings {
            streams_per_address,
            ..DoorSettings::default()
        })
    }

    #[test]
    fn places_are_given_back() {
        let connections = connections(2);
        let address: IpAddr = "10.0.0.1".parse().expect("an address");
        let mapped: IpAddr = "::ffff:10.0.0.1".parse().expect("an address");
        let first = connections.of_address(address);
        let second = connections.of_address(mapped);
        assert!(first.is_some() && second.is_some());
        assert!(connections.of_address(address).is_none());
        drop(first);
        assert!(connections.of_address(address).is_some());
    }

    #[test]
    fn a_household_is_one_ipv6_network() {
        let connections = connections(1);
        let _first = connections.of_address("2001:db8::1".parse().expect("an address"));
        assert!(
            connections
                .of_address("2001:db8::2".parse().expect("an address"))
                .is_none()
        );
        assert!(
            connections
                .of_address("2001:db8:0:1::2".parse().expect("an address"))
                .is_some()
        );
    }
}
