//! What is selected, reduced, gathered or added is what transformers computes from it.
use crate::support::base::{BASE, N, TEXT, golden, near};
use crate::support::results::{attention, builtin, flat, floats, json, png, shape, svg, tensors};
use crate::support::shell::Shell;
use attnviz::checkpoint::{Checkpoint, Source};
use attnviz::findings::{Asked, Output, Subject, find, find_all};
use attnviz::format::Format;
use attnviz::prompt::Prompt;
use attnviz::session::Session;
use candle_core::{IndexOp, Tensor};
use serde_json::{Value, json};

/// The attention of a run on the fixture with these flags, as JSON.
fn numbers(flags: &[&str]) -> Value {
    json(&Shell::new().ok(&[&["-m", BASE, TEXT, "-q", "-o", "-", "--format", "json"], flags].concat()))
}

#[test]
fn selections_count_from_both_ends_and_keep_their_order() {
    let golden = floats(&golden()["attention"]);
    let one = |layer: usize, head: usize| golden[(layer * 2 + head) * N * N..][..N * N].to_vec();
    let all = numbers(&[]);
    assert_eq!(attention(&all).0, [2, 2, N, N]);
    near(&attention(&all).1, &golden, 1e-5);
    let picked = numbers(&["--layer", "-1", "--head", "1,0"]);
    assert_eq!(picked["results"][0]["layers"], json!([1]));
    assert_eq!(picked["results"][0]["heads"], json!([1, 0]));
    near(&attention(&picked).1, &[one(1, 1), one(1, 0)].concat(), 1e-5);
    let last = numbers(&["--layer=-2--1", "--head=-1"]);
    near(&attention(&last).1, &[one(0, 1), one(1, 1)].concat(), 1e-5);

    let shell = Shell::new();
    let args =
        ["-m", "builtin", "Once", "-q", "-o", "-", "--format", "json", "--layer", " 0, 2-4,-1,3", "--head", "-2--1"];
    let picked = json(&shell.ok(&args));
    assert_eq!(picked["results"][0]["layers"], json!([0, 2, 3, 4]));
    let heads = builtin().1;
    assert_eq!(picked["results"][0]["heads"], json!([heads - 2, heads - 1]));
}

#[test]
fn reductions_are_means_and_maxima_of_the_maps() {
    let golden = golden();
    let maps = &golden["attention"];
    let check = |reduce: &str, expected: Tensor, layers: &str, heads: &str| {
        let data = numbers(&["--reduce", reduce]);
        let (shape, values) = attention(&data);
        assert_eq!(shape, expected.dims(), "{reduce}");
        near(&values, &floats(&expected), 1e-5);
        let shell = Shell::new();
        let csv = shell.says(&["-m", BASE, TEXT, "--reduce", reduce, "-o", "-", "--format", "csv"]);
        let first: Vec<&str> = csv.lines().nth(1).unwrap().split(',').collect();
        assert_eq!(first[..2], [layers, heads], "{reduce}");
    };
    check("heads=mean", maps.mean_keepdim(1).unwrap(), "0", "mean");
    check("layers=max", maps.max_keepdim(0).unwrap(), "max", "0");
    check("heads=max,layers=mean", maps.max_keepdim(1).unwrap().mean_keepdim(0).unwrap(), "mean", "max");
    check("layers=mean,heads=mean", maps.mean_keepdim(1).unwrap().mean_keepdim(0).unwrap(), "mean", "mean");
    let rows = attention(&numbers(&["--reduce", "heads=mean,layers=mean"])).1;
    rows.chunks(N).for_each(|row| near(&[row.iter().sum()], &[1.0], 1e-5));
}

#[test]
fn the_sink_is_masked_or_its_mass_spread_again() {
    let plain = attention(&numbers(&[])).1;
    let masked = attention(&numbers(&["--sink", "mask"])).1;
    let renormed = attention(&numbers(&["--sink", "renorm"])).1;
    for (at, row) in plain.chunks(N).enumerate() {
        let (hidden, spread) = (&masked[at * N..][..N], &renormed[at * N..][..N]);
        assert_eq!((hidden[0], spread[0]), (0.0, 0.0));
        assert_eq!(hidden[1..], row[1..]);
        let rest = 1.0 - row[0];
        let expected = if at % N == 0 { 0.0 } else { 1.0 };
        near(&[spread.iter().sum()], &[expected], 1e-5);
        if at % N > 0 {
            near(&[spread[1] * rest], &[row[1]], 1e-5);
        }
    }
}

#[test]
fn words_gather_tokens_and_rows_still_sum_to_one() {
    let words = numbers(&["--words"]);
    assert_eq!(words["results"][0]["words"], json!(["The", "café", "is", "in", "Zoë", "."]));
    let (shape, values) = attention(&words);
    assert_eq!(shape, [2, 2, 6, 6]);
    values.chunks(6).for_each(|row| near(&[row.iter().sum()], &[1.0], 1e-5));
    assert_eq!(words["tokens"].as_array().unwrap().len(), N);
    let spaced = numbers(&["--words=space"]);
    assert_eq!(spaced["results"][0]["words"], json!(["The", "café", "is", "in", "Zoë."]));
    let shell = Shell::new();
    shell.ok(&["-m", BASE, TEXT, "--words", "--layer", "0", "--head", "0", "-o", "a.svg"]);
    let map = svg(&shell.text("a.svg"));
    assert!(map.shows("café") && map.shows("by word") && !map.texts.contains(&"Z".into()), "{:?}", map.texts);
    // A text after --words is the prompt, not a rule.
    assert_eq!(
        attention(&json(&shell.ok(&["-m", BASE, "--words", "The ca", "-o", "-", "--format", "json"]))).0[2..],
        [2, 2]
    );
}

#[test]
fn bos_begins_with_the_models_own_token() {
    let data = numbers(&["--bos"]);
    assert_eq!(data["token_ids"][0], 299);
    assert_eq!(data["tokens"][0], "<|endoftext|>");
    assert_eq!(data["prompt"], TEXT);
    assert_eq!(attention(&data).0, [2, 2, N + 1, N + 1]);
    let shell = Shell::new();
    let twice = json(&shell.ok(&["-m", BASE, "--bos", "--ids", "299,5", "-o", "-", "--format", "json"]));
    assert_eq!(twice["token_ids"], json!([299, 5]));
    shell.ok(&["-m", BASE, TEXT, "--bos", "-o", "a.svg"]);
    let sheet = svg(&shell.text("a.svg"));
    assert_eq!(sheet.record["token_ids"][0], 299);
    assert!(sheet.texts.iter().any(|text| text == TEXT), "the headline is the prompt: {:?}", sheet.texts);
}

#[test]
fn ids_stand_for_their_text() {
    let shell = Shell::new();
    let ids = golden()["ids"].to_vec1::<i64>().unwrap().iter().map(i64::to_string).collect::<Vec<_>>().join(",");
    let by_ids = json(&shell.ok(&["-m", BASE, "--ids", &ids, "-o", "-", "--format", "json"]));
    let by_text = numbers(&[]);
    assert_eq!(by_ids["prompt"], TEXT);
    assert!(by_ids == by_text);
    shell.write("p.txt", format!("{TEXT}\r\n"));
    for args in [["--file", "p.txt"], ["-", "-q"]] {
        let all = [&["-m", BASE, "-o", "-", "--format", "json"], &args[..]].concat();
        assert!(json(&shell.pipe(&all, format!("{TEXT}\n").as_bytes()).ok()) == by_text, "{args:?}");
    }
    assert_eq!(shell.says(&["-m", BASE, "--ids", "5,6"]), "attention-ids-base.png\n");
}
#[test]
fn received_ranks_words_by_how_many_times_an_even_spread_they_get() {
    let shell = Shell::new();
    let csv = shell.says(&["-m", BASE, TEXT, "--received", "-o", "-", "--format", "csv"]);
    let golden = floats(&golden()["attention"]);
    let at = |map: usize, query: usize, key: usize| golden[(map * N + query) * N + key];
    let each = |key: usize| (0..4).flat_map(move |map| (key..N).map(move |query| (map, query)));
    let sum = |key: usize| each(key).map(|(map, query)| at(map, query, key)).sum::<f32>();
    let even = |key: usize| each(key).map(|(map, query)| (1.0 - at(map, query, 0)) / query as f32).sum::<f32>();
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("rank,word,first_token,last_token,lift,share"));
    let (mut last, mut covered, mut words) = (f32::MAX, 0, Vec::new());
    for (place, line) in lines.enumerate() {
        let cells: Vec<&str> = line.split(',').collect();
        let (first, end) = (cells[2].parse::<usize>().unwrap(), cells[3].parse::<usize>().unwrap());
        let [lift, share] = [4, 5].map(|cell| cells[cell].parse::<f32>().unwrap());
        assert_eq!(cells[0], (place + 1).to_string());
        let total = (first..=end).map(sum).sum::<f32>();
        near(&[lift, share], &[total / (first..=end).map(even).sum::<f32>(), total / (4 * N) as f32], 1e-5);
        assert!(lift <= last);
        last = lift;
        covered += end - first + 1;
        words.push(cells[1].to_string());
    }
    assert_eq!(covered, N - 1, "every token but the first");
    let mut sorted = words.clone();
    sorted.sort();
    assert_eq!(
        sorted,
        [".", "The", "Zoë", "café", "in", "is"]
            .into_iter()
            .filter(|w| words.contains(&w.to_string()))
            .collect::<Vec<_>>()
    );
    assert!(words.contains(&"café".into()) && words.contains(&"Zoë".into()), "{words:?}");

    shell.ok(&["-m", BASE, TEXT, "--received", "-o", "a.json", "-o", "a.svg", "-o", "a.png", "-o", "a.txt"]);
    let data = json(&shell.read("a.json"));
    assert_eq!(data["results"][0]["words"], json!(words));
    let chart = svg(&shell.text("a.svg"));
    assert!(words.iter().all(|word| chart.shows(word)) && !chart.shows("layer"), "{:?}", chart.texts);
    assert_eq!(png(&shell.read("a.png")).record["prompt"], TEXT);
    assert!(words.iter().all(|word| shell.text("a.txt").contains(word.as_str())));
    for (flags, about) in [(["-o", "a.npz"], ".csv"), (["-o", "{head}.png"], "{layer}")] {
        let (_, hint) = shell.fails(2, &[&["-m", BASE, TEXT, "--received"], &flags[..]].concat());
        assert!(hint.contains(about), "{hint}");
    }
}

#[test]
fn more_arrays_are_those_of_transformers() {
    let shell = Shell::new();
    let golden = golden();
    shell.ok(&[
        "-m",
        BASE,
        TEXT,
        "--with",
        "logits,hidden,scores",
        "-o",
        "a.safetensors",
        "-o",
        "a.npz",
        "-o",
        "a.json",
    ]);
    let all = tensors(&shell.path("a.safetensors"));
    let data = json(&shell.read("a.json"));
    for (name, dims) in [("logits", vec![N, 300]), ("hidden", vec![3, N, 16]), ("scores", vec![2, 2, N, N])] {
        assert_eq!(all[name].dims(), dims, "{name}");
        let theirs = floats(&golden[name]);
        let size = theirs.iter().filter(|x| x.is_finite()).fold(1.0f32, |max, x| max.max(x.abs()));
        near(&floats(&all[name]), &theirs, 1e-5 * size);
        assert_eq!(shape(&data["results"][0][name]), dims, "{name}");
        assert_eq!(flat(&data["results"][0][name]), floats(&all[name]), "{name}");
    }
    let npz = Tensor::read_npz_by_name(shell.path("a.npz"), &["logits", "hidden", "scores"]).unwrap();
    for (tensor, name) in npz.iter().zip(["logits", "hidden", "scores"]) {
        assert_eq!(floats(tensor), floats(&all[name]));
    }
    shell.ok(&["-m", BASE, TEXT, "--with", "scores", "--head", "-1", "--layer", "1", "-o", "b.safetensors"]);
    let one = tensors(&shell.path("b.safetensors"));
    assert_eq!(one["scores"].dims(), [1, 1, N, N]);
    assert!(!one.contains_key("logits"));
    assert_eq!(floats(&one["scores"]), floats(&all["scores"].i((1, 1)).unwrap()));
    let (message, hint) = shell.fails(2, &["-m", BASE, TEXT, "--with", "logits", "-o", "a.png"]);
    assert!(message.contains("data file") && hint.contains(".npz") && hint.contains("--with"), "{message} {hint}");
}

#[test]
fn a_prompt_without_tokens_is_an_error_of_every_analysis_that_needs_one() {
    let session = Session::new(Checkpoint::open(&Source::Directory(BASE.into())).unwrap()).unwrap();
    let outputs = [Output::whole(Format::Json)];
    for command in ["attention", "saliency", "lens", "heads", "mix"] {
        let asked: Asked = serde_json::from_value(json!({"command": command, "options": {}})).unwrap();
        let subject = || Subject::new(&session, Prompt::default(), &asked);
        let one = find(asked.analysis(), subject().unwrap(), &outputs).map(drop);
        let all = find_all(asked.analysis(), &session, vec![subject(), subject()], &outputs);
        for found in all.into_iter().map(|found| found.map(drop)).chain([one]) {
            assert_eq!(found.is_err(), asked.analysis().needs_prompt(), "{command}");
        }
    }
}

#[test]
fn heads_named_one_by_one_have_the_rows_and_numbers_of_all_heads() {
    let shell = Shell::new();
    let prompt = ["Once upon a time", "-m", "builtin", "-q"];
    let picked = ["--heads", "4.1,1.2", "-o", "a.csv", "-o", "a.npz", "-o", "a.safetensors", "-o", "a.json"];
    shell.ok(&[&prompt[..], &picked].concat());
    shell.ok(&[&prompt[..], &["-o", "all.csv"]].concat());
    let of = |file: &str, place: &str| -> Vec<String> {
        shell.text(file).lines().filter(|line| line.starts_with(place)).map(str::to_owned).collect()
    };
    for place in ["4,1,", "1,2,"] {
        assert_eq!(of("a.csv", place), of("all.csv", place), "{place}");
        assert_eq!(of("a.csv", place).len(), 10);
    }
    assert_eq!(shell.text("a.csv").lines().count(), 21, "a line of names and two heads");
    for file in ["a.npz", "a.safetensors"] {
        let ran = shell.run(&["diff", file, "a.json", "-o", "diff.png"]);
        assert!(ran.err.contains("do not differ"), "{file}: {}", ran.err);
    }
}
