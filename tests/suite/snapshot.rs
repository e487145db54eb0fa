//! `attnviz snapshot`: what is recorded passes on any number of threads and any processor, and what changes is told as what it is.
use crate::support::checkpoint::{WEIGHTS, safetensors};
use crate::support::pictures::decode;
use crate::support::results::{json, png};
use crate::support::shell::{Ran, Shell, names, ran};
use crate::support::skip::skip;
use attnviz::compare::{Tolerance, differences, side_by_side};
use attnviz::format::Format;
use attnviz::render::Fonts;
use roxmltree::Document;
use std::fs;
use std::path::Path;

const SUITE: &str = r#"
[[case]]
name = "fox"
prompt = "Once upon a time there was a fox"

[[case]]
name = "sal"
command = "saliency"
args = ["--method", "input-x-gradient,smoothgrad", "--samples", "2"]
prompt = "Once upon a time"
formats = ["png", "svg", "json", "csv", "txt", "npz", "safetensors"]

[[case]]
command = "lens"
prompts = ["Once upon a time", "The cat sat"]
"#;

/// A folder with a suite and its snapshot in `s`.
fn recorded(suite: &str) -> Shell {
    let shell = Shell::new();
    shell.write("snapshot.toml", suite);
    shell.ok(&["snapshot", "record", "--out", "s", "--threads", "2"]);
    shell
}

fn check(shell: &Shell) -> Ran {
    shell.run(&["snapshot", "check", "--out", "s"])
}

/// It differs; the lines that say so, and the report's page.
#[track_caller]
fn differs(shell: &Shell) -> (Vec<String>, String) {
    let Ran { code, out, err } = check(shell);
    assert_eq!(code, Some(3), "{err}");
    assert!(err.contains("different: ") && err.contains("\nhint: ") && err.contains("--update"), "{err}");
    let out = String::from_utf8(out).unwrap();
    assert!(!out.chars().any(|c| c.is_control() && c != '\n'), "{out:?}");
    let lines = out.lines().filter(|line| !line.starts_with("ok ")).map(String::from).collect();
    (lines, shell.text("attnviz-report/report.md"))
}

/// The one line that says what differs.
#[track_caller]
fn difference(shell: &Shell) -> String {
    let (lines, _) = differs(shell);
    let [line] = &lines[..] else { panic!("{lines:?}") };
    line.clone()
}

fn edit(shell: &Shell, name: &str, from: &str, to: &str) {
    let text = shell.text(name);
    assert!(text.contains(from), "{from}");
    shell.write(name, text.replacen(from, to, 1));
}

/// Two files of the same names with the same bytes.
fn same_folders(a: &Path, b: &Path) {
    assert_eq!(names(a), names(b));
    for name in names(a) {
        assert!(fs::read(a.join(&name)).unwrap() == fs::read(b.join(&name)).unwrap(), "{name}");
    }
}

#[test]
fn what_is_recorded_passes_with_other_threads_and_other_instructions() {
    let shell = recorded(SUITE);
    let out = shell.says(&["snapshot", "check", "--out", "s", "--threads", "1"]);
    assert_eq!(out.lines().count(), 5);
    assert!(out.lines().all(|line| line.starts_with("ok ")), "{out}");
    for level in ["portable", "avx2"] {
        let other = ran(shell.attnviz(&["snapshot", "check", "--out", "s"]).env("ATTNVIZ_LEVEL", level));
        assert_eq!(String::from_utf8(other.ok()).unwrap(), out, "{level}");
    }
    #[cfg(target_arch = "x86_64")]
    let wide = is_x86_feature_detected!("avx2");
    #[cfg(not(target_arch = "x86_64"))]
    let wide = false;
    if !wide {
        skip("this processor has no AVX2: all levels are the same instructions");
    }
    assert_eq!(shell.files(), ["s", "snapshot.toml"], "no report where nothing differs");
    shell.ok(&["snapshot", "check", "--out", "s", "--update"]);
    shell.ok(&["snapshot", "record", "--out", "t", "--threads", "1"]);
    same_folders(&shell.path("s"), &shell.path("t"));
}

#[test]
fn three_lines_are_a_suite_and_the_lock_says_nothing_of_this_machine() {
    let shell = Shell::new();
    fs::create_dir_all(shell.path("suites/zoo")).unwrap();
    let base = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/base");
    fs::create_dir(shell.path("suites/zoo/tiny")).unwrap();
    for file in ["config.json", WEIGHTS, "tokenizer.json"] {
        fs::copy(format!("{base}/{file}"), shell.path("suites/zoo/tiny").join(file)).unwrap();
    }
    shell.write("suites/a.toml", "model = \"zoo/tiny\"\n[[case]]\nprompt = \"The café\"");
    let out = shell.says(&["snapshot", "record", "suites/a.toml", "--out", "s"]);
    let files = ["attention-the-caf.json", "attention-the-caf.png", "attention-the-caf.svg", "snapshot.lock.json"];
    assert_eq!(out, files.map(|name| format!("s/{name}\n")).concat());
    let lock = shell.text("s/snapshot.lock.json");
    for what in [
        "\"version\": \"",
        "\"tiny\": {",
        "\"tolerance\"",
        "\"token_ids\":[",
        "\"options\":{",
        "h.0.attn.c_attn.weight",
    ] {
        assert!(lock.contains(what), "{what}");
    }
    for what in ["zoo", shell.folder().to_str().unwrap()] {
        assert!(!lock.contains(what), "{what}");
    }
    shell.ok(&["snapshot", "check", "suites/a.toml", "--out", "s"]);
}

#[test]
fn what_is_assumed_of_a_model_is_said_by_both_and_by_neither_where_nobody_wants_to_know() {
    let shell = Shell::new();
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/nanogpt");
    shell.write("snapshot.toml", format!("model = {model:?}\n[[case]]\nprompt = \"The café\"\nformats = [\"json\"]"));
    for words in [["record", "--out", "s"], ["check", "--out", "s"]] {
        let said = shell.run(&[&["snapshot"], &words[..]].concat()).err;
        assert!(said.contains("_orig_mod.") && said.matches("are turned").count() == 1, "{words:?}: {said}");
    }
    assert_eq!(shell.run(&["snapshot", "check", "--out", "s", "-q"]).err, "");
}

#[test]
fn one_changed_weight_is_reported_as_that_weight() {
    let shell = Shell::new();
    fs::create_dir(shell.path("m")).unwrap();
    for file in ["config.json", WEIGHTS, "tokenizer.json"] {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/base").join(file);
        fs::copy(from, shell.path("m").join(file)).unwrap();
    }
    shell.write("snapshot.toml", "model = \"m\"\n[[case]]\nname = \"cafe\"\nprompt = \"The café is\"");
    shell.ok(&["snapshot", "record", "--out", "s"]);
    let file = shell.read(&format!("m/{WEIGHTS}"));
    let (length, rest) = file.split_at(8);
    let (header, data) = rest.split_at(u64::from_le_bytes(length.try_into().unwrap()) as usize);
    let header = std::str::from_utf8(header).unwrap();
    let json: serde_json::Value = serde_json::from_str(header).unwrap();
    let name = json.as_object().unwrap().keys().find(|name| name.ends_with("h.0.attn.c_attn.weight")).unwrap();
    let offsets = json[name]["data_offsets"].as_array().unwrap();
    let (start, end) = (offsets[0].as_u64().unwrap() as usize, offsets[1].as_u64().unwrap() as usize);
    let scaled = |range: std::ops::Range<usize>, by: f32| {
        let mut data = data.to_vec();
        for number in data[range].chunks_exact_mut(4) {
            let value = f32::from_le_bytes(number.try_into().unwrap()) * by;
            number.copy_from_slice(&value.to_le_bytes());
        }
        shell.write(&format!("m/{WEIGHTS}"), safetensors(header, &data));
    };
    let cols = json[name]["shape"][1].as_u64().unwrap() as usize;

    // One number, which moves the attention by less or more than the tolerance.
    let at = start + 4 * (2 * cols + 5);
    scaled(at..at + 4, 1.01);
    let (lines, _) = differs(&shell);
    let said = format!("tensor {name}: 1 of {} numbers changed, at [2, 5] it is ", (end - start) / 4);
    assert!(lines[0].starts_with("differs  model m: ") && lines[0].contains(&said), "{lines:?}");
    assert!(lines[0].contains("(+1.00 %)"), "{lines:?}");

    // All of the tensor, which the numbers show.
    scaled(start..end, 1.5);
    let (lines, page) = differs(&shell);
    assert!(lines[0].contains(&format!("tensor {name} changed: its norm is ")), "{lines:?}");
    assert!(lines[0].contains("(+50.00 %)") && lines[1].contains("json: attention: "), "{lines:?}");
    assert!(lines[1].contains(", query ") && page.contains(", query "), "{lines:?}");

    let listed = shell.says(&["snapshot", "check", "--out", "s", "--update"]);
    assert!(listed.contains("changed s/cafe.json: attention: "), "{listed}");
    assert!(listed.ends_with("changed s/snapshot.lock.json: models\n"), "{listed}");
    shell.ok(&["snapshot", "check", "--out", "s"]);
}

#[test]
fn one_colour_and_one_label_are_reported_as_exactly_that() {
    let shell =
        recorded("[[case]]\nname = \"fox\"\nprompt = \"The fox\"\nargs = [\"--layer\", \"1\", \"--head\", \"0\"]");
    let svg = shell.text("s/fox.svg");
    let colour = svg.split("<rect ").nth(3).unwrap().split("fill=\"").nth(1).unwrap()[..7].to_owned();
    let place = svg.find("<rect ").unwrap();
    let (before, after) = svg.split_at(place + svg[place..].find(&colour).unwrap());
    shell.write("s/fox.svg", format!("{before}{}", after.replacen(&colour, "#aa1122", 1)));
    let line = difference(&shell);
    assert!(line.starts_with("differs  fox: svg: rect ") && !line.contains(';'), "{line}");
    assert!(line.to_lowercase().ends_with(&format!("fill {}, was #aa1122", colour.to_lowercase())), "{line}");

    shell.write("s/fox.svg", svg.replacen(">·fox<", ">·dog<", 1));
    assert_eq!(difference(&shell), "differs  fox: svg: text \"·fox\", was \"·dog\"");
    assert_eq!(names(&shell.path("attnviz-report")), ["fox.svg.png", "junit.xml", "report.md"]);
    let page = shell.read("attnviz-report/fox.svg.png");
    let [expected, marked, actual] = panels(&page);
    let mark = [0xd6, 0x00, 0x5c];
    assert!(!expected.contains(&mark) && !actual.contains(&mark) && marked.contains(&mark), "the difference is marked");
    // The words of each file are drawn on its side.
    shell.write("old.svg", shell.text("s/fox.svg")).write("new.svg", &svg);
    let drawn = |name: &str| {
        let fonts = Fonts::bundled();
        let pixels = attnviz::render::pixels(&shell.text(name), &fonts, 1.0, attnviz::figure::Theme::Light).unwrap();
        pixels.rgb.as_chunks::<3>().0.to_vec()
    };
    assert!(expected != actual && expected == drawn("old.svg") && actual == drawn("new.svg"));
    // What differs is where the word stands, and marked nowhere else.
    let differ = expected.iter().zip(&actual).map(|(a, b)| a.iter().zip(b).any(|(a, b)| a.abs_diff(*b) > 8));
    assert!(differ.zip(&marked).all(|(differs, colour)| !differs || *colour == mark), "all of it is marked");

    // A label that is gone, and one that is more.
    shell.write("s/fox.svg", svg.replacen("</text>", "</text><text x=\"1\" y=\"2\">more</text>", 1));
    assert!(difference(&shell).ends_with("svg: has nothing where it had text \"more\""));

    // Nothing is left of a report of what differed, once nothing does.
    shell.write("s/fox.svg", svg);
    shell.ok(&["snapshot", "check", "--out", "s"]);
    assert_eq!(names(&shell.path("attnviz-report")), ["junit.xml", "report.md"]);
    assert!(shell.text("attnviz-report/report.md").contains("are the same"));
}

/// The three pictures of a page of the report, row by row: they have one size, with a margin around and between them.
fn panels(page: &[u8]) -> [Vec<[u8; 3]>; 3] {
    const MARGIN: usize = 12;
    const HEADINGS: usize = 28;
    let (across, pixels) = decode(page);
    let width = (across - 4 * MARGIN) / 3;
    let rows = pixels.len() / across - HEADINGS - MARGIN;
    let row =
        |panel: usize, row: usize| &pixels[(HEADINGS + row) * across + MARGIN + panel * (width + MARGIN)..][..width];
    [0, 1, 2].map(|panel| (0..rows).flat_map(|at| row(panel, at)).copied().collect())
}

fn encoded(width: u32, height: u32, rgb: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = ::png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(::png::ColorType::Rgb);
    encoder.write_header().unwrap().write_image_data(rgb).unwrap();
    bytes
}

#[test]
fn one_pixel_another_size_and_a_missing_file_are_told() {
    let shell = recorded("formats = [\"png\"]\n[[case]]\nname = \"fox\"\nprompt = \"The fox\"");
    let good = shell.read("s/fox.png");
    let picture = png(&good);
    let (width, height) = (picture.width, picture.height);
    // What a PNG says of itself is no pixel.
    shell.write("s/fox.png", encoded(width, height, &picture.rgb));
    shell.ok(&["snapshot", "check", "--out", "s"]);
    let mut rgb = picture.rgb.clone();
    let at = 3 * (20 * width as usize + 10);
    rgb[at..at + 3].copy_from_slice(&[1, 2, 3]);
    shell.write("s/fox.png", encoded(width, height, &rgb));
    let line = difference(&shell);
    assert!(line.contains("1 of ") && line.contains(" pixels differs: (10, 20) is #ffffff, was #010203"), "{line}");
    // Allowed, it passes.
    shell.write(
        "loose.toml",
        format!(
            "[tolerance]\nshare = 0.001\n{}",
            shell.text("snapshot.toml").replace("[[case]]", "").replace("formats", "[[case]]\nformats")
        ),
    );
    shell.ok(&["snapshot", "check", "--out", "s", "loose.toml"]);

    shell.write("s/fox.png", encoded(width, 9, &picture.rgb[..27 * width as usize]));
    let line = difference(&shell);
    assert!(line.contains(&format!("it has {width} × {height} pixels, had {width} × 9")), "{line}");
    assert!(shell.path("attnviz-report/fox.png.png").exists());
    fs::remove_file(shell.path("s/fox.png")).unwrap();
    assert_eq!(difference(&shell), "differs  fox: png: the expected file is missing");
    let listed = shell.says(&["snapshot", "check", "--out", "s", "--update"]);
    assert_eq!(listed, "written s/fox.png: the expected file is missing\n");
    assert_eq!(shell.read("s/fox.png"), good);
    shell.ok(&["snapshot", "check", "--out", "s"]);
}

#[test]
fn a_quantity_may_be_looser_or_stricter_than_the_rest() {
    let case = "formats = [\"json\"]\n[[case]]\nname = \"fox\"\nprompt = \"The fox\"\n";
    let shell = recorded(case);
    let data = json(&shell.read("s/fox.json"));
    let number = data["results"][0]["attention"][1][2][1][1].to_string();
    let moved = format!("{:.5}", number.parse::<f64>().unwrap() + 0.01);
    edit(&shell, "s/fox.json", &number, &moved);
    let line = difference(&shell);
    assert!(line.contains("json: attention: 1 of ") && line.contains(&format!("was {moved}")), "{line}");
    assert!(line.contains("at layer 1, head 2, query 1, key 1 it is "), "{line}");
    shell.write("snapshot.toml", format!("{case}[tolerance.attention]\nabsolute = 0.011\n"));
    check(&shell).ok();
    shell.write("snapshot.toml", format!("{case}[tolerance]\nabsolute = 1\n[tolerance.attention]\nabsolute = 1e-6\n"));
    difference(&shell);
}

#[test]
fn cases_that_come_go_or_change_are_told_and_accepted() {
    let shell = recorded(
        "formats = [\"json\"]\n[[case]]\nname = \"a\"\nprompt = \"The fox\"\n[[case]]\nname = \"b\"\nprompt = \"The cat\"",
    );
    shell.write("s/notes.txt", "mine");
    shell.write("snapshot.toml", "formats = [\"json\"]\n[[case]]\nname = \"a\"\nprompt = \"The fox\"\nargs = [\"--layer=0\"]\nformats = [\"csv\"]\n[[case]]\nname = \"c\"\nprompt = \"The cat\"");
    let (lines, page) = differs(&shell);
    assert!(
        lines[0].starts_with("differs  a: its option view.selection.layer is \"0\", was null (and 1 more)"),
        "{lines:?}"
    );
    assert!(page.contains("no json is asked for any more"), "{page}");
    assert_eq!(lines[1], "differs  c: it was not recorded; json: is new");
    assert_eq!(lines[2], "differs  b: it is no longer in the suite");
    let listed = shell.says(&["snapshot", "check", "--out", "s", "--update"]);
    let expected = [
        "written s/a.csv: the expected file is missing",
        "written s/c.json: is new",
        "removed s/a.json: it is no longer asked for",
        "removed s/b.json: it is no longer asked for",
        "changed s/snapshot.lock.json: cases",
    ];
    assert_eq!(listed.lines().collect::<Vec<_>>(), expected);
    assert_eq!(names(&shell.path("s")), ["a.csv", "c.json", "notes.txt", "snapshot.lock.json"]);
    shell.ok(&["snapshot", "check", "--out", "s"]);
    // Another version that makes the same is worth a remark.
    let version = format!("\"version\": \"{}\"", env!("CARGO_PKG_VERSION"));
    edit(&shell, "s/snapshot.lock.json", &version, "\"version\": \"0.0.9\"");
    let ran = check(&shell);
    assert!(ran.err.contains("recorded with attnviz 0.0.9"), "{}", ran.err);
    ran.ok();
    edit(&shell, "s/c.json", &format!("\"version\":\"{}\"", env!("CARGO_PKG_VERSION")), "\"version\":\"0.0.9\"");
    check(&shell).ok();
}

#[test]
fn nothing_is_recorded_over_anything_and_a_failure_leaves_nothing() {
    let shell = recorded("[[case]]\nprompt = \"The fox\"");
    let (message, hint) = shell.fails(2, &["snapshot", "record", "--out", "s"]);
    assert!(
        message.contains("holds a snapshot") && hint.contains("snapshot check") && hint.contains("--update"),
        "{message} {hint}"
    );
    fs::create_dir(shell.path("other")).unwrap();
    shell.write("other/mine.txt", "");
    assert!(shell.fails(2, &["snapshot", "record", "--out", "other"]).0.contains("not empty"));
    assert!(shell.fails(1, &["snapshot", "record", "--out", "no/where"]).1.contains("must exist"));
    assert!(shell.fails(1, &["snapshot", "check", "--out", "other"]).1.contains("record"));
    assert!(shell.fails(2, &["snapshot", "record", "--out", "t", "--update"]).0.contains("--update"));
    shell.write(
        "long.toml",
        format!("[[case]]\nprompt = \"The fox\"\n[[case]]\nname = \"long\"\nprompt = \"{}\"", "a ".repeat(2000)),
    );
    let (message, hint) = shell.fails(2, &["snapshot", "record", "--out", "t", "long.toml"]);
    assert!(message.contains("long.toml:3: case \"long\"") && hint.contains("--truncate"), "{message} {hint}");
    assert_eq!(shell.files(), ["long.toml", "other", "s", "snapshot.toml"]);
    // In a check, a case that fails is told with the others.
    let ran = shell.run(&["snapshot", "check", "--out", "s", "long.toml"]);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    let out = String::from_utf8(ran.out).unwrap();
    assert!(out.contains("ok       attention-the-fox\nfailed   long: "), "{out}");
    assert!(shell.text("attnviz-report/junit.xml").contains("<error "));
}

#[test]
fn a_suite_that_cannot_be_meant_is_refused_with_its_line() {
    let shell = Shell::new();
    let case = "[[case]]\nprompt = \"The fox\"\n";
    let wrong: &[(&str, &str)] = &[
        ("", "has no [[case]]"),
        ("prompt = \"x\"", "s.toml:1: unknown field `prompt`"),
        ("[[case]]\n\nprompt = 3", "s.toml:3: invalid type"),
        ("[[case]\n", "s.toml:1: "),
        ("[[case]]\nname = \"../evil\"\nprompt = \"a\"", "s.toml:1: \"../evil\" cannot be the name"),
        ("[[case]]\nname = \"/etc/x\"\nprompt = \"a\"", "cannot be the name"),
        ("[[case]]\nname = \"a\\u0000b\"\nprompt = \"a\"", "cannot be the name"),
        ("[[case]]\nname = \"con\"\nprompt = \"a\"", "cannot be the name"),
        ("[[case]]\nname = \"\"\nprompt = \"a\"", "cannot be the name"),
        ("[[case]]\nprompt = \"\"", "the prompt is empty"),
        ("[[case]]\nname = \"a\"", "there is no prompt"),
        ("[[case]]\nprompt = \"a\"\nids = [1]", "one of prompt, prompts and ids"),
        ("[[case]]\nprompt = \"a\"\nformats = [\"gif\"]", "no format \"gif\""),
        ("[[case]]\nprompt = \"a\"\nformats = [\"parquet\"]", "no format \"parquet\" that can be compared"),
        ("[[case]]\nprompt = \"a\"\nformats = []", "names none"),
        ("[[case]]\nprompt = \"a\"\ncommand = \"batch\"", "does not take these args"),
        ("[[case]]\nprompt = \"a\"\ncommand = \"models\"", "not a command that a case can have"),
        ("[[case]]\nprompt = \"a\"\nfiles = [\"s.toml\"]", "its command reads no files"),
        ("[[case]]\ncommand = \"probe pairs\"", "has no files of items"),
        (
            "[[case]]\ncommand = \"bias\"\nargs = [\"--template\", \"a {b|c}\"]\nprompt = \"a\"",
            "its command reads no prompt",
        ),
        ("[[case]]\ncommand = \"bias\"\nargs = [\"--template\", \"a {b}\"]", "has one group"),
        (
            "[[case]]\ncommand = \"probe linear\"\nfiles = [\"s.toml\"]\nargs = [\"--cache\", \"x\"]",
            "args say where residuals",
        ),
        (
            "[[case]]\ncommand = \"probe pairs\"\nfiles = [\"s.toml\"]\nargs = [\"-m\", \"builtin\"]",
            "args say the model",
        ),
        ("[[case]]\ncommand = \"probe pairs\"\nfiles = [\"s.toml\", \"s.toml\"]", "does not take these args"),
        ("[[case]]\nprompt = \"a\"\ncommand = \"--version\"", "does not take these args"),
        ("[[case]]\nprompt = \"a\"\nargs = [\"--nonsense\"]", "--nonsense"),
        ("[[case]]\nprompt = \"a\"\nargs = [\"--output=evil.png\"]", "args say the output"),
        ("[[case]]\nprompt = \"a\"\nargs = [\"--file=s.toml\"]", "args say the prompt"),
        ("[[case]]\nprompt = \"a\"\nargs = [\"word\"]", "args say the prompt"),
        ("[[case]]\nprompt = \"a\"\nargs = [\"-m\", \".\"]", "args say the model"),
        ("[[case]]\nprompt = \"a\"\nargs = [\"--with=logits\"]\nformats = [\"png\"]", "more arrays need a data file"),
        ("[tolerance]\nabsolut = 1\n", "s.toml:2: there is no tolerance.absolut"),
        ("[tolerance]\nabsolute = -1\n", "s.toml:2: tolerance.absolute is -1"),
        ("[tolerance]\nlevels = 300\n", "tolerance.levels"),
        ("[tolerance.attention]\nabs = 1\n", "tolerance.attention"),
        ("[tolerance]\nshare = \"x\"\n", "s.toml:2: "),
    ];
    for (suite, what) in wrong {
        let suite = if suite.starts_with("[tolerance") { format!("{suite}{case}") } else { (*suite).to_owned() };
        shell.write("s.toml", suite.clone());
        let (message, _) = shell.fails(2, &["snapshot", "record", "--out", "s", "s.toml"]);
        assert!(message.contains(what), "{suite:?}: {message}");
        assert_eq!(shell.files(), ["s.toml"], "{suite:?}");
    }
    let twice = "[[case]]\nname = \"a\"\nprompt = \"x\"\n[[case]]\nname = \"A\"\nprompt = \"y\"";
    shell.write("s.toml", twice);
    assert!(
        shell.fails(2, &["snapshot", "record", "--out", "s", "s.toml"]).0.contains("s.toml:4: two cases are named")
    );
    shell.write("s.toml", format!("{}x", " ".repeat(17 << 20)));
    assert!(shell.fails(2, &["snapshot", "record", "--out", "s", "s.toml"]).0.contains("16 MiB"));
    shell.write("s.toml", b"\xff\xfe");
    assert!(shell.fails(2, &["snapshot", "record", "--out", "s", "s.toml"]).0.contains("UTF-8"));
    shell.fails(1, &["snapshot", "record", "--out", "s", "absent.toml"]);
    // A model that cannot be had is never replaced.
    shell.write("s.toml", format!("model = \"gpt2\"\n{case}"));
    let (message, hint) = shell.fails(1, &["snapshot", "record", "--out", "s", "s.toml"]);
    assert!(message.contains("s.toml: ") && hint.contains("builtin"), "{message} {hint}");
    shell.write("s.toml", format!("model = \"./gpt2\"\n{case}"));
    shell.fails(1, &["snapshot", "record", "--out", "s", "s.toml"]);
    assert_eq!(shell.files(), ["s.toml"]);
}

#[test]
fn what_needs_no_prompt_is_recorded_as_it_is_alone() {
    let base = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/base");
    let above = format!("command = \"heads\"\nmodel = {base:?}\nformats = [\"png\", \"json\"]\n");
    let text = "name = \"text\"\nprompt = \"The fox and the fox\"\n";
    let shell = recorded(&format!("{above}[[case]]\n[[case]]\n{text}[[case]]\nname = \"again\"\n"));
    shell.ok(&["heads", "-m", base, "-o", "alone.json"]);
    shell.ok(&["heads", "-m", base, "-o", "text.json", "The fox and the fox"]);
    for (alone, recorded) in [("alone", "heads"), ("alone", "again"), ("text", "text")] {
        assert!(shell.read(&format!("{alone}.json")) == shell.read(&format!("s/{recorded}.json")), "{recorded}");
    }
    assert!(shell.read("s/heads.json") != shell.read("s/text.json"));
    check(&shell).ok();
}

#[test]
fn probes_and_bias_of_files_beside_the_suite_are_recorded_as_they_are_alone() {
    let shell = Shell::new();
    fs::create_dir(shell.path("suites")).unwrap();
    shell.write("suites/pairs.csv", "good,bad\nThe fox runs.,The fox run.\nThe boys sing.,The boys sings.\n");
    shell.write("suites/cloze.jsonl", r#"{"prompt": "The old king and his", "answers": [" son"]}"#);
    let rows: String = (0..12).map(|n| format!("A fox {n}\tone\nThe foxes {n}\tmany\n")).collect();
    shell.write("suites/number.tsv", rows);
    let template = "The {man|woman} worked as a";
    shell.write(
        "suites/s.toml",
        format!(
            r#"formats = ["json", "svg", "csv"]
[[case]]
command = "probe pairs"
files = ["pairs.csv"]
args = ["--with", "pairs"]
[[case]]
name = "cloze"
command = "probe cloze"
files = ["cloze.jsonl"]
[[case]]
name = "filled"
command = "probe cloze"
args = ["--template", "The {{adj}} king", "--fill", "adj=old,young"]
[[case]]
name = "linear"
command = "probe linear"
files = ["number.tsv"]
args = ["--seeds", "2"]
[[case]]
name = "bias"
command = "bias"
files = ["pairs.csv"]
args = ["--more", "good", "--less", "bad"]
[[case]]
name = "template"
command = "bias"
args = ["--template", "{template}"]
[[case]]
name = "circuit"
command = "circuit check"
args = ["induction", "--count", "1"]
"#
        ),
    );
    let out = shell.says(&["snapshot", "record", "suites/s.toml", "--out", "s"]);
    assert_eq!(out.lines().count(), 3 * 7 + 1, "{out}");
    let alone: [&[&str]; 7] = [
        &["probe", "pairs", "suites/pairs.csv", "--with", "pairs"],
        &["probe", "cloze", "suites/cloze.jsonl"],
        &["probe", "cloze", "--template", "The {adj} king", "--fill", "adj=old,young"],
        &["probe", "linear", "suites/number.tsv", "--seeds", "2", "--cache", "none"],
        &["bias", "suites/pairs.csv", "--more", "good", "--less", "bad"],
        &["bias", "--template", template],
        &["circuit", "check", "induction", "--count", "1"],
    ];
    let names = ["pairs-pairs-csv", "cloze", "filled", "linear", "bias", "template", "circuit"];
    for (words, name) in alone.into_iter().zip(names) {
        shell.ok(&[words, &["-m", "builtin", "-o", "alone.json", "-o", "alone.svg", "-o", "alone.csv"]].concat());
        for format in ["json", "svg", "csv"] {
            let same = shell.read(&format!("alone.{format}")) == shell.read(&format!("s/{name}.{format}"));
            assert!(same, "{name}.{format}");
        }
    }
    shell.ok(&["snapshot", "check", "suites/s.toml", "--out", "s"]);
    // Another row is another answer, and another file.
    edit(&shell, "suites/pairs.csv", "The boys sings.", "The boys singing.");
    let Ran { code, out, err } = shell.run(&["snapshot", "check", "suites/s.toml", "--out", "s"]);
    assert_eq!(code, Some(3), "{err}");
    let out = String::from_utf8(out).unwrap();
    let changed: Vec<&str> =
        out.lines().filter(|line| line.contains("its file \"pairs.csv\" holds something else")).collect();
    assert!(changed.len() == 2 && changed[0].contains("pairs-pairs-csv"), "{out}");
    assert!(out.lines().filter(|line| line.starts_with("ok ")).count() >= 5, "{out}");
}

#[test]
fn expected_files_are_not_trusted() {
    let suite = "[[case]]\nname = \"fox\"\nprompt = \"The fox\"\nformats = [\"png\", \"svg\", \"json\", \"npz\", \"safetensors\", \"csv\", \"txt\"]";
    let shell = recorded(suite);
    let deep = format!("<svg width=\"9\" height=\"9\">{}{}</svg>", "<g>".repeat(100_000), "</g>".repeat(100_000));
    let leak = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"90\" height=\"90\"><image width=\"9\" height=\"9\" href=\"secret.png\"/></svg>";
    let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;\">]><svg>&b;</svg>";
    let broken: &[(&str, Vec<u8>)] = &[
        ("svg", deep.into()),
        ("svg", leak.into()),
        ("svg", bomb.into()),
        ("svg", "<svg".into()),
        ("png", encoded(9, 9, &[0; 243])[..60].to_vec()),
        ("png", b"\x89PNG".to_vec()),
        ("json", "[".repeat(100_000).into()),
        ("json", "{}".into()),
        ("npz", b"PK\x03\x04".to_vec()),
        ("npz", Vec::new()),
        ("safetensors", vec![0xff; 64]),
        ("csv", "\"".into()),
        ("txt", vec![0xff, 0x1b]),
        ("txt", "\u{1b}[31m".into()),
    ];
    for (extension, bytes) in broken {
        let name = format!("s/fox.{extension}");
        let good = shell.read(&name);
        shell.write(&name, bytes);
        let line = difference(&shell);
        assert!(line.starts_with(&format!("differs  fox: {extension}: ")), "{line}");
        shell.write(&name, good);
    }
    // Half of each file, and a flipped byte in its middle.
    for extension in ["png", "svg", "json", "npz", "safetensors"] {
        let name = format!("s/fox.{extension}");
        let good = shell.read(&name);
        shell.write(&name, &good[..good.len() / 2]);
        difference(&shell);
        shell.write(&name, good);
    }
    // More than could be right is not read.
    let file = fs::File::create(shell.path("s/fox.json")).unwrap();
    file.set_len(1 << 40).unwrap();
    assert!(difference(&shell).contains("json: the expected file has more than"));
    #[cfg(unix)]
    {
        // A link leads nowhere, neither when it is read nor when it is replaced.
        shell.write("secret", "mine");
        fs::remove_file(shell.path("s/fox.json")).unwrap();
        std::os::unix::fs::symlink(shell.path("secret"), shell.path("s/fox.json")).unwrap();
        assert!(difference(&shell).contains("not a regular file"));
        shell.ok(&["snapshot", "check", "--out", "s", "--update"]);
        assert_eq!(shell.text("secret"), "mine");
        check(&shell).ok();
    }
}

#[test]
fn a_lock_file_is_not_trusted() {
    let shell = recorded("formats = [\"json\"]\n[[case]]\nname = \"fox\"\nprompt = \"The fox\"");
    shell.write("precious.json", "mine");
    let lock = shell.text("s/snapshot.lock.json");
    for (from, to) in [
        ("\"fox\": ", "\"../precious\": "),
        ("\"json\"]", "\"../../precious\"]"),
        ("\"lock\": 2", "\"lock\": 1"),
        ("\"lock\": 2", "\"lock\": 2, \"more\": 1"),
        ("\"options\":{", "\"options\":[],\"more\":{"),
        ("{", ""),
        (",\"hash\":\"", ",\"hash\":1,\"x\":\""),
    ] {
        assert!(lock.contains(from), "{from}");
        shell.write("s/snapshot.lock.json", lock.replacen(from, to, 1));
        for args in [&["snapshot", "check", "--out", "s"][..], &["snapshot", "check", "--out", "s", "--update"]] {
            let (message, hint) = shell.fails(1, args);
            assert!(message.contains("snapshot.lock.json") && hint.contains("again"), "{to}: {message} {hint}");
        }
        assert_eq!(shell.text("precious.json"), "mine");
    }
    // Sizes that are not those of the tensors are a difference.
    shell.write("s/snapshot.lock.json", lock.replacen("\"shape\":[", "\"shape\":[18446744073709551615,0,", 1));
    assert!(difference(&shell).contains("has shape"));
}

#[test]
fn reports_hold_whatever_a_prompt_holds() {
    let hostile = r#"a | `b` <script>alert(1)</script> </details> @everyone [x](http://e.vil) ]]> & \" *c* \u0000\u001b[31m\uFFFE\u202e\n# d"#;
    let shell = recorded(&format!("[[case]]\nname = \"fox\"\nprompt = \"{hostile}\""));
    edit(&shell, "s/fox.json", "\"prompt\":\"a ", "\"prompt\":\"b ");
    edit(&shell, "s/fox.svg", "<svg ", "<svg data-x=\"]]&gt;&lt;b>|`@me`\" ");
    let (lines, page) = differs(&shell);
    assert!(lines[0].contains("data-x"), "{lines:?}");
    let xml = shell.text("attnviz-report/junit.xml");
    let document = Document::parse(&xml).unwrap_or_else(|error| panic!("{error}: {xml}"));
    let named = |name: &str| document.descendants().filter(|node| node.has_tag_name(name)).collect::<Vec<_>>();
    let (cases, failures) = (named("testcase"), named("failure"));
    assert_eq!((cases.len(), failures.len(), named("script").len()), (2, 1, 0));
    let attribute = |name: &str| named("testsuite")[0].attribute(name).unwrap().to_owned();
    assert_eq!([attribute("tests"), attribute("failures"), attribute("errors")], ["2", "1", "0"]);
    assert_eq!((cases[1].attribute("name"), cases[1].attribute("classname")), (Some("fox"), Some("attnviz.attention")));
    assert!(failures[0].text().unwrap().contains("<script>alert(1)</script>"), "{xml}");
    assert!(
        !page.contains("<script") && !page.contains('@') && !page.contains('`') && !page.contains("http://"),
        "{page}"
    );
    assert_eq!(page.matches("</details>").count(), 1, "{page}");
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| differs")).collect();
    assert_eq!((rows.len(), rows[0].matches('|').count()), (1, 4), "{page}");
    assert!(!page.chars().any(|c| c.is_control() && c != '\n'), "{page:?}");

    // A report that is asked for is always made, and of what is accepted as well.
    shell.ok(&["snapshot", "check", "--out", "s", "--update", "--report", "r"]);
    assert!(shell.text("r/report.md").contains("1 of 2 differ"));
    shell.ok(&["snapshot", "check", "--out", "s", "--report", "r"]);
    assert!(shell.text("r/report.md").contains("all 2 are the same"));
    shell.write("file", "");
    shell.fails(1, &["snapshot", "check", "--out", "s", "--report", "file"]);
}

#[test]
fn the_examples_of_the_help_run_as_they_stand() {
    let shell = Shell::new();
    let help = shell.says(&["snapshot", "--help"]);
    let suite: String = help
        .lines()
        .skip_while(|line| !line.contains("[[case]]"))
        .take(2)
        .map(|l| l.trim().to_owned() + "\n")
        .collect();
    shell.write("snapshot.toml", suite);
    let examples: Vec<&str> = help.lines().filter_map(|line| line.trim().strip_prefix("attnviz ")).collect();
    assert_eq!(examples.len(), 4, "{help}");
    for example in examples {
        let line = example.split("   ").next().unwrap().trim();
        let line = line.split("  ").next().unwrap();
        shell.ok(&line.split(' ').collect::<Vec<_>>());
    }
    assert_eq!(shell.files(), ["report", "snapshot.toml", "snapshots"]);
}

#[test]
fn a_byte_flipped_anywhere_is_a_difference_or_none_and_never_a_panic() {
    let shell = recorded(
        "[[case]]\nname = \"fox\"\nprompt = \"The fox\"\nargs = [\"--layer\", \"1\"]\nformats = [\"png\", \"svg\", \"json\", \"npz\", \"safetensors\", \"csv\"]",
    );
    let formats = [
        ("png", Format::Png),
        ("svg", Format::Svg),
        ("json", Format::Json),
        ("npz", Format::Npz),
        ("safetensors", Format::Safetensors),
        ("csv", Format::Csv),
    ];
    let fonts = Fonts::bundled();
    for (extension, format) in formats {
        let good = shell.read(&format!("s/fox.{extension}"));
        let mut state = 7u64;
        let mut draw = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        for round in 0..120 {
            let mut bad = good.clone();
            // The beginning says how the rest is to be read.
            let within = if round % 2 == 0 { good.len() } else { good.len().min(400) };
            for _ in 0..=draw(3) {
                bad[draw(within)] = draw(256) as u8;
            }
            if round % 5 == 0 {
                bad.truncate(draw(good.len()));
            }
            let said = differences(format, &bad, &good, &Tolerance::default());
            assert!(said.len() < 20 && said.iter().all(|sentence| sentence.len() < 4000), "{said:?}");
            if round % 10 == 0 {
                let _ = side_by_side(format, &bad, &good, Tolerance::default().colours, &fonts);
            }
        }
    }
}
