//! A page for a browser: it shows the numbers of the data files, runs nothing but its own script, and asks nobody for anything.

use super::support::browser::Browser;
use super::support::shell::Shell;
use super::support::skip::skip;
use serde_json::Value;

const TEXT: &str = "Once upon a time there was a fox by the well";
const SIZE: [u32; 2] = [1280, 900];
fn page(shell: &Shell, text: &str, flags: &[&str]) -> Value {
    shell.ok(&[&["attention", text, "-m", "builtin", "-q", "-o", "a.html", "-o", "a.json"], flags].concat());
    serde_json::from_slice(&shell.read("a.json")).unwrap()
}

/// All numbers of a tree of arrays.
fn leaves(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(all) => all.iter().flat_map(leaves).collect(),
        one => vec![one],
    }
}

#[test]
fn a_page_shows_the_weights_of_the_data_file_and_a_link_is_a_view() {
    let shell = Shell::new();
    let Some(mut browser) = Browser::or_skip(&shell, SIZE) else { return };
    let data = page(&shell, TEXT, &[]);
    let attention = &data["results"][0]["attention"];
    for (layer, head, query, key) in [(4, 3, 9, 5), (0, 0, 0, 0), (3, 1, 7, 7)] {
        browser.starts(&shell.path("a.html"), &format!("#head={layer}.{head}&query={query}&key={key}"));
        let said = browser.says("document.getElementById('status').textContent");
        let said = said.as_str().unwrap();
        let expected = attention[layer][head][query][key].as_f64().unwrap();
        let shown: f64 = said.rsplit(": ").next().unwrap().parse().unwrap();
        assert!((shown - expected).abs() <= 1e-5 * expected, "{said}: {expected}");
        assert!(said.starts_with(&format!("layer {layer}, head {head}:")), "{said}");
    }
    let saved: Value = serde_json::from_str(&browser.saves("save-json")).unwrap();
    for name in ["prompt", "tokens", "token_ids", "model", "command"] {
        assert_eq!(saved[name], data[name], "{name}");
    }
    let single = |value: &Value| value.as_f64().unwrap() as f32;
    for (ours, theirs) in leaves(attention).iter().zip(leaves(&saved["results"][0]["attention"])) {
        assert_eq!(single(ours).to_bits(), single(theirs).to_bits());
    }
    assert_eq!(leaves(attention).len(), leaves(&saved["results"][0]["attention"]).len());
    shell.ok(&["attention", TEXT, "-m", "builtin", "-q", "--layer", "3", "--head", "1", "-o", "a.csv"]);
    let (ours, theirs) = (shell.text("a.csv"), browser.saves("save-csv"));
    assert_eq!(ours.lines().count(), theirs.lines().count());
    for (ours, theirs) in ours.lines().zip(theirs.lines()) {
        let [ours, theirs] = [ours, theirs].map(|line| line.rsplit_once(',').unwrap());
        assert_eq!(ours.0, theirs.0);
        assert_eq!(ours.1.parse::<f32>().ok(), theirs.1.parse::<f32>().ok());
    }
    assert_eq!(browser.faults, Vec::<String>::new());
}

#[test]
fn a_long_text_is_packed_and_says_so() {
    let shell = Shell::new();
    let text = "The fox met the crow by the well and sang. ".repeat(40);
    shell.ok(&["attention", &text, "-m", "builtin", "-q", "-o", "a.html"]);
    let html = shell.text("a.html");
    assert!(html.contains("\"encoding\":\"sqrt\"") && html.len() < 8 << 20, "{}", html.len());
    let Some(mut browser) = Browser::or_skip(&shell, SIZE) else { return };
    browser.starts(&shell.path("a.html"), "#head=0.0&query=0&key=0");
    let said = browser.says("document.getElementById('status').textContent");
    assert!(said.as_str().unwrap().ends_with(": about 1"), "{said}");
    assert_eq!(browser.says("document.getElementById('rounding').hidden"), false);
    assert_eq!(browser.faults, Vec::<String>::new());
}

#[test]
fn a_page_says_how_it_was_made_and_is_made_again() {
    let shell = Shell::new();
    for args in
        [&["attention", TEXT, "--layer", "4", "--head", "3"][..], &["saliency", TEXT], &["lens", TEXT], &["mix", TEXT]]
    {
        shell.ok(&[args, &["-m", "builtin", "-q", "-o", "a.html"]].concat());
        assert_eq!(shell.says(&["rerun", "a.html"]), "a.html: the same bytes\n", "{args:?}");
        let html = shell.text("a.html");
        assert!(html.contains("<svg") && html.contains("Content-Security-Policy"), "{args:?}");
    }
}

#[test]
fn several_tokens_are_summed_both_ways_a_double_click_solos_and_the_view_is_saved() {
    let shell = Shell::new();
    let Some(mut browser) = Browser::or_skip(&shell, SIZE) else { return };
    let data = page(&shell, TEXT, &[]);
    let head = &data["results"][0]["attention"][4][3];
    browser.starts(&shell.path("a.html"), "#head=4.3&query=7");
    let status = "document.getElementById('status').textContent";
    browser.says(
        "document.querySelectorAll('#strip button')[5].dispatchEvent(new MouseEvent('click', { shiftKey: true, bubbles: true }))",
    );
    assert_eq!(browser.says("location.hash"), "#head=4.3&query=7.5");
    let weight = |query: usize, key: usize| head[query][key].as_f64().unwrap();
    let said = browser.says(status);
    let [given, got] = said.as_str().unwrap().split("; attended to most by ").collect::<Vec<_>>()[..] else {
        panic!("{said}")
    };
    let first = |text: &str, token: &str| -> f64 {
        text.split(token)
            .nth(1)
            .unwrap_or_else(|| panic!("{token}: {text}"))
            .split(',')
            .next()
            .unwrap()
            .trim()
            .parse()
            .unwrap()
    };
    assert!((first(given, "“Once” (0) ") - weight(7, 0) - weight(5, 0)).abs() < 1e-5, "{said}");
    assert!((first(got, "“·the” (9) ") - weight(9, 7) - weight(9, 5)).abs() < 1e-5, "{said}");
    for (view, part) in [("map", "<rect"), ("lines", "<line")] {
        browser.chooses("view", view);
        let svg = browser.saves("save-svg");
        let read = roxmltree::Document::parse(&svg).unwrap_or_else(|error| panic!("{error}: {svg}"));
        assert!(svg.contains(part) && !svg.contains("style="), "{svg}");
        assert!(read.descendants().any(|node| node.text() == Some("·fox")), "{svg}");
    }
    browser
        .says("document.querySelector('#heads button').dispatchEvent(new MouseEvent('dblclick', { bubbles: true }))");
    assert!(browser.says("location.hash").as_str().unwrap().ends_with("&show=alone"));
    assert_eq!(browser.says("getComputedStyle(document.getElementById('heads')).display"), "none");
    browser.presses("Escape");
    assert_ne!(browser.says("getComputedStyle(document.getElementById('heads')).display"), "none");
    browser.opens(&shell.path("a.html"), "#head=4.3&query=7.5.99.x&pick=several");
    browser.waits("document.getElementById('status').textContent.includes('sum of')");
    assert_eq!(browser.faults, Vec::<String>::new());
}

/// axe-core (`npm pack axe-core`), by the path in `ATTNVIZ_AXE`: its rules for people who read with something else than their eyes.
#[test]
fn axe_finds_nothing_serious_on_light_and_dark_pages() {
    let Some(axe) = std::env::var_os("ATTNVIZ_AXE") else {
        return skip("ATTNVIZ_AXE names no axe.min.js");
    };
    let axe = std::fs::read_to_string(axe).unwrap();
    let shell = Shell::new();
    let Some(mut browser) = Browser::or_skip(&shell, SIZE) else { return };
    let other = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/base");
    let explain = |text: &str, flags: &[&str]| {
        shell.ok(&[&["explain", text, "-m", "builtin", "-q"], flags].concat());
    };
    explain(TEXT, &["--panels", "lens,direct,attention", "-o", "explained.html"]);
    explain("ab ab", &["--panels", "lens,attention", "--against", other, "-o", "both.html"]);
    page(&shell, TEXT, &[]);
    shell.write("p.txt", "the cat\nthe dog\n");
    shell.ok(&["batch", "p.txt", "--out", "d", "-m", other, "--format", "html", "-q"]);
    for (file, fragment) in [
        ("a.html", "#head=4.3&query=7.5"),
        ("a.html", "#head=4.3&query=7&view=lines&pick=several"),
        ("explained.html", "#head=4.3&query=7.5"),
        ("both.html", "#head=0.1&query=1"),
        ("d/index.html", "#search=cat"),
    ] {
        for (width, scheme) in [(1280, "light"), (1280, "dark"), (360, "light"), (360, "dark")] {
            browser.wears(width, scheme);
            browser.opens(&shell.path(file), fragment);
            browser.waits("document.querySelector('#status, #found').textContent");
            browser.says(&format!("{axe}; 0"));
            let found = browser.says(
                "axe.run(document, { resultTypes: ['violations'] }).then((all) => all.violations\
                 .filter((one) => ['serious', 'critical'].includes(one.impact)).map((one) => `${one.id}: ${one.nodes[0].html}`))",
            );
            assert_eq!(found, serde_json::json!([]), "{file}{fragment} {width} {scheme}");
        }
    }
}
