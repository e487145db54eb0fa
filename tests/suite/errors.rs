//! What goes wrong ends in two lines on stderr, the thing and the way out, and the right exit code.
use crate::support::results::{builtin, json};
use crate::support::shell::{Shell, ran};
use std::fs;

const BASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/base");

/// Fails with this exit code; message and hint name what they must. Nothing is left behind.
#[track_caller]
fn refused(code: i32, args: &[&str], message: &str, hint: &str) {
    let shell = Shell::new();
    let (said, way) = shell.fails(code, args);
    assert!(said.contains(message), "{args:?}: {said:?} does not name {message:?}");
    assert!(way.contains(hint), "{args:?}: {way:?} does not name {hint:?}");
    assert!(shell.files().is_empty(), "{args:?}: {:?}", shell.files());
}

#[test]
fn help_and_version_are_results() {
    let shell = Shell::new();
    assert!(shell.says(&["--help"]).contains("Usage:"));
    assert!(shell.says(&["-h"]).contains("Usage:"));
    assert_eq!(shell.says(&["--version"]), format!("attnviz {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn what_cannot_be_meant_exits_with_2() {
    let prompt = "attnviz \"Once upon a time\"";
    refused(2, &[], "no prompt", prompt);
    refused(2, &["attention"], "no prompt", prompt);
    refused(2, &["-m", "builtin"], "no prompt", prompt);
    refused(2, &["-m", "builtin", ""], "empty", "character");
    refused(2, &["-m", "builtin", "-"], "empty", "character");
    refused(2, &["-m", "builtin", "hi", "--colour", "red"], "--colour", "--colormap");
    refused(2, &["-m", "builtin", "hi", "--zzz"], "--zzz", "--");
    refused(2, &["-m", "builtin", "hi", "there"], "there", "quotes");
    refused(2, &["attention", "-m", "builtin", "hi", "there"], "there", "quotes");
    refused(2, &["-m", "builtin", "attention", "hi"], "hi", "command comes first");
    refused(2, &["-m", "builtin", "hi", "--file", "x"], "--file", "--help");
    refused(2, &["-m"], "--model", "--help");
    refused(2, &["-m", "builtin", "-m", "builtin", "hi"], "--model", "--help");
    refused(2, &["-m", "builtin", "hi", "--sink", "drop"], "drop", "--help");
    refused(2, &["-m", "builtin", "hi", "--words=line"], "line", "--help");
    refused(2, &["-m", "builtin", "hi", "--scale", "cube"], "linear, sqrt, log", "--help");
    refused(2, &["-m", "builtin", "hi", "--colormap", "jet"], "viridis", "--help");
    refused(2, &["-m", "builtin", "hi", "--theme", "blue"], "blue", "--help");
    refused(2, &["-m", "builtin", "hi", "--threads", "0"], "--threads", "--help");
    refused(2, &["-m", "builtin", "hi", "--threads", "x"], "--threads", "--help");
    refused(2, &["-m", "builtin", "hi", "-q", "-v"], "--quiet", "--help");
    refused(2, &["-m", "builtin", "hi", "--with", "weights"], "weights", "--help");
    refused(2, &["-m", "builtin", "hi", "--truncate", "both"], "both", "--help");
    for size in ["0", "119", "20001", "4294967295"] {
        refused(
            2,
            &["-m", "builtin", "hi", "--width", size],
            &format!("width {size}"),
            "between 120 and 20000 pixels (--width)",
        );
        refused(2, &["-m", "builtin", "hi", "--height", size], &format!("height {size}"), "(--height)");
    }
    refused(2, &["-m", "builtin", "hi", "--width", "4294967296"], "--width", "--help");
    for dpi in ["0", "9.9", "2401", "nan", "inf", "1e30", "-5"] {
        refused(
            2,
            &["-m", "builtin", "hi", "--dpi", dpi],
            "dpi",
            "between 10 and 2400, such as 96 for a screen or 300 for print (--dpi)",
        );
    }
    refused(2, &["-m", "builtin", "hi", "--dpi", "x"], "--dpi", "--help");
    refused(2, &["-m", "builtin", "hi", "--width", "20000", "--height", "20000", "--dpi", "2400"], "pixels", "--dpi");
    for reduce in ["heads", "heads=min", "layer=mean", "", "heads=mean,,"] {
        refused(2, &["-m", "builtin", "hi", "--reduce", reduce], "--reduce", "heads=mean");
    }
}

#[test]
fn what_is_left_out_is_named_with_the_help_of_its_command() {
    for (args, command) in
        [(&["diff"][..], "attnviz diff"), (&["batch"], "attnviz batch"), (&["models", "get"], "attnviz models get")]
    {
        refused(2, args, "not provided", &format!("{command} --help"));
    }
}

#[test]
fn a_layer_or_head_that_is_not_there_exits_with_2_and_the_count() {
    let (layers, heads) = builtin();
    for (flag, count) in [("--layer", layers), ("--head", heads)] {
        let past = count + 1;
        for list in
            [format!("{count}"), format!("-{past}"), format!("0-{count}"), "99999999999".into(), format!("0,{count}")]
        {
            let (has, from) = (format!("the model has {count}"), format!("0 to {}", count - 1));
            refused(2, &["-m", "builtin", "hi", flag, &list], &has, &from);
        }
        for list in ["", ",", "a", "1-", "1..2", "0x1", "1-2-3", "1 2", "é-1", "99999999999999999999", "--1", "1,"] {
            refused(2, &["-m", "builtin", "hi", flag, list], &flag[2..], "0,3-5,-1");
        }
        refused(2, &["-m", "builtin", "hi", flag, "3-1"], "backwards", "smaller");
        refused(2, &["-m", "builtin", "hi", flag, "-1-0"], "backwards", "smaller");
    }
}

#[test]
fn token_ids_that_no_model_has_exit_with_2() {
    refused(2, &["-m", BASE, "--ids", "5,300"], "300 at position 1", "0 to 299");
    refused(2, &["-m", BASE, "--ids", "4294967295"], "4294967295", "0 to 299");
    for ids in ["4294967296", "-1", "a", "1,,2", "1 2", ""] {
        refused(2, &["-m", BASE, "--ids", ids], if ids == "-1" { "-1" } else { "--ids" }, "--");
    }
    refused(2, &["-m", BASE, "--ids", "5", "text"], "--ids", "--help");
}

#[test]
fn a_prompt_too_long_states_both_lengths_and_can_be_truncated() {
    let text = "The café is in Zoë. There are hills and there is a lake, and it is";
    let shell = Shell::new();
    let (message, hint) = shell.fails(2, &["-m", BASE, text]);
    let length: usize = message.split_whitespace().filter_map(|word| word.parse().ok()).next().unwrap();
    assert!(length > 32 && message.contains(&format!("{length} tokens")) && message.contains("32"), "{message}");
    assert!(hint.contains("left or right (--truncate)"), "{hint}");
    let data = |side: &str, more: &[&str]| {
        json(&shell.ok(&[&["-m", BASE, text, "--truncate", side, "-o", "-", "--format", "json"], more].concat()))
    };
    let (left, right) = (data("left", &[]), data("right", &[]));
    for half in [&left, &right] {
        assert_eq!(half["token_ids"].as_array().unwrap().len(), 32);
    }
    assert!(text.ends_with(left["prompt"].as_str().unwrap()), "{}", left["prompt"]);
    assert!(text.starts_with(right["prompt"].as_str().unwrap()), "{}", right["prompt"]);
    let kept = data("left", &["--bos"]);
    assert_eq!((&kept["token_ids"][0], &kept["token_ids"][31]), (&299.into(), &left["token_ids"][31]));
    refused(2, &["-m", BASE, text, "--bos"], "33".replace("33", &(length + 1).to_string()).as_str(), "--truncate");
}

#[test]
fn outputs_are_checked_before_anything_is_read() {
    let model = ["-m", "builtin", "hi", "-o"];
    let with = |more: &[&'static str]| [&model[..], more].concat();
    refused(2, &with(&["a.gif"]), "a.gif", ".png");
    refused(2, &with(&["a"]), "extension", ".svg");
    refused(2, &with(&[""]), "extension", ".svg");
    refused(2, &with(&[".png"]), ".png", "");
    refused(2, &with(&["-"]), "-o -", "--format");
    refused(2, &with(&["a.png", "--format", "svg"]), "disagree", "--format");
    refused(2, &with(&["a.png", "-o", "a.png"]), "a.png", "name");
    refused(2, &with(&["a.png", "-o", "./a.png"]), "a.png", "name");
    refused(2, &with(&["-", "-o", "-", "--format", "json"]), "-o -", "");
    refused(2, &with(&["{nope}.png"]), "{nope}", "{layer}");
    refused(2, &with(&["{layer.png"]), "{", "{{");
    refused(1, &with(&["no/a.png"]), "no", "mkdir -p no");
    refused(1, &with(&["/dev/null/a.png"]), "/dev/null", "");
    refused(1, &with(&["/dev/null/{slug}/{head}.png"]), "/dev/null", "");
    let shell = Shell::new();
    fs::create_dir(shell.path("folder.png")).unwrap();
    let (message, _) = shell.fails(1, &with(&["folder.png"]));
    assert!(message.contains("folder.png") && message.contains("is a folder"), "{message}");
    assert!(shell.fails(1, &with(&["folder.png/"])).0.contains("folder"));
}

#[test]
fn arguments_are_checked_before_weights_are_loaded() {
    let shell = Shell::new();
    fs::create_dir(shell.path("m")).unwrap();
    fs::copy(format!("{BASE}/config.json"), shell.path("m/config.json")).unwrap();
    // A whole file without a single tensor.
    shell.write("m/model.safetensors", [&2u64.to_le_bytes()[..], b"{}"].concat());
    let flags: [&[&str]; 11] = [
        &["hi", "--layer", "2"],
        &["hi", "--head", "2"],
        &["hi", "--layer", "x"],
        &["hi", "--reduce", "heads"],
        &["hi", "--width", "1"],
        &["hi", "--dpi", "1"],
        &["hi", "-o", "a.bmp"],
        &["hi", "--received", "-o", "a.npz"],
        &["hi", "--with", "logits"],
        &[""],
        &[],
    ];
    for more in flags {
        shell.fails(2, &[&["-m", "m"], more].concat());
    }
    assert!(shell.fails(1, &["-m", "m", "--file", "none.txt"]).0.contains("none.txt"));
    assert!(shell.fails(1, &["-m", "m", "hi", "-o", "none/a.png"]).0.contains("none"));
    assert!(shell.fails(1, &["-m", "m", "hi"]).0.contains("no tensors"));
}

#[test]
fn prompts_that_cannot_be_read_are_named() {
    let shell = Shell::new();
    shell.write("latin1.txt", b"caf\xe9").write("empty.txt", "").write("newline.txt", "\n");
    let (message, hint) = shell.fails(1, &["-m", "builtin", "--file", "latin1.txt"]);
    assert!(message.contains("latin1.txt is not UTF-8 (byte 3)") && hint.contains("iconv"), "{message} {hint}");
    assert!(shell.fails(1, &["-m", "builtin", "--file", "none.txt"]).0.contains("none.txt"));
    assert!(shell.fails(1, &["-m", "builtin", "--file", "."]).0.contains("."));
    assert!(shell.fails(2, &["-m", "builtin", "--file", "empty.txt"]).0.contains("empty"));
    assert!(shell.fails(2, &["-m", "builtin", "--file", "newline.txt"]).0.contains("empty"));
    assert!(shell.pipe(&["-m", "builtin", "-"], b"\xff").fails(1).0.contains("standard input is not UTF-8"));
    assert_eq!(shell.files().len(), 3);
}

#[test]
fn models_that_are_none_are_named() {
    let shell = Shell::new();
    fs::create_dir(shell.path("empty")).unwrap();
    shell.write("file.bin", "x");
    for (model, says) in [
        ("./none", "does not exist"),
        ("/none", "does not exist"),
        ("~/none-of-this-name", "does not exist"),
        ("empty", "config.json"),
        ("./file.bin", "is a file"),
        (".", "config.json"),
        ("./\u{1b}]8;;x\u{7}", "does not exist"),
    ] {
        let (message, hint) = shell.fails(1, &["-m", model, "hi"]);
        assert!(message.contains(says) && hint.contains("config.json"), "{model}: {message} {hint}");
    }
    let (message, hint) = shell.fails(1, &["-m", "no-such-model", "hi"]);
    assert!(message.contains("no-such-model") && hint.contains("models get no-such-model"), "{message} {hint}");
    for model in ["", "a/b/c", "a b", "../x", "\u{1b}[31m", "\u{202e}x"] {
        shell.fails(if model.starts_with('.') { 1 } else { 2 }, &["-m", model, "hi"]);
    }
    let from_environment = ran(shell.attnviz(&["hi"]).env("ATTNVIZ_MODEL", "./none"));
    assert!(from_environment.fails(1).0.contains("./none"));
    assert_eq!(shell.files(), ["empty", "file.bin"]);
}

#[cfg(unix)]
#[test]
fn arguments_that_are_no_text_are_refused_without_a_panic() {
    use std::os::unix::ffi::OsStrExt;
    let odd = std::ffi::OsStr::from_bytes(b"caf\xe9\x1b[31m");
    let shell = Shell::new();
    for args in [
        vec![odd],
        vec!["-m".as_ref(), odd, "hi".as_ref()],
        vec!["hi".as_ref(), "-o".as_ref(), odd],
        vec!["hi".as_ref(), "--title".as_ref(), odd],
    ] {
        let (message, _) = shell.fails(2, &args);
        assert!(message.contains("UTF-8"), "{message}");
    }
    let ran = shell.run(&["--file".as_ref(), odd]);
    ran.fails(1);
}

#[test]
fn errors_show_what_was_typed_without_letting_it_act() {
    let shell = Shell::new();
    let nasty = "\u{1b}[31m\u{1b}]8;;http://x\u{7}\r\n\n\u{85}\u{202e}";
    for args in [
        vec!["-m", nasty, "hi"],
        vec!["-m", "builtin", "hi", nasty],
        vec!["-m", "builtin", "hi", "-o", nasty],
        vec!["-m", "builtin", "hi", "--layer", nasty],
        vec!["-m", "builtin", "hi", "--reduce", nasty],
        vec!["-m", "builtin", "hi", "--sink", nasty],
        vec!["-m", "builtin", "hi", "--colormap", nasty],
        vec!["-m", "builtin", "--file", nasty],
        vec![nasty, "--ids", nasty],
    ] {
        let ran = shell.run(&args);
        let code = ran.code.unwrap();
        assert!(!ran.err.contains('\u{202e}'), "{args:?} {:?}", ran.err);
        let (message, _) = ran.fails(code);
        assert!(code == 1 || code == 2, "{message}");
    }
    let ran = shell.run(&["-m", "builtin", "hi", &format!("--{nasty}")]);
    ran.fails(2);
    let ran = shell.run(&["-m", "builtin", "hi", &format!("--{}", "x".repeat(100_000))]);
    assert!(ran.err.len() < 2000, "an error of {} bytes", ran.err.len());
}
