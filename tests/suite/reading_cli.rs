//! `attnviz lens`, `heads` and `mix` as someone at a shell uses them.
use crate::support::drawing::{Drawing, colour};
use crate::support::results::{builtin, npz, table};
use crate::support::shell::Shell;
use attnviz::figure::{Scale, Theme};
use candle_core::{Device, Tensor};
use serde_json::Value;
use std::collections::HashMap;

const BASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/base");
const INDUCTION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/induction");
/// Twelve tokens.
const TEXT: &str = "The café is in Zoë.";
const N: usize = 12;

fn json(command: &str, flags: &[&str]) -> Value {
    let args = [&[command, "-m", BASE, TEXT, "-q", "-o", "-", "--format", "json"], flags].concat();
    serde_json::from_slice(&Shell::new().ok(&args)).unwrap()
}

fn shape(value: &Value) -> Vec<usize> {
    match value {
        Value::Array(all) => std::iter::once(all.len()).chain(all.first().map(shape).unwrap_or_default()).collect(),
        _ => Vec::new(),
    }
}

/// Numbers in lists, however deep; NaN for null.
fn flat(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(all) => all.iter().flat_map(flat).collect(),
        number => vec![number.as_f64().unwrap_or(f64::NAN)],
    }
}

fn binary(shell: &Shell, name: &str) -> HashMap<String, Tensor> {
    let path = shell.path(name);
    if name.ends_with("npz") { npz(&path) } else { candle_core::safetensors::load(path, &Device::Cpu).unwrap() }
}

/// A table's rows by the names of its columns.
fn rows(csv: &str) -> Vec<HashMap<String, String>> {
    let mut lines = table(csv).into_iter();
    let names = lines.next().unwrap();
    let row = |cells: Vec<String>| {
        assert_eq!(cells.len(), names.len(), "{cells:?}");
        names.iter().cloned().zip(cells).collect()
    };
    lines.map(row).collect()
}

/// A cell as a number; NaN where it is empty.
fn cell(row: &HashMap<String, String>, name: &str) -> f64 {
    if row[name].is_empty() { f64::NAN } else { row[name].parse().unwrap() }
}

fn floats(tensor: &Tensor) -> Vec<f64> {
    tensor.flatten_all().unwrap().to_dtype(candle_core::DType::F64).unwrap().to_vec1().unwrap()
}

#[test]
fn lens_writes_every_layers_answers_with_whole_ids_and_ranks() {
    let found = json("lens", &["--top", "3"]);
    let lens = &found["results"][0];
    assert_eq!(lens["method"], "lens");
    assert_eq!(found["tokens"].as_array().unwrap().len(), N);
    for name in ["top", "p_top", "p_target", "rank", "entropy_bits", "kl_bits"] {
        assert_eq!(shape(&lens[name]), [3, N], "{name}");
    }
    assert_eq!((shape(&lens["best"]), shape(&lens["p_best"])), (vec![3, N, 3], vec![3, N, 3]));
    assert!(lens["top"][0][0].is_u64() && lens["rank"][0][0].is_u64());
    // The model's own answer is followed, and the last row is that answer.
    assert_eq!(lens["followed"], lens["top"][2]);
    assert!(flat(&lens["rank"][2]).iter().all(|rank| *rank == 1.0));
    assert_eq!(lens["p_top"][2], lens["p_target"][2]);

    let shell = Shell::new();
    shell.ok(&["lens", "-m", BASE, TEXT, "-q", "-o", "a.safetensors", "-o", "a.npz", "-o", "a.csv"]);
    for name in ["a.safetensors", "a.npz"] {
        let arrays = binary(&shell, name);
        for array in ["top", "rank", "p_target", "kl_bits"] {
            let narrow = |values: Vec<f64>| values.into_iter().map(|value| value as f32).collect::<Vec<_>>();
            assert_eq!(narrow(floats(&arrays[array])), narrow(flat(&lens[array])), "{name}: {array}");
        }
    }
    let table = shell.text("a.csv");
    assert!(table.starts_with("after,position,token,place,top,top_token,p_top,target,"));
    let rows = rows(&table);
    assert_eq!(rows.len(), 3 * N);
    for (at, row) in rows.iter().enumerate() {
        let (after, position) = (at / N, at % N);
        assert_eq!(
            (row["position"].parse(), &row["token"].as_str().into()),
            (Ok(position), &found["tokens"][position])
        );
        for name in ["top", "p_top", "p_target", "rank", "entropy_bits", "kl_bits"] {
            assert_eq!(cell(row, name), lens[name][after][position].as_f64().unwrap(), "{name} in row {at}");
        }
    }
}

#[test]
fn lens_follows_a_token_of_a_text_or_an_id_and_compares_it_with_a_foil() {
    let by_text = json("lens", &["--target", " is", "--foil", " in"]);
    let lens = &by_text["results"][0];
    let (target, foil) = (lens["target"].as_u64().unwrap(), lens["foil"].as_u64().unwrap());
    assert!(target != foil && shape(&lens["difference"]) == [3, N]);
    assert!(lens["followed"].as_array().unwrap().iter().all(|id| id.as_u64() == Some(target)));
    let by_id = json("lens", &["--target", &target.to_string(), "--foil", &foil.to_string()]);
    assert_eq!(by_id["results"], by_text["results"]);
    // A number as a text is another token than a number as an id.
    assert_ne!(json("lens", &["--target", "text:7"])["results"][0]["target"], 7);
}

#[test]
fn lens_draws_each_layers_word_in_its_cell() {
    let shell = Shell::new();
    shell.ok(&["lens", "-m", "builtin", "The fox saw the crow", "-q", "-o", "a.svg", "-o", "a.txt"]);
    let picture = shell.text("a.svg");
    let last = format!("layer {}", builtin().0 - 1);
    for text in ["embedding", &last, "answer after", "probability of the final answer", ">·crow<"] {
        assert!(picture.contains(text), "{text}");
    }
    assert!(shell.text("a.txt").contains(&last));
    // Each cell holds its layer's likeliest token, on the colour of the final answer's probability.
    let table =
        rows(&shell.says(&["lens", "-m", "builtin", "The fox saw the crow", "-q", "-o", "-", "--format", "csv"]));
    let (drawing, layers) = (Drawing::of(&picture), builtin().0 + 1);
    let n = table.len() / layers;
    for (at, answer) in table.iter().enumerate() {
        let place = drawing.frames[0].cell((layers, n), at / n, at % n);
        let [shown] = drawing.texts_in(place)[..] else { panic!("cell {at} has no text of its own") };
        let whole = answer["top_token"].as_str();
        assert!(
            shown == whole || shown.strip_suffix('…').is_some_and(|cut| whole.starts_with(cut)),
            "{shown}: {answer:?}"
        );
        let wanted = colour(cell(answer, "p_target") as f32, &Scale::default(), Theme::Light);
        assert_eq!(drawing.colour((place.x + 1.0, place.y + 1.0)), wanted, "{answer:?}");
    }
    shell.ok(&["lens", "-m", "builtin", "The fox saw", "-q", "--colour", "rank", "-o", "a.svg", "--theme", "dark"]);
    assert!(shell.text("a.svg").contains("rank of the final answer"));
}

#[test]
fn direct_attribution_adds_up_in_every_format() {
    let found = json("lens", &["--direct", "--position", "-2"]);
    let direct = &found["results"][0];
    assert_eq!(
        (&direct["method"], &direct["position"], &direct["of"]),
        (&"direct-logit-attribution".into(), &10.into(), &"logit".into())
    );
    for name in ["parts", "parts_centred"] {
        let parts = &direct[name];
        assert_eq!(
            (shape(&parts["heads"]), shape(&parts["attn_bias"]), shape(&parts["mlp"])),
            (vec![2, 2], vec![2], vec![2])
        );
        let all =
            ["embedding", "position", "heads", "attn_bias", "mlp", "bias"].iter().flat_map(|part| flat(&parts[part]));
        assert!((all.sum::<f64>() - parts["total"].as_f64().unwrap()).abs() < 1e-9);
    }
    assert!((direct["parts"]["total"].as_f64().unwrap() - direct["logit"].as_f64().unwrap()).abs() < 1e-4);

    let shell = Shell::new();
    let flags = ["lens", "-m", BASE, TEXT, "-q", "--direct", "--position", "10"];
    shell.ok(&[&flags[..], &["-o", "a.npz", "-o", "a.csv", "-o", "a.svg"]].concat());
    let heads = floats(&binary(&shell, "a.npz")["parts.heads"]);
    assert!(heads.iter().zip(flat(&direct["parts"]["heads"])).all(|(a, b)| (a - b).abs() < 1e-5));
    let table = shell.text("a.csv");
    assert!(table.starts_with("part,layer,head,logit,logit_centred\n"), "{table}");
    let (total, parts): (Vec<_>, Vec<_>) = rows(&table).into_iter().partition(|row| row["part"] == "total");
    assert_eq!((total.len(), parts.len()), (1, 2 + 2 * (2 + 2) + 1));
    for (column, name) in [("logit", "parts"), ("logit_centred", "parts_centred")] {
        let sum: f64 = parts.iter().map(|row| cell(row, column)).sum();
        let whole = direct[name]["total"].as_f64().unwrap();
        assert!((sum - whole).abs() < 1e-4 && (cell(&total[0], column) - whole).abs() < 1e-4, "{table}");
        for row in parts.iter().filter(|row| row["part"] == "head") {
            let [layer, head] = ["layer", "head"].map(|name| row[name].parse::<usize>().unwrap());
            let told = direct[name]["heads"][layer][head].as_f64().unwrap();
            assert!((cell(row, column) - told).abs() < 1e-5, "head {layer}.{head}: {table}");
        }
    }
    assert!(shell.text("a.svg").contains("against the mean of all tokens"));
}

#[test]
fn what_cannot_be_explained_is_said_with_a_way_out() {
    let shell = Shell::new();
    let fails = |flags: &[&str]| shell.fails(2, &[&["lens", "-m", BASE, TEXT, "-o", "a.png"], flags].concat());
    let (message, hint) = fails(&["--target", "The is"]);
    assert!(message.contains("2 tokens: The ·is") && hint.contains("one of them"), "{message} {hint}");
    let (message, hint) = fails(&["--foil", "99999"]);
    assert!(message.contains("token ids 0 to") && hint.contains("text:99999"), "{message} {hint}");
    assert!(fails(&["--target", " is", "--foil", " is"]).0.contains("same token"));
    assert!(fails(&["--position", "3"]).1.contains("--direct"));
    assert!(fails(&["--direct", "--position", "12"]).1.contains("0 to 11"));
    assert!(fails(&["--colour", "difference"]).1.contains("--foil"));
    assert!(fails(&["--direct", "--top", "3"]).0.contains("--top"));
    assert!(shell.fails(2, &["mix", "-m", BASE, TEXT, "--method", "roll"]).1.contains("rollout"));
    assert!(shell.fails(2, &["mix", "-m", BASE, TEXT, "--all-rows", "-o", "a.csv"]).1.contains("--all-rows"));
    assert!(shell.fails(2, &["mix", "-m", BASE, TEXT, "--all-rows", "-o", "a.parquet"]).0.contains(".parquet"));
    assert!(shell.fails(2, &["heads", "-m", BASE, TEXT, "--seed", "1"]).0.contains("--seed"));
    assert!(shell.fails(2, &["heads", "-m", BASE, TEXT, "--with", "draws", "-o", "a.npz"]).0.contains("--with"));
    assert!(shell.fails(2, &["heads", "-m", BASE, "--with", "draws", "-o", "a.png"]).1.contains(".npz"));
    assert!(shell.fails(2, &["heads", "-m", BASE, "", "-o", "a.png"]).0.contains("empty"));
    for command in ["lens", "heads", "mix"] {
        assert!(shell.fails(2, &[command, "-m", BASE, TEXT, "-o", "{layer}.png"]).0.contains("layer"), "{command}");
    }
    assert!(shell.files().is_empty());
}

#[test]
fn heads_without_a_text_names_what_the_model_has() {
    let shell = Shell::new();
    let out = shell.says(&["heads", "-m", INDUCTION, "-q"]);
    assert_eq!(out, "heads-induction.png\n");
    let args = ["heads", "-m", INDUCTION, "-q", "-o", "-", "--format"];
    let found: Value = serde_json::from_slice(&shell.ok(&[&args[..], &["json"]].concat())).unwrap();
    let heads = &found["results"][0];
    assert_eq!(heads["label"], serde_json::json!([["previous", "sink"], ["induction", "broad"]]));
    for score in ["previous", "duplicate", "induction", "sink", "self", "distance", "entropy", "confidence"] {
        assert_eq!(shape(&heads[score]), [2, 2], "{score}");
    }
    assert_eq!((&heads["seed"], &heads["sequences"], &heads["period"]), (&0.into(), &10.into(), &12.into()));
    assert_eq!((&found["tokens"], &found["prompt"]), (&Value::Array(Vec::new()), &"".into()));

    let table = shell.says(&[&args[..], &["csv", "--sort", "induction"]].concat());
    let rows: Vec<&str> = table.lines().collect();
    assert_eq!(
        rows[0],
        "layer,head,label,confidence,previous,duplicate,induction,sink,self,distance,entropy,spread,entropy_bits"
    );
    assert!(rows[1].starts_with("1,0,induction,") && rows.len() == 5, "{table}");
    let text = shell.says(&[&args[..], &["txt", "--sort", "previous"]].concat());
    let place = |head: &str| text.find(head).unwrap_or_else(|| panic!("{head}: {text}"));
    assert!(place("0.0   previous") < place("1.0   induction"), "{text}");
    assert!(text.contains("10 sequences of 12 random tokens"), "{text}");

    let again = |seed: &str| shell.ok(&[&args[..], &["json", "--seed", seed]].concat());
    assert_eq!(again("3"), again("3"));
    assert_ne!(again("3"), again("4"));
    shell.ok(&["heads", "-m", INDUCTION, "-q", "-o", "a.npz", "-o", "a.safetensors"]);
    assert_eq!(floats(&binary(&shell, "a.npz")["induction"]), floats(&binary(&shell, "a.safetensors")["induction"]));
}

#[test]
fn heads_of_a_text_are_measured_on_it() {
    let found = json("heads", &[]);
    let heads = &found["results"][0];
    assert_eq!(heads["on"], "prompt");
    assert_eq!(found["tokens"].as_array().unwrap().len(), N);
    // What the fixture's own attention gives, as transformers computes it.
    let golden = candle_core::safetensors::load(format!("{BASE}/expected.safetensors"), &Device::Cpu).unwrap();
    let pattern = floats(&golden["attention"]);
    let previous = (1..N).map(|i| pattern[i * N + i - 1]).sum::<f64>() / (N - 1) as f64;
    assert!((heads["previous"][0][0].as_f64().unwrap() - previous).abs() < 1e-5);
    let sink = (1..N).map(|i| pattern[i * N]).sum::<f64>() / (N - 1) as f64;
    assert!((heads["sink"][0][0].as_f64().unwrap() - sink).abs() < 1e-5);
    // The first query must look at itself, and says nothing.
    let own = (1..N).map(|i| pattern[i * N + i]).sum::<f64>() / (N - 1) as f64;
    assert!((heads["self"][0][0].as_f64().unwrap() - own).abs() < 1e-5);
    let reach = |i: usize| (0..=i).map(|j| pattern[i * N + j] * (i - j) as f64).sum::<f64>();
    let distance = (1..N).map(reach).sum::<f64>() / (N - 1) as f64;
    assert!((heads["distance"][0][0].as_f64().unwrap() - distance).abs() < 1e-4);
}

#[test]
fn random_ids_of_heads_are_exported_and_are_the_text_that_was_looked_at() {
    let shell = Shell::new();
    shell.ok(&["heads", "-m", INDUCTION, "-q", "--with", "draws", "--seed", "4", "-o", "a.safetensors", "-o", "a.npz"]);
    let found = binary(&shell, "a.safetensors");
    assert_eq!(floats(&found["random_ids"]), floats(&binary(&shell, "a.npz")["random_ids"]));
    let ids = found["random_ids"].to_vec2::<f32>().unwrap();
    assert!(ids.len() == 10 && ids.iter().all(|ids| ids.len() == 24 && ids[..12] == ids[12..]), "{ids:?}");
    // A reference that is given the same ids finds the same: here the program itself, a sequence at a time.
    let sink = |ids: &Vec<f32>| {
        let ids = ids.iter().map(f32::to_string).collect::<Vec<_>>().join(",");
        let shell = Shell::new();
        shell.ok(&["heads", "-m", INDUCTION, "-q", "--ids", &ids, "-o", "b.safetensors"]);
        floats(&binary(&shell, "b.safetensors")["sink"])[1]
    };
    let mean = ids.iter().map(sink).sum::<f64>() / 10.0;
    assert!((floats(&found["sink"])[1] - mean).abs() < 1e-5, "{mean}");
}

#[test]
fn a_hidden_sink_is_told_with_its_share_and_rows_that_it_leaves_empty_are_said() {
    let shell = Shell::new();
    let sink = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/sink");
    for file in ["config.json", "model.safetensors", "../base/tokenizer.json"] {
        let name = file.rsplit('/').next().unwrap();
        shell.write(name, std::fs::read(format!("{sink}/{file}")).unwrap());
    }
    let args = ["-m", ".", TEXT, "--sink", "renorm", "-o", "a.json", "-o", "a.txt"];
    for (command, extra) in [("attention", &[][..]), ("mix", &["--method", "raw,rollout,flow"])] {
        let ran = shell.run(&[&[command], &args[..], extra].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        let found: Value = serde_json::from_slice(&shell.read("a.json")).unwrap();
        assert_eq!(found["results"][0]["empty_rows"], 30, "{command}");
        assert!(ran.err.contains("30 rows are empty"), "{command}: {}", ran.err);
        let (text, share) = (shell.text("a.txt"), "attention on the first token, 89 % of all");
        assert!(text.contains("30 rows are empty") && text.contains(share), "{command}: {text}");
    }
    let masked =
        shell.ok(&["mix", "-m", ".", TEXT, "--sink", "mask", "--method", "raw", "-o", "-", "--format", "json"]);
    let raw = &serde_json::from_slice::<Value>(&masked).unwrap()["results"][0];
    let single = |value: &Value| flat(value).into_iter().map(|x| x as f32).collect::<Vec<_>>();
    assert_eq!(single(&raw["row"]), single(&raw["map"][N - 1]), "a row that is printed is the row of the map");
    assert!(flat(&raw["row"]).iter().sum::<f64>() < 0.5, "nothing is hidden: this test proves nothing");
}

#[test]
fn mix_writes_one_entry_for_each_method_and_their_agreement() {
    let found = json("mix", &["--position", "8"]);
    let results = found["results"].as_array().unwrap();
    let names: Vec<&str> = results.iter().map(|entry| entry["method"].as_str().unwrap()).collect();
    let methods = ["raw", "rollout", "flow", "norm", "norm-residual", "value-zeroing", "attention-x-gradient"];
    assert_eq!(names[..7], methods);
    assert_eq!((names[7], shape(&results[7]["spearman"])), ("agreement", vec![7, 7]));
    for entry in &results[..7] {
        let by_layer = matches!(entry["method"].as_str().unwrap(), "norm" | "norm-residual" | "value-zeroing");
        assert_eq!(shape(&entry["map"]), if by_layer { vec![2, N, N] } else { vec![N, N] }, "{}", entry["method"]);
        let row = flat(&entry["row"]);
        assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-5 && row[9..].iter().all(|x| *x == 0.0));
    }
    // Rows that were not computed are null.
    assert!(results[2]["map"][7][0].is_null() && results[5]["map"][0][7][0].is_null());
    assert!(results[6]["map"][7][0].is_null() && !results[1]["map"][7][0].is_null());
    assert_eq!((&results[6]["of"], &results[6]["position"]), (&"logprob".into(), &8.into()));

    let all = json("mix", &["--method", "flow,value-zeroing", "--all-rows", "--sink", "renorm"]);
    for entry in &all["results"].as_array().unwrap()[..2] {
        assert!(flat(&entry["map"]).iter().all(|x| x.is_finite()), "{}", entry["method"]);
    }
    assert_eq!(all["results"][0]["sink"], "renorm");
}

#[test]
fn mix_draws_a_sheet_the_words_and_the_agreement() {
    let shell = Shell::new();
    shell.ok(&["mix", "-m", BASE, TEXT, "-q", "-o", "a.svg", "-o", "a.csv", "-o", "a.npz", "-o", "a.txt"]);
    let picture = shell.text("a.svg");
    for text in ["value-zeroing", "rollout", "Do they rank the tokens alike?", "Spearman", "gradient of"] {
        assert!(picture.contains(text), "{text}");
    }
    let table = shell.text("a.csv");
    assert!(table.starts_with("key,token,raw,rollout,flow,norm,norm-residual,value-zeroing,attention-x-gradient\n"));
    let (rows, found, arrays) = (rows(&table), json("mix", &[]), binary(&shell, "a.npz"));
    assert_eq!(rows.len(), N);
    assert_eq!(arrays["norm.map"].dims(), [2, N, N]);
    for entry in &found["results"].as_array().unwrap()[..7] {
        let method = entry["method"].as_str().unwrap();
        let column: Vec<f64> = rows.iter().map(|row| cell(row, method)).collect();
        assert!(column.iter().zip(flat(&entry["row"])).all(|(a, b)| (a - b).abs() < 1e-6), "{method}: {table}");
        let (kept, told) = (floats(&arrays[&format!("{method}.map")]), flat(&entry["map"]));
        assert!(kept.iter().zip(&told).all(|(a, b)| (a - b).abs() < 1e-6 || a.is_nan() && b.is_nan()), "{method}");
        assert_eq!(kept.len(), told.len(), "{method}");
    }
    // A single token is all that there is to mix.
    for flags in [&["--method", "raw"][..], &[]] {
        let one = ["mix", "-m", BASE, "The", "-q", "-o", "one.png", "-o", "-", "--format", "json"];
        let one: Value = serde_json::from_slice(&shell.ok(&[&one[..], flags].concat())).unwrap();
        let methods = one["results"].as_array().unwrap().iter().filter(|entry| entry.get("row").is_some());
        assert!(methods.clone().all(|entry| flat(&entry["row"]) == [1.0]), "{one}");
        assert_eq!(methods.count(), if flags.is_empty() { 7 } else { 1 });
    }
}
