//! Any text is a prompt: it comes back whole from every file, is visible in every picture, and acts nowhere.
use crate::support::results::{json, png, svg, table};
use crate::support::shell::Shell;
use attnviz::export::csv::unquoted;
use std::collections::BTreeSet;

const BASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/base");
/// One head of the built-in model: all labels are drawn.
const ONE: [&str; 7] = ["-m", "builtin", "-q", "--layer", "0", "--head", "0"];

const TEXTS: [&str; 34] = [
    "naïve Zoë, übergrößenträger",
    "東京は今日も雨です。",
    "한국어 텍스트 日本語 中文字",
    "שלום עולם, مرحبا بالعالم",
    "हिन्दी में लिखा தமிழ் ไทย",
    "👩🏽‍💻 👨‍👩‍👧‍👦 🏳️‍🌈 🇩🇪 1️⃣ ❤️",
    "Z̷̢̛͎͖̗̖̗͚͇̱̜̪̗͎̳̣̓̐̈́̀̊̋ḁ̶̡̛̳͈̊̓l̴̰̈́g̸̱̈́o̵͎͐",
    "\u{301}\u{308} marks alone",
    "a\u{0}b",
    "\u{0}",
    "\u{1}\u{2}\u{7}\u{8}\u{b}\u{c}\u{1b}\u{7f}",
    "\u{80}\u{85}\u{9b}31m\u{9f}",
    "\u{1b}[31mred\u{1b}[0m",
    "\u{1b}]8;;http://example.org\u{7}link\u{1b}]8;;\u{7}",
    "\u{1b}]52;c;aGk=\u{7}",
    "\u{1b}P+q\u{1b}\\",
    "<script>alert(1)</script>",
    "]]> <![CDATA[ x",
    "--> <!-- x -- >",
    "</text></svg><svg onload=\"x\">",
    "&amp; &#0; &lt; & \" ' `",
    "</metadata>",
    "\u{feff}",
    "\u{feff}mark first",
    "\u{202e}txt.exe\u{202c} \u{2066}x\u{2069} \u{200f}",
    "\n",
    "\n\n\r\n\t \u{a0}\u{2003}\u{2028}\u{2029}",
    " ",
    "\u{200b}\u{200d}\u{ad}\u{2060}",
    "\u{fffd}\u{fffe}\u{ffff}\u{1fffe}\u{10ffff}",
    "\u{e000}\u{f8ff}\u{e0041}\u{e007f}",
    "=1+1,\"quoted\",'x'\r\n;\t|",
    "../../etc/passwd C:\\con {layer} {{ %s $(id) `id` * ?",
    "-dash --first -o x",
];

fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// A text as a file holds it: one that begins like a byte-order mark stands behind one, which is no part of it.
fn in_a_file(text: &str) -> String {
    if text.starts_with('\u{feff}') { format!("\u{feff}{text}") } else { text.into() }
}

/// What tokens stand for: their text, or of a character that is split over several the bytes that are spelled out.
fn bytes(tokens: &[&str]) -> Vec<u8> {
    let spelled = |part: &str| u8::from_str_radix(part, 16).unwrap_or_else(|_| panic!("⟨{part}⟩ is no byte"));
    let of = |token: &&str| -> Vec<u8> {
        let mut parts = token.split(['⟨', '⟩']);
        let first = parts.next().unwrap().bytes().collect::<Vec<u8>>();
        let rest: Vec<&str> = parts.collect();
        let pairs = rest.chunks(2).flat_map(|pair| [vec![spelled(pair[0])], pair[1].bytes().collect()].concat());
        first.into_iter().chain(pairs).collect()
    };
    tokens.iter().flat_map(of).collect()
}

#[test]
fn every_text_comes_back_from_every_file_and_acts_in_none() {
    for text in TEXTS {
        let shell = Shell::new();
        shell.write("prompt", format!("{}\n", in_a_file(text)));
        let args = ["--file", "prompt", "-o", "a.svg", "-o", "a.png", "-o", "a.json", "-o", "a.csv", "-o", "a.txt"];
        shell.ok(&[&ONE[..], &args].concat());
        let picture = svg(&shell.text("a.svg"));
        let data = json(&shell.read("a.json"));
        assert_eq!(picture.record["prompt"], text);
        assert_eq!(png(&shell.read("a.png")).record["prompt"], text);
        assert_eq!(data["prompt"], text);
        let known = [
            "svg",
            "title",
            "metadata",
            "defs",
            "linearGradient",
            "stop",
            "rect",
            "g",
            "image",
            "line",
            "polyline",
            "path",
            "text",
            "tspan",
            "title",
            "desc",
        ];
        let elements: BTreeSet<&str> = picture.elements.iter().map(String::as_str).collect();
        assert!(elements.iter().all(|element| known.contains(element)), "{text:?}: {elements:?}");
        for shown in &picture.texts {
            assert!(!shown.chars().any(acts), "{text:?} is drawn as {shown:?}");
        }
        let preview = shell.text("a.txt");
        assert!(!preview.chars().any(|c| acts(c) && c != '\n'), "{text:?}: {preview:?}");

        let tokens: Vec<&str> =
            data["tokens"].as_array().unwrap().iter().map(|token| token.as_str().unwrap()).collect();
        assert_eq!(tokens.len(), data["token_ids"].as_array().unwrap().len());
        assert_eq!(bytes(&tokens), text.as_bytes(), "{tokens:?}");
        let rows = table(&shell.text("a.csv"));
        assert_eq!(rows.len(), 1 + tokens.len() * (tokens.len() + 1) / 2);
        for row in &rows[1..] {
            assert_eq!(row.len(), 7, "{text:?}: {row:?}");
            let (query, key): (usize, usize) = (row[2].parse().unwrap(), row[4].parse().unwrap());
            assert_eq!((unquoted(&row[3]), unquoted(&row[5])), (tokens[query], tokens[key]));
        }
    }
}

#[test]
fn a_prompt_from_an_argument_a_file_and_a_pipe_is_the_same() {
    let shell = Shell::new();
    let out = ["-m", BASE, "--truncate", "right", "-o", "-", "--format", "json"];
    for text in TEXTS.iter().filter(|text| !text.contains('\0')) {
        let typed = shell.ok(&[&out[..], &["--", text]].concat());
        let piped = shell.pipe(&[&out[..], &["-"]].concat(), format!("{}\n", in_a_file(text)).as_bytes()).ok();
        shell.write("prompt", format!("{}\r\n", in_a_file(text)));
        let filed = shell.ok(&[&out[..], &["--file", "prompt"]].concat());
        assert!(typed == piped && typed == filed, "{text:?}");
    }
    // Only one final newline belongs to the file.
    for (input, prompt) in [("a\n\n", "a\n"), ("a\r\n", "a"), ("a", "a"), ("\n\n", "\n")] {
        let data = json(&shell.pipe(&[&out[..], &["-"]].concat(), input.as_bytes()).ok());
        assert_eq!(data["prompt"], prompt);
    }
}

#[test]
fn names_made_of_a_prompt_are_safe_everywhere() {
    for text in TEXTS.iter().chain(&["con", "NUL", "lpt1", "x".repeat(300).as_str()]) {
        let shell = Shell::new();
        shell.write("prompt", format!("{}\n", in_a_file(text)));
        let name = shell.says(&["-m", BASE, "-q", "--file", "prompt", "--truncate", "right", "--format", "txt"]);
        let name = name.strip_suffix("-base-truncate-right.txt\n").unwrap().strip_prefix("attention-").unwrap();
        assert!(!name.is_empty() && name.len() <= 40 && !name.starts_with('-') && !name.ends_with('-'), "{name:?}");
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{name:?}");
        assert_eq!(shell.files(), [format!("attention-{name}-base-truncate-right.txt"), "prompt".into()]);
    }
}

#[test]
fn a_character_split_over_tokens_shows_its_bytes_and_is_whole_in_its_word() {
    let shell = Shell::new();
    shell.ok(&["-m", BASE, "a 字 🦊", "--layer", "0", "--head", "0", "-o", "a.svg", "-o", "a.json", "--received"]);
    let data = json(&shell.read("a.json"));
    let tokens: Vec<&str> = data["tokens"].as_array().unwrap().iter().map(|token| token.as_str().unwrap()).collect();
    assert!(tokens.contains(&"⟨E5⟩") && tokens.contains(&"⟨F0⟩"), "{tokens:?}");
    let words = data["results"][0]["words"].as_array().unwrap();
    assert!(words.iter().any(|word| word == "字") && words.iter().any(|word| word == "🦊"), "{words:?}");
    let chart = svg(&shell.text("a.svg"));
    assert!(chart.shows("字") || chart.shows("U+5B57"), "{:?}", chart.texts);
}

#[test]
fn invisible_characters_are_visible() {
    let shell = Shell::new();
    shell.write("prompt", "a b\n\n\tc\u{0}\u{1b}[31m\u{202e}\u{200b}d\n");
    shell.ok(&[&ONE[..], &["--file", "prompt", "-o", "a.svg"]].concat());
    let texts = svg(&shell.text("a.svg")).texts.concat();
    for shown in ["·", "⏎", "⇥", "␀", "␛"] {
        assert!(texts.contains(shown), "{shown}: {texts}");
    }
}

#[test]
fn ten_kilobytes_without_a_space_are_truncated_and_drawn() {
    let shell = Shell::new();
    for unit in ["a", "é", "字", "👩‍💻", "\u{301}", "aB3$"] {
        let text = unit.repeat(10_000 / unit.len());
        shell.write("prompt", &text);
        let (message, _) = shell.fails(2, &["-m", "builtin", "--file", "prompt"]);
        assert!(message.contains("512"), "{message}");
        let data = json(
            &shell.ok(&[
                &ONE[..],
                &["--file", "prompt", "--truncate", "right", "-o", "a.png", "-o", "-", "--format", "json"],
            ]
            .concat()),
        );
        assert_eq!(data["token_ids"].as_array().unwrap().len(), 512);
        let prompt = data["prompt"].as_str().unwrap().trim_end_matches('\u{fffd}');
        assert!(prompt.len() > 500 && text.starts_with(prompt), "{unit}");
        assert_eq!(png(&shell.read("a.png")).record["prompt"], data["prompt"]);
    }
}

#[test]
fn titles_are_text_as_well() {
    for title in TEXTS.iter().filter(|text| !text.contains('\0')) {
        let shell = Shell::new();
        shell.ok(&[
            "-m",
            BASE,
            "The ca",
            "-q",
            &format!("--title={title}"),
            "-o",
            "a.svg",
            "-o",
            "a.txt",
            "-o",
            "a.png",
        ]);
        let picture = svg(&shell.text("a.svg"));
        assert!(!picture.texts.iter().any(|shown| shown.chars().any(acts)), "{title:?}: {:?}", picture.texts);
        assert!(!shell.text("a.txt").chars().any(|c| acts(c) && c != '\n'), "{title:?}");
    }
}

#[cfg_attr(not(unix), ignore = "needs a system that takes any name")]
#[test]
fn a_model_folder_of_any_name_is_drawn_and_recorded_by_that_name() {
    let shell = Shell::new();
    for name in ["mödel 字", "a\u{1b}[31mb", "<script>", "\u{202e}x"] {
        let folder = shell.path(name);
        std::fs::create_dir(&folder).unwrap();
        for file in ["config.json", "model.safetensors", "tokenizer.json"] {
            std::fs::copy(std::path::Path::new(BASE).join(file), folder.join(file)).unwrap();
        }
        shell.ok(&["-m", name, "The ca", "-o", "a.svg", "-o", "a.txt"]);
        let picture = svg(&shell.text("a.svg"));
        assert_eq!(picture.record["model"]["name"], name);
        assert!(!picture.texts.iter().any(|shown| shown.chars().any(acts)), "{:?}", picture.texts);
        assert!(!shell.text("a.txt").chars().any(|c| acts(c) && c != '\n'), "{name:?}");
    }
}

#[test]
fn no_cell_of_a_table_is_run_by_a_spreadsheet_and_all_are_read_as_they_were() {
    let shell = Shell::new();
    for text in ["=1+1", "+a", "-a", "@a", "\ta", "'=a", "''=a", "'s", "a=b"] {
        shell.ok(&[&ONE[..], &["-o", "a.csv", "-o", "a.json", "--", text]].concat());
        let tokens: Vec<String> = json(&shell.read("a.json"))["tokens"]
            .as_array()
            .unwrap()
            .iter()
            .map(|token| token.as_str().unwrap().to_owned())
            .collect();
        for row in &table(&shell.text("a.csv"))[1..] {
            for (place, cell) in [(2, 3), (4, 5)] {
                let (token, cell) = (&tokens[row[place].parse::<usize>().unwrap()], &row[cell]);
                assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{text:?}: {cell:?}");
                assert_eq!(unquoted(cell), token, "{text:?}");
                assert_eq!(
                    cell == token,
                    !token.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r'])
                );
            }
        }
    }
}
