//! What the help and the README say is so: every line fits, every flag is told, every example runs.
use crate::support::commands::{commands, commands_of_a_prompt, examples, help, whole_commands};
use crate::support::shell::{Shell, names, ran};
use crate::support::skip::skip;
use attnviz::Named;
use attnviz::figure::Colormap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use tempfile::TempDir;

const TREE: &str = env!("CARGO_MANIFEST_DIR");

/// The help of the program and of every command, with the arguments that print it.
fn manuals() -> Vec<(Vec<String>, String)> {
    let whole = ["--help", "-h"].map(|flag| vec![flag.to_string()]);
    let each = whole_commands().into_iter().flat_map(|words| ["--help", "-h"].map(|flag| with(&words, flag)));
    let asked = whole.into_iter().chain(each);
    asked.map(|args| (args.clone(), help_of(&args))).collect()
}

fn help_of(args: &[String]) -> String {
    help(&args.iter().map(String::as_str).collect::<Vec<_>>(), "80")
}

/// The words of a command, and one more.
fn with(words: &[String], flag: &str) -> Vec<String> {
    words.iter().cloned().chain([flag.to_owned()]).collect()
}

#[test]
fn help_fits_into_80_columns() {
    for (args, text) in manuals() {
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{args:?}: {} columns: {line}", line.chars().count());
        }
    }
    // No terminal at all: the width is not guessed beyond 100.
    assert!(help(&["--help"], "").lines().all(|line| line.chars().count() <= 100));
}

#[test]
fn help_is_a_command_as_well() {
    assert_eq!(help(&["help"], "80"), help(&["--help"], "80"));
    for name in commands() {
        assert_eq!(help(&["help", &name], "80"), help(&[&name, "--help"], "80"));
    }
}

#[test]
fn every_command_has_a_manual_page_and_completions() {
    let shell = Shell::new();
    let whole = shell.says(&["man"]);
    assert!(whole.starts_with(".") && whole.contains(".TH attnviz 1"), "{whole}");
    for name in commands() {
        assert!(whole.contains(&format!("attnviz\\-{name}(1)")), "the page of attnviz lacks {name}: {whole}");
        let page = shell.says(&["man", &name]);
        assert!(page.contains(&format!(".TH attnviz-{name} 1")) || page.contains(&format!(".TH {name} 1")), "{page}");
        for flag in flags(&help(&[&name, "--help"], "80")) {
            assert!(page.contains(&flag.replace('-', "\\-")), "the page of {name} lacks {flag}: {page}");
        }
    }
    for words in whole_commands().into_iter().filter(|words| words.len() > 1) {
        let page = shell.says(&[&["man".to_owned()], &words[..]].concat());
        let help = with(&words, "--help");
        for flag in flags(&help_of(&help)) {
            assert!(page.contains(&flag.replace('-', "\\-")), "the page of {words:?} lacks {flag}: {page}");
        }
    }
    for words in [&["man", "nonsense"][..], &["man", "probe", "nonsense"], &["man", "lens", "pairs"]] {
        let (failed, hint) = shell.fails(2, words);
        assert!(failed.contains("there is no command") && !hint.is_empty(), "{failed}");
    }
    for name in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = shell.says(&["completions", name]);
        for command in commands() {
            let words: Vec<&str> =
                script.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_')).collect();
            assert!(words.contains(&command.as_str()), "{name} lacks {command}");
            for flag in flags(&help(&[&command, "--help"], "80")) {
                assert!(script.contains(flag.trim_start_matches('-')), "{name} lacks {flag} of {command}");
            }
        }
    }
    assert!(shell.fails(2, &["completions", "tcsh"]).0.contains("tcsh"));
    let script = shell.ok(&["completions", "bash"]);
    shell.write("script", &script);
    match shell.program("bash").args(["-n", "script"]).output() {
        Ok(read) => assert!(read.status.success(), "bash does not read it: {}", String::from_utf8_lossy(&read.stderr)),
        Err(error) => skip(&format!("bash does not read the script: {error}")),
    }
}

#[test]
fn a_shell_completes_values_folders_and_models_of_the_cache() {
    let shell = Shell::new();
    fs::create_dir(shell.path("my-model")).unwrap();
    let script = shell.ok(&["completions", "bash"]);
    shell.write("script", &script);
    let offers = |words: &str| {
        let last = words.rsplit(' ').next().unwrap();
        let count = words.split(' ').count() - 1;
        let before = words.split(' ').nth(count - 1).unwrap();
        let line = format!(
            "source ./script; COMP_WORDS=({words}); COMP_CWORD={count}; _attnviz attnviz {last} {before}; echo ${{COMPREPLY[@]}}"
        );
        let binary = Path::new(env!("CARGO_BIN_EXE_attnviz")).parent().unwrap().display().to_string();
        let path = format!("{binary}:{}", std::env::var("PATH").unwrap_or_default());
        let run = shell.program("bash").args(["-c", &line]).env("PATH", path).env("HF_HOME", CACHE.path()).output();
        String::from_utf8(run.unwrap().stdout).unwrap()
    };
    if shell.program("bash").arg("--version").output().is_err() {
        return skip("bash is not installed");
    }
    assert_eq!(offers("attnviz mix --model dis"), "distilgpt2\n");
    assert_eq!(offers("attnviz lens -m my"), "my-model\n");
    assert_eq!(offers("attnviz diff --against bu"), "builtin\n");
    assert_eq!(offers("attnviz saliency --method int"), "integrated-gradients\n");
    assert_eq!(offers("attnviz --colormap vi"), "viridis\n");
    assert_eq!(offers("attnviz --reduce heads=me"), "heads=mean\n");
}

/// The long flags that a help describes.
fn flags(help: &str) -> Vec<String> {
    let described = help.lines().map(str::trim).filter(|line| line.starts_with('-') && !line.starts_with("- "));
    let flag = |line: &str| {
        let from = &line[line.find("--")?..];
        Some(from.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).next()?.to_owned())
    };
    let found: Vec<String> = described.filter_map(flag).collect();
    assert!(found.contains(&"--help".into()), "{help}");
    found
}

#[test]
fn the_readme_names_every_command() {
    let readme = fs::read_to_string(Path::new(TREE).join("README.md")).unwrap();
    for name in commands().into_iter().filter(|name| name != "attention") {
        assert!(readme.contains(&format!("attnviz {name}")), "the README lacks attnviz {name}");
    }
}

#[test]
fn batch_takes_every_command_of_a_prompt_and_no_other() {
    let shell = Shell::new();
    let of_a_prompt = commands_of_a_prompt();
    for name in commands() {
        let ran = shell.run(&["batch", "absent.txt", "--out", "d", "-m", "builtin", "--run", &name]);
        assert_eq!(ran.err.contains("absent.txt"), of_a_prompt.contains(&name), "{name}: {}", ran.err);
    }
}

#[test]
fn every_flag_and_every_choice_is_told() {
    for (args, text) in manuals() {
        let lines: Vec<&str> = text.lines().take_while(|line| *line != "Examples:").collect();
        let flags: Vec<usize> = (0..lines.len()).filter(|at| lines[*at].trim_start().starts_with('-')).collect();
        assert!(!flags.is_empty(), "{args:?}");
        for at in flags {
            let flag = lines[at].trim();
            let described = flag.contains("  ") || lines.get(at + 1).is_some_and(|next| next.starts_with("          "));
            // `- name: what` lists a choice.
            assert!(described || flag.contains(": "), "{flag} is not described in {args:?}");
        }
    }
    let text = help(&["attention", "--help"], "80");
    for heading in ["Model:", "Prompt:", "Selection:", "Figure:", "Output:"] {
        assert!(text.lines().any(|line| line == heading), "{heading}");
    }
    for map in Colormap::all().map(Colormap::name) {
        assert!(text.contains(map), "{map}");
    }
}

/// The lines of code blocks in a Markdown text that a shell would run, continued lines joined.
fn shell_lines(markdown: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut within = false;
    for line in markdown.lines() {
        match line.trim() {
            "```sh" => within = true,
            "```" => within = false,
            line if within => match lines.last_mut() {
                Some(last) if last.ends_with('\\') => {
                    last.pop();
                    last.push_str(line);
                }
                _ => lines.push(line.to_string()),
            },
            _ => {}
        }
    }
    lines.retain(|line| !line.is_empty());
    lines
}

/// A cache with models of the hub, as if each had been downloaded: all are the one of this folder.
static CACHE: LazyLock<TempDir> = LazyLock::new(|| {
    let cache = TempDir::new().unwrap();
    let files = MODEL.map(|file| (file, fs::read(Path::new(TREE).join("assets/model").join(file)).unwrap()));
    for id in ["gpt2", "distilgpt2", "openai-community/gpt2-medium"] {
        crate::support::hub::write_cache(
            &cache.path().join("hub"),
            id,
            crate::support::hub::COMMIT,
            "main",
            &files,
            false,
        );
    }
    cache
});

const MODEL: [&str; 3] = ["config.json", "model.safetensors", "tokenizer.json"];

/// A folder with all that a line of an example names.
fn folder_for(line: &str) -> Shell {
    let shell = Shell::new();
    let names = |what: &str| line.contains(what);
    shell.write("story.txt", "Once upon a time there was a fox who lived by a well. ".repeat(60));
    shell.write("pairs.csv", "good,bad\nThe cats sleep.,The cats sleeps.\nHe saw himself.,He saw herself.\n");
    shell.write("prompts.txt", "Once upon a time\nThe old king\n");
    shell.write("prompts.csv", "id,text\n1,Once upon a time\n2,The old king\n");
    fs::create_dir(shell.path("heads")).unwrap();
    fs::create_dir(shell.path("my-gpt2")).unwrap();
    for file in MODEL {
        fs::copy(Path::new(TREE).join("assets/model").join(file), shell.path("my-gpt2").join(file)).unwrap();
    }
    for folder in [".local/share/bash-completion/completions", ".zfunc", ".config/fish/completions"] {
        fs::create_dir_all(shell.path(folder)).unwrap();
    }
    let once = |args: &[&str]| shell.ok(&[&["Once upon a time", "-q"], args].concat());
    if names("rerun figure.png") && !names("-o figure.png") {
        once(&["-o", "figure.png", "-m", if names("--model ./my-gpt2") { "./my-gpt2" } else { "builtin" }]);
    }
    if names("diff before.json after.safetensors") {
        once(&["-m", "builtin", "-o", "before.json", "-o", "after.safetensors"]);
    }
    for (suite, fixture) in [
        ("crows_pairs_anonymized.csv", "crows.csv"),
        ("dev.json", "stereoset.json"),
        ("pro_stereotyped_type1.txt", "winobias/pro_stereotyped_type1.txt"),
        ("anti_stereotyped_type1.txt", "winobias/anti_stereotyped_type1.txt"),
        ("pairs.jsonl", "pairs.jsonl"),
    ] {
        if names("bias ") && names(suite) {
            fs::copy(Path::new(TREE).join("tests/fixtures/bias").join(fixture), shell.path(suite)).unwrap();
        }
    }
    if names("patch ") && names("pairs.jsonl") {
        let pair = r#"{"clean": "The old king and his", "corrupt": "The young king and her", "answer": " wife", "foil": " son"}"#;
        shell.write("pairs.jsonl", format!("{pair}\n{}\n", pair.replace("king", "fox")));
    }
    if names("probe pairs") {
        fs::create_dir(shell.path("blimp")).unwrap();
        let pair = r#"{"sentence_good": "The foxes run.", "sentence_bad": "The foxes runs.", "UID": "agreement"}"#;
        shell.write("anaphor_number_agreement.jsonl", pair).write("blimp/agreement.jsonl", pair);
    }
    if names("probe cloze") && names("capitals.jsonl") {
        let item = r#"{"prompt": "The old king and his", "answers": [" son"], "distractors": [" well", " sea"]}"#;
        shell.write("capitals.jsonl", item);
    }
    if names("en_ewt-ud-dev.conllu") {
        let word = |at: usize, word: &str, class: &str, number: &str| {
            format!("{at}\t{word}\t_\t{class}\t_\tNumber={number}\t_\t_\t_\t_\n")
        };
        let sentence = |noun: &str, verb: &str, number: &str| {
            word(1, "The", "DET", number) + &word(2, noun, "NOUN", number) + &word(3, verb, "VERB", number) + "\n"
        };
        let two = sentence("fox", "runs", "Sing") + &sentence("foxes", "run", "Plur");
        shell.write("en_ewt-ud-dev.conllu", two.repeat(10));
    }
    if names("reviews.tsv") {
        let two = "text\tlabel\nThe king was good.\tgood\nThe king was bad.\tbad\n";
        shell.write("reviews.tsv", two.to_owned() + &two[11..].repeat(14));
    }
    if names("--merge share-*") && !names("--shard") {
        for share in ["1/2", "2/2"] {
            let out = format!("share-{}", &share[..1]);
            shell.ok(&["batch", "prompts.txt", "-m", "builtin", "--shard", share, "--out", &out]);
        }
    }
    if names("snapshot") && !names("> snapshot.toml") {
        shell.write("snapshot.toml", "[[case]]\nprompt = \"Once upon a time\"\n");
        if names("snapshot check") {
            shell.ok(&["snapshot", "record", "--out", "snapshots"]);
        }
        if names("--update") {
            fs::remove_file(shell.path("snapshots/attention-once-upon-a-time.svg")).unwrap(); // something to accept
        }
    }
    shell
}

/// Runs one line in a folder with everything that examples name.
fn runs(line: &str) {
    runs_in(&folder_for(line), line, Path::new("the help"));
}

/// Runs one line of a page through a real shell. Only `diff` may find a difference.
fn runs_in(shell: &Shell, line: &str, page: &Path) {
    let before = shell.files();
    let binary = Path::new(env!("CARGO_BIN_EXE_attnviz")).parent().unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([binary.to_path_buf()].into_iter().chain(std::env::split_paths(&path))).unwrap();
    let mut sh = shell.program("sh");
    sh.args(["-c", line]).env("PATH", path).env("HOME", shell.folder()).env("HF_HOME", CACHE.path());
    let ran = ran(sh.stdin(Stdio::null()));
    let differs = ran.code == Some(3) && line.contains("attnviz diff ");
    let page = page.display();
    assert!(differs || ran.code == Some(0) && !ran.err.contains("error:"), "{page}: {line}: {}", ran.err);
    let elsewhere = line.starts_with("export ") || line.contains("> ");
    assert!(elsewhere || !ran.out.is_empty() || shell.files() != before, "{page}: {line} does nothing");
}

/// The program that a line gives its output to and that is not installed, and what stands before it.
fn lacking(line: &str) -> Option<(&str, &str)> {
    let pipes =
        line.match_indices(" | ").map(|(at, pipe)| (&line[..at], line[at + pipe.len()..].split(' ').next().unwrap()));
    let here = |program: &str| {
        program == "attnviz"
            || Command::new("sh").args(["-c", &format!("command -v {program}")]).output().unwrap().status.success()
    };
    pipes.map(|(before, program)| (program, before)).find(|(program, _)| !here(program))
}

#[track_caller]
fn runs_as_far_as_it_can(line: &str) {
    let Some((program, before)) = lacking(line) else { return runs(line) };
    skip(&format!("{program} is not installed: {line}"));
    if before.contains("attnviz") {
        runs(before);
    }
}

#[cfg_attr(not(unix), ignore = "needs sh")]
#[test]
fn every_example_of_the_help_runs() {
    let mut lines = examples(&help(&["--help"], "80"));
    for words in whole_commands() {
        lines.extend(examples(&help_of(&with(&words, "--help"))));
    }
    assert!(lines.len() > 20, "{lines:?}");
    lines.iter().for_each(|line| runs_as_far_as_it_can(line));
}

/// README.md and the pages of docs/.
fn pages() -> Vec<PathBuf> {
    let docs = fs::read_dir(Path::new(TREE).join("docs")).unwrap().map(|page| page.unwrap().path());
    let mut pages: Vec<PathBuf> = docs.filter(|page| page.extension().is_some_and(|end| end == "md")).collect();
    pages.sort();
    pages.insert(0, Path::new(TREE).join("README.md"));
    pages
}

#[cfg_attr(not(unix), ignore = "needs sh")]
#[test]
fn every_page_runs_from_top_to_bottom_in_one_folder() {
    let readme = shell_lines(&fs::read_to_string(Path::new(TREE).join("README.md")).unwrap());
    for page in pages() {
        let mut lines = shell_lines(&fs::read_to_string(&page).unwrap());
        let gallery = page.ends_with("gallery.md");
        lines.retain(|line| !gallery || !readme.contains(line)); // it shows what the README runs
        // A model of the reader's own is the only thing that is there.
        let shell = folder_for("");
        for file in shell.files().iter().filter(|file| *file != "my-gpt2") {
            let path = shell.path(file);
            if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
        }
        if gallery {
            let saved = "gpt2.safetensors"; // it stands beside the pictures
            fs::copy(Path::new(TREE).join("assets/gallery").join(saved), shell.path(saved)).unwrap();
        }
        for line in &lines {
            if let Some((_, asked)) = line.split_once("cargo test") {
                // What runs this; only a part that it names can be wrong.
                for name in asked.split(' ').filter_map(|word| word.strip_suffix("::")) {
                    let part = Path::new(TREE).join("tests/suite").join(name).with_extension("rs");
                    assert!(part.exists(), "{line}");
                }
                continue;
            }
            let line = line.replace("cargo run --release -- ", "attnviz "); // that has been built
            match lacking(&line) {
                None => runs_in(&shell, &line, &page),
                Some((program, _)) => skip(&format!("{program} is not installed: {line}")),
            }
        }
    }
}

#[test]
fn pages_lead_only_to_what_is_there() {
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        let targets = text.split("](").skip(1).map(|rest| rest.split([')', '#']).next().unwrap());
        for target in targets.filter(|target| !target.starts_with("http") && !target.is_empty()) {
            assert!(page.with_file_name(target).exists(), "{}: {target}", page.display());
        }
    }
    let gallery = fs::read_to_string(Path::new(TREE).join("docs/gallery.md")).unwrap();
    for picture in names(&Path::new(TREE).join("assets/gallery")).iter().filter(|name| name.ends_with(".png")) {
        let made = shell_lines(&gallery).iter().any(|line| line.ends_with(&format!("-o {picture}")));
        assert!(made && gallery.contains(&format!("gallery/{picture})")), "the gallery lacks {picture} or its command");
    }
    let readme = fs::read_to_string(Path::new(TREE).join("README.md")).unwrap();
    assert!(readme.lines().count() < 220, "the README is for the first five minutes; docs/ has the rest");
    for page in pages().iter().skip(1) {
        let name = page.file_name().unwrap().to_string_lossy();
        assert!(readme.contains(&format!("](docs/{name})")), "the README does not lead to {name}");
    }
}
