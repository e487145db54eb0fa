//! A page that explains a prediction says what the numbers say.

use super::support::browser::Browser;
use super::support::shell::Shell;
use serde_json::Value;

const PROMPTS: [&str; 3] = ["Once upon a", "The king and his", "\u{1f98a} She sang, and they sang, and"];

fn explained(shell: &Shell, prompt: &str, flags: &[&str]) -> Value {
    shell.ok(&[&["explain", prompt, "-m", "builtin", "-q", "-o", "a.json"], flags].concat());
    serde_json::from_slice(&shell.read("a.json")).unwrap()
}

fn of<'a>(whole: &'a Value, method: &str) -> &'a Value {
    let all = whole["results"].as_array().unwrap();
    all.iter().find(|entry| entry["method"] == method).unwrap_or_else(|| panic!("no {method}"))
}

/// The numbers in a text, in order.
fn numbers(text: &str) -> Vec<f64> {
    let plain = text.replace('−', "-");
    plain
        .split(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-' || c == '+'))
        .filter_map(|word| word.trim_end_matches('.').parse().ok())
        .collect()
}

#[test]
fn every_number_in_a_sentence_is_one_of_the_data() {
    let shell = Shell::new();
    for prompt in PROMPTS {
        let whole = explained(&shell, prompt, &[]);
        let (lens, direct, surprisal) =
            (of(&whole, "lens"), of(&whole, "direct-logit-attribution"), of(&whole, "surprisal"));
        let saliency = of(&whole, "input-x-gradient");
        let last = whole["tokens"].as_array().unwrap().len() - 1;
        for sentence in of(&whole, "explain")["sentences"].as_array().unwrap() {
            let text = sentence["text"].as_str().unwrap();
            let found = numbers(text);
            let has = |x: f64, digits: i32| {
                let unit = 10f64.powi(-digits);
                assert!(found.iter().any(|y| (x - y).abs() <= 0.5 * unit + 1e-9), "{x} is not in {text}");
            };
            if text.starts_with("After") {
                assert_eq!(saliency["p_target"], of(&whole, "next-token")["p_target"]);
                let p = 100.0 * saliency["p_target"].as_f64().unwrap();
                has(p, if p < 10.0 { 1 } else { 0 });
                has(last as f64, 0);
            } else if text.contains("the score that becomes") {
                has(direct["parts_centred"]["total"].as_f64().unwrap(), 2);
            } else if text.contains("only at the end") {
                let ranks = lens["rank"].as_array().unwrap();
                has(ranks[ranks.len() - 2][last].as_f64().unwrap(), 0);
            } else if text.starts_with("The prompt itself") {
                has(surprisal["mean"].as_f64().unwrap(), 2);
                let most = surprisal["bits"].as_array().unwrap().iter().filter_map(Value::as_f64).fold(0.0, f64::max);
                has(most, 1);
            } else if text.starts_with("Head") {
                let name = text.split([' ', ',']).nth(1).unwrap();
                let (layer, head) = name.split_once('.').unwrap();
                let [layer, head]: [usize; 2] = [layer, head].map(|part| part.parse().unwrap());
                let row = of(&whole, "attention")["attention"][layer][head][last].as_array().unwrap();
                has(row.iter().filter_map(Value::as_f64).fold(0.0, f64::max), 2);
            }
        }
        assert!(of(&whole, "explain")["sentences"].as_array().unwrap().len() >= 5, "{prompt}");
    }
}

#[test]
fn an_explanation_is_made_again_and_says_the_same() {
    let shell = Shell::new();
    let prompt = PROMPTS[0];
    shell.ok(&["explain", prompt, "-m", "builtin", "-q", "-o", "a.html", "-o", "a.svg", "-o", "a.csv", "-o", "a.txt"]);
    assert_eq!(shell.says(&["rerun", "a.html"]), "a.html: the same bytes\n");
    let (page, rows, text) = (shell.text("a.html"), shell.text("a.csv"), shell.text("a.txt"));
    assert_eq!(page.matches("<li>").count(), rows.lines().count() - 1);
    assert!(text.contains("Not shown by this"));
    let whole = explained(&shell, prompt, &["--evaluate"]);
    let sentences = of(&whole, "explain")["sentences"].to_string();
    assert!(sentences.contains("Put to the test: on this prompt"), "{sentences}");
}

#[test]
fn every_sentence_leads_to_its_figure_and_the_explorer_runs_beside_them() {
    let shell = Shell::new();
    let Some(mut browser) = Browser::or_skip(&shell, [1280, 900]) else { return };
    shell.ok(&["explain", PROMPTS[1], "-m", "builtin", "-q", "-o", "a.html"]);
    browser.opens(&shell.path("a.html"), "#head=4.3&query=1");
    browser.waits("!document.getElementById('explorer').hidden");
    let broken = browser.says(
        "[...document.querySelectorAll('.facts a')].filter((a) => !document.querySelector(a.getAttribute('href'))).length",
    );
    assert_eq!(broken, 0);
    let twice = browser.says(
        "(() => { const all = [...document.querySelectorAll('[id]')].map((e) => e.id); return all.filter((id, at) => all.indexOf(id) !== at); })()",
    );
    assert_eq!(twice, serde_json::json!([]));
    let before = browser.says("document.getElementById('status').textContent");
    browser.says("document.querySelector('.facts a').click()");
    browser.waits("location.hash.startsWith('#figure-')");
    assert_eq!(
        browser.says("document.getElementById('status').textContent"),
        before,
        "a link to a figure changes no view"
    );
    assert_eq!(browser.faults, Vec::<String>::new());
}

#[test]
fn another_prompt_is_told_of_by_its_own_numbers() {
    let shell = Shell::new();
    let other = "The queen and her";
    let quick = ["--panels", "lens"];
    let whole = explained(&shell, PROMPTS[1], &[&["--versus", other][..], &quick].concat());
    let there = of(&whole, "contrast");
    let alone = explained(&shell, other, &quick);
    assert_eq!(there["next"], of(&alone, "next-token")["next"]);
    let told = of(&whole, "explain")["sentences"].to_string();
    let p = 100.0 * there["p_target"].as_f64().unwrap();
    assert!(told.contains(&format!("goes from 28 % to {p:.1} % (rank {})", there["rank"])), "{told}");
    let patched = of(&whole, "patching");
    assert_eq!(patched["corrupt_tokens"].as_array().unwrap().len(), 4);
    // Prompts of other lengths have no position in common to be taken apart at.
    let longer = explained(&shell, PROMPTS[1], &["--versus", "The old queen and her", "--panels", "lens"]);
    assert!(longer["results"].as_array().unwrap().iter().all(|entry| entry["method"] != "patching"));
    let (same, way) = shell.fails(2, &["explain", "Once", "-m", "builtin", "--versus", "Once", "-q"]);
    assert_eq!((&*same, &*way), ("both prompts are the same tokens", "change a word (--versus)"));
}

#[test]
fn only_the_sections_that_are_named_are_there_and_told_of() {
    let shell = Shell::new();
    let whole = explained(&shell, PROMPTS[1], &["--panels", "attention,surprisal", "-o", "a.html"]);
    let methods: Vec<&str> =
        whole["results"].as_array().unwrap().iter().map(|entry| entry["method"].as_str().unwrap()).collect();
    assert_eq!(methods, ["explain", "next-token", "surprisal", "attention", "attention-received"]);
    let panels: Vec<&str> = of(&whole, "explain")["sentences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|sentence| sentence["panel"].as_str().unwrap())
        .collect();
    assert_eq!(panels, ["next", "surprisal", "next"]);
    let page = shell.text("a.html");
    assert!(page.contains("id=\"figure-surprisal\"") && !page.contains("id=\"figure-lens\""));
    let (_, wrong) = shell.fails(2, &["explain", "x", "-m", "builtin", "-q", "--panels", "lens", "--evaluate"]);
    assert!(wrong.contains("name saliency among the panels"), "{wrong}");
    assert_eq!(shell.says(&["rerun", "a.html"]), "a.html: the same bytes\n");
}

#[test]
fn what_each_command_says_alone_explain_says_as_well() {
    let shell = Shell::new();
    let whole = explained(&shell, PROMPTS[0], &[]);
    for (args, method) in [
        (&["lens"][..], "lens"),
        (&["lens", "--direct"], "direct-logit-attribution"),
        (&["heads"], "heads"),
        (&["surprisal"], "surprisal"),
        (&["attention"], "attention"),
        (&["saliency", "--method", "occlusion"], "occlusion"),
        (&["mix", "--method", "rollout"], "rollout"),
    ] {
        shell.ok(&[args, &[PROMPTS[0], "-m", "builtin", "-q", "-o", "b.json"]].concat());
        let alone: Value = serde_json::from_slice(&shell.read("b.json")).unwrap();
        assert_eq!(of(&whole, method), of(&alone, method), "{method}");
    }
}

#[test]
fn markdown_has_the_sentences_and_the_tables_and_no_markup_of_a_prompt() {
    let shell = Shell::new();
    let prompt = "<b>|*x*</b> and\n# y";
    shell.ok(&["explain", prompt, "-m", "builtin", "-q", "-o", "a.md", "-o", "a.json", "--panels", "saliency,lens"]);
    let (text, whole) = (shell.text("a.md"), shell.text("a.json"));
    let whole: Value = serde_json::from_str(&whole).unwrap();
    let sentences = of(&whole, "explain")["sentences"].as_array().unwrap();
    assert_eq!(text.lines().filter(|line| line.starts_with("- ")).count(), sentences.len());
    assert!(!text.contains("<b>") && text.contains("&lt;b&gt;"), "{text}");
    let scored = text.lines().skip_while(|line| !line.contains("Which tokens mattered")).skip(4);
    assert_eq!(scored.take_while(|line| line.starts_with('|')).count(), whole["tokens"].as_array().unwrap().len());
    // Other commands have their table.
    shell.ok(&["surprisal", "Once upon a", "-m", "builtin", "-q", "-o", "b.md"]);
    assert!(shell.text("b.md").starts_with("# Once upon a\n\n- builtin"), "{}", shell.text("b.md"));
}

#[test]
fn two_models_stand_on_one_page_and_what_is_chosen_in_one_is_chosen_in_the_other() {
    let shell = Shell::new();
    let other = format!("{}/tests/fixtures/base", env!("CARGO_MANIFEST_DIR"));
    let both = ["--against", &other, "--panels", "lens,attention", "-q"];
    shell.ok(&[&["explain", "ab ab", "-m", "builtin", "-o", "a.html", "-o", "a.json", "-o", "a.md"], &both[..]].concat());
    let whole: Value = serde_json::from_slice(&shell.read("a.json")).unwrap();
    for (model, name) in [("builtin", "builtin"), (&other, "base")] {
        shell.ok(&["explain", "ab ab", "-m", model, "--panels", "lens,attention", "-q", "-o", "b.json"]);
        let alone: Value = serde_json::from_slice(&shell.read("b.json")).unwrap();
        let entries = whole["results"].as_array().unwrap();
        let of_model = |method: &str| {
            let found = entries.iter().find(|entry| entry["method"] == method && entry["model"]["name"] == name);
            found.unwrap_or_else(|| panic!("no {method} of {name}")).clone()
        };
        assert_eq!(of_model("explain")["sentences"], of(&alone, "explain")["sentences"], "{name}");
        assert_eq!(of_model("attention")["attention"], of(&alone, "attention")["attention"], "{name}");
        assert_eq!(of_model("attention")["tokens"], alone["tokens"]);
    }
    let text = shell.text("a.md");
    assert_eq!(text.matches("## What each layer would have said").count(), 2);
    let (said, _) = shell.fails(1, &["rerun", "a.html"]);
    assert!(said.contains("2 models"), "{said}");
    let Some(mut browser) = Browser::or_skip(&shell, [1280, 900]) else { return };
    browser.opens(&shell.path("a.html"), "#head=0.1");
    browser.waits("!document.getElementById('explorer').hidden && !document.getElementById('b-explorer').hidden");
    let pressed = |browser: &mut Browser, prefix: &str| {
        browser
            .says(&format!("document.querySelector('#{prefix}heads [aria-pressed=true]').getAttribute('aria-label')"))
    };
    assert_eq!(pressed(&mut browser, ""), pressed(&mut browser, "b-"));
    browser.says("document.querySelector('#b-heads button').click()");
    assert_eq!(browser.says("location.hash"), "#head=0.0");
    assert_eq!(pressed(&mut browser, ""), "layer 0, head 0");
    let twice = browser.says(
        "(() => { const all = [...document.querySelectorAll('[id]')].map((e) => e.id); return all.filter((id, at) => all.indexOf(id) !== at); })()",
    );
    assert_eq!(twice, serde_json::json!([]));
    let broken = browser.says(
        "[...document.querySelectorAll('.facts a')].filter((a) => !document.querySelector(a.getAttribute('href'))).length",
    );
    assert_eq!(broken, 0);
    assert_eq!(browser.faults, Vec::<String>::new());
}

#[test]
fn an_explanation_is_drawn_at_every_width_that_its_parts_can_be_read_at() {
    let shell = Shell::new();
    for width in ["600", "1400"] {
        let args =
            ["explain", "The fox", "--panels", "direct,qk", "-m", "builtin", "-q", "-o", "a.svg", "--width", width];
        shell.ok(&args);
        assert!(shell.text("a.svg").contains(&format!(" width=\"{width}\"")), "{width}");
    }
}
