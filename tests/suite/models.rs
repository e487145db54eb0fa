//! What `--model` and `attnviz models` promise, tried on the program itself with a hub on this machine.

use crate::support::hub::{COMMIT, Fault, Server, sha256, write_cache};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;
use tempfile::TempDir;

const OTHER_COMMIT: &str = "fedcba9876543210fedcba9876543210fedcba98";
const WEIGHTS: &str = "model.safetensors";
/// A port that nobody listens on.
const NOWHERE: &str = "http://127.0.0.1:1";
/// A prompt that every fixture's tokenizer knows, and numbers to read the model's name from.
const TO_JSON: [&str; 6] = ["--ids", "1,2,3", "-o", "-", "--format", "json"];

type Variables<'a> = &'a [(&'a str, &'a str)];
type Files = Vec<(&'static str, Vec<u8>)>;

/// The files of a small checkpoint.
fn fixture(name: &str, files: &[&'static str]) -> Files {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    files.iter().map(|file| (*file, fs::read(folder.join(file)).unwrap())).collect()
}

fn base() -> Files {
    fixture("base", &["config.json", WEIGHTS, "tokenizer.json"])
}

fn sharded() -> Files {
    let small = ["config.json", "tokenizer.json", "model.safetensors.index.json"];
    let shards =
        ["model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors", "model-00003-of-00003.safetensors"];
    fixture("sharded", &[&small[..], &shards].concat())
}

fn base_weights() -> Vec<u8> {
    base().swap_remove(1).1
}

/// A home folder with nothing in it, and a hub.
struct Bench {
    server: Server,
    home: TempDir,
}

impl Bench {
    fn new(id: &str) -> Self {
        Self::with(id, &base())
    }

    fn with(id: &str, files: &[(&str, Vec<u8>)]) -> Self {
        Self { server: Server::start(id, files), home: TempDir::new().unwrap() }
    }

    fn cache(&self) -> PathBuf {
        self.home.path().join(".cache/huggingface/hub")
    }

    /// The program in the home folder, with no variables but those of a user who set nothing up, and these.
    fn command(&self, args: &[&str], variables: Variables) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_attnviz"));
        command.args(args).current_dir(self.home.path()).env_clear();
        command.envs(std::env::var_os("SystemRoot").map(|root| ("SystemRoot", root)));
        command.env("HOME", self.home.path()).env("HF_ENDPOINT", &self.server.address);
        command.envs(variables.iter().copied());
        command
    }

    fn run_with(&self, args: &[&str], variables: Variables) -> Output {
        self.command(args, variables).output().unwrap()
    }

    /// What the program prints, and what it says besides.
    fn ok_with(&self, args: &[&str], variables: Variables) -> (String, String) {
        let output = self.run_with(args, variables);
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{args:?}: {err}");
        (out, err)
    }

    fn ok(&self, args: &[&str]) -> (String, String) {
        self.ok_with(args, &[])
    }

    /// The JSON of a run with these arguments besides.
    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[args, &TO_JSON].concat()).0).unwrap()
    }

    /// The two lines that the program ends with.
    fn fails(&self, code: i32, args: &[&str], variables: Variables) -> String {
        let output = self.run_with(args, variables);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        assert_eq!(output.stdout, b"", "{args:?}");
        let lines: Vec<&str> = said.lines().collect();
        let [.., error, hint] = lines[..] else { panic!("{args:?}: {said}") };
        assert!(error.starts_with("error: ") && hint.starts_with("hint: "), "{args:?}: {said}");
        assert_eq!(lines.iter().filter(|line| line.starts_with("error: ")).count(), 1, "{said}");
        assert!(said.chars().all(|c| c == '\n' || !c.is_control()), "{said:?}");
        assert!(fs::read_dir(self.home.path()).unwrap().flatten().all(|entry| entry.file_name() == ".cache"));
        said
    }

    fn cached(&self, id: &str, reference: &str, files: &[(&str, Vec<u8>)]) {
        write_cache(&self.cache(), id, COMMIT, reference, files, true);
    }

    fn blobs(&self, id: &str) -> PathBuf {
        self.cache().join(format!("models--{}", id.replace('/', "--"))).join("blobs")
    }
}

/// The name and the revision that a JSON file gives its model.
fn named(made: &Value) -> (Option<&str>, Option<&str>) {
    (made["model"]["name"].as_str(), made["model"]["revision"].as_str())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn without_a_name_the_model_is_gpt2_from_the_cache_under_either_of_its_names() {
    for id in ["gpt2", "openai-community/gpt2"] {
        let bench = Bench::new("unused");
        bench.cached(id, "main", &base());
        for args in [&[][..], &["--offline"]] {
            let made = bench.json(args);
            assert_eq!(named(&made), (Some(id), Some(COMMIT)));
        }
        assert_eq!(bench.ok(&["--ids", "1,2,3", "--sink", "mask"]).1, "", "nothing needs to be said");
        assert_eq!(bench.server.requests().len(), 0);
    }
}

#[test]
fn without_a_name_and_with_an_empty_cache_gpt2_is_downloaded_and_its_size_announced() {
    let bench = Bench::new("gpt2");
    let (out, err) = bench.ok(&TO_JSON);
    let made: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(named(&made), (Some("gpt2"), Some(COMMIT)));
    let host = bench.server.address.trim_start_matches("http://");
    assert_eq!(err, format!("downloading gpt2 from {host}: 53.88 kB in 2 files\n"));
    assert_eq!(fs::read(bench.blobs("gpt2").join(sha256(&base_weights()))).unwrap(), base_weights());
    bench.server.forget_requests();
    assert_eq!(bench.ok(&TO_JSON), (out, String::new()));
    assert_eq!(bench.server.requests().len(), 0);

    let bench = Bench::new("gpt2");
    assert_eq!(bench.ok(&[&TO_JSON[..], &["-q"]].concat()).1, "");
}

#[test]
fn the_built_in_model_stands_in_where_the_hub_is_out_of_reach_and_says_so() {
    let cases: [(&[&str], Variables, &str, &str); 4] = [
        (&[], &[("HF_ENDPOINT", NOWHERE)], "127.0.0.1:1 is out of reach: connection refused", "hub out of reach"),
        (&["--offline"], &[], "offline mode is on", "offline"),
        (&[], &[("HF_HUB_OFFLINE", "1")], "offline mode is on", "offline"),
        (
            &[],
            &[("HF_ENDPOINT", "http://no-such-host.invalid")],
            "no-such-host.invalid is out of reach",
            "hub out of reach",
        ),
    ];
    for (args, variables, remark, why) in cases {
        let bench = Bench::new("gpt2");
        let (svg, err) =
            bench.ok_with(&[&["Once upon a time", "-o", "-", "--format", "svg"], args].concat(), variables);
        assert!(err.contains(remark) && err.contains("using the small built-in model"), "{err}");
        assert_eq!(err.lines().count(), 1, "{err}");
        assert!(svg.contains(&format!("built-in model ({why}, none was named)")), "{why}");
        let quiet = bench.ok_with(&[&["Once upon a time", "-q"], args].concat(), variables);
        assert_eq!(quiet, ("attention-once-upon-a-time.png\n".into(), String::new()));
        assert_eq!(bench.server.requests().len(), 0);
        assert!(!bench.cache().exists());
    }
}

#[test]
fn a_repository_without_a_tokenizer_reads_ids_or_borrows_one() {
    let bench = Bench::with("org/bare", &fixture("base", &["config.json", WEIGHTS]));
    bench.ok_with(&[&["-m", "org/bare"], &TO_JSON[..]].concat(), &[]);
    let base = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/base");
    let text = ["-m", "org/bare", "the cat", "-o", "-", "--format", "json"];
    bench.ok_with(&[&text[..], &["--tokenizer", base]].concat(), &[]);
    let refused = bench.run_with(&text, &[]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("has no tokenizer") && said.contains("--tokenizer"), "{said}");
}

#[test]
fn a_hub_that_stays_busy_is_out_of_reach_for_a_model_that_nobody_named() {
    let bench = Bench::new("gpt2");
    bench.server.fault("HEAD", "config.json", 99, Fault::Status(503, vec![]));
    let (_, err) = bench.ok(&["Once upon a time"]);
    assert!(err.contains("cannot answer at the moment (503); using the small built-in model"), "{err}");
    assert_eq!(bench.server.requests().len(), 1);
}

#[test]
fn what_the_hub_refuses_or_breaks_off_is_an_error_and_not_the_built_in_model() {
    let bench = Bench::new("another");
    let said = bench.fails(1, &TO_JSON, &[]);
    assert!(said.contains("has no model 'gpt2'"), "{said}");

    let bench = Bench::new("gpt2");
    bench.server.fault("GET", &sha256(&base_weights()), 9, Fault::Corrupt);
    let said = bench.fails(1, &TO_JSON, &[]);
    assert!(said.contains("the hash differs"), "{said}");
    assert!(!bench.blobs("gpt2").join(sha256(&base_weights())).exists());
}

#[test]
fn a_model_that_was_named_is_never_replaced() {
    let bench = Bench::new("gpt2");
    let away = ("HF_ENDPOINT", NOWHERE);
    let said = bench.fails(1, &["--model", "gpt2", "Once"], &[away]);
    assert!(said.contains("model 'gpt2' is not in the cache: 127.0.0.1:1 is out of reach"), "{said}");
    let said = bench.fails(1, &["Once"], &[away, ("ATTNVIZ_MODEL", "org/mine@v1")]);
    assert!(said.contains("ATTNVIZ_MODEL: model 'org/mine@v1' is not in the cache"), "{said}");
    let said = bench.fails(1, &["--model", "gpt2", "--offline", "Once"], &[]);
    assert!(said.contains("model 'gpt2' is not in the cache") && said.contains("attnviz models get gpt2"), "{said}");
    let said = bench.fails(1, &["Once"], &[("HF_HUB_OFFLINE", "1"), ("ATTNVIZ_MODEL", "gpt2")]);
    assert!(said.contains("offline mode is on"), "{said}");
    let said = bench.fails(1, &["-m", "./gpt2", "Once"], &[]);
    assert!(said.contains("\"./gpt2\" does not exist"), "{said}");
    assert_eq!(bench.server.requests().len(), 0);
}

#[test]
fn a_name_is_a_directory_if_there_is_one_and_a_model_of_the_hub_otherwise() {
    let bench = Bench::new("gpt2");
    assert_eq!(bench.json(&["-m", "gpt2"])["model"]["revision"], COMMIT);
    let folder = bench.home.path().join("gpt2");
    fs::create_dir(&folder).unwrap();
    for (file, bytes) in base() {
        fs::write(folder.join(file), bytes).unwrap();
    }
    let said = bench.run_with(&["-m", "gpt2/config.json", "Once"], &[]);
    assert!(text(&said.stderr).contains("is a file, not the folder of a checkpoint"));
    for name in ["gpt2", "./gpt2", "~/gpt2", "gpt2/"] {
        let made = bench.json(&["-m", name]);
        assert_eq!(named(&made), (Some("gpt2"), None), "{name}");
    }
    assert_eq!(bench.json(&["-m", "gpt2@main"])["model"]["revision"], COMMIT);
}

#[test]
fn names_that_can_be_neither_are_refused_before_anything_else_happens() {
    let bench = Bench::new("gpt2");
    for name in [
        "a/b/c",
        "a/../b",
        "a..b",
        "gpt2@../../x",
        "gpt2@",
        "\u{1b}[31mred",
        "a\nb",
        "a\u{7f}",
        "",
        "-",
        "модель",
        "a\\b",
    ] {
        let name = format!("--model={name}");
        bench.fails(2, &[&name, "Once"], &[]);
    }
    for name in ["../../x", "a/b/c", "/etc", "~", ".", "\u{1b}]0;title\u{7}", "gpt2@a b", "builtin"] {
        bench.fails(2, &["models", "get", name], &[]);
    }
    bench.fails(1, &["--model", "../../x", "Once"], &[]);
    bench.fails(1, &["--model", "~/\u{1b}[31m", "Once"], &[]);
    assert_eq!(bench.server.requests().len(), 0);
    assert!(!bench.cache().exists());
}

#[test]
fn refusals_of_the_hub_are_two_lines() {
    for (status, message) in [(401, "has no model 'gpt2', or it is private"), (404, "no config.json for model 'gpt2'")]
    {
        let bench = Bench::new("gpt2");
        bench.server.fault("HEAD", "config.json", 99, Fault::Status(status, vec![]));
        let said = bench.fails(1, &["-m", "gpt2", "Once"], &[]);
        assert!(said.contains(message) && said.lines().count() == 2, "{said}");
    }
    let bench = Bench::new("gpt2");
    let said = bench.fails(1, &["models", "get", "gpt2@v9"], &[]);
    assert!(said.contains("'gpt2' has no revision 'v9'"), "{said}");
}

#[test]
fn the_token_of_the_environment_or_its_file_is_sent() {
    let bench = Bench::new("gpt2");
    let tokens = |bench: &Bench| {
        let sent: Vec<_> = bench.server.requests().into_iter().filter(|request| !request.at_store).collect();
        assert!(!sent.is_empty());
        sent.into_iter().map(|request| request.authorization).collect::<Vec<_>>()
    };
    bench.ok_with(&["models", "get", "gpt2"], &[("HF_TOKEN", "hf_mine")]);
    assert!(tokens(&bench).iter().all(|token| token.as_deref() == Some("Bearer hf_mine")));

    let bench = Bench::new("gpt2");
    let elsewhere = bench.home.path().join(".cache/elsewhere");
    fs::create_dir_all(&elsewhere).unwrap();
    fs::write(elsewhere.join("token"), "hf_filed\n").unwrap();
    let (out, _) = bench.ok_with(&["models", "get", "gpt2"], &[("HF_HOME", elsewhere.to_str().unwrap())]);
    assert!(tokens(&bench).iter().all(|token| token.as_deref() == Some("Bearer hf_filed")));
    assert!(Path::new(out.trim()).starts_with(elsewhere.join("hub")), "{out}");
}

#[test]
fn refresh_follows_the_branch_and_repairs_what_was_tampered_with() {
    let bench = Bench::new("gpt2");
    let right = bench.json(&["-m", "gpt2"]);
    let blob = bench.blobs("gpt2").join(sha256(&base_weights()));
    let mut tampered = base_weights();
    *tampered.last_mut().unwrap() ^= 1;
    fs::write(&blob, tampered).unwrap();
    let wrong = bench.json(&["-m", "gpt2"]);
    assert_ne!(wrong["model"]["hash"], right["model"]["hash"], "what is cached is not read twice");
    for args in [&["-m", "gpt2", "--refresh"][..], &["--refresh"], &[]] {
        assert_eq!(bench.json(args), right, "{args:?}");
    }
    assert_eq!(fs::read(&blob).unwrap(), base_weights());

    bench.server.publish("main", OTHER_COMMIT, &base());
    assert_eq!(bench.json(&[])["model"]["revision"], COMMIT);
    assert_eq!(bench.json(&["--refresh"])["model"]["revision"], OTHER_COMMIT);
    assert_eq!(bench.json(&["--offline"])["model"]["revision"], OTHER_COMMIT);
    assert_eq!(bench.json(&["-m", &format!("gpt2@{COMMIT}"), "--offline"])["model"]["revision"], COMMIT);
}

#[test]
fn a_refresh_that_cannot_be_had_is_an_error() {
    let bench = Bench::new("gpt2");
    bench.cached("gpt2", "main", &base());
    for args in
        [&["Once", "--refresh"][..], &["Once", "--refresh", "-m", "gpt2"], &["models", "get", "gpt2", "--refresh"]]
    {
        let said = bench.fails(1, args, &[("HF_ENDPOINT", NOWHERE)]);
        assert!(said.contains("model 'gpt2' cannot be refreshed: 127.0.0.1:1 is out of reach"), "{said}");
    }
    for args in [&["--refresh", "--offline"][..], &["--refresh", "-m", "builtin"], &["--refresh", "-m", "."]] {
        bench.fails(2, &[&["Once"], args].concat(), &[]);
    }
    bench.fails(2, &["Once", "--refresh"], &[("HF_HUB_OFFLINE", "1")]);
    assert_eq!(bench.server.requests().len(), 0);
}

#[test]
fn a_refresh_does_not_read_what_the_hub_does_not_have() {
    let bench = Bench::with("gpt2", &sharded());
    let (folder, _) = bench.ok(&["models", "get", "gpt2"]);
    let planted = Path::new(folder.trim()).join(WEIGHTS);
    fs::write(&planted, base_weights()).unwrap();
    let said = bench.fails(1, &["models", "get", "gpt2", "--refresh"], &[]);
    assert!(said.contains("has no model.safetensors for model 'gpt2', but the cache has"), "{said}");
    assert!(said.contains(planted.to_str().unwrap()), "{said}");
}

#[test]
fn a_sharded_model_is_drawn_from_all_its_shards() {
    let bench = Bench::with("org/sharded", &sharded());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sharded");
    let local = bench.json(&["-m", folder.to_str().unwrap()]);
    let made = bench.json(&["-m", "org/sharded"]);
    assert_eq!(named(&made), (Some("org/sharded"), Some(COMMIT)));
    assert_eq!((&made["model"]["hash"], &made["results"]), (&local["model"]["hash"], &local["results"]));
}

#[test]
fn a_model_of_pickled_shards_is_downloaded_and_drawn_as_from_a_folder() {
    let shards = ["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"];
    let small = ["config.json", "tokenizer.json", "pytorch_model.bin.index.json"];
    let bench = Bench::with("org/pickled", &fixture("torch-shards", &[&small[..], &shards].concat()));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/torch-shards");
    let (made, local) = (bench.json(&["-m", "org/pickled"]), bench.json(&["-m", folder.to_str().unwrap()]));
    assert_eq!((&made["model"]["hash"], &made["results"]), (&local["model"]["hash"], &local["results"]));
}

#[test]
fn a_connection_that_is_cut_is_resumed_and_spoken_of() {
    let bench = Bench::new("gpt2");
    bench.server.fault("GET", &sha256(&base_weights()), 1, Fault::Cut(30_000));
    let (_, err) = bench.ok(&["models", "get", "gpt2"]);
    assert!(err.contains("model.safetensors: ") && err.contains("trying again in 0.5 s"), "{err}");
    let ranges: Vec<_> = bench.server.requests().into_iter().filter(|r| r.at_store).map(|r| r.range).collect();
    assert_eq!(ranges, [None, Some("bytes=30000-".to_owned())]);
    assert_eq!(fs::read(bench.blobs("gpt2").join(sha256(&base_weights()))).unwrap(), base_weights());
}

#[cfg(unix)]
#[test]
fn a_partial_download_that_is_a_link_or_a_pipe_is_an_error() {
    let digest = sha256(&base_weights());
    for name in [format!("models--gpt2/blobs/{digest}.incomplete"), format!(".locks/models--gpt2/{digest}.lock")] {
        let bench = Bench::new("gpt2");
        let (part, victim) = (bench.cache().join(&name), bench.cache().join("victim"));
        fs::create_dir_all(part.parent().unwrap()).unwrap();
        fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, &part).unwrap();
        let said = bench.fails(1, &["models", "get", "gpt2"], &[]);
        assert!(said.contains(&name) && said.contains("it is a link"), "{said}");
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
        fs::remove_file(&part).unwrap();
        assert!(Command::new("mkfifo").arg(&part).status().unwrap().success());
        let said = bench.fails(1, &["models", "get", "gpt2"], &[]);
        assert!(said.contains(&name) && said.contains("not a regular file"), "{said}");
    }
}

#[test]
fn a_download_that_was_killed_is_finished_by_the_next_command() {
    let bench = Bench::new("gpt2");
    let digest = sha256(&base_weights());
    let (blob, part) = (bench.blobs("gpt2").join(&digest), bench.blobs("gpt2").join(format!("{digest}.incomplete")));
    bench.server.fault("GET", &digest, 1, Fault::Stall(20_000));
    let mut child = bench.command(&TO_JSON, &[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while fs::metadata(&part).map_or(0, |part| part.len()) < 20_000 {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be killed");
        sleep(Duration::from_millis(5));
    }
    child.kill().unwrap(); // SIGKILL: no handler runs
    child.wait().unwrap();
    assert!(!blob.exists() && !bench.cache().join("models--gpt2/refs").exists());
    let (table, _) = bench.ok(&["models"]);
    assert!(table.lines().any(|line| line.starts_with("gpt2 ") && line.ends_with(", incomplete")), "{table}");
    let said = bench.fails(1, &["Once", "--offline", "-m", "gpt2"], &[]);
    assert!(said.contains("not in the cache"), "{said}");

    let (out, err) = bench.ok(&TO_JSON);
    assert!(err.contains("of it here already"), "{err}");
    let resumed = bench.server.requests().into_iter().rfind(|request| request.at_store).unwrap();
    assert_eq!(resumed.range, Some("bytes=20000-".into()));
    assert_eq!(sha256(&fs::read(&blob).unwrap()), digest);
    assert!(!part.exists());
    let made: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(made["model"]["name"], "gpt2");
}

#[test]
fn models_lists_what_needs_no_network() {
    let bench = Bench::new("gpt2");
    let (table, err) = bench.ok(&["models"]);
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with("MODEL ") && lines[1].starts_with("builtin "), "{table}");
    assert!(err.contains(bench.cache().to_str().unwrap()), "{err}");

    bench.cached("gpt2", "main", &base());
    bench.cached("gpt2", "v\u{1b}1", &[]);
    bench.cached("org/other", "old", &base()[..2]);
    let (table, _) = bench.ok(&["models"]);
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[2], ["gpt2", "54.70", "kB", "main,", "v␛1", "(0123456789ab)"]);
    assert_eq!(rows[3], ["org/other", "51.00", "kB", "old", "(0123456789ab),", "incomplete"]);
    assert_eq!(rows.len(), 4, "{table}");

    let list: Value = serde_json::from_str(&bench.ok(&["models", "--format", "json"]).0).unwrap();
    assert_eq!(list[0]["model"], "builtin");
    assert!(list[0]["bytes"].as_u64().unwrap() > 1_000_000);
    let folder = bench.cache().join("models--gpt2/snapshots").join(COMMIT);
    let gpt2 = serde_json::json!({
        "model": "gpt2", "revision": COMMIT, "names": ["main", "v\u{1b}1"], "bytes": 54_701, "complete": true,
        "folder": folder.to_str().unwrap(), "layers": 2, "heads": 2, "kv_heads": 2,
    });
    assert_eq!(list[1], gpt2);
    assert_eq!(list[2]["complete"], false);
    assert_eq!(bench.server.requests().len(), 0);
}

#[test]
fn models_get_prints_the_folder_and_the_folder_knows_its_name() {
    let bench = Bench::new("org/tiny");
    bench.server.publish("v2", OTHER_COMMIT, &base());
    let (folder, _) = bench.ok(&["models", "get", "org/tiny@v2"]);
    let folder = folder.trim_end();
    assert_eq!(Path::new(folder), bench.cache().join("models--org--tiny/snapshots").join(OTHER_COMMIT));
    assert_eq!(bench.ok(&["models", "get", "org/tiny@v2", "--offline", "-q"]).0.trim_end(), folder);
    let made = bench.json(&["-m", folder]);
    assert_eq!(named(&made), (Some("org/tiny"), Some(OTHER_COMMIT)));
    let (svg, _) = bench.ok(&["-m", "org/tiny@v2", "--ids", "1,2", "-o", "-", "--format", "svg"]);
    assert!(svg.contains("org/tiny · ") && svg.contains(OTHER_COMMIT));
}

#[test]
fn rerun_asks_the_hub_only_when_it_is_told_to() {
    let bench = Bench::new("org/tiny");
    let args = ["-m", "org/tiny", "--ids", "1,2,3", "-o", "-", "--format", "json"];
    let made = bench.ok(&args).0;
    fs::remove_dir_all(bench.cache()).unwrap();
    let file = tempfile::tempdir().unwrap();
    let path = file.path().join("a b.json");
    fs::write(&path, &made).unwrap();
    let path = path.to_str().unwrap();
    let before = bench.server.requests().len();
    let said = bench.fails(1, &["rerun", path], &[]);
    assert!(said.contains(&format!("org/tiny@{COMMIT}")) && said.contains("a b.json' --download"), "{said}");
    assert_eq!(bench.server.requests().len(), before);
    let said = bench.ok(&["rerun", path, "--download"]).0;
    assert!(said.ends_with("the same bytes\n"), "{said}");
    bench.ok(&["rerun", path]);
}

#[test]
fn a_proxy_that_is_not_spoken_is_named_and_nobody_is_asked_without_it() {
    let bench = Bench::new("org/tiny");
    let get = ["models", "get", "org/tiny"];
    for (variable, value, kind) in [
        ("all_proxy", "socks5://127.0.0.1:1080", "socks5"),
        ("HTTPS_PROXY", "https://user:secret@127.0.0.1:1", "https"),
        ("http_proxy", "http://127.0.0.1/proxy.pac", "PAC"),
    ] {
        let said = bench.fails(2, &get, &[(variable, value)]);
        assert!(said.contains(variable) && said.contains(kind) && !said.contains("secret"), "{said}");
        assert_eq!(bench.server.requests().len(), 0);
    }
    bench.ok_with(&get, &[("all_proxy", "socks5://127.0.0.1:1080"), ("NO_PROXY", "127.0.0.1")]);
    bench.ok_with(&["-m", "org/tiny", "--ids", "1,2", "-q"], &[("all_proxy", "socks5://127.0.0.1:1080")]);
}
