//! Many prompts into one folder, whatever happens on the way.

use crate::support::shell;
use crate::support::shell::{Shell, names, ran};
use attnviz::analysis::heads::Score;
use attnviz::batch::{self, Options, Summary};
use attnviz::checkpoint::{Checkpoint, Source};
use attnviz::findings::{Asked, heads};
use attnviz::format::Format;
use attnviz::session::Session;
use bytes::Bytes;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/base");

/// So many prompts of different lengths, one a line.
fn prompts(count: usize) -> String {
    (0..count).map(|i| format!("the cat {} sat{}\n", i * 7 % 11, " on a mat".repeat(i % 4))).collect()
}

fn entries(folder: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join("manifest.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Every file of a folder with its bytes.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    names(folder).into_iter().map(|name| (name.clone(), std::fs::read(folder.join(&name)).unwrap())).collect()
}

#[test]
fn every_prompt_gets_the_files_that_it_would_get_alone() {
    let shell = Shell::new();
    shell.write("p.txt", "the cat\r\nOnce <upon> a \"time\"\n\u{1f600} café\n");
    let out =
        shell.says(&["batch", "p.txt", "--out", "d", "-m", FIXTURE, "--format", "json,svg,png", "--sink", "mask"]);
    assert_eq!(out, "d/manifest.jsonl\n");
    let entries = entries(&shell.path("d"));
    assert_eq!(entries.len(), 3);
    assert_eq!(names(&shell.path("d")).len(), 1 + 3 * 3);
    for (index, text) in ["the cat", "Once <upon> a \"time\"", "\u{1f600} café"].iter().enumerate() {
        let entry = &entries[index];
        assert_eq!((&entry["status"], &entry["prompt"]), (&"ok".into(), &(*text).into()));
        assert_eq!(entry["input"], serde_json::json!({"file": "p.txt", "line": index + 1}));
        for file in entry["files"].as_array().unwrap() {
            let name = file["name"].as_str().unwrap();
            let extension = name.rsplit('.').next().unwrap();
            let alone = format!("alone.{extension}");
            shell.ok(&["attention", "-m", FIXTURE, "--sink", "mask", "-o", &alone, "--", text]);
            let bytes = shell.read(&format!("d/{name}"));
            assert!(bytes == shell.read(&alone), "{name} is not what the prompt gives alone");
            assert_eq!(file["bytes"], bytes.len());
        }
    }
}

#[test]
fn a_bad_line_is_an_entry_and_not_the_end() {
    let shell = Shell::new();
    let long = "word ".repeat(500);
    shell.write("p.jsonl", format!("{{\"text\": \"the cat\"}}\n{{\n\"\"\n{{\"text\": 3}}\n\"{long}\"\n\"sat\"\n"));
    let ran = shell.run(&["batch", "p.jsonl", "--out", "d", "-m", FIXTURE, "--format", "csv"]);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert!(ran.err.contains("4 of 6 prompts failed"), "{}", ran.err);
    let entries = entries(&shell.path("d"));
    let status: Vec<_> = entries.iter().map(|entry| entry["status"].as_str().unwrap()).collect();
    assert_eq!(status, ["ok", "error", "error", "error", "error", "ok"]);
    assert!(entries[1]["error"].as_str().unwrap().contains("JSON"));
    assert!(entries[4]["error"].as_str().unwrap().contains("context"), "{}", entries[4]);
    let strict = shell.run(&["batch", "p.jsonl", "--out", "e", "-m", FIXTURE, "--format", "csv", "--strict"]);
    assert_eq!(strict.code, Some(1));
    assert!(strict.err.contains("prompt 1"), "{}", strict.err);
}

#[test]
fn standard_input_and_tables_are_read() {
    let shell = Shell::new();
    let args = ["batch", "-", "--out", "d", "-m", FIXTURE, "--format", "json", "--name", "{index}"];
    shell.pipe(&args, b"the cat\nsat").ok();
    assert_eq!(names(&shell.path("d")), ["000000.json", "000001.json", "manifest.jsonl"]);
    shell.write("t.csv", "id,said\n1,\"the cat\"\n2,sat\n");
    let args =
        ["batch", "t.csv", "--column", "said", "--out", "e", "-m", FIXTURE, "--format", "json", "--name", "{index}"];
    shell.ok(&args);
    assert!(shell.read("d/000001.json") == shell.read("e/000001.json"));
    let (message, _) = shell.fails(1, &["batch", "t.csv", "--column", "nope", "--out", "f", "-m", FIXTURE]);
    assert_eq!(message, "t.csv: no column nope: it has id, said");
}

/// The prompts of a file, or what is wrong with them, and its folder.
fn read(name: &str, bytes: &[u8], flags: &[&str]) -> Vec<Result<String, String>> {
    let shell = Shell::new();
    shell.write(name, bytes);
    let ran = shell.run(&[&["batch", name, "--out", "d", "-m", FIXTURE, "--format", "csv"], flags].concat());
    let entries = entries(&shell.path("d"));
    let failed = entries.iter().filter(|entry| entry["status"] != "ok").count();
    assert_eq!(ran.code, Some(i32::from(failed > 0)), "{}", ran.err);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let read =
        |entry: &Value| if entry["status"] == "ok" { Ok(text(&entry["prompt"])) } else { Err(text(&entry["error"])) };
    entries.iter().map(read).collect()
}

/// What is wrong with a file as a whole, said before anything is done, and the way out.
fn refused(name: &str, bytes: &[u8], flags: &[&str]) -> (String, String) {
    let shell = Shell::new();
    shell.write(name, bytes);
    let said = shell.fails(1, &[&["batch", name, "--out", "d", "-m", FIXTURE, "--format", "csv"], flags].concat());
    assert!(!shell.path("d").exists() && !said.0.contains('\\') && !said.0.contains('"'), "{said:?}");
    said
}

#[test]
fn the_separator_of_a_table_is_the_one_by_which_it_has_the_column() {
    let ok = |texts: &[&str]| texts.iter().map(|text| Ok((*text).into())).collect::<Vec<Result<String, String>>>();
    for (name, table) in [
        ("a.csv", "prompt,label\nthe cat,1\nsat,2\n"),
        ("b.csv", "label;prompt\r\n1;the cat\r\n2;sat\r\n"),
        ("c.csv", "prompt\tlabel\nthe cat\t1\nsat\t2\n"),
        ("d.tsv", "prompt\tlabel\nthe cat\t1\nsat\t2\n"),
        ("e.tsv", "prompt\nthe cat\nsat\n"),
        ("f.csv", "id|text\n1|the cat\n2|sat"),
        ("g.csv", "Prompt,label\nthe cat,1\nsat,2\n"),
        ("h.csv", "sep=;\nprompt;label\nthe cat;1\nsat;2\n"),
        ("i.csv", "\u{feff}prompt;\"a, b\"\nthe cat;\"1;2\"\nsat;2\n"),
        ("j.csv", "\r\n\"prompt\"\r\nthe cat\r\n\"sat\"\r\n"),
    ] {
        assert_eq!(read(name, table.as_bytes(), &[]), ok(&["the cat", "sat"]), "{name}");
    }
    // A separator within the prompt is the prompt's where it is quoted, and otherwise no prompt is cut short in silence.
    assert_eq!(read("a.csv", b"text;n\n\"the; cat\";1\nsat, on;2\n", &[]), ok(&["the; cat", "sat, on"]));
    assert_eq!(read("a.csv", b"text\nthe\tcat\n", &[]), ok(&["the\tcat"]));
    let cut = read("a.csv", b"text\nthe cat, sat\nsat,,\n", &[]);
    assert!(cut[0].as_ref().unwrap_err().contains("more fields than the header"), "{cut:?}");
    assert_eq!(cut[1..], ok(&["sat"]));
    let either = b"prompt,a;text\nthe cat,b;sat\n";
    let (message, hint) = refused("a.csv", either, &[]);
    assert!(message.contains("separated by , or ;") && hint.contains("--column"), "{message} {hint}");
    assert_eq!(read("a.csv", either, &["--column", "text"]), ok(&["sat"]));
    assert_eq!(read("a.txt", b"x\tprompt\n1\tsat\n", &["--input-format", "tsv"]), ok(&["sat"]));
}

#[test]
fn a_table_without_the_column_names_those_that_it_has() {
    let (message, hint) = refused("sent.csv", b"sentence,label\nOnce upon a time,1\n", &[]);
    assert_eq!(message, "sent.csv: no column prompt or text: it has sentence, label");
    assert!(hint.contains("--column"), "{hint}");
    assert!(refused("a.csv", b"a;b;c\n1;2;3\n", &[]).0.ends_with("it has a, b, c"));
    assert!(refused("a.csv", b"", &[]).0.ends_with("it is empty"));
    let field = read("a.jsonl", b"{\"said\": \"the cat\"}\n{\"text\": 3}\n", &[]);
    assert_eq!(field[0], Err("the object has no field prompt or text".into()));
    assert_eq!(field[1], Err("the field text is not a string".into()));
}

#[test]
fn a_byte_order_mark_is_no_text_and_utf_16_is_one_error_for_the_file() {
    for (name, text) in [
        ("a.txt", "the cat\nsat\n"),
        ("a.jsonl", "{\"prompt\": \"the cat\"}\n\"sat\"\n"),
        ("a.csv", "prompt,label\nthe cat,1\nsat,2\n"),
        ("a.tsv", "\"prompt\"\tlabel\nthe cat\t1\nsat\t2\n"),
    ] {
        let marked = format!("\u{feff}{text}");
        assert_eq!(read(name, marked.as_bytes(), &[]), [Ok("the cat".into()), Ok("sat".into())], "{name}");
        for (utf16, encoding) in [
            (marked.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>(), "UTF-16"),
            (marked.encode_utf16().flat_map(u16::to_be_bytes).collect(), "UTF-16"),
            (text.encode_utf16().flat_map(u16::to_le_bytes).collect(), "UTF-16LE"),
        ] {
            let (message, hint) = refused(name, &utf16, &[]);
            assert_eq!(message, format!("{name} is {encoding}, not UTF-8"));
            assert!(hint.contains(&format!("iconv -f {encoding} -t UTF-8")), "{hint}");
        }
    }
    let shell = Shell::new();
    let ran = shell.pipe(&["batch", "-", "--out", "d", "-m", FIXTURE], b"\xff\xfet\0h\0");
    assert!(ran.err.contains("standard input is UTF-16"), "{}", ran.err);
    // The prompt of one run, too.
    shell.write("p.txt", "\u{feff}the cat\n").write("u.txt", b"\xff\xfet\0h\0");
    let said = |args: &[&str]| shell.ok(&[&["-m", FIXTURE, "-o", "-", "--format", "json"], args].concat());
    assert_eq!(said(&["--file", "p.txt"]), said(&["the cat"]));
    assert_eq!(shell.fails(1, &["-m", FIXTURE, "--file", "u.txt", "-o", "a.png"]).0, "u.txt is UTF-16, not UTF-8");
}

#[test]
fn empty_lines_at_the_end_are_none_and_those_before_are_errors_of_their_own() {
    let empty = || Err("the line is empty".into());
    let found = read("blank.txt", b"the cat\n\n   \nsat\n\n", &[]);
    assert_eq!(found, [Ok("the cat".into()), empty(), Ok("   ".into()), Ok("sat".into())]);
    assert_eq!(read("a.txt", b"the cat\r\n\r\n\r\n", &[]), [Ok("the cat".into())]);
    let found = read("a.jsonl", b"\"the cat\"\n \n\"\"\n\n\t\n", &[]);
    assert_eq!(found, [Ok("the cat".into()), empty(), Err("the prompt is empty".into())]);
    let found = read("a.csv", b"prompt,label\nthe cat,1\n,\n,2\nsat,3\n\n,\n,,\n", &[]);
    assert_eq!(found, [Ok("the cat".into()), empty(), Err("the prompt is empty".into()), Ok("sat".into())]);
    let shell = Shell::new();
    shell.write("a.txt", "\n\nthe cat\n\n");
    shell.run(&["batch", "a.txt", "--out", "d", "-m", FIXTURE, "--format", "csv"]);
    let lines: Vec<Value> = entries(&shell.path("d")).iter().map(|entry| entry["input"]["line"].clone()).collect();
    assert_eq!(lines, [1, 2, 3], "an entry says where its line stands");
}

#[test]
fn what_cannot_be_meant_is_said_before_anything_is_done() {
    let shell = Shell::new();
    shell.write("p.txt", "the cat\n").write("p.dat", "x");
    let fails = |args: &[&str]| {
        let all = [&["batch", "-m", FIXTURE, "--out", "d"], args].concat();
        shell.fails(2, &all).0
    };
    assert!(fails(&["p.dat"]).contains("extension"));
    assert!(fails(&["p.txt", "--name", "x"]).contains("same file"));
    assert!(fails(&["p.txt", "--name", "../{index}"]).contains("not the name of a file"));
    assert!(fails(&["p.txt", "--nope"]).contains("--nope"));
    assert!(fails(&["p.txt", "--run", "models"]).contains("models"));
    assert!(fails(&["p.txt", "--layer", "99"]).contains("layers"));
    assert!(fails(&["p.txt", "--shard", "4/3"]).contains("4/3"));
    assert!(fails(&["p.txt", "--format", "png,png"]).contains("twice"));
    assert!(fails(&["p.txt", "--run", "heads", "--seed", "3"]).contains("seed"));
    assert!(fails(&["p.txt", "--run", "heads", "--with", "draws", "--format", "npz"]).contains("draws"));
    for (flag, value) in [("--ids", "1"), ("--file", "p.txt"), ("--output", "x.png")] {
        assert!(fails(&["p.txt", flag, value]).contains(&format!("{flag} does not go with batch")));
    }
    assert!(fails(&["p.txt", "--verbose"]).contains("--verbose"));
    let merge = |flag: &str| shell.fails(2, &["batch", "a", "--merge", "--out", "d", flag]).0;
    assert!(merge("--layer=3").contains("--layer=3"));
    for flag in ["--format=json", "--name={index}", "--run=heads", "--model=builtin"] {
        assert!(merge(flag).contains("--merge"), "{flag}");
    }
    assert!(!shell.path("d").exists());
    std::fs::create_dir(shell.path("full")).unwrap();
    shell.write("full/mine.txt", "precious");
    for resume in [&[][..], &["--resume"]] {
        let all = [&["batch", "p.txt", "-m", FIXTURE, "--out", "full"], resume].concat();
        assert!(shell.fails(2, &all).0.contains("not empty"));
    }
    let (message, hint) = shell.fails(1, &["batch", "p.txt", "--out", "d"]);
    assert!(hint.contains("--model builtin"), "batch never falls back: {message} / {hint}");
}

#[test]
fn a_run_that_was_killed_at_any_moment_is_finished_by_resume() {
    let shell = Shell::new();
    shell.write("p.txt", prompts(200));
    let run = |out: &str| {
        let args = ["batch", "p.txt", "--out", out, "-m", FIXTURE, "--format", "json,svg,parquet", "--resume"];
        args.map(String::from).to_vec()
    };
    shell.ok(&run("whole"));
    let whole = contents(&shell.path("whole"));
    assert_eq!(whole.len(), 1 + 2 * 200 + 4);
    let mut killed = 0;
    for moment in [5, 40, 90, 150, 220, 400] {
        let mut child = shell.attnviz(&run("cut")).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(moment));
        child.kill().unwrap(); // SIGKILL
        killed += usize::from(!child.wait().unwrap().success());
    }
    assert!(killed > 0, "nothing was killed: this test proves nothing");
    shell.ok(&run("cut"));
    assert!(contents(&shell.path("cut")) == whole, "{:?}", names(&shell.path("cut")));
    shell.ok(&run("cut")); // what is finished stays as it is
    assert!(contents(&shell.path("cut")) == whole);
    let (message, _) = shell.fails(2, &[&run("cut")[..], &["--bos".into()]].concat());
    assert!(message.contains("other options"), "{message}");
    assert!(contents(&shell.path("cut")) == whole, "a refused run touches nothing");
    shell.write("p.txt", prompts(100));
    assert!(shell.fails(2, &run("cut")).0.contains("fewer"));
    shell.write("p.txt", prompts(210));
    shell.ok(&run("cut"));
    assert_eq!(entries(&shell.path("cut")).len(), 210);
}

#[test]
fn shares_join_to_the_whole_byte_for_byte() {
    let shell = Shell::new();
    shell.write("p.txt", prompts(150));
    let run = |out: &str, more: &[&str]| {
        let args = [&["batch", "p.txt", "--out", out, "-m", FIXTURE, "--format", "json,parquet"], more].concat();
        shell.ok(&args);
    };
    run("whole", &["--threads", "1"]);
    run("a", &["--shard", "1/3"]);
    run("c", &["--shard", "3/3"]);
    let auto = ["batch", "p.txt", "--out", "b", "-m", FIXTURE, "--format", "json,parquet", "--shard", "auto/3"];
    ran(shell.attnviz(&auto).env("JOB_COMPLETION_INDEX", "1")).ok();
    assert_eq!([64, 64, 22], ["a", "b", "c"].map(|dir| entries(&shell.path(dir)).len()));
    let (message, _) = shell.fails(1, &["batch", "--merge", "a", "c", "--out", "m"]);
    assert!(message.contains("share 1/3") || message.contains("2 folders"), "{message}");
    assert!(shell.fails(1, &["batch", "--merge", "a", "b", "b", "--out", "m"]).0.contains("twice"));
    shell.ok(&["batch", "--merge", "b", "c", "a", "--out", "merged"]);
    assert!(contents(&shell.path("merged")) == contents(&shell.path("whole")));
    let name = names(&shell.path("b"))[0].clone();
    shell.write(&format!("b/{name}"), "tampered");
    assert!(shell.fails(1, &["batch", "--merge", "a", "b", "c", "--out", "again"]).0.contains("changed"));
}

/// The rows of a Parquet file as JSON objects.
fn rows(file: Vec<u8>) -> Vec<Value> {
    fn value(field: &Field) -> Value {
        match field {
            Field::Null => Value::Null,
            Field::Long(number) => (*number).into(),
            Field::Float(number) => (*number).into(),
            Field::Str(text) => text.as_str().into(),
            Field::ListInternal(list) => list.elements().iter().map(value).collect(),
            other => panic!("{other:?}"),
        }
    }
    let reader = SerializedFileReader::new(Bytes::from(file)).unwrap();
    let rows = reader.get_row_iter(None).unwrap();
    rows.map(|row| row.unwrap().get_column_iter().map(|(name, field)| (name.clone(), value(field))).collect()).collect()
}

#[test]
fn a_parquet_file_of_64_prompts_holds_what_their_json_files_hold() {
    let shell = Shell::new();
    shell.write("p.jsonl", prompts(70).lines().map(|line| format!("{line:?}\n")).collect::<String>() + "\"\"\n");
    for (run, array) in [("attention", "attention"), ("heads", "previous")] {
        let format = ["batch", "p.jsonl", "--run", run, "--format", "json,parquet", "--name", "{index}"];
        let ran = shell.run(&[&format[..], &["--out", run, "-m", FIXTURE]].concat());
        assert_eq!(ran.code, Some(1), "one prompt is empty: {}", ran.err);
        let parts = ["rows-000000.parquet", "rows-000064.parquet"];
        assert!(names(&shell.path(run)).iter().filter(|name| name.ends_with("parquet")).eq(parts));
        let mut rows = parts.into_iter().flat_map(|part| rows(shell.read(&format!("{run}/{part}"))));
        for index in 0..70 {
            let json: Value = serde_json::from_slice(&shell.read(&format!("{run}/{index:06}.json"))).unwrap();
            for (layer, heads) in json["results"][0][array].as_array().unwrap().iter().enumerate() {
                for (head, value) in heads.as_array().unwrap().iter().enumerate() {
                    let row = rows.next().unwrap();
                    assert_eq!(row["prompt"], json["prompt"]);
                    assert_eq!([&row["index"], &row["layer"], &row["head"]], [index, layer, head]);
                    if run == "attention" {
                        assert_eq!((&row["tokens"], &row["queries"]), (&json["tokens"], &row["keys"]));
                    } else {
                        assert_eq!(row["label"], json["results"][0]["label"][layer][head]);
                    }
                    let flat = |value: &Value| match value {
                        Value::Array(rows) => rows.iter().flat_map(|row| row.as_array().unwrap().clone()).collect(),
                        single => vec![single.clone()],
                    };
                    let (found, wanted) = (&row[array], flat(value));
                    let found = found.as_array().cloned().unwrap_or_else(|| vec![found.clone()]);
                    let float = |value: &Value| value.as_f64().map(|number| number as f32);
                    assert!(found.iter().map(float).eq(wanted.iter().map(float)), "{found:?} {wanted:?}");
                }
            }
        }
        assert!(rows.next().is_none());
    }
}

#[test]
fn a_program_writes_the_same_folder_from_plain_options() {
    let shell = Shell::new();
    shell.write("p.txt", prompts(70));
    let typed = ["batch", "p.txt", "--run", "heads", "--sort", "sink", "--format", "json,parquet", "-m", FIXTURE];
    shell.ok(&[&typed[..], &["--out", "typed"]].concat());
    let asked = Asked::Heads(heads::Options { sort: Some(Score::Sink), ..Default::default() });
    let (inputs, formats) = (vec![shell.path("p.txt")], vec![Format::Json, Format::Parquet]);
    let options = Options { inputs, out: shell.path("plain"), formats, ..Default::default() };
    batch::check(&options, &asked).unwrap();
    assert!(!shell.path("plain").exists(), "a check makes nothing");
    let session = Session::new(Checkpoint::open(&Source::Directory(FIXTURE.into())).unwrap()).unwrap();
    let read = AtomicU64::new(0);
    let tick = || _ = read.fetch_add(1, Ordering::Relaxed);
    let summary = batch::run(&options, &asked, "attnviz heads --sort=sink", &session, &tick, &|_| ()).unwrap();
    assert_eq!(summary, Summary { prompts: 70, ..Summary::default() });
    assert_eq!(read.into_inner(), 70);
    assert!(contents(&shell.path("plain")) == contents(&shell.path("typed")));
    assert!(batch::check(&options, &asked).is_err_and(|error| error.option == Some("resume")), "it is not empty now");
}

#[test]
fn two_runs_on_one_folder_do_not_mix() {
    let shell = Shell::new();
    let args = ["batch", "-", "--out", "d", "-m", FIXTURE, "--format", "png", "--resume"];
    // As long as its input is open, the first is not done.
    let mut first =
        shell.attnviz(&args).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !shell.path("d/.manifest.jsonl.part").exists() {
        assert!(first.try_wait().unwrap().is_none(), "it ended before its input");
        std::thread::sleep(Duration::from_millis(1));
    }
    let (message, _) = shell.fails(1, &args);
    assert!(message.contains("another run"), "{message}");
    first.stdin.take().unwrap().write_all(prompts(3).as_bytes()).unwrap();
    assert!(first.wait().unwrap().success());
    assert_eq!(names(&shell.path("d")).len(), 4);
}

#[cfg_attr(not(target_os = "linux"), ignore = "needs a system that moves a folder which is written to")]
#[test]
fn a_folder_that_disappears_is_an_error_in_two_lines() {
    let shell = Shell::new();
    shell.write("p.txt", prompts(600));
    let args = ["batch", "p.txt", "--out", "d", "-m", FIXTURE, "--format", "svg"];
    let child = shell.attnviz(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !shell.path("d/.manifest.jsonl.part").exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::fs::rename(shell.path("d"), shell.path("elsewhere")).unwrap();
    let ran: shell::Ran = child.wait_with_output().unwrap().into();
    ran.fails(1);
    assert_eq!(shell.files(), ["elsewhere", "p.txt"]);
}

#[cfg_attr(not(unix), ignore = "needs kill")]
#[test]
fn ctrl_c_stops_cleanly() {
    let shell = Shell::new();
    shell.write("p.txt", prompts(2000));
    let args = ["batch", "p.txt", "--out", "d", "-m", FIXTURE, "--format", "png"];
    let child = shell.attnviz(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Once there is a result, it listens.
    while !shell.path("d").exists() || !names(&shell.path("d")).iter().any(|name| name.ends_with(".png")) {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let ran: shell::Ran = child.wait_with_output().unwrap().into();
    let (message, hint) = ran.fails(1);
    assert!(message.contains("interrupted") && hint.contains("--resume"), "{message}");
    assert!(names(&shell.path("d")).iter().all(|name| !name.ends_with(".tmp")));
}

/// Runs a script's text as each of so many tasks, with `attnviz` on the path, then joins the shares.
fn tasks(script: &str, count: u32, variables: &[(&str, String)], index: (&str, u32)) {
    let shell = Shell::new();
    shell.write("prompts.txt", prompts(200));
    std::fs::create_dir(shell.path("gpt2")).unwrap();
    for name in names(Path::new(FIXTURE)) {
        let _ = std::fs::copy(Path::new(FIXTURE).join(&name), shell.path("gpt2").join(&name)); // folders do not matter
    }
    let binary = Path::new(env!("CARGO_BIN_EXE_attnviz")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    for task in 0..count {
        let mut bash = shell.program("bash");
        bash.args(["-c", script]).env("PATH", &path).envs(variables.iter().map(|(name, value)| (name, value)));
        ran(bash.env(index.0, (task + index.1).to_string())).ok();
    }
    let shares: Vec<String> = names(&shell.path("shares")).into_iter().map(|name| format!("shares/{name}")).collect();
    let merge = ["batch", "--merge"].into_iter().chain(shares.iter().map(String::as_str)).chain(["--out", "results"]);
    shell.ok(&merge.collect::<Vec<_>>());
    assert_eq!(entries(&shell.path("results")).len(), 200);
    assert_eq!(names(&shell.path("results")).len(), 1 + 4, "200 prompts are four tables");
}

#[cfg_attr(not(unix), ignore = "needs bash")]
#[test]
fn the_script_for_slurm_does_all_of_the_work() {
    let script = include_str!("../../examples/batch.slurm");
    let array = script.lines().find_map(|line| line.strip_prefix("#SBATCH --array=1-")).unwrap();
    let variables = [("COUNT", array.to_string()), ("MIN", "1".into())];
    let mut variables = variables.map(|(name, value)| (format!("SLURM_ARRAY_TASK_{name}"), value)).to_vec();
    variables.push(("SLURM_CPUS_PER_TASK".into(), "1".into()));
    let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    tasks(script, array.parse().unwrap(), &variables, ("SLURM_ARRAY_TASK_ID", 1));
}

#[cfg_attr(not(unix), ignore = "needs bash")]
#[test]
fn the_job_for_kubernetes_does_all_of_the_work() {
    let job = include_str!("../../examples/batch-job.yaml");
    let completions = job.lines().find_map(|line| line.trim().strip_prefix("completions: ")).unwrap();
    let completions = completions.split_whitespace().next().unwrap().parse().unwrap();
    let (_, script) = job.split_once("- |\n").unwrap();
    let (script, _) = script.split_once("          resources:").unwrap();
    assert!(script.contains(&format!("--shard auto/{completions}")), "{script}");
    tasks(&format!("set -e\n{}", script.replace("/data/", "")), completions, &[], ("JOB_COMPLETION_INDEX", 0));
}
