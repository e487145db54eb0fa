//! The hub's file protocol: what a file is (`HEAD`) and its bytes (`GET`), over redirects, within limits.
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use ureq::http::{HeaderMap, Response, StatusCode};
use ureq::{Agent, Body, Timeout};

use super::digest::Digest;
use super::name::{Name, is_commit};
use super::proxy;
use super::settings::{Environment, Limits, Token};
use super::url::Url;
use crate::checkpoint::printable::printable;
use crate::text::path_segment;
use crate::{Error, Result};

const MAX_REDIRECTS: usize = 8;
const USER_AGENT: &str = concat!("attnviz/", env!("CARGO_PKG_VERSION"));

/// What the hub says of a file.
#[derive(Debug)]
pub(super) struct Meta {
    pub commit: String,
    pub digest: Digest,
    pub size: Option<u64>,
}

/// Why there was no answer, as far as it matters for what to do next.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nothing has ever been heard from the hub.
    Unreachable(Error),
    /// The connection broke; the rest may come over another.
    Cut(String),
    /// The server is busy and may say for how long.
    Busy(u16, Option<Duration>),
    /// Trying again would not help.
    Final(Error),
}

impl Failure {
    /// The failure in a few words.
    pub fn reason(&self) -> String {
        match self {
            Self::Cut(reason) => reason.clone(),
            Self::Busy(status, _) => format!("the server answers {status}"),
            Self::Unreachable(error) | Self::Final(error) => error.message.clone(),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

/// A connection to one hub.
#[derive(Debug)]
pub(super) struct Client {
    agent: Agent,
    endpoint: Url,
    token: Option<Token>,
    pub limits: Limits,
    /// Whether the variables that name proxies count.
    proxy: bool,
    /// Whether the hub has answered once: before that it counts as out of reach, later as interrupted.
    answered: AtomicBool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    Head,
    Get { from: u64 },
}

impl Client {
    pub fn new(environment: &Environment, limits: Limits) -> Result<Self> {
        let endpoint = Url::parse(environment.endpoint.trim()).ok_or_else(|| {
            Error::usage(format!("HF_ENDPOINT is no web address: '{}'", printable(&environment.endpoint)))
                .hint("it has the form https://huggingface.co")
        })?;
        let token = environment.token.clone();
        if token.as_ref().is_some_and(|token| !token.0.bytes().all(|b| b.is_ascii_graphic())) {
            return Err(Error::usage("the hub token has characters that no token has")
                .hint("look at HF_TOKEN, or at the token file in HF_HOME"));
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent(USER_AGENT)
            // Looking the host up and connecting to it (with its handshake) share one limit.
            .timeout_resolve(Some(limits.connect * 2 / 5))
            .timeout_connect(Some(limits.connect * 3 / 5))
            .timeout_per_read(Some(limits.stall))
            .timeout_per_write(Some(limits.stall));
        let config = if environment.proxy { config } else { config.proxy(None) };
        let (agent, proxy) = (config.build().into(), environment.proxy);
        Ok(Self { agent, endpoint, token, limits, proxy, answered: AtomicBool::new(false) })
    }

    /// What the hub says of a file at a revision; none if the repository has no such file there.
    pub fn head(&self, name: &Name, revision: &str, file: &str) -> Result<Option<Meta>> {
        let mut failures = 0;
        loop {
            let failure = match self.try_head(name, revision, file) {
                Ok(meta) => return Ok(meta),
                Err(failure) => failure,
            };
            failures += 1;
            match self.wait_after(&failure, failures) {
                Some(wait) => sleep(wait),
                None => return Err(self.error(failure, file)),
            }
        }
    }

    fn try_head(&self, name: &Name, revision: &str, file: &str) -> Result<Option<Meta>, Failure> {
        let (answer, passed) = self.follow(Method::Head, self.address(name, revision, file))?;
        let status = answer.status();
        if status == StatusCode::NOT_FOUND && is_file_missing(answer.headers()) {
            return Ok(None);
        }
        if !status.is_success() && !status.is_redirection() {
            return Err(self.refusal(status, answer.headers(), name, revision, file));
        }
        // A server on the way may know more than the last one: the hub knows the commit, its store only the bytes.
        let any =
            |header: &str| std::iter::once(answer.headers()).chain(passed.iter().rev()).find_map(|h| text(h, header));
        let commit = any("x-repo-commit").filter(|commit| is_commit(commit));
        let digest = any("x-linked-etag").or_else(|| text(answer.headers(), "etag")).and_then(Digest::of_etag);
        let (Some(commit), Some(digest)) = (commit, digest) else {
            let message = format!("{} does not say which commit and which bytes '{file}' of '{name}' is", self.host());
            return Err(Error::failed(message).hint("set HF_ENDPOINT to a server with the hub's file protocol").into());
        };
        let own_size = || status.is_success().then(|| text(answer.headers(), "content-length"))?;
        let size = any("x-linked-size").or_else(own_size).and_then(|size| size.parse().ok());
        Ok(Some(Meta { commit: commit.into(), digest, size }))
    }

    /// A file's bytes from an offset on; the status is 200 (all of it), 206 or 416.
    pub fn get(&self, name: &Name, commit: &str, file: &str, from: u64) -> Result<Response<Body>, Failure> {
        let (answer, _) = self.follow(Method::Get { from }, self.address(name, commit, file))?;
        match answer.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => Ok(answer),
            status => Err(self.refusal(status, answer.headers(), name, commit, file)),
        }
    }

    /// How long to wait before another attempt; none if there should be no other.
    pub fn wait_after(&self, failure: &Failure, failures: u32) -> Option<Duration> {
        let asked = match failure {
            Failure::Cut(_) => None,
            Failure::Busy(_, wait) => *wait,
            Failure::Unreachable(_) | Failure::Final(_) => return None,
        };
        let doubled = self.limits.backoff.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
        (failures <= self.limits.retries).then(|| doubled.max(asked.unwrap_or_default()).min(self.limits.patience))
    }

    /// What to tell the user of a failure that was not overcome.
    pub fn error(&self, failure: Failure, file: &str) -> Error {
        let host = self.host();
        match failure {
            Failure::Unreachable(error) | Failure::Final(error) => error,
            Failure::Cut(reason) => Error::failed(format!("the download of '{file}' from {host} broke off: {reason}"))
                .hint("run the same command again: it goes on where it stopped"),
            Failure::Busy(429, _) => Error::unreachable(format!("{host} has had too many requests (429)"))
                .hint("wait a few minutes; with a token in HF_TOKEN the hub allows more"),
            Failure::Busy(status, _) => {
                Error::unreachable(format!("{host} cannot answer at the moment ({status})")).hint("try again later")
            }
        }
    }

    /// The hub's host, for messages.
    pub fn host(&self) -> &str {
        self.endpoint.host()
    }

    fn address(&self, name: &Name, revision: &str, file: &str) -> Url {
        self.endpoint.push(&format!("{}/resolve/{}/{}", name.id, path_segment(revision), path_segment(file)))
    }

    /// Asks, and goes where the answers point; with the last answer come the headers of those before it.
    fn follow(&self, method: Method, mut url: Url) -> Result<(Response<Body>, Vec<HeaderMap>), Failure> {
        let mut passed: Vec<HeaderMap> = Vec::new();
        while passed.len() <= MAX_REDIRECTS {
            let answer = self.ask(method, &url)?;
            let location = text(answer.headers(), "location").filter(|_| answer.status().is_redirection());
            let Some(location) = location else { return Ok((answer, passed)) };
            let next = url.join(location).filter(|next| !url.is_downgraded_by(next)).ok_or_else(|| {
                let message =
                    format!("{} redirects to where it is not safe to go: '{}'", url.host(), printable(location));
                Error::failed(message).hint("check HF_ENDPOINT and any proxy in between")
            })?;
            // The store behind the hub signs addresses for GET only, and the hub has said what there is to know.
            let told = ["x-repo-commit", "x-linked-etag"].iter().all(|header| answer.headers().contains_key(*header));
            if method == Method::Head && told && !next.same_origin(&url) {
                return Ok((answer, passed));
            }
            passed.push(answer.headers().clone());
            url = next;
        }
        Err(Error::failed(format!("{} redirects in circles", self.host())).hint("check HF_ENDPOINT").into())
    }

    fn ask(&self, method: Method, url: &Url) -> Result<Response<Body>, Failure> {
        if self.proxy {
            proxy::check(url, |name| std::env::var(name).ok())?;
        }
        let address = url.to_string();
        let (mut request, limit) = match method {
            Method::Head => (self.agent.head(&address), self.limits.answer),
            Method::Get { .. } => (self.agent.get(&address), self.limits.stall),
        };
        // Compressed on the way, neither the announced length nor a range would be the file's.
        request = request.header("accept-encoding", "identity");
        if let Method::Get { from: from @ 1.. } = method {
            request = request.header("range", format!("bytes={from}-"));
        }
        if let Some(token) = self.token.as_ref().filter(|_| url.same_origin(&self.endpoint)) {
            request = request.header("authorization", format!("Bearer {}", token.0));
        }
        let answer = request.config().timeout_recv_response(Some(limit)).build().call();
        let answer = answer.map_err(|error| self.transport(url, &error))?;
        self.answered.store(true, Ordering::Relaxed);
        Ok(answer)
    }

    /// What a failed request or a failed read of its answer means.
    pub fn transport(&self, url: &Url, error: &ureq::Error) -> Failure {
        let host = url.host();
        let reason = reason(error);
        if !self.answered.load(Ordering::Relaxed) {
            return Failure::Unreachable(
                Error::unreachable(format!("{host} is out of reach: {reason}"))
                    .hint("check the network and HF_ENDPOINT; cached models and `builtin` need neither")
                    .option("model"),
            );
        }
        match error {
            ureq::Error::Timeout(
                Timeout::PerRead | Timeout::PerWrite | Timeout::RecvResponse | Timeout::SendRequest,
            ) => Error::failed(format!("{host} has stopped answering: {reason}"))
                .hint("run the same command again: it goes on where it stopped")
                .into(),
            _ => Failure::Cut(reason),
        }
    }

    /// The same for a read of a body, which a store behind the hub may have sent.
    pub fn body_failure(&self, error: std::io::Error) -> Failure {
        self.transport(&self.endpoint, &ureq::Error::from(error))
    }

    fn refusal(&self, status: StatusCode, headers: &HeaderMap, name: &Name, revision: &str, file: &str) -> Failure {
        let (id, host) = (&name.id, self.host());
        let code = text(headers, "x-error-code").unwrap_or_default();
        let error = match (status.as_u16(), code) {
            (_, "RevisionNotFound") => Error::failed(format!("model '{id}' has no revision '{revision}'"))
                .hint("without @ it is the main branch; a refresh asks for the newest commit")
                .option("refresh"),
            (_, "EntryNotFound") => Error::failed(format!("model '{name}' has no file '{file}'"))
                .hint("the hub has changed while it was asked; run the same command again"),
            (_, "GatedRepo") => {
                Error::failed(format!("model '{id}' is gated, and {host} does not give it to this user"))
                    .hint(format!("accept its terms on its page ({host}/{id}), then set HF_TOKEN"))
            }
            (401, _) if code != "RepoNotFound" && self.token.is_some() => {
                Error::failed(format!("{host} does not accept the token for model '{id}'"))
                    .hint("look at HF_TOKEN, or at the token file in HF_HOME")
            }
            (401 | 404, _) => Error::failed(format!("{host} has no model '{name}', or it is private")).hint(format!(
                "check the spelling; a private model needs HF_TOKEN; a local directory is written ./{id}"
            )),
            (403, _) => Error::failed(format!("{host} refuses file '{file}' of model '{id}' (403)"))
                .hint("the token in HF_TOKEN may lack the right to read it"),
            (status @ (408 | 429 | 500..), _) => {
                let seconds = text(headers, "retry-after").and_then(|seconds| seconds.trim().parse().ok());
                return Failure::Busy(status, seconds.map(Duration::from_secs));
            }
            (status, _) => Error::failed(format!("{host} answers {status} for file '{file}' of model '{name}'"))
                .hint("check HF_ENDPOINT and any proxy in between"),
        };
        Failure::Final(error)
    }
}

/// A 404 that means the file: the hub says so; a mirror that says nothing may.
fn is_file_missing(headers: &HeaderMap) -> bool {
    matches!(text(headers, "x-error-code"), Some("EntryNotFound") | None)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn reason(error: &ureq::Error) -> String {
    match error {
        ureq::Error::HostNotFound => "no such host".into(),
        ureq::Error::Timeout(Timeout::Resolve) => "looking up its address took too long".into(),
        ureq::Error::Timeout(Timeout::Connect) => "connecting took too long".into(),
        ureq::Error::Timeout(Timeout::RecvResponse) => "no answer within the limit".into(),
        ureq::Error::Timeout(_) => "nothing came within the limit".into(),
        ureq::Error::Io(error) => match error.kind() {
            std::io::ErrorKind::ConnectionRefused => "connection refused".into(),
            std::io::ErrorKind::UnexpectedEof => "the connection was closed early".into(),
            // Several systems' words for it follow, none of which says more.
            _ if error.to_string().starts_with("failed to lookup address") => "no such host".into(),
            _ => printable(&error.to_string()),
        },
        error => printable(&error.to_string()),
    }
}
