//! Where a request comes from: the socket's address, or what trusted proxies say about it.
//!
//! A forwarding header is a list to which every proxy appends whom it heard from. So it is read from the right,
//! through the proxies that we trust, to the first address that is none of them. What stands left of it was
//! written by the client itself and can be anything.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, header};
use ipnet::IpNet;

/// The client's address.
pub fn of(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: IpAddr| is_among(address, trusted);
    let mut address = peer.to_canonical();
    if !is_trusted(address) {
        return address;
    }
    for hop in hops(headers).into_iter().rev() {
        // A hop that cannot be read hides the client; the proxy that reported it is all we know.
        let Some(hop) = hop else { return address };
        address = hop;
        if !is_trusted(address) {
            return address;
        }
    }
    address
}

/// Whether an address is in one of the networks.
pub fn is_among(address: IpAddr, networks: &[IpNet]) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}

fn hops(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let lines = |name: &str| {
        headers
            .get_all(name)
            .iter()
            .map(|line| line.to_str().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    };
    let forwarded_for = lines("x-forwarded-for");
    if !forwarded_for.is_empty() {
        return forwarded_for
            .iter()
            .flat_map(|line| line.split(','))
            .map(parse)
            .collect();
    }
    lines(header::FORWARDED.as_str())
        .iter()
        .flat_map(|line| line.split(','))
        .map(forwarded)
        .collect()
}

/// The `for` of one element of a `Forwarded` header (RFC 7239).
fn forwarded(element: &str) -> Option<IpAddr> {
    let (_, node) = element
        .split(';')
        .filter_map(|pair| pair.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    parse(node.trim().trim_matches('"'))
}

/// An address, with or without a port and brackets.
fn parse(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    let address = bare
        .parse::<IpAddr>()
        .or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()))
        .ok()?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(peer: &str, headers: &[(&'static str, &'static str)]) -> String {
        let trusted = ["10.0.0.0/8", "::1/128"].map(|network| network.parse::<IpNet>().expect("a network"));
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")))
            .collect();
        of(peer.parse().expect("an address"), &headers, &trusted).to_string()
    }

    #[test]
    fn strangers_are_not_believed() {
        assert_eq!(
            from("203.0.113.9", &[("x-forwarded-for", "198.51.100.1")]),
            "203.0.113.9"
        );
        assert_eq!(from("::ffff:203.0.113.9", &[]), "203.0.113.9");
    }

    #[test]
    fn the_rightmost_stranger_is_the_client() {
        assert_eq!(
            from("10.0.0.1", &[("x-forwarded-for", "1.1.1.1, 198.51.100.1, 10.0.0.2")]),
            "198.51.100.1"
        );
        assert_eq!(
            from(
                "10.0.0.1",
                &[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "198.51.100.1:443")]
            ),
            "198.51.100.1"
        );
        assert_eq!(
            from(
                "::1",
                &[("forwarded", "for=1.1.1.1, for=\"[2001:db8::1]:80\";proto=https")]
            ),
            "2001:db8::1"
        );
    }

    #[test]
    fn what_cannot_be_read_is_not_guessed() {
        assert_eq!(from("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(
            from("10.0.0.1", &[("x-forwarded-for", "198.51.100.1, unknown")]),
            "10.0.0.1"
        );
        assert_eq!(
            from("10.0.0.1", &[("x-forwarded-for", "10.0.0.3, 10.0.0.2")]),
            "10.0.0.3"
        );
    }
}
