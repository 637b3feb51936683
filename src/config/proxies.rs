//! The addresses and networks of trusted proxies, as they are typed.

use std::net::IpAddr;

use ipnet::IpNet;

/// By this name they are one value to clap, which may be blank, and not a list of values.
pub(super) type Networks = Vec<IpNet>;

/// Reads addresses and networks, separated by commas; blanks are none.
pub(super) fn parse(text: &str) -> Result<Networks, String> {
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    let network = |item: &str| {
        let address = item.parse::<IpAddr>().map(IpNet::from);
        address
            .or_else(|_| item.parse())
            .map_err(|_| format!("{item} is neither an address, such as 10.0.0.1, nor a network, such as 10.0.0.0/8"))
    };
    items.map(network).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::Settings;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        settings: Settings,
    }

    fn networks(typed: &str) -> Result<Vec<String>, clap::Error> {
        let line = Line::try_parse_from(["parlor", "--trusted-proxies", typed])?;
        Ok(line.settings.trusted_proxies.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn addresses_and_networks_are_read() {
        let typed = "10.0.0.1, ::1,192.168.0.0/16,";
        assert_eq!(
            networks(typed).expect("they are good"),
            ["10.0.0.1/32", "::1/128", "192.168.0.0/16"]
        );
        assert!(networks("").expect("nothing is good").is_empty());
        let error = networks("10.0.0.1,proxy.example.com").expect_err("a name is no address");
        assert!(error.to_string().contains("proxy.example.com is neither"), "{error}");
    }
}
