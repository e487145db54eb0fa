//! A hub in miniature: one repository, two ports (the hub and the store behind it), and faults to order.
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};

/// How long a server that stalls holds the line: longer than any limit that a test sets.
pub const SILENCE: Duration = Duration::from_secs(8);
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What goes wrong, and where.
#[derive(Clone, Debug)]
pub enum Fault {
    /// A status with headers and no file.
    Status(u16, Vec<(&'static str, String)>),
    /// A header of the right answer, replaced.
    Header(&'static str, String),
    /// The connection is closed after so many bytes of the body.
    Cut(usize),
    /// Nothing more comes after so many bytes of the body.
    Stall(usize),
    /// The request is read and never answered.
    Silence,
    /// So many bytes at a time, with a pause after each.
    Drip(usize, Duration),
    /// The whole file whatever range was asked for.
    IgnoreRange,
    /// A range that was not asked for.
    OtherRange,
    /// Other bytes of the same length.
    Corrupt,
    /// The right bytes, without saying how many; the end of the connection is their end.
    Unsized,
    /// The right bytes and then many more.
    Endless,
    /// More or fewer bytes than announced.
    Resize(isize),
}

/// The next `times` requests of this method whose path contains `path` meet the fault.
struct Rule {
    method: &'static str,
    path: String,
    times: usize,
    fault: Fault,
}

#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub at_store: bool,
    pub range: Option<String>,
    pub authorization: Option<String>,
}

#[derive(Default)]
struct State {
    id: String,
    /// Revision → commit.
    revisions: BTreeMap<String, String>,
    /// Commit → file → bytes.
    trees: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    rules: Vec<Rule>,
    log: Vec<Request>,
}

pub struct Server {
    pub address: String,
    pub store: String,
    state: Arc<Mutex<State>>,
    stop: Arc<AtomicBool>,
}

impl Server {
    /// Serves these files as `main` of the repository.
    pub fn start(id: &str, files: &[(&str, Vec<u8>)]) -> Self {
        let hub = TcpListener::bind("127.0.0.1:0").unwrap();
        let store = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", hub.local_addr().unwrap());
        let store_address = format!("http://{}", store.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State { id: id.into(), ..State::default() }));
        let stop = Arc::new(AtomicBool::new(false));
        for (listener, at_store) in [(hub, false), (store, true)] {
            let (state, stop, store) = (state.clone(), stop.clone(), store_address.clone());
            thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    let (state, store) = (state.clone(), store.clone());
                    thread::spawn(move || converse(stream, &state, &store, at_store));
                }
            });
        }
        let server = Self { address, store: store_address, state, stop };
        server.publish("main", COMMIT, files);
        server
    }

    /// Lets a revision stand at a commit with these files.
    pub fn publish(&self, revision: &str, commit: &str, files: &[(&str, Vec<u8>)]) {
        let mut state = self.state();
        state.revisions.insert(revision.into(), commit.into());
        state.revisions.insert(commit.into(), commit.into());
        state.trees.insert(commit.into(), files.iter().map(|(file, bytes)| ((*file).into(), bytes.clone())).collect());
    }

    pub fn fault(&self, method: &'static str, path: &str, times: usize, fault: Fault) {
        self.state().rules.push(Rule { method, path: path.into(), times, fault });
    }

    pub fn heal(&self) {
        self.state().rules.clear();
    }

    pub fn requests(&self) -> Vec<Request> {
        self.state().log.clone()
    }

    pub fn forget_requests(&self) {
        self.state().log.clear();
    }

    /// Requests of a method whose path contains `path`.
    pub fn count(&self, method: &str, path: &str) -> usize {
        self.requests().iter().filter(|r| r.method == method && r.path.contains(path)).count()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        for address in [&self.address, &self.store] {
            let _ = TcpStream::connect(address.trim_start_matches("http://"));
        }
    }
}

pub fn sha256(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

/// git's name for a blob.
pub fn git_sha1(bytes: &[u8]) -> String {
    hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, &[format!("blob {}\0", bytes.len()).as_bytes(), bytes].concat()).as_ref())
}

/// What the hub calls a file's bytes: weights are large files, all others are git's.
pub fn etag(file: &str, bytes: &[u8]) -> String {
    if is_large(file) { sha256(bytes) } else { git_sha1(bytes) }
}

fn is_large(file: &str) -> bool {
    file.ends_with(".safetensors") || file.ends_with(".bin")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn status(status: u16, headers: Vec<(&'static str, String)>) -> Self {
        Self { status, headers, body: Vec::new() }
    }

    fn set(&mut self, header: &'static str, value: String) {
        self.headers.retain(|(name, _)| *name != header);
        self.headers.push((header, value));
    }
}

fn converse(stream: TcpStream, state: &Mutex<State>, store: &str, at_store: bool) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(request) = read_request(&mut reader, at_store) {
        let (answer, fault) = {
            let mut state = state.lock().unwrap();
            state.log.push(request.clone());
            let matches =
                |rule: &Rule| rule.times > 0 && rule.method == request.method && request.path.contains(&rule.path);
            let rule = state.rules.iter_mut().find(|rule| matches(rule));
            let fault = rule.map(|rule| {
                rule.times -= 1;
                rule.fault.clone()
            });
            (answer(&state, &request, store, fault.as_ref()), fault)
        };
        if send(&stream, &request, answer, fault).is_none() {
            let _ = stream.shutdown(Shutdown::Both);
            return;
        }
    }
}

fn read_request(reader: &mut BufReader<TcpStream>, at_store: bool) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|&n| n > 0)?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut request = Request { method, path, at_store, range: None, authorization: None };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|&n| n > 0)?;
        let Some((name, value)) = line.trim().split_once(':') else { return Some(request) };
        match name.to_ascii_lowercase().as_str() {
            "range" => request.range = Some(value.trim().into()),
            "authorization" => request.authorization = Some(value.trim().into()),
            _ => {}
        }
    }
}

fn answer(state: &State, request: &Request, store: &str, fault: Option<&Fault>) -> Answer {
    if let Some(Fault::Status(status, headers)) = fault {
        return Answer::status(*status, headers.clone());
    }
    let missing = |code: &str| Answer::status(404, vec![("X-Error-Code", code.into())]);
    if request.at_store {
        let wanted = request.path.split('?').next().unwrap().trim_start_matches('/');
        let bytes = state.trees.values().flat_map(BTreeMap::values).find(|bytes| sha256(bytes) == wanted);
        return bytes.map_or(missing("NoSuchKey"), |bytes| file(bytes, request, fault));
    }
    let Some((id, rest)) = request.path.trim_start_matches('/').split_once("/resolve/") else {
        return missing("RepoNotFound");
    };
    if id != state.id {
        return missing("RepoNotFound");
    }
    let (revision, name) = rest.rsplit_once('/').unwrap();
    let Some(commit) = state.revisions.get(&revision.replace("%2F", "/")) else { return missing("RevisionNotFound") };
    let Some(bytes) = state.trees[commit].get(name) else {
        let mut answer = missing("EntryNotFound");
        answer.set("X-Repo-Commit", commit.clone());
        return answer;
    };
    let mut answer = if is_large(name) {
        let location = format!("{store}/{}?signature=secret", sha256(bytes));
        let linked = [("X-Linked-Etag", format!("\"{}\"", sha256(bytes))), ("X-Linked-Size", bytes.len().to_string())];
        Answer::status(302, [("Location", location)].into_iter().chain(linked).collect())
    } else {
        let mut answer = file(bytes, request, fault);
        answer.set("ETag", format!("\"{}\"", git_sha1(bytes)));
        answer
    };
    answer.set("X-Repo-Commit", commit.clone());
    if let Some(Fault::Header(name, value)) = fault {
        answer.set(name, value.clone());
    }
    answer
}

/// A file's bytes, or the range that was asked for.
fn file(bytes: &[u8], request: &Request, fault: Option<&Fault>) -> Answer {
    let mut bytes = bytes.to_vec();
    match fault {
        Some(Fault::Corrupt) => bytes.iter_mut().for_each(|byte| *byte ^= 1),
        Some(Fault::Resize(by)) => bytes.resize(bytes.len().checked_add_signed(*by).unwrap(), 0),
        _ => {}
    }
    let from: Option<usize> =
        request.range.as_ref().and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    let Some(from) = from.filter(|_| !matches!(fault, Some(Fault::IgnoreRange))) else {
        return Answer { status: 200, headers: Vec::new(), body: bytes };
    };
    let from = if matches!(fault, Some(Fault::OtherRange)) { from / 2 } else { from };
    if from >= bytes.len() {
        return Answer::status(416, vec![("Content-Range", format!("bytes */{}", bytes.len()))]);
    }
    let range = format!("bytes {from}-{}/{}", bytes.len() - 1, bytes.len());
    Answer { status: 206, headers: vec![("Content-Range", range)], body: bytes[from..].to_vec() }
}

/// Sends an answer; none if the connection is over.
fn send(mut stream: &TcpStream, request: &Request, answer: Answer, fault: Option<Fault>) -> Option<()> {
    if matches!(fault, Some(Fault::Silence)) {
        thread::sleep(SILENCE);
        return None;
    }
    let mut head = format!("HTTP/1.1 {} -\r\n", answer.status);
    for (name, value) in &answer.headers {
        head += &format!("{name}: {value}\r\n");
    }
    let is_unsized = matches!(fault, Some(Fault::Unsized | Fault::Endless));
    if is_unsized {
        head += "Connection: close\r\n";
    } else if !answer.headers.iter().any(|(name, _)| *name == "Content-Length") {
        head += &format!("Content-Length: {}\r\n", answer.body.len());
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).ok()?;
    if request.method == "HEAD" {
        return (!is_unsized).then_some(());
    }
    let body = &answer.body;
    match fault {
        Some(Fault::Cut(at)) => {
            stream.write_all(&body[..at.min(body.len())]).ok()?;
            None
        }
        Some(Fault::Stall(at)) => {
            stream.write_all(&body[..at.min(body.len())]).ok()?;
            thread::sleep(SILENCE);
            None
        }
        Some(Fault::Unsized) => {
            stream.write_all(body).ok()?;
            None
        }
        Some(Fault::Endless) => {
            stream.write_all(body).ok()?;
            for _ in 0..1000 {
                stream.write_all(&[0; 1 << 16]).ok()?;
            }
            None
        }
        Some(Fault::Drip(chunk, pause)) => {
            for chunk in body.chunks(chunk) {
                stream.write_all(chunk).ok()?;
                thread::sleep(pause);
            }
            Some(())
        }
        _ => stream.write_all(body).ok(),
    }
}

/// A cache as `huggingface_hub` writes it.
pub fn write_cache(root: &Path, id: &str, commit: &str, reference: &str, files: &[(&str, Vec<u8>)], symlinks: bool) {
    let repository = root.join(format!("models--{}", id.replace('/', "--")));
    let snapshot = repository.join("snapshots").join(commit);
    let reference = repository.join("refs").join(reference);
    for dir in [&snapshot, &repository.join("blobs"), reference.parent().unwrap()] {
        fs::create_dir_all(dir).unwrap();
    }
    fs::write(reference, commit).unwrap();
    for (file, bytes) in files {
        if symlinks && cfg!(unix) {
            fs::write(repository.join("blobs").join(etag(file, bytes)), bytes).unwrap();
            #[cfg(unix)]
            std::os::unix::fs::symlink(Path::new("../../blobs").join(etag(file, bytes)), snapshot.join(file)).unwrap();
        } else {
            fs::write(snapshot.join(file), bytes).unwrap();
        }
    }
}
