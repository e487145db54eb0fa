//! The hub's promise: the right files in the cache, or a two-line error within the limit.
#![allow(clippy::unwrap_used, reason = "in a test, that is the failure")]
#[path = "support/hub.rs"]
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use attnviz::checkpoint::hub::{Environment, Event, Hub, Limits, Options, Snapshot};
use attnviz::{Error, Kind, Result};
use support::{COMMIT, Fault, Server, etag, git_sha1, sha256};
use tempfile::TempDir;

const ID: &str = "org/tiny";
const OTHER_COMMIT: &str = "fedcba9876543210fedcba9876543210fedcba98";
const WEIGHTS: &str = "model.safetensors";
const CONFIG: &str = r#"{"model_type": "gpt2", "n_layer": 2}"#;
/// Larger than any buffer on the way.
const WEIGHTS_LEN: usize = 3 << 20;

fn weights() -> Vec<u8> {
    (0..WEIGHTS_LEN as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn files() -> Vec<(&'static str, Vec<u8>)> {
    vec![("config.json", CONFIG.into()), (WEIGHTS, weights()), ("tokenizer.json", b"{\"model\": {}}".into())]
}

/// The same files with one replaced, added, or (with no bytes) removed.
fn files_with(file: &'static str, bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut files: BTreeMap<_, _> = files().into_iter().collect();
    files.insert(file, bytes.into());
    files.into_iter().filter(|(_, bytes)| !bytes.is_empty()).collect()
}

fn limits() -> Limits {
    Limits {
        connect: Duration::from_secs(2),
        answer: Duration::from_secs(1),
        stall: Duration::from_secs(1),
        retries: 3,
        backoff: Duration::from_millis(5),
        patience: Duration::from_millis(50),
    }
}

/// A hub and an empty cache in front of it.
struct Bench {
    server: Server,
    cache: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self::with(&files())
    }

    fn with(files: &[(&str, Vec<u8>)]) -> Self {
        Self { server: Server::start(ID, files), cache: TempDir::new().unwrap() }
    }

    fn hub_with(&self, variables: &[(&str, &str)], options: Options) -> Hub {
        let cache = self.cache.path().to_str().unwrap();
        let mut known = BTreeMap::from([("HF_HUB_CACHE", cache), ("HF_ENDPOINT", &self.server.address)]);
        known.extend(variables.iter().copied());
        let environment = Environment::from_variables(|name| known.get(name).map(Into::into)).unwrap();
        Hub::new(environment, Options { limits: limits(), ..options }).unwrap()
    }

    fn hub(&self) -> Hub {
        self.hub_with(&[], Options::default())
    }

    fn offline(&self) -> Hub {
        self.hub_with(&[], Options { offline: true, ..Options::default() })
    }

    fn refreshing(&self) -> Hub {
        self.hub_with(&[], Options { refresh: true, ..Options::default() })
    }

    fn get(&self) -> Result<Snapshot> {
        self.hub().snapshot(ID, None, &mut |_| ())
    }

    /// The two lines of the error that this must be.
    fn fails(&self) -> Error {
        let error = self.get().unwrap_err();
        assert!(error.hint.is_some() && !error.message.contains('\n'), "{error:?}");
        error
    }

    fn repository(&self) -> PathBuf {
        self.cache.path().join("models--org--tiny")
    }

    fn blob(&self, file: &str, bytes: &[u8]) -> PathBuf {
        self.repository().join("blobs").join(etag(file, bytes))
    }

    fn incomplete(&self) -> PathBuf {
        self.repository().join("blobs").join(format!("{}.incomplete", sha256(&weights())))
    }

    /// Leaves the beginning of the weights as an interrupted download does.
    fn interrupted_with(&self, bytes: &[u8]) {
        fs::create_dir_all(self.incomplete().parent().unwrap()).unwrap();
        fs::write(self.incomplete(), bytes).unwrap();
    }

    /// The weights are in the cache, and nothing half done is.
    fn assert_whole(&self, snapshot: &Snapshot) {
        assert!(fs::read(snapshot.dir.join(WEIGHTS)).unwrap() == weights());
        let blobs = fs::read_dir(self.repository().join("blobs")).unwrap();
        assert!(blobs.flatten().all(|blob| !blob.file_name().to_string_lossy().contains("incomplete")));
    }

    /// Nothing in the cache has the name of the weights.
    fn assert_no_weights(&self) {
        assert!(!self.blob(WEIGHTS, &weights()).exists());
        assert!(!self.repository().join("snapshots").join(COMMIT).join(WEIGHTS).exists());
        assert!(!self.repository().join("refs").exists());
    }

    fn ranges(&self) -> Vec<Option<String>> {
        self.server.requests().into_iter().filter(|r| r.at_store).map(|r| r.range).collect()
    }
}

/// A cache as `huggingface_hub` writes it.
fn write_cache(root: &Path, id: &str, commit: &str, reference: &str, files: &[(&str, Vec<u8>)], symlinks: bool) {
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

#[test]
fn a_model_is_downloaded_into_the_layout_of_huggingface_hub() {
    let bench = Bench::new();
    let mut announced = None;
    let mut moved = Vec::new();
    let snapshot = bench
        .hub()
        .snapshot(ID, None, &mut |event| match event {
            Event::Announce { id, files, bytes, present } => announced = Some((id.to_owned(), files, bytes, present)),
            Event::Moved { done, total, .. } if announced.is_some() => moved.push((done, total)),
            event => panic!("{event:?}"),
        })
        .unwrap();
    assert_eq!(snapshot.commit, COMMIT);
    assert_eq!(snapshot.dir, bench.repository().join("snapshots").join(COMMIT));
    bench.assert_whole(&snapshot);
    for (file, bytes) in files() {
        assert!(fs::read(snapshot.dir.join(file)).unwrap() == bytes);
        assert!(fs::read(bench.blob(file, &bytes)).unwrap() == bytes);
        #[cfg(unix)]
        assert_eq!(fs::read_link(snapshot.dir.join(file)).unwrap(), Path::new("../../blobs").join(etag(file, &bytes)));
    }
    assert_eq!(fs::read_to_string(bench.repository().join("refs/main")).unwrap(), COMMIT);
    let left: Vec<_> = fs::read_dir(bench.repository()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left.len(), 3, "{left:?}");

    let total = WEIGHTS_LEN as u64 + 13;
    assert_eq!(announced, Some((ID.to_owned(), 2, total, 0)));
    assert!(moved.is_sorted() && moved.first() == Some(&(0, total)) && moved.last() == Some(&(total, total)));
}

#[test]
fn a_cached_model_needs_no_network() {
    let bench = Bench::new();
    let first = bench.get().unwrap();
    bench.server.forget_requests();
    assert_eq!(bench.get().unwrap(), first);
    assert_eq!(bench.hub().find(ID, None).unwrap(), Some(first.clone()));
    assert_eq!(bench.hub().snapshot(ID, Some(COMMIT), &mut |_| ()).unwrap(), first);
    assert_eq!(bench.offline().snapshot(ID, None, &mut |_| ()).unwrap(), first);
    assert_eq!(bench.server.requests().len(), 0);
}

#[test]
fn a_cache_that_huggingface_hub_wrote_is_used_with_symlinks_and_without() {
    for symlinks in [true, false] {
        let bench = Bench::new();
        write_cache(bench.cache.path(), ID, COMMIT, "main", &files(), symlinks);
        bench.assert_whole(&bench.get().unwrap());
        assert_eq!(bench.server.requests().len(), 0);
    }
}

#[test]
fn only_what_is_missing_is_downloaded() {
    for symlinks in [true, false] {
        let bench = Bench::new();
        write_cache(bench.cache.path(), ID, COMMIT, "main", &files_with("tokenizer.json", b""), symlinks);
        // The branch has moved on, but the tokenizer must belong to the cached weights.
        bench.server.publish("main", OTHER_COMMIT, &files_with("tokenizer.json", b"{\"newer\": 1}"));
        let snapshot = bench.get().unwrap();
        assert_eq!(snapshot.commit, COMMIT);
        assert_eq!(fs::read(snapshot.dir.join("tokenizer.json")).unwrap(), b"{\"model\": {}}");
        assert_eq!(bench.server.requests().len(), bench.server.count("HEAD", "tokenizer.json") + 1);
    }
}

#[test]
fn without_symlinks_a_snapshot_holds_the_files_themselves() {
    let bench = Bench::new();
    let hub = bench.hub_with(&[("HF_HUB_DISABLE_SYMLINKS", "1")], Options::default());
    let snapshot = hub.snapshot(ID, None, &mut |_| ()).unwrap();
    bench.assert_whole(&snapshot);
    assert!(fs::symlink_metadata(snapshot.dir.join(WEIGHTS)).unwrap().is_file());
    // Renaming a hard link onto its twin must not leave anything behind.
    let hub = bench.hub_with(&[("HF_HUB_DISABLE_SYMLINKS", "1")], Options { refresh: true, ..Options::default() });
    fs::write(bench.repository().join("snapshots").join(COMMIT).join("config.json"), "damaged").unwrap();
    bench.assert_whole(&hub.snapshot(ID, None, &mut |_| ()).unwrap());
    assert_eq!(fs::read_dir(bench.repository()).unwrap().count(), 3);
}

#[test]
fn offline_says_what_is_not_cached() {
    let bench = Bench::new();
    let error = bench.offline().snapshot(ID, None, &mut |_| ()).unwrap_err();
    assert_eq!(error.kind, Kind::Unreachable);
    assert!(error.message.contains("'org/tiny' is not in the cache"), "{error}");

    write_cache(bench.cache.path(), ID, COMMIT, "main", &files_with("tokenizer.json", b""), true);
    let by_variable = bench.hub_with(&[("HF_HUB_OFFLINE", "1")], Options::default());
    let error = by_variable.snapshot(ID, None, &mut |_| ()).unwrap_err();
    assert!(error.message.contains("partly in the cache (tokenizer.json missing)"), "{error}");
    assert_eq!(bench.server.requests().len(), 0);
}

#[test]
fn refresh_follows_a_branch_that_moved() {
    let bench = Bench::new();
    bench.get().unwrap();
    bench.server.publish("main", OTHER_COMMIT, &files_with("tokenizer.json", b"{\"newer\": 1}"));
    assert_eq!(bench.get().unwrap().commit, COMMIT);
    bench.server.forget_requests();
    let snapshot = bench.refreshing().snapshot(ID, None, &mut |_| ()).unwrap();
    assert_eq!(snapshot.commit, OTHER_COMMIT);
    bench.assert_whole(&snapshot);
    assert_eq!(bench.server.count("GET", ""), 1, "the unchanged blobs are there already");
    assert_eq!(bench.get().unwrap(), snapshot);
}

#[test]
fn an_interrupted_refresh_leaves_the_older_checkpoint_in_use() {
    let bench = Bench::new();
    let before = bench.get().unwrap();
    bench.server.publish("main", OTHER_COMMIT, &files_with(WEIGHTS, b"newer weights"));
    bench.server.fault("GET", &sha256(b"newer weights"), 9, Fault::Cut(3));
    let error = bench.refreshing().snapshot(ID, None, &mut |_| ()).unwrap_err();
    assert!(error.message.contains("broke off"), "{error}");
    assert_eq!(bench.offline().snapshot(ID, None, &mut |_| ()).unwrap(), before);
}

#[test]
fn refresh_repairs_a_damaged_file() {
    let bench = Bench::new();
    let mut damaged = weights();
    damaged[WEIGHTS_LEN / 2] ^= 1;
    bench.get().unwrap();
    fs::write(bench.blob(WEIGHTS, &weights()), damaged).unwrap();
    bench.assert_whole(&bench.refreshing().snapshot(ID, None, &mut |_| ()).unwrap());
}

#[test]
fn a_model_that_was_renamed_is_found_under_its_old_name() {
    let bench = Bench::new();
    for file in ["config.json", WEIGHTS, "tokenizer.json"] {
        for at in ["main", COMMIT] {
            let location = vec![("Location", format!("/{ID}/resolve/{at}/{file}"))];
            let path = format!("/tiny/resolve/{at}/{file}");
            // The path of the new name contains that of the old one, so the old name gets one redirect per method.
            let path: &str = path.leak();
            for method in ["HEAD", "GET"] {
                bench.server.fault(method, path, 1, Fault::Status(307, location.clone()));
            }
        }
    }
    let snapshot = bench.hub().snapshot("tiny", None, &mut |_| ()).unwrap();
    assert_eq!(snapshot.dir, bench.cache.path().join("models--tiny/snapshots").join(COMMIT));
    assert!(fs::read(snapshot.dir.join(WEIGHTS)).unwrap() == weights());
}

#[test]
fn the_token_goes_to_the_hub_and_to_nobody_else() {
    let bench = Bench::new();
    let hub = bench.hub_with(&[("HF_TOKEN", "hf_secret")], Options::default());
    assert!(
        !format!("{hub:?}").contains("hf_secret")
            && !format!("{:?}", hub.snapshot(ID, None, &mut |_| ())).contains("hf_")
    );
    let (store, hub): (Vec<_>, Vec<_>) = bench.server.requests().into_iter().partition(|request| request.at_store);
    assert!(!store.is_empty() && store.iter().all(|request| request.authorization.is_none()));
    assert!(hub.iter().all(|request| request.authorization.as_deref() == Some("Bearer hf_secret")));
}

#[test]
fn a_hub_that_has_moved_elsewhere_altogether_does_not_get_the_token() {
    let new = Server::start(ID, &files());
    let bench = Bench::new();
    for file in ["config.json", WEIGHTS, "tokenizer.json"] {
        for method in ["HEAD", "GET"] {
            for at in ["main", COMMIT] {
                let there = vec![("Location", format!("{}/{ID}/resolve/{at}/{file}", new.address))];
                bench.server.fault(method, format!("{at}/{file}").leak(), 9, Fault::Status(308, there));
            }
        }
    }
    let hub = bench.hub_with(&[("HF_TOKEN", "hf_secret")], Options::default());
    bench.assert_whole(&hub.snapshot(ID, None, &mut |_| ()).unwrap());
    assert!(new.requests().iter().all(|request| request.authorization.is_none()));
}

#[test]
fn refusals_say_whose_fault_it_is() {
    let code = |code: &str| vec![("X-Error-Code", code.to_owned())];
    let cases = [
        ("config.json", 401, code("RepoNotFound"), "no model 'org/tiny'", "HF_TOKEN"),
        ("config.json", 404, code("RepoNotFound"), "no model 'org/tiny'", "./org/tiny"),
        ("config.json", 404, code("RevisionNotFound"), "'org/tiny' has no revision 'main'", "main branch"),
        ("config.json", 404, code("EntryNotFound"), "no config.json for model 'org/tiny'", "spelling"),
        ("config.json", 404, vec![], "no config.json for model 'org/tiny'", "spelling"),
        (WEIGHTS, 401, code("GatedRepo"), "'org/tiny' is gated", "HF_TOKEN"),
        (WEIGHTS, 403, code("GatedRepo"), "'org/tiny' is gated", "accept its terms"),
        (WEIGHTS, 403, vec![], "refuses file 'model.safetensors'", "HF_TOKEN"),
        (WEIGHTS, 418, vec![], "answers 418", "HF_ENDPOINT"),
        ("config.json", 302, vec![("Location", "file:///etc/passwd".into())], "not safe", "HF_ENDPOINT"),
        ("config.json", 302, vec![("Location", "config.json".into())], "in circles", "HF_ENDPOINT"),
    ];
    for (file, status, headers, message, hint) in cases {
        let bench = Bench::new();
        bench.server.fault("HEAD", file, 99, Fault::Status(status, headers));
        let error = bench.fails();
        assert!(error.message.contains(message) && error.hint.as_ref().unwrap().contains(hint), "{status}: {error:?}");
        assert_eq!(error.kind, Kind::Failed);
        bench.assert_no_weights();
    }
    let bench = Bench::new();
    bench.server.fault("HEAD", "config.json", 1, Fault::Status(401, vec![]));
    let hub = bench.hub_with(&[("HF_TOKEN", "hf_old")], Options::default());
    let error = hub.snapshot(ID, None, &mut |_| ()).unwrap_err();
    assert!(error.message.contains("does not accept the token"), "{error}");
}

#[test]
fn a_connection_that_is_cut_is_resumed_where_it_stopped() {
    let bench = Bench::new();
    bench.server.fault("GET", &sha256(&weights()), 2, Fault::Cut(1 << 20));
    let mut retries = 0;
    let count = &mut |event: Event<'_>| retries += u32::from(matches!(event, Event::Retrying { file: WEIGHTS, .. }));
    bench.assert_whole(&bench.hub().snapshot(ID, None, count).unwrap());
    assert_eq!(retries, 2);
    let ranges = [None, Some("bytes=1048576-".to_owned()), Some("bytes=2097152-".to_owned())];
    assert_eq!(bench.ranges(), ranges);
}

#[test]
fn a_connection_that_is_always_cut_is_given_up_and_resumed_by_the_next_command() {
    let bench = Bench::new();
    bench.server.fault("GET", &sha256(&weights()), 99, Fault::Cut(1000));
    let error = bench.fails();
    assert!(error.message.contains("'model.safetensors'") && error.message.contains("broke off"), "{error}");
    assert_eq!(fs::metadata(bench.incomplete()).unwrap().len(), 4000);
    bench.assert_no_weights();
    bench.server.heal();
    let mut present = 0;
    let snapshot = bench.hub().snapshot(ID, None, &mut |event| {
        if let Event::Announce { present: announced, .. } = event {
            present = announced;
        }
    });
    bench.assert_whole(&snapshot.unwrap());
    assert_eq!(present, 4000);
    assert_eq!(bench.ranges().last().unwrap().as_deref(), Some("bytes=4000-"));
}

#[test]
fn a_server_that_cannot_resume_is_asked_for_the_whole_file() {
    for fault in [Fault::IgnoreRange, Fault::OtherRange, Fault::Status(416, vec![])] {
        let bench = Bench::new();
        bench.interrupted_with(&weights()[..100_000]);
        bench.server.fault("GET", &sha256(&weights()), 1, fault);
        bench.assert_whole(&bench.get().unwrap());
    }
}

#[test]
fn what_an_interrupted_download_left_behind_is_used_if_it_is_right() {
    let bench = Bench::new();
    bench.interrupted_with(&weights()[..WEIGHTS_LEN - 10]);
    bench.assert_whole(&bench.get().unwrap());
    assert_eq!(bench.ranges(), [Some(format!("bytes={}-", WEIGHTS_LEN - 10))]);

    let bench = Bench::new();
    bench.interrupted_with(&weights());
    bench.assert_whole(&bench.get().unwrap());
    assert_eq!(bench.ranges(), []);
}

#[test]
fn what_an_interrupted_download_left_behind_is_replaced_if_it_is_wrong() {
    for wrong in [vec![7; 100_000], vec![7; WEIGHTS_LEN], vec![7; WEIGHTS_LEN + 1]] {
        let bench = Bench::new();
        bench.interrupted_with(&wrong);
        bench.assert_whole(&bench.get().unwrap());
        assert_eq!(bench.ranges().last(), Some(&None));
    }
}

#[test]
fn a_stalled_download_ends_within_its_limit_and_can_be_resumed() {
    let bench = Bench::new();
    bench.server.fault("GET", &sha256(&weights()), 1, Fault::Stall(500_000));
    let start = Instant::now();
    let error = bench.fails();
    assert!(
        error.message.contains("stopped answering") && error.hint.unwrap().contains("goes on"),
        "{}",
        error.message
    );
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert_eq!(fs::metadata(bench.incomplete()).unwrap().len(), 500_000);
    bench.assert_whole(&bench.get().unwrap());
}

#[test]
fn a_slow_download_is_not_a_stalled_one() {
    let small = b"slow weights".to_vec();
    let bench = Bench::with(&files_with(WEIGHTS, &small));
    bench.server.fault("GET", &sha256(&small), 1, Fault::Drip(2, Duration::from_millis(300)));
    let start = Instant::now();
    assert_eq!(fs::read(bench.get().unwrap().dir.join(WEIGHTS)).unwrap(), small);
    assert!(start.elapsed() > limits().stall);
}

#[test]
fn wrong_bytes_never_get_a_name() {
    for (fault, message) in [
        (Fault::Corrupt, "the hash differs"),
        (Fault::Resize(5), "where 3145728 are announced"),
        (Fault::Resize(-5), "where 3145728 are announced"),
    ] {
        let bench = Bench::new();
        bench.server.fault("GET", &sha256(&weights()), 99, fault);
        let error = bench.fails();
        assert!(error.message.contains(message), "{error}");
        bench.assert_no_weights();
        assert!(!bench.incomplete().exists());
        bench.server.heal();
        bench.assert_whole(&bench.get().unwrap());
    }
}

#[test]
fn a_server_that_does_not_say_how_much_it_sends_is_held_to_what_was_announced() {
    let bench = Bench::new();
    bench.server.fault("HEAD", "config.json", 1, Fault::Unsized);
    bench.server.fault("GET", "config.json", 1, Fault::Unsized);
    bench.server.fault("GET", &sha256(&weights()), 1, Fault::Unsized);
    bench.assert_whole(&bench.get().unwrap());

    let bench = Bench::new();
    bench.server.fault("GET", &sha256(&weights()), 99, Fault::Endless);
    let error = bench.fails();
    assert!(error.message.contains("where 3145728 are announced"), "{error}");
    assert!(!bench.incomplete().exists());
}

#[test]
fn small_files_are_checked_as_well() {
    let bench = Bench::new();
    bench.server.fault("GET", "tokenizer.json", 99, Fault::Corrupt);
    let error = bench.fails();
    assert!(error.message.contains("'tokenizer.json'") && error.message.contains("the hash differs"), "{error}");
}

#[test]
fn a_busy_server_is_asked_again() {
    let bench = Bench::new();
    let later = vec![("Retry-After", "60".to_owned())];
    bench.server.fault("HEAD", "config.json", 2, Fault::Status(429, later));
    bench.server.fault("GET", &sha256(&weights()), 3, Fault::Status(503, vec![]));
    bench.assert_whole(&bench.get().unwrap());
}

#[test]
fn a_server_that_stays_busy_is_given_up() {
    for (status, message) in [(429, "too many requests"), (500, "cannot answer at the moment (500)")] {
        let bench = Bench::new();
        bench.server.fault("HEAD", "config.json", 99, Fault::Status(status, vec![]));
        let error = bench.fails();
        assert!(error.message.contains(message) && error.kind == Kind::Unreachable, "{error}");
        assert_eq!(bench.server.requests().len(), 4);
    }
}

#[test]
fn a_hub_out_of_reach_is_noticed_in_time() {
    let bench = Bench::new();
    // A port that nobody listens on, a name that nobody has, an address that is none, a server that never shakes hands.
    let mute = bench.server.address.replace("http", "https");
    for endpoint in ["http://127.0.0.1:1", "http://no-such-host.invalid", "http://0.0.0.0:0", &mute] {
        let start = Instant::now();
        let hub = bench.hub_with(&[("HF_ENDPOINT", endpoint)], Options::default());
        let error = hub.snapshot(ID, None, &mut |_| ()).unwrap_err();
        assert!(error.kind == Kind::Unreachable && error.message.contains("out of reach"), "{endpoint}: {error:?}");
        assert!(start.elapsed() < limits().connect + Duration::from_secs(1), "{endpoint}: {:?}", start.elapsed());
    }
}

#[test]
fn a_hub_that_never_answers_is_out_of_reach() {
    let bench = Bench::new();
    bench.server.fault("HEAD", "config.json", 1, Fault::Silence);
    let start = Instant::now();
    assert_eq!(bench.fails().kind, Kind::Unreachable);
    assert!(start.elapsed() < Duration::from_secs(3));
}

#[test]
fn a_sharded_model_comes_with_all_its_shards() {
    let index = br#"{"metadata": {}, "weight_map": {"wte": "model-00001-of-00002.safetensors", "wpe": "model-00002-of-00002.safetensors", "ln_f": "model-00002-of-00002.safetensors"}}"#;
    let mut files = files_with(WEIGHTS, b"");
    files.push(("model.safetensors.index.json", index.to_vec()));
    files.push(("model-00001-of-00002.safetensors", b"one".to_vec()));
    files.push(("model-00002-of-00002.safetensors", b"two".to_vec()));
    let bench = Bench::with(&files);
    let snapshot = bench.get().unwrap();
    assert_eq!(fs::read(snapshot.dir.join("model-00002-of-00002.safetensors")).unwrap(), b"two");

    fs::remove_file(snapshot.dir.join("model-00001-of-00002.safetensors")).unwrap();
    let error = bench.offline().snapshot(ID, None, &mut |_| ()).unwrap_err();
    assert!(error.message.contains("model-00001-of-00002.safetensors missing"), "{error}");
    bench.server.forget_requests();
    bench.get().unwrap();
    assert_eq!(bench.server.requests().len(), 1, "the blob is there, so only its name is asked for");

    let bench = Bench::with(&files[..files.len() - 1]);
    assert!(bench.fails().message.contains("'model-00002-of-00002.safetensors', which is not there"));
}

#[test]
fn a_list_of_shards_cannot_lead_out_of_its_folder() {
    for shard in ["../../../outside.safetensors", "/etc/x.safetensors", "a\\b.safetensors", ".safetensors", "x.bin", ""]
    {
        let index = format!(r#"{{"weight_map": {{"wte": {shard:?}}}}}"#);
        let mut files = files_with(WEIGHTS, b"");
        files.push(("model.safetensors.index.json", index.into_bytes()));
        let bench = Bench::with(&files);
        let error = bench.fails();
        assert!(error.message.contains("cannot be used"), "{error}");
    }
}

#[test]
fn a_model_with_pickled_weights_only_says_how_to_convert_it() {
    let mut files = files_with(WEIGHTS, b"");
    files.push(("pytorch_model.bin", b"pickle".to_vec()));
    let bench = Bench::with(&files);
    let error = bench.fails();
    assert!(error.message.contains("only as pytorch_model.bin") && error.hint.unwrap().contains("convert"));
    assert_eq!(bench.server.count("GET", "pytorch"), 0);

    assert!(Bench::with(&files_with(WEIGHTS, b"")).fails().message.contains("has no model.safetensors"));
}

#[test]
fn another_kind_of_model_is_refused_before_its_weights_are_downloaded() {
    let bench = Bench::with(&files_with("config.json", br#"{"model_type": "llama"}"#));
    let error = bench.fails();
    assert!(error.message.contains("model_type 'llama', not 'gpt2'"), "{error}");
    assert_eq!(bench.server.count("HEAD", WEIGHTS), 0);
    assert!(Bench::with(&files_with("config.json", b"[")).fails().message.contains("config.json of model"));
}

#[test]
fn an_older_repository_gives_its_vocabulary_and_what_was_added_to_it() {
    let mut files = files_with("tokenizer.json", b"");
    assert!(Bench::with(&files).fails().message.contains("neither tokenizer.json nor vocab.json"));
    files.push(("vocab.json", b"{}".to_vec()));
    files.push(("merges.txt", b"#version: 0.2\n".to_vec()));
    files.push(("added_tokens.json", b"{\"x\": 1}".to_vec()));
    let bench = Bench::with(&files);
    let snapshot = bench.get().unwrap();
    assert!(["vocab.json", "merges.txt", "added_tokens.json"].iter().all(|file| snapshot.dir.join(file).is_file()));
    bench.server.forget_requests();
    bench.get().unwrap();
    assert_eq!(bench.server.requests().len(), 0);
}

#[test]
fn two_downloads_at_once_share_the_work() {
    let bench = Bench::new();
    bench.server.fault("GET", &sha256(&weights()), 1, Fault::Drip(WEIGHTS_LEN / 4, Duration::from_millis(100)));
    let waited = thread::scope(|scope| {
        let download = || {
            let mut waited = false;
            let see = &mut |event: Event<'_>| waited |= matches!(event, Event::Waiting { file: WEIGHTS });
            bench.assert_whole(&bench.hub().snapshot(ID, None, see).unwrap());
            waited
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(download)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).filter(|waited| *waited).count()
    });
    assert_eq!(waited, 3);
    assert_eq!(bench.server.count("GET", &sha256(&weights())), 1);
}

#[test]
fn headers_of_the_server_cannot_lead_out_of_the_cache() {
    for (header, value) in [
        ("ETag", "\"../../../outside\"".to_owned()),
        ("ETag", "\"\"".to_owned()),
        ("ETag", git_sha1(b"x").to_uppercase()),
        ("X-Repo-Commit", "../../../../outside".to_owned()),
        ("X-Repo-Commit", String::new()),
    ] {
        let bench = Bench::new();
        bench.server.fault("HEAD", "config.json", 99, Fault::Header(header, value.clone()));
        let error = bench.fails();
        assert!(error.message.contains("does not say which commit"), "{header}: {value}: {error}");
        assert_eq!(fs::read_dir(bench.cache.path()).unwrap().count(), 0);
    }
    let bench = Bench::new();
    bench.server.fault("HEAD", WEIGHTS, 99, Fault::Header("X-Repo-Commit", OTHER_COMMIT.into()));
    assert!(bench.fails().message.contains("another commit"));
}

#[test]
fn a_configuration_of_absurd_size_is_not_downloaded() {
    let bench = Bench::new();
    bench.server.fault("HEAD", "config.json", 1, Fault::Header("X-Linked-Size", "200000000".into()));
    assert!(bench.fails().message.contains("has 200000000 bytes"));
    assert_eq!(bench.server.count("GET", ""), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_named() {
    let bench = Bench::new();
    fs::create_dir_all(bench.incomplete().parent().unwrap()).unwrap();
    std::os::unix::fs::symlink("/dev/full", bench.incomplete()).unwrap();
    let error = bench.fails();
    assert!(error.message.contains("No space left") && error.message.contains("models--org--tiny"), "{error}");
    assert!(error.hint.unwrap().contains("free some space"));
    bench.assert_no_weights();
}

#[test]
fn a_cache_that_cannot_be_written_is_named() {
    let bench = Bench::new();
    let file = bench.cache.path().join("file");
    fs::write(&file, "").unwrap();
    let hub = bench.hub_with(&[("HF_HUB_CACHE", file.to_str().unwrap())], Options::default());
    let error = hub.snapshot(ID, None, &mut |_| ()).unwrap_err();
    assert!(error.message.contains(file.to_str().unwrap()) && error.hint.unwrap().contains("HF_HUB_CACHE"));
}

#[test]
fn a_revision_is_a_branch_a_tag_a_commit_or_a_pull_request() {
    let bench = Bench::new();
    bench.server.publish("refs/pr/1", OTHER_COMMIT, &files());
    let snapshot = bench.hub().snapshot(ID, Some("refs/pr/1"), &mut |_| ()).unwrap();
    assert_eq!(snapshot.commit, OTHER_COMMIT);
    assert_eq!(fs::read_to_string(bench.repository().join("refs/refs/pr/1")).unwrap(), OTHER_COMMIT);
    let snapshot = bench.hub().snapshot(ID, Some(COMMIT), &mut |_| ()).unwrap();
    assert_eq!(snapshot.commit, COMMIT);
    assert!(!bench.repository().join("refs").join(COMMIT).exists());
    let error = bench.hub().snapshot(ID, Some("nowhere"), &mut |_| ()).unwrap_err();
    assert!(error.message.contains("no revision 'nowhere'"), "{error}");
}

#[test]
fn what_is_no_id_is_refused_and_directories_are_pointed_at() {
    let bench = Bench::new();
    let (long, hub) = ("x".repeat(97), bench.hub());
    for id in ["", "/", "a/b/c", "../x", "a/..", ".hidden", "a--b", "a b", "é", "C:\\x", "a/", "-x", "a\n", &long] {
        let error = hub.snapshot(id, None, &mut |_| ()).unwrap_err();
        assert!(error.kind == Kind::Usage && error.hint.unwrap().contains("./name"), "{id}");
    }
    for revision in ["", "..", "a/../b", "/a", "a//b", "a b", ".git", "x\0", &"x".repeat(201)] {
        assert_eq!(hub.snapshot(ID, Some(revision), &mut |_| ()).unwrap_err().kind, Kind::Usage, "{revision:?}");
    }
    assert_eq!(bench.server.requests().len(), 0);
}

#[test]
fn the_environment_is_read_as_huggingface_hub_reads_it() {
    let home = TempDir::new().unwrap();
    let user = home.path().to_str().unwrap();
    let read = |variables: &[(&str, &str)]| {
        let known: BTreeMap<_, _> = variables.iter().copied().collect();
        Environment::from_variables(|name| known.get(name).map(Into::into)).unwrap()
    };
    let default = read(&[("HOME", user)]);
    assert_eq!(default.cache, home.path().join(".cache/huggingface/hub"));
    assert_eq!(default.endpoint, "https://huggingface.co");
    assert!(default.token.is_none() && !default.offline && default.symlinks);
    assert_eq!(read(&[("HOME", user), ("HF_HOME", "~/hf")]).cache, home.path().join("hf/hub"));
    assert_eq!(read(&[("HF_HOME", "/hf"), ("HF_HUB_CACHE", "/cache")]).cache, Path::new("/cache"));
    assert_eq!(read(&[("HOME", user), ("HF_HOME", "")]).cache, default.cache);
    for (value, offline) in [("1", true), ("yes", true), ("TRUE", true), ("0", false), ("", false)] {
        assert_eq!(read(&[("HOME", user), ("HF_HUB_OFFLINE", value)]).offline, offline);
    }

    fs::write(home.path().join("token"), "hf_from_file\n").unwrap();
    let token = |variables: &[(&str, &str)]| read(variables).token.map(|token| token.0);
    assert_eq!(token(&[("HF_HOME", user)]).as_deref(), Some("hf_from_file"));
    assert_eq!(token(&[("HF_HOME", user), ("HF_TOKEN", "hf_mine")]).as_deref(), Some("hf_mine"));
    let elsewhere = home.path().join("token");
    assert_eq!(
        token(&[("HOME", "/x"), ("HF_TOKEN_PATH", elsewhere.to_str().unwrap())]).as_deref(),
        Some("hf_from_file")
    );

    assert!(Environment::from_variables(|_| None).unwrap_err().hint.unwrap().contains("HF_HUB_CACHE"));
    assert_eq!(
        Hub::new(read(&[("HOME", user), ("HF_ENDPOINT", "hub")]), Options::default()).unwrap_err().kind,
        Kind::Usage
    );
    assert_eq!(
        Hub::new(read(&[("HOME", user), ("HF_TOKEN", "a\nb")]), Options::default()).unwrap_err().kind,
        Kind::Usage
    );
    let both = Options { offline: true, refresh: true, ..Options::default() };
    assert_eq!(Hub::new(default, both).unwrap_err().kind, Kind::Usage);
}

#[test]
fn cached_models_are_listed_and_junk_is_passed_over() {
    let bench = Bench::new();
    let cache = bench.cache.path();
    write_cache(cache, "gpt2", COMMIT, "main", &files(), true);
    write_cache(cache, "gpt2", COMMIT, "refs/pr/1", &[], true);
    write_cache(cache, "gpt2", OTHER_COMMIT, "old", &files_with(WEIGHTS, b""), false);
    write_cache(cache, "bert", COMMIT, "main", &files_with("config.json", br#"{"model_type": "bert"}"#), true);
    write_cache(cache, "broken", COMMIT, "main", &files_with("config.json", b"{"), true);
    write_cache(cache, "a/b/c", COMMIT, "main", &files(), true);
    write_cache(cache, "odd", "not-a-commit", "main", &files(), true);
    fs::create_dir_all(cache.join("models--empty")).unwrap();
    fs::create_dir_all(cache.join(".locks")).unwrap();
    fs::write(cache.join("models--file"), "").unwrap();
    fs::write(cache.join("version.txt"), "1").unwrap();
    fs::write(cache.join("models--gpt2/refs/evil"), "../../..").unwrap();

    let listed = bench.hub().cached();
    let shown: Vec<_> = listed.iter().map(|m| (m.id.as_str(), m.commit.as_str(), m.complete)).collect();
    assert_eq!(shown, [("gpt2", COMMIT, true), ("gpt2", OTHER_COMMIT, false)]);
    assert_eq!(listed[0].revisions, ["main", "refs/pr/1"]);
    assert_eq!(listed[1].revisions, ["old"]);
    assert_eq!(listed[0].size_bytes, (WEIGHTS_LEN + 13 + CONFIG.len()) as u64);
    let nowhere = bench.hub_with(&[("HF_HUB_CACHE", "/no/such/folder")], Options::default());
    assert!(nowhere.cached().is_empty());
}
