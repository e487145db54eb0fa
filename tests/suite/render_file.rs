//! `attnviz render`: attention that other programs saved, drawn and exported like a model's own.
use crate::support::drawing::{Drawing, colour, hex};
use crate::support::results::{attention, builtin, flat, floats, json, npz, png, svg, tensors};
use crate::support::shell::Shell;
use attnviz::figure::{Colormap, Matrix, Scale, ScaleKind, Theme};
use serde_json::{Value, json};
use std::path::Path;

/// What three lines of Python save, of models that are small, random, and not all GPT-2: see make_traces.py.
fn trace(name: &str) -> String {
    format!("{}/tests/fixtures/traces/{name}", env!("CARGO_MANIFEST_DIR"))
}

const GALLERY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/gallery/gpt2.safetensors");

fn numbers(file: &str, flags: &[&str]) -> Value {
    json(&Shell::new().ok(&[&["render", file, "-q", "-o", "-", "--format", "json"], flags].concat()))
}

#[test]
fn three_lines_of_python_make_a_file_that_is_drawn() {
    let (shell, file) = (Shell::new(), trace("gpt2.safetensors"));
    assert_eq!(shell.says(&["render", &file]), "render-gpt2.png\n");
    let picture = png(&shell.read("render-gpt2.png"));
    let theirs = floats(&tensors(Path::new(&file))["attention"]); // [2, 3, 6, 6]
    let scale = Scale::over(ScaleKind::Linear, Colormap::Tide, "", [&Matrix::new(1, 216, theirs.clone())]);
    shell.ok(&["render", &file, "-o", "sheet.svg"]);
    let drawing = Drawing::of(&shell.text("sheet.svg"));
    assert_eq!(drawing.frames.len(), 6 + 1, "one is the scale's");
    for (at, value) in theirs.iter().enumerate().filter(|(at, _)| at % 6 <= at / 6 % 6) {
        let (x, y) = drawing.frames[at / 36].cell((6, 6), at / 6 % 6, at % 6).middle();
        assert_eq!(hex(picture.at(x, y)), colour(*value, &scale, Theme::Light), "number {at}");
    }
    assert_eq!(picture.record["command"], "render");
    assert_eq!(picture.record["input"]["name"], "gpt2.safetensors");
    assert_eq!(picture.record["model"]["name"], "");

    shell.ok(&["render", &file, "--layer", "1", "--head", "-1", "-o", "head.svg"]);
    let head = svg(&shell.text("head.svg"));
    assert!(head.shows("gpt2.safetensors · layer 1, head 2 · 6 tokens"), "{:?}", head.texts);
    // Nobody said what the tokens are: positions label them, and the file's name is the headline.
    assert_eq!(head.texts.iter().filter(|text| *text == "5").count(), 3, "row, column, bar: {:?}", head.texts);
    assert!(head.texts.iter().any(|text| text == "gpt2.safetensors"));
    assert!(!head.shows("rows sum") && !head.shows("next:"));
}

#[test]
fn every_format_holds_the_numbers_of_the_file() {
    let (shell, file) = (Shell::new(), trace("gpt2.safetensors"));
    let theirs = floats(&tensors(Path::new(&file))["attention"]);
    shell.ok(&["render", &file, "-o", "a.json", "-o", "a.safetensors", "-o", "a.npz", "-o", "a.csv", "-o", "a.txt"]);
    let (shape, ours) = attention(&json(&shell.read("a.json")));
    assert_eq!((shape, &ours), (vec![2, 3, 6, 6], &theirs));
    assert_eq!(floats(&tensors(&shell.path("a.safetensors"))["attention"]), theirs);
    assert_eq!(floats(&npz(&shell.path("a.npz"))["attention"]), theirs);
    let table = shell.text("a.csv");
    let listed = table.lines().skip(1).map(|line| line.rsplit(',').next().unwrap().parse::<f32>().unwrap());
    let visible = theirs.iter().enumerate().filter(|(at, _)| at % 6 <= at / 6 % 6).map(|(_, value)| *value);
    assert!(listed.eq(visible), "one line for each visible pair: {table}");
    assert!(shell.text("a.txt").contains("gpt2.safetensors"));
    // What was exported is read again, to the same numbers.
    for again in ["a.safetensors", "a.npz"] {
        assert_eq!(attention(&numbers(shell.path(again).to_str().unwrap(), &[])).1, theirs, "{again}");
    }
}

#[test]
fn a_model_that_looks_both_ways_keeps_its_upper_half_and_its_words() {
    let file = trace("bert.npz");
    let all = numbers(&file, &["--layer", "1", "--head", "0"]);
    assert_eq!(all["tokens"], json!(["[CLS]", "over", "##fit", "##ting", "hurts", "[SEP]"]));
    assert_eq!(all["token_ids"], json!([5, 17, 3, 9, 9, 1]));
    assert_eq!(all["prompt"], "overfitting hurts");
    let (_, cells) = attention(&all);
    assert!(cells[5] > 0.9, "query 0 looks ahead: {cells:?}");
    let words = numbers(&file, &["--layer", "1", "--head", "0", "--words"]);
    assert_eq!(words["results"][0]["words"], json!(["[CLS]", "overfitting", "hurts", "[SEP]"]));
    let (shape, gathered) = attention(&words);
    assert_eq!(shape, [1, 1, 4, 4]);
    assert!((gathered[1] - cells[1..4].iter().sum::<f32>()).abs() < 1e-6);

    let shell = Shell::new();
    shell.ok(&["render", &file, "--layer", "0", "--head", "1", "-o", "a.csv", "-o", "a.svg", "--sink", "renorm"]);
    assert_eq!(shell.text("a.csv").lines().count(), 1 + 36, "every pair is visible");
    let picture = svg(&shell.text("a.svg"));
    assert!(
        picture.texts.iter().any(|text| text == "overfitting hurts") && picture.shows("##ting"),
        "{:?}",
        picture.texts
    );
}

#[test]
fn queries_that_continue_a_cached_text_are_its_last_tokens() {
    let file = trace("llama.safetensors");
    let shell = Shell::new();
    shell.ok(&["render", &file, "--layer", "0", "--head", "0", "-o", "a.svg", "-o", "a.json", "-o", "a.csv"]);
    let picture = svg(&shell.text("a.svg"));
    assert!(picture.shows("queries are the last 2 of 6 tokens"), "{:?}", picture.texts);
    assert_eq!(attention(&json(&shell.read("a.json"))).0, [1, 1, 2, 6]);
    let csv = shell.text("a.csv");
    assert_eq!(csv.lines().count(), 1 + 5 + 6);
    assert!(csv.lines().nth(1).unwrap().starts_with("0,0,4,4,0,0,"), "{csv}");
    shell.ok(&["render", &file, "-o", "sheet.png"]);
}

#[test]
fn a_file_of_attnviz_keeps_the_numbers_of_its_layers_and_what_was_done_to_them() {
    let shell = Shell::new();
    let text = "Once upon a time there was";
    shell.ok(&["-m", "builtin", text, "--layer", "2,4", "--head", "3,1", "-o", "two.safetensors", "-o", "two.json"]);
    let again = numbers(shell.path("two.safetensors").to_str().unwrap(), &[]);
    let first = json(&shell.read("two.json"));
    for what in ["tokens", "token_ids", "prompt"] {
        assert_eq!(again[what], first[what], "{what}");
    }
    assert_eq!(again["model"]["hash"], first["model"]["hash"]);
    for what in ["layers", "heads", "attention"] {
        assert_eq!(again["results"][0][what], first["results"][0][what], "{what}");
    }
    let one = numbers(shell.path("two.safetensors").to_str().unwrap(), &["--layer", "-1", "--head", "1"]);
    assert_eq!(one["results"][0]["layers"], json!([4]));
    assert_eq!(flat(&one["results"][0]["attention"]), flat(&first["results"][0]["attention"][1][1]));
    let (message, hint) = shell.fails(2, &["render", "two.safetensors", "--layer", "3"]);
    assert_eq!(
        (message.as_str(), hint.as_str()),
        ("layer 3: the file has 2 layers", "the file has only 2, 4 (--layer)")
    );

    shell.ok(&[
        "-m",
        "builtin",
        text,
        "--reduce",
        "heads=mean,layers=max",
        "--words",
        "-o",
        "one.npz",
        "-o",
        "one.json",
    ]);
    shell.ok(&["render", "one.npz", "-o", "one.svg", "-o", "again.json"]);
    let (one, again) = (json(&shell.read("one.json")), json(&shell.read("again.json")));
    for what in ["layers", "heads", "attention", "reduce_heads", "reduce_layers", "words"] {
        assert_eq!(again["results"][0][what], one["results"][0][what], "{what}");
    }
    let picture = svg(&shell.text("one.svg"));
    assert!(
        picture.shows(&format!("max of {} layers, mean of", builtin().0)) && picture.shows(", by word"),
        "{:?}",
        picture.texts
    );
    assert!(picture.shows("one.npz from builtin"), "{:?}", picture.texts);
    shell.fails(2, &["render", "one.npz", "--words"]);
}

#[test]
fn heads_that_were_picked_stand_side_by_side_again() {
    let (shell, text) = (Shell::new(), "Once upon a time there was");
    let files = ["-o", "a.npz", "-o", "a.safetensors", "-o", "a.json", "-o", "a.csv", "-o", "a.svg"];
    shell.ok(&[&["-m", "builtin", text, "--heads", "4.1,2.3,4.0"], &files[..]].concat());
    let (first, table, drawn) = (json(&shell.read("a.json")), shell.text("a.csv"), Drawing::of(&shell.text("a.svg")));
    for file in ["a.npz", "a.safetensors"] {
        shell.ok(&["render", file, "-o", "again.json", "-o", "again.csv", "-o", "again.svg", "-o", "again.npz"]);
        let again = json(&shell.read("again.json"));
        for what in ["tokens", "token_ids", "prompt"] {
            assert_eq!(again[what], first[what], "{file}: {what}");
        }
        for at in 0..3 {
            for what in ["method", "layers", "heads", "attention"] {
                assert_eq!(again["results"][at][what], first["results"][at][what], "{file}: {at}, {what}");
            }
        }
        assert_eq!(shell.text("again.csv"), table, "{file}");
        let picture = svg(&shell.text("again.svg"));
        assert!(picture.shows("heads 4.1, 2.3, 4.0") && picture.shows("layer 2, head 3"), "{:?}", picture.texts);
        assert_eq!(Drawing::of(&shell.text("again.svg")).frames.len(), drawn.frames.len(), "{file}");
        // What was made of it is read again, too.
        shell.ok(&["render", "again.npz", "-o", "third.csv"]);
        assert_eq!(shell.text("third.csv"), table, "{file}");
    }
    let some = numbers(shell.path("a.npz").to_str().unwrap(), &["--heads", "4.0,2.3"]);
    assert_eq!(some["results"][0]["attention"], first["results"][2]["attention"]);
    assert_eq!(some["results"][1]["attention"], first["results"][1]["attention"]);
    // All that there is of a layer is a row of it.
    let layer = numbers(shell.path("a.npz").to_str().unwrap(), &["--layer", "4"]);
    assert_eq!((&layer["results"][0]["layers"], &layer["results"][0]["heads"]), (&json!([4]), &json!([1, 0])));
    shell.ok(&["render", "a.npz", "-o", "{layer}.{head}.png"]);
    for name in ["4.1.png", "2.3.png", "4.0.png"] {
        assert!(shell.files().iter().any(|file| file == name), "{name}");
    }
    let (message, hint) = shell.fails(2, &["render", "a.npz", "--heads", "2.1"]);
    assert!(message.contains("head 2.1") && hint.contains("the file has only 4.1, 2.3, 4.0"), "{message} {hint}");
    shell.fails(2, &["render", "a.npz", "--reduce", "heads=mean"]);
    assert!(shell.fails(1, &["render", "a.json"]).1.contains("attnviz rerun a.json -o a.npz"));
}

#[test]
fn ranked_words_and_templates_work_as_with_a_model() {
    let shell = Shell::new();
    let csv = shell.says(&["render", &trace("bert.npz"), "--received", "-o", "-", "--format", "csv"]);
    assert!(csv.starts_with("rank,word,first_token,last_token,lift,share\n1,"), "{csv}");
    assert_eq!(csv.lines().count(), 1 + 3, "all words but the first token");
    shell.ok(&["render", GALLERY, "--layer", "4", "--head", "11,0", "-o", "{slug}-{layer}.{head}.png"]);
    assert_eq!(shell.files(), ["gpt2-4.0.png", "gpt2-4.11.png"]);
    assert_eq!(png(&shell.read("gpt2-4.11.png")).record["part"], json!({"layer": "4", "head": "11"}));
}

#[test]
fn real_gpt2_attends_to_the_previous_token_in_head_4_11() {
    let head = numbers(GALLERY, &["--layer", "4", "--head", "11"]);
    let (_, cells) = attention(&head);
    let mean = (1..6).map(|query| cells[query * 6 + query - 1]).sum::<f32>() / 5.0;
    assert!((mean - 0.999_853_6).abs() < 1e-6, "{mean}");
    assert_eq!(head["tokens"][2], " spaceship");
}

/// A safetensors file with `attention` of this shape and these numbers.
fn file(shape: &[usize], values: &[f32]) -> Vec<u8> {
    let header =
        json!({"attention": {"dtype": "F32", "shape": shape, "data_offsets": [0, 4 * values.len()]}}).to_string();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}

#[test]
fn rows_that_do_not_sum_to_1_are_drawn_and_spoken_of_and_negative_weights_are_refused() {
    let shell = Shell::new();
    shell.write("half.safetensors", file(&[1, 1, 2, 2], &[0.5, 0.0, 0.25, 0.25]));
    shell.write("padded.safetensors", file(&[1, 1, 2, 2], &[1.0, 0.0, 0.0, 0.0]));
    shell.write("scores.safetensors", file(&[1, 1, 2, 2], &[1.0, -0.5, 0.0, 0.0]));
    shell.ok(&["render", "half.safetensors", "-o", "half.svg"]);
    assert!(svg(&shell.text("half.svg")).shows("rows sum to 0.50, not 1"));
    shell.ok(&["render", "padded.safetensors", "-o", "padded.svg"]);
    assert!(svg(&shell.text("padded.svg")).shows("rows sum to 0.00 to 1.00, not 1"));
    let (message, hint) = shell.fails(1, &["render", "scores.safetensors"]);
    assert!(
        message.contains("scores.safetensors") && message.contains("-0.5") && hint.contains("softmax"),
        "{message}"
    );
}

#[test]
fn what_cannot_be_drawn_is_said_in_two_lines() {
    let shell = Shell::new();
    shell.write("text.npz", "no zip at all").write("cut.safetensors", &file(&[1, 1, 2, 2], &[1.0; 4])[..60]);
    for name in ["absent.npz", "text.npz", "cut.safetensors", "."] {
        assert!(shell.fails(1, &["render", name]).0.contains(name));
    }
    let (message, hint) = shell.fails(2, &["render", &trace("gpt2.safetensors"), "--words"]);
    assert!(message.contains("words") && hint.contains("tokens") && hint.contains("--words"), "{message} {hint}");
    shell.fails(2, &["render", &trace("gpt2.safetensors"), "--head", "3"]);
    shell.fails(2, &["render"]);
    assert_eq!(shell.files(), ["cut.safetensors", "text.npz"]);
}

#[test]
fn numbers_in_a_header_that_no_model_has_are_not_believed() {
    let shell = Shell::new();
    let said = json!({"layers": [u64::MAX], "heads": [1u64 << 40], "settings": {"reduce_layers": "mean"}, "words": 3})
        .to_string();
    let header = json!({"__metadata__": {"attnviz": said}, "attention": {"dtype": "F32", "shape": [1, 1, 1, 1], "data_offsets": [0, 4]}});
    let header = header.to_string();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(1f32.to_le_bytes());
    shell.write("odd.safetensors", bytes);
    shell.ok(&["render", "odd.safetensors", "--layer", "0", "--head", "-1", "-o", "odd.svg"]);
    assert!(svg(&shell.text("odd.svg")).shows("layer 0, head 0 · 1 token"));
}
