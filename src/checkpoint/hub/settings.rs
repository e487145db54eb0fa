//! What the environment and the user say about the hub.
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::{Error, Result, plain};

const ENDPOINT: &str = "https://huggingface.co";
/// Far more than a token ever has, in bytes.
const LONGEST_TOKEN: u64 = 1 << 16;

/// A hub token. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(pub String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// What the process environment says about the hub, read as `huggingface_hub` reads it.
#[derive(Clone, Debug)]
pub struct Environment {
    /// The cache folder: `HF_HUB_CACHE`, else `HF_HOME/hub`, else `~/.cache/huggingface/hub`.
    pub cache: PathBuf,
    /// The address of the hub: `HF_ENDPOINT`, else `https://huggingface.co`.
    pub endpoint: String,
    /// `HF_TOKEN`, else what stands in the file `HF_TOKEN_PATH` or `HF_HOME/token`.
    pub token: Option<Token>,
    /// `HF_HUB_OFFLINE`: never ask the network.
    pub offline: bool,
    /// Whether snapshots may be symbolic links; unset by `HF_HUB_DISABLE_SYMLINKS`.
    pub symlinks: bool,
    /// Whether the proxy variables (`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY` and their kin) count.
    pub proxy: bool,
}

impl Environment {
    /// The environment of this process.
    ///
    /// # Errors
    /// [`Kind::Unreachable`](crate::Kind::Unreachable) where no variable names a cache folder and there is no home folder either.
    pub fn of_process() -> Result<Self> {
        // A process without HOME has a user with a home folder all the same.
        let home = |name: &str| std::env::home_dir().filter(|_| name == "HOME").map(Into::into);
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let environment = Self::from_variables(|name| set(name).or_else(|| home(name)))?;
        Ok(Self { proxy: true, ..environment })
    }

    /// The environment that `get` answers for; the proxy variables do not count.
    ///
    /// # Errors
    /// [`Kind::Unreachable`](crate::Kind::Unreachable) where no variable names a cache folder and there is no home folder either.
    pub fn from_variables(get: impl Fn(&str) -> Option<OsString>) -> Result<Self> {
        let get = |name: &str| get(name).filter(|value| !value.is_empty());
        let text = |name: &str| get(name).and_then(|value| value.into_string().ok());
        let user = || get("HOME").or_else(|| get("USERPROFILE")).map(PathBuf::from);
        let path = |name: &str| {
            let path = PathBuf::from(get(name)?);
            match (path.strip_prefix("~"), user()) {
                (Ok(rest), Some(user)) => Some(user.join(rest)),
                _ => Some(path),
            }
        };

        let home = path("HF_HOME")
            .or_else(|| Some(path("XDG_CACHE_HOME")?.join("huggingface")))
            .or_else(|| Some(user()?.join(".cache").join("huggingface")));
        let cache = path("HF_HUB_CACHE")
            .or_else(|| path("HUGGINGFACE_HUB_CACHE"))
            .or_else(|| Some(home.as_ref()?.join("hub")))
            .ok_or_else(|| {
                Error::unreachable("there is no home folder for the cache of models")
                    .hint("set HF_HUB_CACHE to a folder")
            })?;
        let token_file = || {
            // A path that is named may be a pipe; no other is waited for.
            let bytes = match path("HF_TOKEN_PATH") {
                Some(path) => plain::read_at_most(std::fs::File::open(path).ok()?, LONGEST_TOKEN),
                None => plain::read(&home?.join("token"), LONGEST_TOKEN),
            };
            Some(String::from_utf8(bytes.ok()?).ok()?.trim().to_owned())
        };
        let token = text("HF_TOKEN")
            .or_else(|| text("HUGGING_FACE_HUB_TOKEN"))
            .map(|token| token.trim().to_owned())
            .or_else(token_file)
            .filter(|token| !token.is_empty());

        Ok(Self {
            cache,
            endpoint: text("HF_ENDPOINT").unwrap_or_else(|| ENDPOINT.into()),
            token: token.map(Token),
            offline: text("HF_HUB_OFFLINE").is_some_and(|value| is_true(&value)),
            symlinks: !text("HF_HUB_DISABLE_SYMLINKS").is_some_and(|value| is_true(&value)),
            proxy: false,
        })
    }
}

/// The values that `huggingface_hub` takes for yes.
fn is_true(value: &str) -> bool {
    ["1", "on", "yes", "true"].contains(&value.to_ascii_lowercase().as_str())
}

/// What the user asked for.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Never ask the network.
    pub offline: bool,
    /// Ask the hub also for what is cached, and repair it.
    pub refresh: bool,
    /// The `model_type`s that are wanted: a model of another is refused before its weights are downloaded, and not listed. None
    /// named, every type is.
    pub model_types: &'static [&'static str],
    /// How long to wait for what.
    pub limits: Limits,
}

/// How long to wait for what.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// To find the host and connect to it, 5 s: a hub out of reach is noticed within this.
    pub connect: Duration,
    /// For the answer to a question about a file, 10 s.
    pub answer: Duration,
    /// Without a single byte of a download, 30 s. A slow connection is not a stalled one.
    pub stall: Duration,
    /// How often a cut connection or a busy server is tried again, 5 times, without much progress in between.
    pub retries: u32,
    /// The wait before the first of these, half a second, doubled for each that follows.
    pub backoff: Duration,
    /// The longest such wait, 30 s, also where the server asks for more.
    pub patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(10),
            stall: Duration::from_secs(30),
            retries: 5,
            backoff: Duration::from_millis(500),
            patience: Duration::from_secs(30),
        }
    }
}

impl Limits {
    /// For a question that may go without an answer, because something else can be offered: 3 s to connect, 5 s for the answer,
    /// no second try.
    pub fn impatient() -> Self {
        Self { connect: Duration::from_secs(3), answer: Duration::from_secs(5), retries: 0, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    #[test]
    fn without_a_home_folder_there_is_no_cache() {
        let cache = |variables: &[(&str, &str)]| {
            let get = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
            Environment::from_variables(get).map(|environment| environment.cache).map_err(|error| error.kind)
        };
        assert_eq!(cache(&[]), Err(Kind::Unreachable));
        assert_eq!(cache(&[("HOME", "")]), Err(Kind::Unreachable));
        assert_eq!(cache(&[("HOME", "/h")]), Ok("/h/.cache/huggingface/hub".into()));
        assert_eq!(cache(&[("HF_HUB_CACHE", "/c")]), Ok("/c".into()));
    }
}
