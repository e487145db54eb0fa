//! `attnviz diff`: two prompts, two models, two saved results.
use crate::support::commands::commands_of_a_prompt;
use crate::support::drawing::{Drawing, colour, hex};
use crate::support::results::{builtin, flat, json, png, shape, svg, tensors};
use crate::support::shell::{Ran, Shell};
use attnviz::figure::{Scale, Theme};
use serde_json::{Value, json as object};
use std::fs;
use std::path::Path;

const BASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/base");
const TRACES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/traces");
const TEXT: &str = "Once upon a time there was";

/// It compared, wrote, and found a difference: the message of the error.
#[track_caller]
fn differs(ran: Ran) -> String {
    assert_eq!(ran.code, Some(3), "{}", ran.err);
    let lines: Vec<&str> = ran.err.trim_end().split('\n').collect();
    let [.., message, hint] = lines[..] else { panic!("not two lines: {:?}", ran.err) };
    assert!(hint.starts_with("hint: ") && !ran.out.is_empty(), "{ran:?}");
    message.strip_prefix("different: ").unwrap().to_owned()
}

/// What a comparison that ends with this code says as JSON.
#[track_caller]
fn compared(shell: &Shell, code: i32, args: &[&str]) -> Value {
    let ran = shell.run(&[&["diff"], args, &["-q", "-o", "-", "--format", "json"]].concat());
    assert_eq!(ran.code, Some(code), "{}", ran.err);
    json(&ran.out)
}

fn result(data: &Value) -> &Value {
    &data["results"][0]
}

fn at(result: &Value, name: &str) -> Vec<f32> {
    flat(&result[name])
}

/// A copy of a fixture in which a tensor's numbers are half as large again.
fn tuned(shell: &Shell, name: &str, tensor: &str) {
    fs::create_dir(shell.path(name)).unwrap();
    for file in ["config.json", "tokenizer.json"] {
        fs::copy(Path::new(BASE).join(file), shell.path(name).join(file)).unwrap();
    }
    let mut weights = tensors(&Path::new(BASE).join("model.safetensors"));
    let changed = (&weights[tensor] * 1.5).unwrap();
    weights.insert(tensor.into(), changed);
    candle_core::safetensors::save(&weights, shell.path(name).join("model.safetensors")).unwrap();
}

#[test]
fn one_layer_is_drawn_at_every_width() {
    let (shell, text) = (Shell::new(), "fox met the crow by the well and sang a song");
    for times in [1, 4] {
        let [a, b] = ["The", "A"].map(|first| format!("{first} {}", vec![text; times].join(" the ")));
        for width in ["312", "450", "600", "700", "800", "900"] {
            let args = ["diff", &a, &b, "-m", "builtin", "--layer", "4", "--width", width, "-o", "a.svg"];
            differs(shell.run(&args));
            assert!(shell.text("a.svg").contains(&format!(" width=\"{width}\"")), "{times}, {width}");
        }
    }
}

#[test]
fn a_prompt_does_not_differ_from_itself() {
    let shell = Shell::new();
    let ran = shell.run(&["diff", TEXT, TEXT, "-m", "builtin", "-o", "a.png", "-o", "a.json", "--tol", "0"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), "the two prompts do not differ\n"));
    let data = json(&shell.read("a.json"));
    let found = result(&data);
    assert_eq!(found["same"], true);
    let (layers, heads) = builtin();
    assert_eq!(shape(&found["difference"])[..2], [layers, heads]);
    for name in ["difference", "changed", "max_abs", "removed", "added"] {
        assert!(at(found, name).iter().all(|x| *x == 0.0), "{name}");
    }
    // No cell leans to either side.
    shell.run(&["diff", TEXT, TEXT, "-m", "builtin", "-q", "-o", "a.svg"]).ok();
    let (drawing, picture) = (Drawing::of(&shell.text("a.svg")), png(&shell.read("a.png")));
    assert_eq!(drawing.frames.len(), layers * heads + 1, "one is the scale's");
    let n = data["tokens"].as_array().unwrap().len();
    let nothing = colour(0.0, &Scale::signed("", []), Theme::Light);
    for (map, cell) in drawing.frames[..layers * heads].iter().flat_map(|map| (0..n * n).map(move |cell| (map, cell))) {
        let (x, y) = map.cell((n, n), cell / n, cell % n).middle();
        let wanted = if cell % n <= cell / n { &nothing } else { drawing.page() };
        assert_eq!((drawing.colour((x, y)), hex(picture.at(x, y)).as_str()), (wanted, wanted), "cell {cell}");
    }
}

#[test]
fn every_cell_has_the_colour_of_its_difference() {
    let shell = Shell::new();
    let args = ["diff", "The old king", "The young king", "-m", "builtin", "--layer=2", "--head=1", "--width=900"];
    differs(shell.run(&[&args[..], &["-q", "-o", "a.svg", "-o", "a.json"]].concat()));
    let data = json(&shell.read("a.json"));
    let (found, drawing) = (result(&data), Drawing::of(&shell.text("a.svg")));
    let values = at(found, "difference");
    assert!(values.iter().any(|x| *x > 0.01) && values.iter().any(|x| *x < -0.01), "{values:?}");
    let visible: Vec<Option<f32>> =
        values.iter().enumerate().map(|(at, value)| (at % 3 <= at / 3).then_some(*value)).collect();
    let scale = Scale::signed("", values);
    let labels = ["The", "·old→·young", "·king"];
    drawing.shows_map(drawing.frames[0], (&labels, &labels), &visible, &scale, Theme::Light);
}

#[test]
fn unequal_prompts_give_the_numbers_of_the_reference() {
    let shell = Shell::new();
    let golden = json(&fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/difference.json")).unwrap());
    let typed = |name: &str| {
        let ids: Vec<String> = golden[name].as_array().unwrap().iter().map(Value::to_string).collect();
        format!("ids:{}", ids.join(","))
    };
    let data = compared(&shell, 3, &[&typed("a"), &typed("b"), "-m", BASE]);
    let found = result(&data);
    assert_eq!(found["alignment"], golden["alignment"]);
    assert_eq!((&data["token_ids"], &data["other"]["token_ids"]), (&golden["a"], &golden["b"]));
    for name in ["difference", "changed", "max_abs", "removed", "added"] {
        assert_eq!(shape(&found[name]), shape(&golden[name]), "{name}");
        let pairs: Vec<_> = at(found, name).into_iter().zip(at(&golden, name)).collect();
        assert!(pairs.iter().all(|(ours, theirs)| ours == theirs || (ours - theirs).abs() < 2e-6), "{name}: {pairs:?}");
    }
    assert_eq!(found["compared_queries"], 6);
    // Where rows sum to 1, what moved away moved somewhere.
    for row in at(found, "difference").chunks(8).filter(|row| row[0].is_finite()) {
        assert!(row.iter().sum::<f32>().abs() < 1e-5, "{row:?}");
    }
}

#[test]
fn heads_are_ranked_by_how_much_they_changed() {
    let shell = Shell::new();
    let args = ["The cat sat", "The old dog sat", "-m", "builtin"];
    let data = compared(&shell, 3, &args);
    let found = result(&data);
    let (layers, heads) = builtin();
    let changed = at(found, "changed");
    let ranking: Vec<usize> = found["ranking"]
        .as_array()
        .unwrap()
        .iter()
        .map(|head| {
            let number = |at: usize| head[at].as_str().unwrap().parse::<usize>().unwrap();
            number(0) * heads + number(1)
        })
        .collect();
    assert_eq!(ranking.len(), layers * heads);
    assert!(ranking.windows(2).all(|pair| changed[pair[0]] >= changed[pair[1]]));
    assert!(changed.iter().all(|share| (0.0..=1.0).contains(share)));
    let csv = String::from_utf8(shell.run(&[&["diff"], &args[..], &["-q", "-o", "-", "--format", "csv"]].concat()).out)
        .unwrap();
    let first: Vec<&str> = csv.lines().nth(1).unwrap().split(',').collect();
    assert!(csv.starts_with("layer,head,changed,max_abs,max_query,max_key,removed,added\n"));
    assert_eq!(csv.lines().count(), 1 + layers * heads);
    assert_eq!(first[..2], [(ranking[0] / heads).to_string(), (ranking[0] % heads).to_string()]);
    assert_eq!(first[2].parse::<f32>().unwrap(), changed[ranking[0]]);

    let text = svg(std::str::from_utf8(
        &shell
            .run(
                &[&["diff"], &args[..], &["--layer", "4", "--head", "-1", "-q", "-o", "-", "--format", "svg"]].concat(),
            )
            .out,
    )
    .unwrap());
    for label in ["The", "·cat→·dog", "+·old", "·sat", "attention, B − A"] {
        assert!(text.shows(label), "{label}: {:?}", text.texts);
    }
    assert!(text.shows("2 tokens in both, 1 replaced (→), 1 only in B (+)"), "{:?}", text.texts);
}

#[test]
fn a_changed_weight_changes_its_layer_and_what_comes_after_only() {
    let shell = Shell::new();
    tuned(&shell, "tuned", "transformer.h.1.attn.c_attn.weight");
    tuned(&shell, "last", "transformer.h.1.mlp.c_fc.weight");
    let data = compared(&shell, 3, &["The café is", "-m", BASE, "--against", "./tuned"]);
    let found = result(&data);
    let most = at(found, "max_abs"); // [layer, head]
    assert_eq!(&most[..2], [0.0, 0.0], "the layer before it");
    assert!(most[2..].iter().all(|x| *x > 1e-3), "{most:?}");
    let (ours, theirs) = (&data["model"], &data["other"]["model"]);
    assert_eq!((&ours["name"], &theirs["name"]), (&object!("base"), &object!("tuned")));
    assert_ne!(ours["hash"], theirs["hash"]);
    // No attention comes after the last MLP.
    let ran = shell.run(&["diff", "The café is", "-m", BASE, "--against", "./last", "-o", "a.svg"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), "base and last do not differ\n"));
    let message = differs(shell.run(&["diff", "The café is", "-m", BASE, "--against", "./tuned", "-o", "b.svg"]));
    assert!(message.starts_with("base and tuned differ by at most ") && message.contains("layer 1, head"), "{message}");
    assert!(svg(&shell.text("b.svg")).shows("B: tuned · The café is"));
}

#[test]
fn models_of_other_sizes_are_refused_by_name() {
    let shell = Shell::new();
    let (message, hint) = shell.fails(2, &["diff", TEXT, "-m", "builtin", "--against", BASE]);
    let (layers, heads) = builtin();
    let sizes = format!("builtin has {layers} layers of {heads} heads, base has 2 of 2");
    assert!(message.contains(&sizes), "{message}");
    assert!(hint.contains("architecture"), "{hint}");
}

#[test]
fn another_tokenizer_is_no_obstacle() {
    let shell = Shell::new();
    tuned(&shell, "letters", "transformer.wpe.weight");
    let mut tokenizer = json(&shell.read("letters/tokenizer.json"));
    tokenizer["model"]["merges"] = object!([]);
    shell.write("letters/tokenizer.json", tokenizer.to_string());
    let data = compared(&shell, 3, &["The café is", "-m", BASE, "--against", "./letters"]);
    let texts =
        |tokens: &Value| tokens.as_array().unwrap().iter().map(|t| t.as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let (ours, theirs) = (texts(&data["tokens"]), texts(&data["other"]["tokens"]));
    assert!(ours.len() < theirs.len(), "{ours:?} {theirs:?}");
    let slots = result(&data)["alignment"].as_array().unwrap();
    let kept = slots.iter().filter_map(|slot| slot[0].as_u64().zip(slot[1].as_u64()));
    let kept: Vec<_> = kept.filter(|(a, b)| ours[*a as usize] == theirs[*b as usize]).collect();
    assert!(!kept.is_empty(), "{slots:?}");
}

#[test]
fn no_other_model_stands_in_for_one_that_cannot_be_had() {
    let shell = Shell::new();
    let (message, hint) = shell.fails(1, &["diff", "a", "b"]);
    assert!(message.contains("gpt2") && hint.contains("--model builtin"), "{message} {hint}");
    shell.fails(1, &["diff", "a", "-m", "builtin", "--against", "gpt2"]);
    assert!(shell.files().is_empty());
}

#[test]
fn saved_results_are_compared_in_any_format() {
    let shell = Shell::new();
    for (name, text) in [("a", TEXT), ("b", "Once upon a time there lived")] {
        let files = ["json", "npz", "safetensors"].map(|format| format!("{name}.{format}"));
        shell.ok(&["attention", text, "-m", "builtin", "-q", "-o", &files[0], "-o", &files[1], "-o", &files[2]]);
    }
    for (a, b) in [("a.json", "a.safetensors"), ("a.npz", "a.json"), ("a.safetensors", "a.npz"), ("a.json", "a.json")] {
        let data = compared(&shell, 0, &[a, b, "--tol", "1e-6"]);
        assert!(at(result(&data), "max_abs").iter().all(|x| *x <= 1e-6), "{a} {b}");
        assert_eq!((&data["input"]["name"], &data["other"]["input"]["name"]), (&object!(a), &object!(b)));
    }
    // The same numbers as when the model runs.
    let live = compared(&shell, 3, &[TEXT, "Once upon a time there lived", "-m", "builtin"]);
    let saved = compared(&shell, 3, &["a.npz", "b.json"]);
    assert_eq!(result(&live)["difference"], result(&saved)["difference"]);
    assert_eq!(result(&live)["alignment"], result(&saved)["alignment"]);
    let message = differs(shell.run(&["diff", "a.npz", "b.json", "-o", "c.svg"]));
    assert!(message.starts_with("a.npz and b.json differ by at most"), "{message}");
    assert!(svg(&shell.text("c.svg")).shows("A: a.npz · builtin · Once upon a time there was"));
}

#[test]
fn results_of_other_commands_are_compared_number_by_number() {
    let shell = Shell::new();
    for command in commands_of_a_prompt().iter().filter(|command| !["attention", "explain"].contains(&command.as_str()))
    {
        shell.ok(&[command, TEXT, "-m", "builtin", "-q", "-o", "a.json", "-o", "a.npz", "-o", "a.safetensors"]);
        shell.ok(&[command, "Once upon a day there was", "-m", "builtin", "-q", "-o", "b.json"]);
        let (message, hint) = shell.fails(2, &["diff", "a.json", "b.json", "--sink", "mask", "--layer", "0"]);
        assert!(message.contains("layer is for attention") && hint.contains("--layer"), "{message} {hint}");
        for (a, b) in [("a.json", "a.npz"), ("a.safetensors", "a.npz")] {
            let data = compared(&shell, 0, &[a, b, "--tol", "0"]);
            assert!(at(result(&data), "max_abs").iter().all(|x| *x == 0.0), "{command}");
            assert!(!result(&data)["names"].as_array().unwrap().is_empty(), "{command}");
        }
        let message = differs(shell.run(&["diff", "a.json", "b.json", "-o", "d.svg", "-o", "d.csv", "-o", "d.txt"]));
        assert!(message.contains("a.json and b.json differ by at most"), "{command}: {message}");
        assert!(svg(&shell.text("d.svg")).shows("largest difference"), "{command}");
        assert!(shell.text("d.csv").starts_with("array,numbers,differing,max_abs\n"));
    }
    // One number in one array, by hand.
    shell.ok(&["heads", TEXT, "-m", "builtin", "-q", "-o", "a.json"]);
    let mut data = json(&shell.read("a.json"));
    data["results"][0]["sink"][2][1] = object!(data["results"][0]["sink"][2][1].as_f64().unwrap() + 0.25);
    shell.write("b.json", data.to_string());
    let message = differs(shell.run(&["diff", "a.json", "b.json", "-o", "d.csv"]));
    assert!(message.contains("0.25 (heads.sink [2, 1])"), "{message}");
    let row = shell.text("d.csv").lines().find(|line| line.starts_with("heads.sink")).unwrap().to_owned();
    let (layers, heads) = builtin();
    assert!(row.starts_with(&format!("heads.sink,{},1,0.25", layers * heads)), "{row}");
}

#[test]
fn the_tolerance_is_what_is_still_allowed() {
    let shell = Shell::new();
    // The second query gives the first key a half, then three quarters: a difference of exactly a quarter.
    for (name, weight) in [("a.json", 0.5), ("b.json", 0.75)] {
        shell.write(name, saved(object!([[[[1.0, 0.0], [weight, 1.0 - weight]]]])).to_string());
    }
    shell.ok(&["diff", "a.json", "b.json", "--tol", "0.25", "-q", "-o", "c.json"]);
    for tol in ["0.2499999", "1e-4", "0"] {
        let message = differs(shell.run(&["diff", "a.json", "b.json", "--tol", tol, "-q", "-o", "c.json"]));
        assert!(message.contains("at most 0.25"), "{message}");
    }
    let data = json(&shell.read("c.json"));
    assert_eq!((at(result(&data), "changed"), at(result(&data), "max_abs")), (vec![0.125], vec![0.25]));
    for tol in ["-1", "NaN", "inf", "much"] {
        let (message, hint) = shell.fails(2, &["diff", "a", "b", &format!("--tol={tol}")]);
        assert!(message.contains(tol) && (message + &hint).contains("--tol"), "{tol}: {hint}");
    }
}

/// Attention of one layer and one head as `attention -o x.json` writes it.
fn saved(attention: Value) -> Value {
    object!({
        "model": {"name": "m", "revision": null, "hash": "0"}, "version": "0", "command": "attention", "options": {},
        "prompt": "ab", "tokens": ["a", "b"], "token_ids": [1, 2],
        "results": [{"method": "attention", "sink": "keep", "heads": [0], "layers": [0], "attention": attention}],
    })
}

#[test]
fn a_token_that_only_one_has_is_no_equality() {
    let shell = Shell::new();
    // What comes last changes nothing before it.
    let ran = shell.run(&["diff", TEXT, "Once upon a time there", "-m", "builtin", "-o", "a.json"]);
    let message = differs(ran);
    assert!(message.contains("no more than tol 1e-4") && message.contains("1 is in one of them only"), "{message}");
    assert_eq!(result(&json(&shell.read("a.json")))["same"], false);
}

#[test]
fn small_differences_beside_a_large_one_are_spoken_of_and_the_way_to_see_them_is_not_on_the_figure() {
    let shell = Shell::new();
    let head = |weight: f64| object!([[1.0, 0.0], [weight, 1.0 - weight]]);
    for (name, large, small) in [("a.json", 0.1, 0.3), ("b.json", 0.9, 0.301)] {
        let heads: Vec<Value> = (0..64).map(|index| head(if index == 0 { large } else { small })).collect();
        shell.write(name, saved(object!([heads])).to_string());
    }
    let ran = shell.run(&["diff", "a.json", "b.json", "-o", "d.svg"]);
    assert!(ran.err.contains("--scale sqrt shows small differences"), "{}", ran.err);
    let figure = shell.text("d.svg");
    assert!(figure.contains("most differences are small beside it") && !figure.contains("--"), "{figure}");
}

#[test]
fn hostile_and_broken_files_are_refused_by_name() {
    let shell = Shell::new();
    shell.write("good.json", saved(object!([[[[1.0, 0.0], [0.5, 0.5]]]])).to_string());
    shell.ok(&["diff", "good.json", "good.json", "-q", "-o", "a.svg"]);
    let whole = saved(object!("HERE")).to_string();
    let deep = |n: usize| "[".repeat(n) + &"]".repeat(n);
    let (nested, tower) = (deep(50), deep(200_000));
    for (n, (attention, says)) in [
        ("[[[[1,0],[0.5]]]]", "ragged"),
        ("[[[[1,0],0.5]]]", "ragged"),
        ("[[[[1,0],[0.5,[0.5]]]]]", "ragged"),
        ("[[[[1,0],[0.5,0.5]]],[]]", "ragged"),
        ("[[[1,0],[0.5,0.5]]]", "shape"),
        ("[[[[1,0],[0.5,null]]]]", "NaN"),
        ("[[[[1,0],[1.5,-0.5]]]]", "negative"),
        ("[[[[]]]]", "empty"),
        ("[[[[1,0],[0.5,1e99]]]]", "inf"),
        ("[[[[1,0,0],[0.5,0.5,0],[1,0,0]]]]", "tokens"),
        (nested.as_str(), "ragged"),
        (tower.as_str(), "JSON"),
        ("[[[[1,0],[0.5", "JSON"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("bad{n}.json");
        shell.write(&name, whole.replace("\"HERE\"", attention));
        let (message, hint) = shell.fails(1, &["diff", "good.json", &name]);
        assert!(
            message.contains(&name) && (message.contains(says) || hint.contains(says)),
            "{attention:.40}: {message} {hint}"
        );
    }
    for (name, bytes) in [
        ("a.json", "{}"),
        ("b.json", ""),
        ("c.npz", "PK"),
        ("d.safetensors", "x"),
        ("e.json", "[1, 2]"),
        ("f.npz", "{}"),
    ] {
        shell.write(name, bytes);
        assert!(shell.fails(1, &["diff", name, "good.json"]).0.contains(name), "{name}");
    }
    // Escape codes, in names and in texts, reach no terminal.
    let mut data = saved(object!([[[[1.0, 0.0], [0.25, 0.75]]]]));
    data["tokens"] = object!(["\u{1b}[31ma", "<script>&\u{202e}"]);
    data["model"]["name"] = object!("\u{1b}]0;m\u{7}");
    shell.write("evil.json", data.to_string());
    let ran = shell.run(&["diff", "good.json", "evil.json", "-o", "evil.svg", "-o", "evil.txt"]);
    assert!(!ran.err.chars().any(|c| c.is_control() && c != '\n'), "{}", ran.err);
    differs(ran);
    assert!(svg(&shell.text("evil.svg")).elements.iter().all(|name| name != "script"));
    assert!(!shell.text("evil.txt").contains('\u{1b}'));
}

#[test]
fn selections_that_differ_are_named() {
    let shell = Shell::new();
    shell.ok(&["attention", TEXT, "-m", "builtin", "-q", "-o", "a.json"]);
    shell.ok(&["attention", TEXT, "-m", "builtin", "-q", "--layer", "2-4,0", "-o", "b.npz"]);
    shell.ok(&["attention", TEXT, "-m", "builtin", "-q", "--reduce", "heads=mean", "-o", "c.json"]);
    shell.ok(&["attention", TEXT, "-m", "builtin", "-q", "--words", "-o", "d.json"]);
    shell.ok(&["saliency", TEXT, "-m", "builtin", "-q", "-o", "e.json"]);
    shell.ok(&["saliency", "Once", "-m", "builtin", "-q", "-o", "f.json"]);
    let (message, hint) = shell.fails(2, &["diff", "a.json", "b.npz"]);
    let (layers, heads) = builtin();
    let apart = format!("a.json has layers 0-{}, b.npz has layers 2-4,0", layers - 1);
    assert!(message.contains(&apart) && hint.contains("--layer"), "{message}");
    compared(&shell, 0, &["a.json", "b.npz", "--layer", "3"]);
    let (message, _) = shell.fails(2, &["diff", "a.json", "c.json"]);
    assert!(message.contains(&format!("c.json has the mean of {heads} heads")), "{message}");
    let mean = compared(&shell, 0, &["a.json", "c.json", "--reduce", "heads=mean", "--tol", "1e-6"]);
    assert_eq!(shape(&result(&mean)["difference"])[..2], [layers, 1]);
    let (message, _) = shell.fails(2, &["diff", "a.json", "d.json"]);
    assert!(message.contains("d.json holds words, a.json holds tokens"), "{message}");
    compared(&shell, 0, &["d.json", "d.json"]);
    let (message, _) = shell.fails(2, &["diff", "a.json", "e.json"]);
    assert!(message.contains("a.json holds attention") && message.contains("input-x-gradient.scores"), "{message}");
    let (message, _) = shell.fails(2, &["diff", "e.json", "f.json"]);
    assert!(message.contains("input-x-gradient.scores has shape [") && message.contains("f.json"), "{message}");
}

#[test]
fn what_is_a_file_and_what_a_prompt_depends_on_how_it_is_written() {
    let shell = Shell::new();
    shell.write("picture.png", "").write("notes", "");
    let (message, hint) = shell.fails(1, &["diff", "absent.json", "a"]);
    assert!(message.contains("absent.json") && hint.contains("\"text:absent.json\""), "{message} {hint}");
    let b = ["-m", "builtin", "-q", "-o", "a.json"];
    let both = |a: &str, other: &str| shell.run(&[&["diff", a, other], &b[..]].concat()).code;
    assert_eq!(both("text:absent.json", "text:absent.json"), Some(0));
    assert_eq!(json(&shell.read("a.json"))["prompt"], "absent.json");
    assert_eq!(both("notes", "notes"), Some(0));
    assert_eq!(both("ids:70,71", "ids: 70, 71"), Some(0));
    shell.write("x.json", saved(object!([[[[1.0, 0.0], [0.5, 0.5]]]])).to_string());
    for (args, says) in [
        (&["x.json", "Once"][..], "x.json is a file, the other is a prompt"),
        (&["Once", "x.json"], "x.json is a file"),
        (&["x.json", "--against", "builtin"], "x.json is a file"),
        (&["x.json", "x.json", "-m", "builtin"], "--model is for prompts"),
        (&["x.json", "x.json", "--bos"], "--bos is for prompts"),
        (&["picture.png", "Once"], "picture.png is a file, but of no kind"),
        (&["Once"], "nothing to compare with"),
        (&["x.json"], "nothing to compare with"),
        (&["", "Once"], "empty"),
        (&["text:", "Once"], "empty"),
        (&["ids:1,x", "Once"], "not a list of token ids"),
        (&["-", "-"], "standard input"),
        (&["Once", "upon", "--against", "builtin"], "--against"),
        (&["x.json", "x.json", "--head", "3"], "head 3"),
    ] {
        let (message, _) = shell.fails(2, &[&["diff"], args].concat());
        assert!(message.contains(says), "{args:?}: {message}");
    }
    shell.fails(2, &["diff", "Once", "upon", "-m", "builtin", "--layer", "9"]);
    let ran = shell.pipe(&["diff", "-", "Once upon", "-m", "builtin", "-q", "-o", "a.json"], b"Once upon\n");
    assert_eq!(ran.code, Some(0), "{}", ran.err);
}

#[test]
fn words_sinks_and_templates_work_as_for_attention() {
    let shell = Shell::new();
    let args = ["The cat's whiskers", "The dog's whiskers", "-m", "builtin"];
    let words = compared(&shell, 3, &[&args[..], &["--words"]].concat());
    let axis: Vec<&str> =
        result(&words)["axis"].as_array().unwrap().iter().map(|label| label.as_str().unwrap()).collect();
    assert_eq!(axis, ["The", "cat's→dog's", "whiskers"]);
    for row in at(result(&words), "difference").chunks(3) {
        assert!(row.iter().sum::<f32>().abs() < 1e-5, "{row:?}");
    }
    let masked = compared(&shell, 3, &[&args[..], &["--sink", "mask"]].concat());
    let width = shape(&result(&masked)["difference"])[3];
    assert!(at(result(&masked), "difference").chunks(width).all(|row| row[0] == 0.0));
    let flags = ["--layer", "1", "-q", "-o", "{layer}-{head}.json", "-o", "{layer}-{head}.svg"];
    differs(shell.run(&[&["diff"], &args[..], &flags].concat()));
    let one = json(&shell.read("1-2.json"));
    assert_eq!((&result(&one)["layers"], &result(&one)["heads"]), (&object!([1]), &object!([2])));
    assert_eq!(shape(&result(&one)["changed"]), [1, 1]);
    assert!(svg(&shell.text("1-2.svg")).shows("layer 1, head 2"));
    // Without -o, a picture named after both.
    let ran = shell.run(&[&["diff"], &args[..], &["-q"]].concat());
    assert_eq!(ran.out, b"diff-the-cats-whiskers-the-dogs-whiskers-builtin.png\n");
}

#[test]
fn texts_of_every_script_are_aligned() {
    let shell = Shell::new();
    for (a, b) in [
        ("I 👩‍👩‍👧 love 🙂", "I 👩‍👩‍👦 love 🙃"),
        ("昨日は雨だった", "今日は雨だった。"),
        ("é", "e\u{301}"),
        ("שלום עולם", "שלום"),
        ("a\u{1b}b", "a\tb"),
    ] {
        let args = ["diff", a, b, "-m", "builtin", "-q", "-o", "a.png", "-o", "a.json", "-o", "a.txt"];
        differs(shell.run(&args));
        let data = json(&shell.read("a.json"));
        let slots = result(&data)["alignment"].as_array().unwrap();
        for (side, tokens) in [(0, &data["tokens"]), (1, &data["other"]["tokens"])] {
            let places = slots.iter().filter_map(|slot| slot[side].as_u64());
            assert!(places.eq(0..tokens.as_array().unwrap().len() as u64), "{a} {b}");
        }
    }
}

#[test]
fn traces_of_other_programs_are_compared() {
    let shell = Shell::new();
    for name in ["bert.npz", "gpt2.safetensors", "llama.safetensors"] {
        fs::copy(format!("{TRACES}/{name}"), shell.path(name)).unwrap();
        let data = compared(&shell, 0, &[name, name, "--tol", "0"]);
        assert_eq!(result(&data)["same"], true, "{name}");
    }
    // Two queries at the end of six keys, against all six.
    let (message, _) = shell.fails(2, &["diff", "llama.safetensors", "gpt2.safetensors"]);
    assert!(message.contains("heads"), "{message}");
    let data = compared(&shell, 3, &["llama.safetensors", "gpt2.safetensors", "--head", "0,1"]);
    assert_eq!(
        (result(&data)["compared_queries"].as_u64(), shape(&result(&data)["difference"])),
        (Some(2), vec![2, 2, 6, 6])
    );
    assert!(at(result(&data), "difference")[..4 * 6].iter().all(|x| x.is_infinite()), "null");
}

#[test]
fn a_difference_is_made_again() {
    let shell = Shell::new();
    let same =
        |args: &[&str]| assert_eq!(shell.says(&[&["rerun"], args].concat()), format!("{}: the same bytes\n", args[0]));
    let files = ["-q", "-o", "a.png", "-o", "a.svg", "-o", "a.json", "-o", "a.npz", "-o", "a.safetensors"];
    let all = ["a.png", "a.svg", "a.json", "a.npz", "a.safetensors"];
    differs(shell.run(
        &[&["diff", "The cat sat", "ids:70,71,72", "-m", "builtin", "--words", "--tol", "1e-3"], &files[..]].concat(),
    ));
    all.iter().for_each(|name| same(&[name]));
    differs(shell.run(&[&["diff", TEXT, "Once a", "-m", "builtin", "-q", "-o", "{layer}-{head}.svg"][..]].concat()));
    same(&["2-3.svg"]);
    // Two models in folders are to be named.
    tuned(&shell, "tuned", "transformer.h.0.attn.c_attn.weight");
    differs(shell.run(&[&["diff", "The café", "-m", BASE, "--against", "./tuned"], &files[..]].concat()));
    assert!(shell.fails(1, &["rerun", "a.png"]).1.contains("--model DIR"));
    assert!(shell.fails(1, &["rerun", "a.png", "-m", BASE]).1.contains("--against DIR"));
    all.iter().for_each(|name| same(&[name, "-m", BASE, "--against", "./tuned"]));
    let (message, _) = shell.fails(3, &["rerun", "a.json", "-m", BASE, "--against", BASE]);
    assert!(message.contains("its weights were"), "{message}");
    // Two files.
    shell.ok(&["attention", TEXT, "-m", "builtin", "-q", "-o", "x.json"]);
    shell.ok(&["attention", "Once upon", "-m", "builtin", "-q", "-o", "y.npz"]);
    differs(shell.run(&[&["diff", "x.json", "y.npz"], &files[..]].concat()));
    let (message, hint) = shell.fails(1, &["rerun", "a.svg"]);
    assert!(message.contains("two files") && hint.contains("--input x.json --input y.npz"), "{message} {hint}");
    fs::rename(shell.path("x.json"), shell.path("z.json")).unwrap();
    all.iter().for_each(|name| same(&[name, "--input", "z.json", "--input", "y.npz"]));
    let (message, _) = shell.fails(3, &["rerun", "a.json", "--input", "y.npz", "--input", "y.npz"]);
    assert!(message.contains("have changed"), "{message}");
    // Options name no place.
    let mut data = json(&shell.read("a.json"));
    data["options"]["against"] = object!("../x");
    shell.write("evil.json", data.to_string());
    let (message, _) = shell.fails(1, &["rerun", "evil.json", "--input", "z.json", "--input", "y.npz"]);
    assert!(message.contains("evil.json") && message.contains("`against`"), "{message}");
}

#[test]
fn rows_that_hardly_keep_anything_without_the_first_token_are_hatched_and_counted() {
    let shell = Shell::new();
    let prompts = ["The fox met the crow by the well", "The dog met the crow by the well"];
    let draw = |sink: &str| {
        let args = ["diff", prompts[0], prompts[1], "-m", "builtin", "--sink", sink, "-q", "-o", "a.svg"];
        assert_eq!(shell.attnviz(&args).output().unwrap().status.code(), Some(3), "{sink}");
        shell.text("a.svg")
    };
    let (renorm, mask, keep) = (draw("renorm"), draw("mask"), draw("keep"));
    assert!(renorm.contains("less than 5 % without the first token, and"), "{renorm}");
    assert!(renorm.contains("rows that keep less than 5 %"));
    assert!(mask.contains("attention on the first token, left out") && !mask.contains("less than 5 %"));
    assert!(!keep.contains("left out"));
}

#[test]
fn heads_named_one_by_one_are_compared_in_their_order_and_as_among_all() {
    let shell = Shell::new();
    let prompts = ["The old king", "The young king", "-m", "builtin"];
    let all = compared(&shell, 3, &prompts);
    let (layers, heads) = builtin();
    let (all, shape) = (at(result(&all), "changed"), [layers, heads]);
    let data = compared(&shell, 3, &[&prompts[..], &["--heads", "4.1,1.2"]].concat());
    let results = data["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    for (found, [layer, head]) in results.iter().zip([[4, 1], [1, 2]]) {
        assert_eq!(found["method"], format!("difference-{layer}-{head}"));
        assert_eq!((&found["layers"], &found["heads"]), (&object!([layer]), &object!([head])));
        assert_eq!(at(found, "changed"), [all[layer * shape[1] + head]]);
    }
    shell.run(&[&["diff"], &prompts[..], &["--heads", "4.1,1.2", "-q", "-o", "d.svg", "-o", "d.csv"]].concat());
    shell.run(&[&["diff"], &prompts[..], &["--heads", "4.1,1.2", "-q", "-o", "{layer}-{head}.svg"]].concat());
    let drawn = svg(&shell.text("d.svg"));
    assert!(drawn.shows("layer 4, head 1") && drawn.shows("layer 1, head 2"));
    let rows = shell.text("d.csv");
    assert!(rows.lines().count() == 3 && rows.contains("\n4,1,") && rows.contains("\n1,2,"), "{rows}");
    assert!(svg(&shell.text("4-1.svg")).shows("layer 4, head 1"));
    assert_eq!(shell.files().iter().filter(|name| name.contains('-')).count(), 2, "{:?}", shell.files());
}

#[test]
fn a_few_large_differences_do_not_make_all_others_pale_and_the_figure_says_where_its_colours_end() {
    let shell = Shell::new();
    let head = |weight: f64| object!([[1.0, 0.0], [weight, 1.0 - weight]]);
    for (name, large, small) in [("a.json", 0.1, 0.1), ("b.json", 0.9, 0.2)] {
        let heads: Vec<Value> = (0..256).map(|index| head(if index == 0 { large } else { small })).collect();
        shell.write(name, saved(object!([heads])).to_string());
    }
    differs(shell.run(&["diff", "a.json", "b.json", "-q", "-o", "d.svg"]));
    let said = "colours end at ±0.1: about 1 in 100 of the differences is larger";
    assert!(svg(&shell.text("d.svg")).shows(said), "{:?}", svg(&shell.text("d.svg")).texts);
    assert!(!svg(&shell.text("d.svg")).shows("most differences are small"));
}

#[test]
fn where_a_small_figure_pools_differences_its_colours_end_where_few_of_its_cells_are_larger() {
    let shell = Shell::new();
    let text = |fox: &str| {
        format!("The {fox} met the crow by the well. {}", "She sang a song to the moon, who did not care. ".repeat(16))
    };
    let [a, b] = [text("fox"), text("dog")];
    let end = |width: &str| {
        differs(shell.run(&["diff", &a, &b, "-m", "builtin", "-q", "--width", width, "-o", "d.svg"]));
        let shown = svg(&shell.text("d.svg")).texts.join(" ");
        let note = shown.split("colours end at ±").nth(1).unwrap_or_else(|| panic!("{shown}")).to_owned();
        let (end, rest) = note.split_once(':').unwrap();
        (end.replace('−', "-").parse::<f32>().unwrap(), rest.to_owned())
    };
    let (wide, said) = end("3000");
    assert!(said.contains("1 in 100 of the differences is larger"), "{said}");
    let (narrow, said) = end("250");
    assert!(said.contains("1 in 100 of the cells is larger"), "{said}");
    // The largest of many is larger than most of them.
    assert!(narrow > 2.0 * wide, "{narrow} and {wide}");
}
