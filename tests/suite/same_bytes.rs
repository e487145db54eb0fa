//! The same input gives the same bytes, whatever the number of threads, the folder, the locale, the time zone or the run.
use crate::support::shell::{Shell, names, ran};

const BASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/base");
const FORMATS: [&str; 7] = ["png", "svg", "txt", "json", "npz", "safetensors", "csv"];

/// Every kind of file, of one prompt; and a file for each head.
fn everything(model: &str, text: &str) -> Vec<String> {
    let mut args = vec!["-m".to_string(), model.into(), text.into()];
    args.extend(FORMATS.iter().flat_map(|format| ["-o".to_string(), format!("a.{format}")]));
    args.extend(["-o".into(), "{slug}-{hash}-{layer}-{head}.svg".into()]);
    args
}

fn same(first: &Shell, second: &std::path::Path, what: &str) {
    assert_eq!(first.files(), names(second), "{what}");
    for name in first.files() {
        assert!(first.read(&name) == std::fs::read(second.join(&name)).unwrap(), "{name}: {what}");
    }
}

fn unchanged_by_surroundings(model: &str, text: &str) {
    let args = everything(model, text);
    let first = Shell::new();
    let listing = first.ok(&args);
    for threads in ["1", "2", "3", "7"] {
        let shell = Shell::new();
        assert_eq!(shell.ok(&[&args[..], &["--threads".into(), threads.into()]].concat()), listing);
        same(&first, shell.folder(), &format!("{threads} threads"));
    }
    let shell = Shell::new();
    shell.ok(&args);
    shell.ok(&args); // over what is there
    same(&first, shell.folder(), "a second run");
    for [lang, zone] in [["tr_TR.UTF-8", "Pacific/Kiritimati"], ["C", "UTC"], ["de_DE.ISO-8859-1", "America/Caracas"]] {
        let shell = Shell::new();
        let mut command = shell.attnviz(&args);
        for name in ["LANG", "LC_ALL", "LC_NUMERIC", "LANGUAGE"] {
            command.env(name, lang);
        }
        let out =
            ran(command.env("TZ", zone).env("TERM", "xterm-256color").env("COLUMNS", "200").env("NO_COLOR", "1")).ok();
        assert_eq!(out, listing);
        same(&first, shell.folder(), lang);
    }
    let shell = Shell::new();
    let deep = shell.path("a folder/ünder it");
    std::fs::create_dir_all(&deep).unwrap();
    ran(shell.attnviz(&args).current_dir(&deep)).ok();
    same(&first, &deep, "another folder");
}

#[test]
fn a_tiny_checkpoint_gives_the_same_bytes_everywhere() {
    unchanged_by_surroundings(BASE, "The café is in Zoë. There are hills and");
}

#[test]
fn the_built_in_model_gives_the_same_bytes_everywhere() {
    let text = "The fox met the crow by the well, and 東京 too.";
    let args: Vec<String> =
        everything("builtin", text).into_iter().map(|arg| arg.replace("{layer}-{head}", "all")).collect();
    let first = Shell::new();
    first.ok(&[&args[..], &["--with".into(), "logits,hidden,scores".into()]].concat());
    for threads in ["1", "2", "5"] {
        let shell = Shell::new();
        shell.ok(&[&args[..], &["--with".into(), "logits,hidden,scores".into(), "--threads".into(), threads.into()]]
            .concat());
        same(&first, shell.folder(), &format!("{threads} threads"));
    }
}

#[test]
fn long_prompts_give_the_same_numbers_with_any_number_of_threads() {
    let shell = Shell::new();
    let text = "The fox met the crow by the well. ".repeat(30);
    let bytes = |threads: &str| {
        let flags = [
            "-m",
            "builtin",
            "-q",
            "--with",
            "logits,hidden",
            "-o",
            "-",
            "--format",
            "safetensors",
            "--threads",
            threads,
        ];
        shell.ok(&[&flags[..], &[&text]].concat())
    };
    let one = bytes("1");
    assert!(one == bytes("2") && one == bytes("3"));
    let picture =
        |threads: &str| shell.ok(&["-m", "builtin", "-q", "-o", "-", "--format", "png", "--threads", threads, &text]);
    assert!(picture("1") == picture("2"));
}

#[test]
fn a_model_is_known_by_its_folders_name_and_weights_and_not_by_its_path() {
    let shell = Shell::new();
    std::fs::create_dir_all(shell.path("x/base")).unwrap();
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
        std::fs::copy(format!("{BASE}/{file}"), shell.path("x/base").join(file)).unwrap();
    }
    for format in FORMATS {
        let here = shell.ok(&["-m", "x/base/", "The ca", "-o", "-", "--format", format]);
        let there = Shell::new().ok(&["-m", BASE, "The ca", "-o", "-", "--format", format]);
        assert!(here == there, "{format}");
        let text = String::from_utf8_lossy(&here);
        assert!(!text.contains("x/base") && !text.contains("fixtures"), "{format} names a path");
    }
}

#[test]
fn every_command_draws_with_the_bundled_fonts_unless_the_systems_are_asked_for() {
    let shell = Shell::new();
    let text = "日本語 ᚠᚢ 한국어";
    shell.write("p.txt", text);
    for (name, flags, asked) in [("bundled", &[][..], false), ("system", &["--system-fonts"], true)] {
        let one = format!("{name}.png");
        let run = |args: &[&str]| shell.run(&[args, flags, &["-m", "builtin", "--layer", "0", "--head", "0"]].concat());
        let ran = run(&[text, "-o", &one]);
        assert!(asked || !ran.err.contains("taken from the system's"), "{}", ran.err);
        ran.ok();
        run(&["batch", "p.txt", "--out", name, "--name", "{index}", "-q"]).ok();
        assert!(shell.read(&one) == shell.read(&format!("{name}/000000.png")), "{name}");
        assert!(shell.says(&["rerun", &one]).ends_with("the same bytes\n"), "{name}");
        let (_, record) = attnviz::export::record::read(&shell.read(&one)).unwrap();
        assert_eq!(record.options["view"]["style"]["system_fonts"], asked);
    }
}
