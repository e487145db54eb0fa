//! Attention as other programs save it: lists of layers, batches, cross-attention, padding, percentages, other formats.
use crate::support::drawing::Drawing;
use crate::support::results::{attention, flat, floats, json, npz, svg};
use crate::support::shell::Shell;
use serde_json::{Map, Value, json};
use std::io::{Cursor, Write};

/// Files that differential_saved.py drew at random, with what NumPy reads in them or what is to be said of them.
const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/saved");

/// A safetensors file of arrays of f32, with metadata.
fn tensors(arrays: &[(&str, &[usize], Vec<f32>)], said: Value) -> Vec<u8> {
    let (mut header, mut bytes) = (Map::new(), Vec::new());
    for (name, shape, values) in arrays {
        let start = bytes.len();
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        let about = json!({"dtype": "F32", "shape": shape, "data_offsets": [start, bytes.len()]});
        header.insert((*name).to_owned(), about);
    }
    header.insert("__metadata__".into(), said);
    let header = Value::Object(header).to_string();
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &bytes].concat()
}

/// One array called `attention`.
fn one(shape: &[usize], values: Vec<f32>) -> Vec<u8> {
    tensors(&[("attention", shape, values)], json!({}))
}

/// Rows that look at all keys alike.
fn even(rows: usize, keys: usize) -> Vec<f32> {
    vec![1.0 / keys as f32; rows * keys]
}

/// An NPZ of one member with this header and these numbers.
fn member(shape: &str, numbers: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut zip = ::zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("attention.npy", ::zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(b"\x93NUMPY\x01\x00").unwrap();
    zip.write_all(&(header.len() as u16).to_le_bytes()).unwrap();
    zip.write_all(header.as_bytes()).unwrap();
    zip.write_all(numbers).unwrap();
    zip.finish().unwrap().into_inner()
}

#[test]
fn a_sample_of_what_programs_save_is_drawn_as_numpy_reads_it_or_refused_by_name() {
    let all: Vec<Value> =
        serde_json::from_str(&std::fs::read_to_string(format!("{SAMPLE}/right.json")).unwrap()).unwrap();
    assert!(all.len() > 25);
    for right in all {
        let (shell, what) = (Shell::new(), &right["what"]);
        let file = format!("{SAMPLE}/{}", right["file"].as_str().unwrap());
        let flags: Vec<&str> = right["flags"].as_array().unwrap().iter().map(|flag| flag.as_str().unwrap()).collect();
        let ran = shell.run(&[&["render", &file, "-o", "a.json"], &flags[..]].concat());
        if let Some(says) = right["refused"].as_str() {
            let code = ran.code.unwrap();
            let (message, _) = ran.fails(if code == 2 { 2 } else { 1 });
            assert!(message.contains(says), "{what}: {message}");
            continue;
        }
        ran.ok();
        let drawn = json(&shell.read("a.json"));
        let (shape, numbers) = attention(&drawn);
        assert_eq!(json!(shape), right["shape"], "{what}");
        let same = |(a, b): (&f32, &f32)| a == b || a.is_nan() && b.is_nan();
        assert!(numbers.iter().zip(&flat(&right["attention"])).all(same), "{what}: {numbers:?}");
        // A piece of a character is shown byte by byte.
        let pieces = |token: &Value| token.as_str().is_some_and(|token| token.contains('\u{fffd}'));
        let (ours, theirs) = (drawn["tokens"].as_array().unwrap(), right["tokens"].as_array());
        for (at, token) in theirs.into_iter().flatten().enumerate().filter(|(_, token)| !pieces(token)) {
            assert_eq!(&ours[at], token, "{what}");
        }
        assert_eq!(drawn["results"][0]["query_tokens"], right["query_tokens"], "{what}");
        assert_eq!(drawn["results"][0]["kind"], right["kind"], "{what}");
    }
}

#[test]
fn cross_attention_has_labels_of_its_own_for_both_axes_and_no_mask() {
    let (shell, said) =
        (Shell::new(), json!({"source_tokens": r#"["Das", " Haus"]"#, "target_tokens": r#"["the", " house", "."]"#}));
    let weights = vec![0.75, 0.25, 0.125, 0.875, 0.5, 0.5];
    shell.write("x.safetensors", tensors(&[("attention", &[1, 1, 3, 2], weights.clone())], said.clone()));
    shell.ok(&[
        "render",
        "x.safetensors",
        "-o",
        "x.svg",
        "-o",
        "x.csv",
        "-o",
        "x.npz",
        "-o",
        "x.json",
        "-o",
        "x.txt",
        "-o",
        "x.parquet",
    ]);
    let picture = svg(&shell.text("x.svg"));
    assert!(
        picture.shows("cross-attention: 3 queries, 2 keys") && picture.shows("first key “Das”"),
        "{:?}",
        picture.texts
    );
    for label in ["Das", "·Haus", "the", "·house", "."] {
        assert!(picture.texts.iter().any(|text| text == label), "{label}: {:?}", picture.texts);
    }
    assert!(!picture.shows("first token") && !picture.shows("queries are the last"), "{:?}", picture.texts);
    let csv = shell.text("x.csv");
    assert_eq!(csv.lines().count(), 1 + 6);
    assert!(csv.contains("\n0,0,1,\" house\",0,Das,0.125\n"), "{csv}");
    // What was exported is cross-attention when it is read again, whatever its weights look like.
    shell.ok(&["render", "x.npz", "-o", "again.json"]);
    let again = json(&shell.read("again.json"));
    assert_eq!(again["results"][0]["query_tokens"], json!(["the", " house", "."]));
    assert_eq!((again["results"][0]["kind"].as_str(), attention(&again).1), (Some("cross"), weights));
    shell.ok(&["render", "x.safetensors", "--words", "--sink", "renorm", "-o", "words.json", "-o", "words.svg"]);
    let words = json(&shell.read("words.json"));
    assert_eq!(words["results"][0]["query_tokens"], json!(["the", "house", "."]));
    assert_eq!(attention(&words), (vec![1, 1, 3, 2], vec![0.0, 1.0, 0.0, 1.0, 0.0, 1.0]));
    assert!(svg(&shell.text("words.svg")).shows("attention on the first key, 46 % of all, is hidden"));
    assert!(shell.fails(2, &["diff", "x.npz", "x.npz"]).0.contains("cross-attention"));
    // A square below whose diagonal there is nothing: labels that differ say what it is, and so does the flag.
    let square = vec![1.0, 0.0, 0.5, 0.5];
    let said = json!({"source_tokens": r#"["Das", " Haus"]"#, "target_tokens": r#"["the", " house"]"#});
    shell.write("y.safetensors", tensors(&[("attention", &[1, 1, 2, 2], square.clone())], said));
    shell.ok(&["render", "y.safetensors", "-o", "y.csv"]);
    assert_eq!(shell.text("y.csv").lines().count(), 1 + 4);
    shell.write("z.safetensors", one(&[1, 1, 2, 2], square));
    shell.ok(&["render", "z.safetensors", "-o", "z.csv"]);
    assert_eq!(shell.text("z.csv").lines().count(), 1 + 3);
    shell.ok(&["render", "z.safetensors", "--kind", "cross", "-o", "z.csv"]);
    assert_eq!(shell.text("z.csv").lines().count(), 1 + 4);
}

#[test]
fn fewer_queries_than_keys_are_a_cached_text_only_if_the_weights_allow_it() {
    let shell = Shell::new();
    shell.write("cached.safetensors", one(&[1, 1, 2, 3], vec![0.5, 0.5, 0.0, 0.25, 0.25, 0.5]));
    shell.ok(&["render", "cached.safetensors", "-o", "cached.svg"]);
    assert!(svg(&shell.text("cached.svg")).shows("queries are the last 2 of 3 tokens"));
    shell.write("open.safetensors", one(&[1, 1, 2, 3], even(2, 3)));
    let ran = shell.run(&["render", "open.safetensors", "-o", "open.svg"]);
    assert!(
        ran.err.contains("cross-attention") && ran.err.contains("query 0 of layer 0, head 0 looks at key 2"),
        "{}",
        ran.err
    );
    ran.ok();
    let open = svg(&shell.text("open.svg"));
    assert!(open.shows("2 queries, 3 keys") && !open.shows("queries are the last"), "{:?}", open.texts);
    let (message, hint) = shell.fails(1, &["render", "open.safetensors", "--kind", "causal"]);
    assert!(message.contains("it is not causal") && hint.contains("--kind"), "{message} {hint}");
    assert!(shell.fails(1, &["render", "open.safetensors", "--kind", "encoder"]).0.contains("2 queries and 3 keys"));
    shell.write("tall.safetensors", one(&[1, 1, 3, 2], even(3, 2)));
    let (message, hint) = shell.fails(1, &["render", "tall.safetensors"]);
    assert!(message.contains("3 queries but only 2 keys") && hint.contains("--kind"), "{message} {hint}");
    shell.ok(&["render", "tall.safetensors", "--kind", "cross", "-o", "tall.png"]);
}

#[test]
fn rows_of_nan_are_absent_and_said_and_no_mean_counts_them() {
    let (shell, nan) = (Shell::new(), f32::NAN);
    shell.write(
        "pad.safetensors",
        one(
            &[1, 2, 3, 3],
            [vec![nan, nan, nan, 0.5, 0.5, 0.0, 0.25, 0.25, 0.5], vec![nan, nan, nan, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0]]
                .concat(),
        ),
    );
    let ran = shell.run(&["render", "pad.safetensors", "-o", "pad.svg", "-o", "pad.json", "-o", "pad.npz"]);
    assert!(ran.err.contains("2 rows are absent"), "{}", ran.err);
    ran.ok();
    let picture = svg(&shell.text("pad.svg"));
    assert!(picture.shows("2 rows are absent") && !picture.shows("rows sum"), "{:?}", picture.texts);
    let drawn = json(&shell.read("pad.json"));
    assert_eq!(drawn["results"][0]["absent_rows"], 2);
    assert!(drawn["results"][0]["attention"][0][0][0][0].is_null());
    // Of the queries that can see the second token, those that are there give it ½ and ¼ of one head, nothing of the other; evenly it
    // would get ½ and 3/8.
    let (words, lift) = (&drawn["results"][1]["words"], flat(&drawn["results"][1]["lift"]));
    let second = words.as_array().unwrap().iter().position(|word| word == "1").unwrap();
    assert!((lift[second] - 0.75 / 0.875).abs() < 1e-6, "{words} {lift:?}");
    assert!((flat(&drawn["results"][1]["share"])[second] - 0.75 / 4.0).abs() < 1e-6);
    assert!((flat(&drawn["results"][1]["sink_share"])[0] - 2.75 / 4.0).abs() < 1e-6);
    assert!(floats(&npz(&shell.path("pad.npz"))["attention"])[0].is_nan());
    for again in ["pad.npz", "pad.json"] {
        shell.ok(&["diff", "pad.safetensors", again, "-o", "same.svg"]);
    }
    shell.ok(&["render", "pad.safetensors", "--sink", "renorm", "--reduce", "heads=mean", "-o", "mean.json"]);
    let mean = attention(&json(&shell.read("mean.json"))).1;
    assert!(
        mean[..3].iter().all(|number| !number.is_finite()) && mean[3..].iter().all(|number| number.is_finite()),
        "{mean:?}"
    );
    for (place, number, says) in
        [(4, nan, "NaN at [layer, head, query, key] = [0, 0, 1, 1]"), (8, f32::INFINITY, "inf at")]
    {
        let mut weights = vec![1.0, 0.0, 0.0, 0.5, 0.5, 0.0, 0.25, 0.25, 0.5];
        weights[place] = number;
        shell.write("bad.safetensors", one(&[1, 1, 3, 3], weights));
        assert!(shell.fails(1, &["render", "bad.safetensors"]).0.contains(says));
    }
    shell.write("none.safetensors", one(&[1, 1, 2, 2], vec![nan; 4]));
    assert!(shell.fails(1, &["render", "none.safetensors"]).0.contains("nothing but NaN"));
    // A row that only one of two files has is a difference.
    shell.write("whole.safetensors", one(&[1, 1, 2, 2], vec![1.0, 0.0, 0.5, 0.5]));
    shell.write("half.safetensors", one(&[1, 1, 2, 2], vec![nan, nan, 0.5, 0.5]));
    let ran = shell.run(&["diff", "whole.safetensors", "half.safetensors", "-q", "-o", "d.svg"]);
    assert!(ran.code == Some(3) && ran.err.contains("a number on one side only"), "{}", ran.err);
}

#[test]
fn percentages_are_weights_as_saved_and_no_share() {
    let shell = Shell::new();
    shell.write("percent.safetensors", one(&[1, 1, 4, 5], vec![20.0; 20]));
    shell.ok(&["render", "percent.safetensors", "-o", "p.svg", "-o", "p.json"]);
    let picture = svg(&shell.text("p.svg"));
    for says in
        ["weights as saved: rows sum to 100.00, not 1", "weight as saved", "times what an even spread would give"]
    {
        assert!(picture.shows(says), "{says}: {:?}", picture.texts);
    }
    assert!(!picture.texts.iter().any(|text| text.contains('%') || text.contains("share")), "{:?}", picture.texts);
    assert!(json(&shell.read("p.json"))["results"][1]["sink_share"].is_null());
    let labels: Vec<&str> = picture.texts.iter().map(String::as_str).filter(|text| text.len() == 1).collect();
    let count = |label: &str| labels.iter().filter(|text| **text == label).count();
    assert_eq!((count("3"), count("4")), (3, 2), "queries 0 to 3, keys 0 to 4, bars of keys: {labels:?}");
    shell.ok(&["render", "percent.safetensors", "--sink", "mask", "-o", "m.svg"]);
    assert!(svg(&shell.text("m.svg")).texts.iter().any(|text| text == "attention on the first key is hidden"));
    // Once rows are rescaled, they are shares.
    shell.ok(&["render", "percent.safetensors", "--sink", "renorm", "-o", "r.svg"]);
    assert!(!svg(&shell.text("r.svg")).shows("weight as saved 0"));
}

#[test]
fn an_item_of_a_batch_is_named_and_its_padding_is_left_out() {
    let shell = Shell::new();
    // Two layers of two texts of three positions; of the second the first position is padding.
    let texts: Vec<f32> =
        [vec![1.0, 0.0, 0.0, 0.5, 0.5, 0.0, 0.25, 0.25, 0.5], vec![0.4, 0.3, 0.3, 0.0, 1.0, 0.0, 0.0, 0.125, 0.875]]
            .concat();
    let said = json!({"tokens": r#"[["a", " b", " c"], ["[PAD]", "d", " e"]]"#, "prompt": r#"["a b c", "d e"]"#});
    let header = json!({
        "__metadata__": said,
        "attention_0": {"dtype": "F32", "shape": [2, 1, 3, 3], "data_offsets": [0, 72]},
        "attention_1": {"dtype": "F32", "shape": [2, 1, 3, 3], "data_offsets": [72, 144]},
        "attention_mask": {"dtype": "I64", "shape": [2, 3], "data_offsets": [144, 192]},
    });
    let header = header.to_string();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(texts.iter().chain(&texts).flat_map(|value| value.to_le_bytes()));
    bytes.extend([1i64, 1, 1, 0, 1, 1].iter().flat_map(|value| value.to_le_bytes()));
    shell.write("b.safetensors", bytes);
    let (message, hint) = shell.fails(2, &["render", "b.safetensors"]);
    assert!(
        message.contains("a batch of 2 items") && hint.contains("0 to 1") && hint.contains("--item"),
        "{message} {hint}"
    );
    assert!(shell.fails(2, &["render", "b.safetensors", "--item", "2"]).0.contains("item 2: the file has 2 items"));
    assert!(shell.fails(2, &["diff", "b.safetensors", "b.safetensors"]).1.contains("attnviz render FILE --item"));
    shell.ok(&["render", "b.safetensors", "--item", "0", "-o", "a.json"]);
    let first = json(&shell.read("a.json"));
    assert_eq!((&first["tokens"], &first["prompt"]), (&json!(["a", " b", " c"]), &json!("a b c")));
    let ran = shell.run(&["render", "b.safetensors", "--item", "-1", "-o", "b.json", "-o", "b.svg"]);
    assert!(ran.err.contains("1 of 3 keys are padding and left out (attention_mask)"), "{}", ran.err);
    ran.ok();
    let second = json(&shell.read("b.json"));
    assert_eq!((&second["tokens"], &second["prompt"]), (&json!(["d", " e"]), &json!("d e")));
    assert_eq!(attention(&second), (vec![2, 1, 2, 2], [1.0, 0.0, 0.125, 0.875].repeat(2)));
    assert!(second["results"][0]["kind"].is_null(), "without padding it is causal");
    assert!(svg(&shell.text("b.svg")).shows("1 of 3 queries are padding"));
    shell.ok(&["rerun", "b.svg", "--input", "b.safetensors"]);
}

#[test]
fn encoder_attention_keeps_its_upper_half() {
    let (shell, n) = (Shell::new(), 4);
    shell.write("e.safetensors", one(&[1, 1, n, n], even(n, n)));
    shell.ok(&["render", "e.safetensors", "-o", "e.svg", "-o", "e.json"]);
    assert_eq!(json(&shell.read("e.json"))["results"][0]["kind"], "encoder");
    let drawing = Drawing::of(&shell.text("e.svg"));
    assert_eq!(drawing.frames.len(), 2, "the map and the scale");
    let picture = svg(&shell.text("e.svg"));
    assert!(picture.shows("times what an even spread would give"), "{:?}", picture.texts);
}

#[test]
fn many_positions_without_names_are_numbered_once() {
    let (shell, n) = (Shell::new(), 120);
    shell.write("p.safetensors", one(&[1, 1, n, n], even(n, n)));
    shell.ok(&["render", "p.safetensors", "-o", "p.svg"]);
    let picture = svg(&shell.text("p.svg"));
    assert!(
        ["0", "5", "10", "115"].iter().all(|tick| picture.texts.iter().filter(|text| text == tick).count() >= 2),
        "{:?}",
        picture.texts
    );
    assert!(!picture.shows("5 5"), "{:?}", picture.texts);
    // The last of a cached text have the numbers of their keys.
    let row = |query: usize| (0..n).map(move |key| if key <= 20 + query { 1.0 / (21 + query) as f32 } else { 0.0 });
    shell.write("c.safetensors", one(&[1, 1, 100, n], (0..100).flat_map(row).collect()));
    shell.ok(&["render", "c.safetensors", "-o", "c.svg"]);
    let ticks = svg(&shell.text("c.svg")).texts;
    assert_eq!(ticks.iter().filter(|text| *text == "20").count(), 2, "{ticks:?}");
}

#[test]
fn files_of_other_formats_are_named() {
    let shell = Shell::new();
    for (name, bytes, says) in [
        ("a.h5", &b"\x89HDF\r\n\x1a\n0000"[..], "HDF5"),
        ("a.gguf", b"GGUF\x03\0\0\0", "GGUF"),
        ("a.json", b" {\"attention\": [[[[1.0]]]]}", "JSON"),
        ("a.json.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\0", "gzip"),
        ("a.pkl", b"\x80\x04\x95\x0a\0\0\0\0", "pickle"),
        ("a.png", b"\x89PNG\r\n\x1a\n", "picture"),
        ("a.txt", b"attention", "neither safetensors nor NPZ"),
        ("it's; x.pkl", b"\x80\x04\x95\x0a\0\0\0\0", "pickle"),
    ] {
        shell.write(name, bytes);
        let (message, hint) = shell.fails(1, &["render", name]);
        assert!(message.contains(says) && message.contains(name), "{name}: {message}");
        assert!(!hint.contains(name) || hint.contains(&format!("'{name}'")), "{hint}");
    }
    assert!(shell.fails(1, &["render", "it's; x.pkl"]).1.contains(r"'it\'s; x.npz'"));
}

#[test]
fn a_small_file_cannot_ask_for_much() {
    let shell = Shell::new();
    for (shape, says) in [
        ("(4096, 4096, 1, 1)", "too large"),
        ("(1, 1, 1, 30000000)", "too large"),
        ("(1, 1, 131073, 1)", "too large"),
        ("(1, 131073, 1, 1, 1)", "too large"),
        ("(2, 2, 1000, 1000)", "bytes"),
    ] {
        shell.write("a.npz", member(shape, &[0; 16]));
        for command in [&["render", "a.npz"][..], &["diff", "a.npz", "a.npz"]] {
            let (message, _) = shell.fails(1, command);
            assert!(message.contains(says), "{shape}: {message}");
        }
    }
}

#[test]
fn a_hint_quotes_the_names_of_files() {
    let shell = Shell::new();
    shell.write("a b; c.safetensors", one(&[1, 1, 2, 2], vec![1.0, 0.0, 0.5, 0.5]));
    shell.ok(&["render", "a b; c.safetensors", "-o", "d $e.svg"]);
    let hint = shell.fails(1, &["rerun", "d $e.svg"]).1;
    assert!(hint.contains("attnviz rerun 'd $e.svg' --input 'a b; c.safetensors'"), "{hint}");
}
