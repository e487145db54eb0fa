//! Proxies of a kind that is not spoken: whoever names one does not want to be connected without it.

use super::url::Url;
use crate::checkpoint::printable::printable;
use crate::error::{Error, Result};

/// Where proxies are named, in the order in which the client looks.
const VARIABLES: [&str; 6] = ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];

/// Fails where the first variable that names a proxy for this address names one that does not speak HTTP.
///
/// # Errors
/// SOCKS, a proxy behind TLS, a script that chooses one.
pub(super) fn check(to: &Url, get: impl Fn(&str) -> Option<String>) -> Result<()> {
    let get = |name: &str| get(name).filter(|value| !value.trim().is_empty());
    let host = to.host().split(':').next().unwrap_or_default();
    let excluded = ["NO_PROXY", "no_proxy"].iter().find_map(|name| get(name)).unwrap_or_default();
    if excluded.split(',').any(|rule| covers(rule.trim(), host)) {
        return Ok(());
    }
    let Some((name, value)) = VARIABLES.iter().find_map(|name| Some((name, get(name)?))) else { return Ok(()) };
    let value = value.trim().to_ascii_lowercase();
    let (scheme, rest) = value.split_once("://").unwrap_or(("http", &value));
    let kind = match scheme {
        "http" if rest.ends_with(".pac") => "a script (PAC)",
        "http" => return Ok(()),
        "https" => "https",
        other => other,
    };
    Err(Error::usage(format!("{name} names a proxy of a kind that attnviz does not speak: {}", printable(kind)))
        .hint(format!("name an http:// proxy, list {host} in NO_PROXY, or unset {name}; cached models need none")))
}

/// Whether a rule of `NO_PROXY` is about a host: all, its name, or that of a domain that it is in.
fn covers(rule: &str, host: &str) -> bool {
    let domain = rule.trim_start_matches("*.").trim_start_matches('.');
    rule == "*" || !domain.is_empty() && (host == domain || host.ends_with(&format!(".{domain}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_http_proxies_are_spoken_and_others_are_named() {
        let hub = Url::parse("https://huggingface.co").unwrap();
        let said = |variables: &[(&str, &str)]| {
            let get = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into());
            check(&hub, get).err().map(|error| error.message)
        };
        for fine in ["http://proxy:3128", "proxy:3128", "", "HTTP://user:secret@proxy"] {
            assert_eq!(said(&[("https_proxy", fine)]), None, "{fine}");
        }
        for (odd, kind) in [
            ("socks5h://proxy:1080", "socks5h"),
            ("https://user:secret@proxy", "https"),
            ("http://proxy/proxy.pac", "PAC"),
            ("SOCKS4://proxy", "socks4"),
        ] {
            let message = said(&[("all_proxy", odd), ("http_proxy", "http://proxy")]).unwrap();
            assert!(
                message.contains(kind) && message.contains("all_proxy") && !message.contains("secret"),
                "{message}"
            );
            for rule in ["*", "huggingface.co", ".co", "a, *.huggingface.co"] {
                assert_eq!(said(&[("ALL_PROXY", odd), ("no_proxy", rule)]), None, "{rule}");
            }
            assert!(said(&[("ALL_PROXY", odd), ("no_proxy", "face.co,x")]).is_some());
        }
        assert_eq!(said(&[("HTTPS_PROXY", "http://proxy"), ("http_proxy", "socks5://proxy")]), None);
    }
}
