//! `attnviz rerun`: a file says how it was made, and is made again.
use crate::support::commands::commands_of_a_prompt;
use crate::support::results::{builtin, json, svg};
use crate::support::shell::Shell;
use serde_json::{Value, json};

const BASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/base");
const TEXT: &str = "Once upon a time there was";

#[track_caller]
fn same(shell: &Shell, args: &[&str]) {
    let out = shell.says(&[&["rerun"], args].concat());
    assert_eq!(out, format!("{}: the same bytes\n", args[0]));
}

#[test]
fn every_kind_of_file_is_made_again_to_the_same_bytes() {
    let shell = Shell::new();
    let flags = [
        "--head",
        "0,-1",
        "--sink",
        "mask",
        "--words",
        "--reduce",
        "layers=max",
        "--title",
        "a <b> & \"c\"",
        "--dpi",
        "120",
    ];
    for name in ["a.png", "a.svg", "a.pdf", "a.json", "a.npz", "a.safetensors"] {
        shell.ok(&[&["-m", "builtin", TEXT, "-q", "-o", name], &flags[..]].concat());
        same(&shell, &[name]);
    }
    // A model that nobody named is called what it is, also the second time.
    shell.ok(&[TEXT, "--received", "-o", "b.png", "-o", "b.svg", "-o", "b.json"]);
    for name in ["b.png", "b.svg", "b.json"] {
        same(&shell, &[name]);
    }
    let made = ["a.json", "a.npz", "a.pdf", "a.png", "a.safetensors", "a.svg", "b.json", "b.png", "b.svg"];
    assert_eq!(shell.files(), made, "nothing is written");
}

#[test]
fn every_command_of_a_prompt_can_be_made_again() {
    let shell = Shell::new();
    let commands = [
        &[
            "saliency",
            TEXT,
            "--method",
            "input-x-gradient,smoothgrad",
            "--samples",
            "3",
            "--seed",
            "7",
            "--target",
            " a",
        ][..],
        &["saliency", TEXT, "--generate", "3", "--temperature", "0.8"],
        &["lens", TEXT, "--top", "3"],
        &["lens", TEXT, "--direct"],
        &["heads", TEXT],
        &["heads", "--seed", "3"],
        &["mix", TEXT, "--method", "raw,rollout", "--sink", "renorm"],
    ];
    let names = commands_of_a_prompt();
    let plain: Vec<[&str; 2]> = names.iter().map(|name| [name.as_str(), TEXT]).collect();
    for command in commands.into_iter().chain(plain.iter().map(|args| &args[..])) {
        shell.ok(&[command, &["-m", "builtin", "-q", "-o", "a.svg", "-o", "a.json"]].concat());
        same(&shell, &["a.svg"]);
        same(&shell, &["a.json"]);
    }
}

#[test]
fn one_head_of_a_template_is_made_again_alone() {
    let shell = Shell::new();
    shell.ok(&["-m", "builtin", TEXT, "--layer", "1,3", "-o", "{layer}-{head}.png", "-o", "{layer}-{head}.json"]);
    same(&shell, &["3-1.png"]);
    same(&shell, &["1-0.json"]);
    assert_eq!(shell.says(&["rerun", "3-1.png", "-o", "again-{layer}.png"]), "again-3.png\n");
    assert_eq!(shell.read("again-3.png"), shell.read("3-1.png"));
}

#[test]
fn ids_that_no_text_gives_are_used_as_they_are() {
    let shell = Shell::new();
    // The same text as one token, or as its letters.
    shell.ok(&["-m", "builtin", "--ids", "70,71,72,300,301,70", "--bos", "-o", "ids.png", "-o", "ids.json"]);
    let again = shell.ok(&["rerun", "ids.json", "-o", "-", "--format", "json"]);
    assert_eq!(json(&again)["token_ids"], json(&shell.read("ids.json"))["token_ids"]);
    same(&shell, &["ids.png"]);
    same(&shell, &["ids.json"]);
}

#[test]
fn a_model_in_a_folder_is_to_be_named_and_another_one_is_noticed() {
    let shell = Shell::new();
    shell.ok(&["-m", BASE, "The café", "-o", "a.svg", "-o", "a.png"]);
    let (message, hint) = shell.fails(1, &["rerun", "a.svg"]);
    assert!(message.contains("folder \"base\"") && hint.contains("--model DIR"), "{message} {hint}");
    same(&shell, &["a.svg", "--model", BASE]);
    let eps = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/act-relu");
    let (message, _) = shell.fails(3, &["rerun", "a.png", "-m", eps]);
    assert!(message.contains("its weights were") && message.contains("pixels"), "{message}");
    let ran = shell.run(&["rerun", "a.png", "-m", eps, "-o", "b.png"]);
    assert!(ran.err.contains("its weights were"), "{}", ran.err);
    assert_eq!(ran.ok(), b"b.png\n");
}

#[test]
fn another_format_is_made_from_the_same_options() {
    let shell = Shell::new();
    shell.ok(&["-m", "builtin", TEXT, "--layer", "2", "--head", "0", "-o", "a.png"]);
    shell.ok(&["rerun", "a.png", "-o", "b.svg", "-o", "b.json", "-o", "b.png"]);
    assert_eq!(shell.read("a.png"), shell.read("b.png"));
    assert!(svg(&shell.text("b.svg")).shows("layer 2, head 0"));
    same(&shell, &["b.json"]);
}

#[test]
fn a_picture_made_beside_more_arrays_is_made_again_alone() {
    let shell = Shell::new();
    let (b, methods) = (["-m", "builtin", "-q"], "smoothgrad,gradient-shap");
    shell
        .ok(&[&["saliency", TEXT, "--method", methods, "--with", "draws", "-o", "a.png", "-o", "a.npz"][..], &b]
            .concat());
    shell.ok(&[&[TEXT, "--with", "hidden,logits", "-o", "b.svg", "-o", "b.safetensors"][..], &b].concat());
    shell.ok(&[&[TEXT, "--with", "scores", "-o", "c-{layer}-{head}.svg", "-o", "c.npz"][..], &b].concat());
    shell.ok(&[&["heads", "--with", "draws", "-o", "d.png", "-o", "d.json"][..], &b].concat());
    for name in ["a.png", "a.npz", "b.svg", "b.safetensors", "c-2-1.svg", "d.png"] {
        same(&shell, &[name]);
    }
    shell.ok(&["rerun", "a.png", "-q", "-o", "e.svg"]);
    shell
        .ok(&[&["saliency", TEXT, "--method", methods, "--with", "draws", "-o", "f.svg", "-o", "f.npz"][..], &b]
            .concat());
    assert_eq!(shell.text("e.svg"), shell.text("f.svg"));
}

#[test]
fn what_differs_is_said_and_the_exit_code_is_3() {
    let shell = Shell::new();
    shell.ok(&["-m", "builtin", TEXT, "-o", "a.json", "-o", "a.svg"]);
    let mut data = json(&shell.read("a.json"));
    let text = shell.text("a.json");
    let version = data["version"].as_str().unwrap().to_owned();
    shell.write("old.json", text.replacen(&version, "0.0.9", 1));
    let (message, _) = shell.fails(3, &["rerun", "old.json"]);
    assert!(message.contains("made by attnviz 0.0.9") && message.contains("all else is the same"), "{message}");

    let first = data["results"][0]["attention"][0][0][1][0].take().to_string();
    shell.write("off.json", text.replacen(&first, "0.125", 1));
    let (message, hint) = shell.fails(3, &["rerun", "off.json"]);
    assert!(message.contains("attention: 1 of ") && message.contains("layer 0, head 0, query 1, key 0"), "{message}");
    assert!(message.contains("was 0.125000") && hint.contains("-o"), "{message}");

    shell.write("less.json", text.replacen("\"results\"", "\"more\": [1, 2],\n\"results\"", 1));
    assert!(shell.fails(3, &["rerun", "less.json"]).0.contains("more is gone"));
    let layers = format!("{} layers", builtin().0);
    shell.write("moved.svg", shell.text("a.svg").replace(&layers, "5 layer\u{202e}"));
    assert!(shell.fails(3, &["rerun", "moved.svg"]).0.contains(&layers));
}

#[test]
fn a_figure_of_a_trace_is_made_again_from_the_trace() {
    let shell = Shell::new();
    let trace = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/traces/bert.npz");
    shell.ok(&["render", trace, "--words", "-o", "a.png", "-o", "a.json", "-o", "a.npz", "-o", "{layer}{head}.svg"]);
    let (message, hint) = shell.fails(1, &["rerun", "a.png"]);
    assert!(message.contains("bert.npz") && hint.contains("--input bert.npz"), "{message}");
    for name in ["a.png", "a.json", "a.npz", "10.svg"] {
        same(&shell, &[name, "--input", trace]);
    }
    std::fs::copy(trace, shell.path("renamed.npz")).unwrap();
    same(&shell, &["a.png", "--input", "renamed.npz"]);
    let other = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/traces/gpt2.safetensors");
    assert_eq!(shell.run(&["rerun", "a.json", "--input", other]).code, Some(2), "it has no tokens to make words of");
    shell.write("half.npz", &std::fs::read(trace).unwrap()[..700]);
    shell.fails(1, &["rerun", "a.json", "--input", "half.npz"]);
}

/// A JSON file as attnviz writes it, of the built-in model, with these options.
fn made(command: &str, options: Value) -> String {
    json!({"model": {"name": "builtin", "revision": null, "hash": ""}, "version": "0.1.0", "command": command,
           "options": options, "line": "attnviz attention --output=evil.png", "prompt": "a", "tokens": ["a"],
           "token_ids": [70], "results": []})
    .to_string()
}

#[test]
fn a_file_cannot_make_rerun_read_or_write_other_files_or_run_anything_else() {
    let shell = Shell::new();
    shell.write("secret", "s");
    let forged = [
        json!({"output": "evil.png"}),
        json!({"-o": "evil.png"}),
        json!({"file": "secret"}),
        json!({"reading": {"text": "secret"}}),
        json!({"model": "."}),
        json!({"threads": 9}),
        json!({"view": {"offline": true}}),
        json!({"view": {"style": {"dpi": 0}}}),
        json!({"view": {"style": {"dpi": "nan"}}}),
        json!({"view": {"style": {"width": 4_000_000_000u32}}}),
        json!({"view": {"style": {"scale": "\u{1b}[31m"}}}),
        json!({"view": {"style": {"title": "x\n--output=evil.png\0"}}}),
        json!({"view": {"selection": {"layer": "99"}}}),
        json!({"view": {"selection": {"layer": "0\n--output=evil.png"}}}),
        json!("--output=evil.png"),
        json!(["--output=evil.png"]),
        json!(null),
    ];
    for options in forged {
        shell.write("made.json", made("attention", options.clone()));
        let ran = shell.run(&["rerun", "made.json"]);
        assert!(matches!(ran.code, Some(1..=3)), "{options}: {ran:?}");
        let what = if ran.code == Some(3) { "different" } else { "error" };
        assert!(
            ran.out.is_empty() && ran.err.starts_with(&format!("{what}: made.json")) && !ran.err.contains('\u{1b}'),
            "{ran:?}"
        );
        assert_eq!(shell.files(), ["made.json", "secret"], "{options}");
    }
    // What is not known is named.
    shell.write("made.json", made("attention", json!({"view": {"colour": "red"}})));
    assert!(shell.fails(1, &["rerun", "made.json"]).0.contains("`colour`"));
    shell.write("made.json", made("dance", json!({})));
    assert!(shell.fails(1, &["rerun", "made.json"]).0.contains("`dance`"));
    let of_a_prompt = commands_of_a_prompt();
    let others = crate::support::commands::commands().into_iter().filter(|name| !of_a_prompt.contains(name));
    for command in others.chain(["", "attention --output=evil.png", "help"].map(String::from)) {
        shell.write("made.json", made(&command, json!({})));
        let ran = shell.run(&["rerun", "made.json"]);
        assert_eq!(ran.code, Some(1), "{command:?}: {ran:?}");
    }
    let good = made("attention", json!({"view": {"selection": {"layer": "0"}}}));
    for (from, to) in
        [("[70]", "[]"), ("[70]", "[4000000000]"), ("[70]", "[-1]"), ("\"builtin\"", "\"../..\""), ("null", "\"../x\"")]
    {
        shell.write("made.json", good.replacen(from, to, 1));
        let ran = shell.run(&["rerun", "made.json"]);
        assert!(matches!(ran.code, Some(1..=3)) && ran.out.is_empty(), "{to}: {ran:?}");
    }
}

/// A PNG of one pixel with this compressed text under attnviz's name.
fn packed(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 1, 1);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().unwrap();
    let mut chunk = png::text_metadata::ITXtChunk::new("attnviz", text);
    chunk.compressed = true;
    chunk.compress_text().unwrap();
    writer.write_text_chunk(&chunk).unwrap();
    writer.write_image_data(&[0; 3]).unwrap();
    writer.finish().unwrap();
    bytes
}

#[test]
fn files_that_say_nothing_or_too_much_are_refused() {
    let shell = Shell::new();
    shell.write("plain.txt", "Once").write("empty.json", "{}").write("empty.png", "").write("cut.png", "\u{89}PNG");
    shell.write("deep.json", "{\"args\":".to_owned() + &"[".repeat(100_000));
    shell.write(
        "bomb.svg",
        "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;\">]><svg>&b;</svg>",
    );
    shell.write("tower.svg", "<g>".repeat(100_000));
    shell.write("other.svg", "<svg><metadata id=\"attnviz\">{}</metadata></svg>");
    shell.write("bomb.png", packed(&" ".repeat(17 << 20)));
    for name in shell.files() {
        let (message, _) = shell.fails(1, &["rerun", &name]);
        assert!(message.contains(&name), "{message}");
    }
    // Packed or not, the same text says the same.
    shell.write("packed.png", packed(&made("attention", json!({}))));
    assert!(shell.fails(3, &["rerun", "packed.png"]).0.contains("1 × 1"));
    shell.fails(1, &["rerun", "absent.png"]);
}
