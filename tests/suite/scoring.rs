//! Scores of texts and pairs are what transformers computes, however texts are packed and windows slide.
use crate::support::results::json;
use crate::support::shell::Shell;
use attnviz::analysis::scoring::{Beside, Scored, Text, Windows, score};
use attnviz::checkpoint::{Checkpoint, Source};
use attnviz::findings::surprisal::{Long, Options};
use attnviz::findings::{Asked, Findings, Subject, Words, find};
use attnviz::model::{NoTap, Segments};
use attnviz::session::Session;
use serde_json::Value;

fn session() -> Session {
    Session::new(Checkpoint::open(&Source::Builtin).unwrap()).unwrap()
}

fn golden() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/scoring.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn floats(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap_or(f64::NAN)).collect()
}

#[test]
fn texts_with_a_common_beginning_have_the_numbers_that_each_has_alone() {
    let session = session();
    let texts = [
        "Once upon a time there was a king",
        "Once upon a time there was a queen",
        "Once upon",
        "The king",
        "Once upon a time there was a king",
    ];
    let ids: Vec<Vec<u32>> = texts.iter().map(|text| session.tokenizer.encode(text).unwrap()).collect();
    let of = |ids: &[&[u32]]| -> Vec<Scored> {
        let texts: Vec<Text> = ids.iter().map(|ids| Text::new(ids)).collect();
        score(session.model(), &texts, Beside::default(), &|_, _| ()).unwrap()
    };
    let together = of(&ids.iter().map(|ids| &ids[..]).collect::<Vec<_>>());
    for (ids, together) in ids.iter().zip(&together) {
        let alone = &of(&[ids])[0];
        assert_eq!(alone.tokens.len(), ids.len() - 1);
        for (a, b) in alone.tokens.iter().zip(&together.tokens) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
    }
    assert_eq!(together[0], together[4]);
}

#[test]
fn surprisal_of_odd_and_long_texts_is_that_of_transformers() {
    let session = session();
    for case in golden()["surprisal"].as_array().unwrap() {
        let size = |name: &str| case[name].as_u64().unwrap() as usize;
        // Many windows take minutes without optimisation.
        if size("windows") > 4 && cfg!(debug_assertions) {
            continue;
        }
        let ids: Vec<u32> = session
            .spec()
            .bos
            .into_iter()
            .chain(session.tokenizer.encode(case["text"].as_str().unwrap()).unwrap())
            .collect();
        assert_eq!(ids.len(), size("tokens"), "{}", case["name"]);
        let mut windows = Windows::new(session.model(), size("window"), size("stride"), None);
        let mut bits: Vec<f64> = Vec::new();
        for ids in ids.chunks(100) {
            bits.extend(windows.push(ids).unwrap().tokens);
        }
        bits.extend(windows.finish().unwrap().tokens);
        bits.iter_mut().for_each(|ln| *ln /= -std::f64::consts::LN_2);
        let theirs = floats(&case["bits"]);
        let ours: Vec<f64> =
            if bits.len() <= 64 { bits } else { bits.chunks(32).map(|part| part.iter().sum()).collect() };
        assert_eq!(ours.len(), theirs.len(), "{}", case["name"]);
        for (a, b) in ours.iter().zip(&theirs) {
            assert!((a - b).abs() < 1e-4 * 32f64.sqrt(), "{}: {a} {b}", case["name"]);
        }
    }
}

#[test]
fn windows_of_any_stride_score_each_token_once() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/base");
    let session = Session::new(Checkpoint::open(&Source::Directory(folder.into())).unwrap()).unwrap();
    let ids: Vec<u32> = (100..140).collect();
    for (window, stride) in [(8, 1), (8, 3), (8, 7), (8, 8), (2, 1), (2, 2), (16, 15), (16, 16)] {
        for step in [1, 40] {
            let mut windows = Windows::new(session.model(), window, stride, Some(&[5, 6]));
            let (mut found, mut set) = (Vec::new(), 0);
            for ids in ids.chunks(step) {
                let scored = windows.push(ids).unwrap();
                found.extend(scored.tokens);
                set += scored.set.len();
            }
            let scored = windows.finish().unwrap();
            found.extend(scored.tokens);
            set += scored.set.len();
            assert_eq!((found.len(), set), (39, 40), "{window} {stride}");
            // Each from the first window that has something before it.
            let (mut begin, mut next) = (0, 1);
            while next < ids.len() {
                let end = (begin + window).min(ids.len());
                let stop = (end + usize::from(window == stride)).min(ids.len());
                let text = Text { ids: &ids[begin..stop], from: next - begin, beyond: false };
                let alone = score(session.model(), &[text], Beside::default(), &|_, _| ()).unwrap().remove(0);
                for (a, b) in alone.tokens.iter().zip(&found[next - 1..stop - 1]) {
                    assert!((a - b).abs() < 1e-4, "{window} {stride}: {a} {b}");
                }
                (begin, next) = (begin + stride, stop);
            }
        }
    }
}

#[test]
fn words_are_corrected_by_the_probability_that_a_word_begins() {
    let golden = golden();
    let text = golden["surprisal"][0]["text"].as_str().unwrap();
    let run =
        |flags: &[&str]| {
            json(&Shell::new().ok(
                &[&["surprisal", text, "-m", "builtin", "--bos", "-q", "-o", "-", "--format", "json"], flags].concat(),
            ))
        };
    let (plain, corrected) = (run(&[]), run(&["--bow-correction"]));
    let bits = floats(&plain["results"][0]["bits"]);
    let theirs = floats(&golden["surprisal"][0]["bits"]);
    bits[1..].iter().zip(&theirs).for_each(|(a, b)| assert!((a - b).abs() < 1e-4, "{a} {b}"));
    // −log₂ P(a word begins) at each position from 1 on.
    let begins = floats(&golden["before"]);
    for word in corrected["results"][0]["words"].as_array().unwrap().iter().skip(1) {
        let [start, end] = [0, 1].map(|at| word["tokens"][at].as_u64().unwrap() as usize);
        let sum: f64 = theirs[start - 1..end - 1].iter().sum();
        // The first word begins for certain.
        let before = if start == 1 { 0.0 } else { begins[start - 1] };
        let wanted = sum - before + begins[end - 1];
        let found = word["corrected"].as_f64().unwrap();
        assert!((found - wanted).abs() < 2e-4, "{word}: {wanted}");
    }
}

#[test]
fn pairs_are_scored_as_each_convention_says() {
    let golden = golden();
    let shell = Shell::new();
    let pairs: Vec<Vec<String>> = serde_json::from_value(golden["pairs"].clone()).unwrap();
    let row = |pair: &Vec<String>| serde_json::json!({"sentence_good": pair[0], "sentence_bad": pair[1]}).to_string();
    shell.write("pairs.jsonl", pairs.iter().map(row).collect::<Vec<_>>().join("\n").as_bytes());
    for (convention, theirs) in golden["scores"].as_object().unwrap() {
        let found = json(&shell.ok(&[
            "probe",
            "pairs",
            "pairs.jsonl",
            "-m",
            "builtin",
            "-q",
            "--convention",
            convention,
            "--with",
            "pairs",
            "-o",
            "-",
            "--format",
            "json",
        ]));
        let entry = &found["results"][0];
        let (mut right, mut ties) = (0, 0);
        for (pair, theirs) in entry["pairs"].as_array().unwrap().iter().zip(theirs.as_array().unwrap()) {
            let (ours, theirs) = (floats(&pair["scores"]), floats(theirs));
            ours.iter()
                .zip(&theirs)
                .for_each(|(a, b)| assert!((a - b).abs() < 1e-4 * b.abs(), "{convention}: {a} {b}"));
            right += u64::from(theirs[0] > theirs[1] + 1e-9);
            ties += u64::from((theirs[0] - theirs[1]).abs() < 1e-9);
        }
        let all = &entry["levels"][0];
        assert_eq!((all["right"].as_u64(), all["ties"].as_u64()), (Some(right), Some(ties)), "{convention}");
        assert_eq!(entry["convention"], **convention);
    }
}

#[test]
fn answers_are_ranked_by_the_logits_of_a_whole_forward() {
    let (session, shell) = (session(), Shell::new());
    shell.write(
        "items.jsonl",
        "{\"prompt\": \"Once upon a\", \"answers\": [\"time\"]}\n\
         {\"prompt\": \"The king and his\", \"answers\": [\"old horse\"], \"distractors\": [\"son\", \"was\"]}\n\
         {\"prompt\": \"The king\", \"answers\": []}\n",
    );
    let found =
        json(&shell.ok(&["probe", "cloze", "items.jsonl", "-m", "builtin", "-q", "-o", "-", "--format", "json"]));
    let entry = &found["results"][0];
    assert_eq!(entry["unusable"], serde_json::json!(["items.jsonl:3: it has no answers"]));
    let log_p = |prompt: &str, answer: &str| {
        let ids = session.tokenizer.encode(prompt).unwrap();
        let all = [ids.clone(), session.tokenizer.encode(answer).unwrap()].concat();
        let (mut sum, mut first) = (0.0, 0);
        for at in ids.len()..all.len() {
            let segments = Segments::packed(&[at]);
            let model = session.model();
            let start = model.start(&model.embed(&all[..at]).unwrap(), &segments).unwrap();
            let resid = model.blocks(start, &segments, &mut NoTap).unwrap();
            let logits = session.next_logits(&[&resid]).unwrap().squeeze(0).unwrap().to_vec1::<f32>().unwrap();
            let own = logits[all[at] as usize];
            let total: f64 = logits.iter().map(|x| f64::from(*x).exp()).sum();
            sum += f64::from(own) - total.ln();
            if at == ids.len() {
                first = 1 + logits.iter().filter(|x| **x > own).count();
            }
        }
        (sum, first as u64)
    };
    let items = entry["items"].as_array().unwrap();
    let mut scores = Vec::new();
    for item in items {
        let prompt = item["prompt"].as_str().unwrap();
        for one in ["answers", "distractors"].into_iter().flat_map(|name| item[name].as_array().unwrap()) {
            let (sum, first) = log_p(prompt, &format!(" {}", one["text"].as_str().unwrap()));
            assert!((one["logprob"].as_f64().unwrap() - sum).abs() < 1e-4, "{one} {sum}");
            assert_eq!(one["first_token_rank"].as_u64(), Some(first), "{one}");
            scores.push(sum);
        }
    }
    assert_eq!(items[0]["rank"], items[0]["answers"][0]["first_token_rank"]);
    let above = scores[2..].iter().filter(|other| **other > scores[1]).count() as u64;
    assert_eq!(items[1]["rank"].as_u64(), Some(1 + above));
}

#[test]
fn results_of_files_of_items_are_made_again_from_the_same_file() {
    let shell = Shell::new();
    shell.write("pairs.csv", "good,bad\nThe cats sleep.,The cats sleeps.\nHe saw himself.,He saw herself.\n");
    shell.ok(&["probe", "pairs", "pairs.csv", "-m", "builtin", "-q", "--explain", "1", "-o", "a.png", "-o", "a.json"]);
    for file in ["a.png", "a.json"] {
        assert_eq!(shell.says(&["rerun", file, "--input", "pairs.csv"]), format!("{file}: the same bytes\n"));
    }
    shell.write("items.jsonl", "{\"prompt\": \"Once upon a\", \"answers\": [\"time\"], \"distractors\": [\"king\"]}\n");
    shell.ok(&["probe", "cloze", "items.jsonl", "-m", "builtin", "-q", "-o", "cloze.svg"]);
    assert_eq!(shell.says(&["rerun", "cloze.svg", "--input", "items.jsonl"]), "cloze.svg: the same bytes\n");
    shell.ok(&[
        "probe",
        "cloze",
        "--template",
        "The {a}",
        "--fill",
        "a=king,old",
        "-m",
        "builtin",
        "-q",
        "-o",
        "filled.json",
    ]);
    assert_eq!(shell.says(&["rerun", "filled.json"]), "filled.json: the same bytes\n");
    assert!(shell.fails(1, &["rerun", "a.png"]).1.contains("--input pairs.csv"));
    shell.write("other.csv", "good,bad\nThe cats sleep.,The cats sleeps.\n");
    assert!(shell.fails(3, &["rerun", "a.json", "--input", "other.csv"]).0.contains("had the hash"));
}

#[test]
fn what_is_wrong_with_items_is_said_before_a_model_is_loaded() {
    let shell = Shell::new();
    shell.write("pairs.csv", "good,bad\na,b\nc\n").write("empty.jsonl", "").write("pairs.txt", "a\tb\n");
    for (args, said) in [
        (&["pairs", "pairs.csv", "--strict"][..], "pairs.csv:3"),
        (&["pairs", "empty.jsonl"], "empty.jsonl has no pair"),
        (&["pairs", "pairs.txt"], "names no kind of file"),
        (&["pairs", "pairs.csv", "--good", "a"], "only one"),
        (&["cloze", "--template", "The {a} is"], "{a} has no list"),
        (&["cloze", "empty.jsonl"], "has no item"),
    ] {
        // The model does not exist.
        let ran = shell.run(&[&["probe"], args, &["-m", "./absent"]].concat());
        assert!(ran.err.contains(said) && !ran.err.contains("absent"), "{args:?}: {}", ran.err);
        assert_eq!(ran.err.lines().count(), 2, "{}", ran.err);
    }
}

#[test]
fn a_file_read_by_parts_has_the_rows_and_sums_of_the_text_that_is_held() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/base");
    let source = Source::Directory(folder.into());
    let session = Session::new(Checkpoint::open(&source).unwrap()).unwrap();
    let line = "Once upon a time, the café by the sea was \u{1f98a} full: 狐狸和乌鸦, it's said. ";
    let text = (0..800).map(|at| format!("{line}{at}\n")).collect::<String>();
    let shell = Shell::new();
    shell.write("long.txt", text.as_bytes());
    for bow_correction in [false, true] {
        let options = Options { bow_correction, ..Options::default() };
        let asked = Asked::Surprisal(options.clone());
        let reading = asked.analysis().reading();
        let held = reading.read(Words::Text(text.trim_end().into()), &session.tokenizer, session.spec()).unwrap();
        let held = find(asked.analysis(), Subject::new(&session, held, &asked).unwrap(), &[]).unwrap();
        let long = Long::find(&options, &shell.path("long.txt"), &session, "", &|_, _| ()).unwrap();
        let (ours, whole) = (long.table(None).unwrap(), held.table(None).unwrap());
        assert!(text.len() > 64 << 10 && ours == whole, "{} {}", ours.rows.len(), whole.rows.len());
        let (mut tsv, mut other) = (Vec::new(), Vec::new());
        long.csv(None, '\t', &mut tsv).unwrap();
        held.csv(None, '\t', &mut other).unwrap();
        assert!(tsv == other);
        let (ours, whole) = (&long.data(None).unwrap().results[0], &held.data(None).unwrap().results[0]);
        assert_eq!(ours.arrays.len(), whole.arrays.len());
        for (ours, whole) in ours.arrays.iter().zip(&whole.arrays) {
            assert_eq!((&ours.name, &ours.shape), (&whole.name, &whole.shape));
            assert!(ours.values.iter().zip(&whole.values).all(|(a, b)| a.to_bits() == b.to_bits()));
        }
        for field in ["total", "mean", "bits_a_byte", "perplexity"] {
            let [ours, whole] = [ours, whole].map(|entry| entry.fields[field].as_f64().unwrap());
            assert!((ours - whole).abs() <= 1e-9 * whole.abs(), "{field}: {ours} {whole}");
        }
        assert!(long.about().record.prompt.is_empty() && long.about().record.token_ids.is_empty());
        assert_eq!(long.figure(None).panels.len(), held.figure(None).panels.len());
    }
}

#[test]
fn a_file_larger_than_any_prompt_is_read_by_parts() {
    let shell = Shell::new();
    let mut text = "Once upon a time there was a fox by the well. ".repeat(100_000).into_bytes();
    text[200_000] = 0xff;
    shell.write("long.txt", &text);
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/base");
    // As a prompt it is too large, and so it is where it is to be shortened.
    let (failed, _) = shell.fails(1, &["surprisal", "--file", "long.txt", "-m", model, "-o", "a.tsv"]);
    assert!(failed.contains("not UTF-8 (byte 200000)"), "{failed}");
    assert!(!shell.path("a.tsv").exists());
    let (failed, _) = shell.fails(2, &["surprisal", "--file", "long.txt", "-m", model, "--truncate", "left"]);
    assert!(failed.contains("larger than 4 MiB"), "{failed}");
}
