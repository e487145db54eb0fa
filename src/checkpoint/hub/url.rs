//! Web addresses, as far as redirects need them.
use std::fmt;

/// An `http` or `https` address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Url {
    scheme: &'static str,
    authority: String,
    /// Path and query, beginning with `/` or empty.
    path: String,
}

impl Url {
    /// The address that `text` spells out in full.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let scheme = ["https", "http"].into_iter().find(|known| known.eq_ignore_ascii_case(scheme))?;
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if authority.is_empty() || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return None;
        }
        let default_port = if scheme == "https" { ":443" } else { ":80" };
        let authority = authority.strip_suffix(default_port).unwrap_or(authority);
        let authority = match authority.rsplit_once('@') {
            Some((user, host)) => format!("{user}@{}", host.to_ascii_lowercase()),
            None => authority.to_ascii_lowercase(),
        };
        let path = if path.starts_with(['?', '#']) { format!("/{path}") } else { path.to_owned() };
        Some(Self { scheme, authority, path })
    }

    /// The same address with more path; `path` is encoded already.
    pub fn push(&self, path: &str) -> Self {
        Self { path: format!("{}/{path}", self.path.trim_end_matches('/')), ..self.clone() }
    }

    /// Where a redirect from here leads.
    pub fn join(&self, location: &str) -> Option<Self> {
        if location.contains("://") && !location.starts_with(['/', '?']) {
            return Self::parse(location);
        }
        if let Some(rest) = location.strip_prefix("//") {
            return Self::parse(&format!("{}://{rest}", self.scheme));
        }
        let base = match location {
            location if location.starts_with('/') => "",
            _ => self.path.split(['?', '#']).next()?.rsplit_once('/').map_or("", |(folder, _)| folder),
        };
        let slash = if location.starts_with('/') { "" } else { "/" };
        Self::parse(&format!("{}://{}{base}{slash}{location}", self.scheme, self.authority))
    }

    /// Whether both are the same server, so that what is secret to one is known to the other.
    pub fn same_origin(&self, other: &Self) -> bool {
        self.scheme == other.scheme && self.authority == other.authority
    }

    /// Whether going on to `next` would give up encryption.
    pub fn is_downgraded_by(&self, next: &Self) -> bool {
        self.scheme == "https" && next.scheme == "http"
    }

    /// The host, for messages: without a password, and without the signatures that a query may carry.
    pub fn host(&self) -> &str {
        self.authority.rsplit_once('@').map_or(&self.authority, |(_, host)| host)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::path_segment;

    fn joined(location: &str) -> Option<String> {
        Url::parse("https://hub.example/a/b?x=1").and_then(|url| url.join(location)).map(|url| url.to_string())
    }

    #[test]
    fn redirects_lead_where_a_browser_would_go() {
        assert_eq!(joined("/c?u=https://d").as_deref(), Some("https://hub.example/c?u=https://d"));
        assert_eq!(joined("c").as_deref(), Some("https://hub.example/a/c"));
        assert_eq!(joined("//cdn.example/c").as_deref(), Some("https://cdn.example/c"));
        assert_eq!(joined("HTTPS://CDN.example:443/C").as_deref(), Some("https://cdn.example/C"));
        assert_eq!(joined("ftp://cdn.example/c"), None);
        assert_eq!(joined("/with space"), None);
    }

    #[test]
    fn a_password_in_an_address_is_not_shown() {
        assert_eq!(
            Url::parse("https://me:secret@hub.example/x").map(|url| url.host().to_owned()).as_deref(),
            Some("hub.example")
        );
    }

    #[test]
    fn a_revision_is_one_segment_of_the_path() {
        assert_eq!(path_segment("refs/pr/1"), "refs%2Fpr%2F1");
    }
}
