//! Texts that would be something else in a page that does not look out: a real browser shows all of them as text.

use super::support::browser::Browser;
use super::support::results::table;
use super::support::shell::{Shell, names};
use attnviz::export::csv::unquoted;
use serde_json::{Value, json};

/// What runs in a page would set `owned`.
const TEXTS: [&str; 60] = [
    "<script>owned=1</script>",
    "</script><script>owned=1</script>",
    "</ScRiPt ><script >owned=1//",
    "</style><style>*{display:none}</style>",
    "</title><h1 onclick=owned=1>title",
    "</textarea></noscript><script>owned=1</script>",
    "<!-- <script> owned=1 -->",
    "<!--><script>owned=1</script>",
    "--!> <!-- --> <!- ->",
    "]]> <![CDATA[ <b>x</b> ]]>",
    "<!DOCTYPE html><svg/onload=owned=1> <?php ?>",
    "<img src=x onerror=owned=1>",
    "<img src=http://example.org/x.png><link rel=stylesheet href=//example.org/x.css>",
    "<iframe srcdoc='<script>parent.owned=1</script>'>",
    "<svg><animate onbegin=owned=1 attributeName=x dur=1s>",
    "</text></svg><svg onload=\"owned=1\"><foreignObject>",
    "<svg><use href=\"data:image/svg+xml,<svg id=x onload=owned=1>#x\"/></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=owned=1>",
    "<base href=//example.org/><form action=//example.org><input autofocus onfocus=owned=1>",
    "<meta http-equiv=refresh content=\"0;url=javascript:owned=1\">",
    "<details open ontoggle=owned=1><summary>x",
    "<a href=javascript:owned=1 id=explorer>x</a>",
    "<p id=status><p id=weights><p id=attnviz>",
    "\"><script>owned=1</script>",
    "\"' onmouseover=owned=1 x=",
    "' autofocus onfocus='owned=1",
    "` onmouseover=owned=1 `",
    "\\\"});owned=1;({\"a\":\"",
    "\\u003cscript\\u003eowned=1\\u003c/script\\u003e",
    "\\x3cimg src=x onerror=owned=1\\x3e \\",
    "&lt;script&gt;owned=1&lt;/script&gt;",
    "&amp;lt;b&amp;gt; &#60;i&#62; &#x3C;u&#x3E; &#0; &bogus; &amp",
    "&lt &gt &quot &copy=1 &#99999999;",
    "javascript:owned=1",
    "data:text/html,<script>owned=1</script>",
    "vbscript:x file:///etc/passwd ../../etc/passwd C:\\con",
    "{{constructor.constructor('owned=1')()}}",
    "${owned=1} #{owned=1} <%= owned=1 %> {% raw %}",
    "__proto__ constructor toString hasOwnProperty",
    "{\"head\":\"0.0\",\"__proto__\":{\"owned\":1}}",
    "#head=9.9&query=0&key=0",
    "expression(owned=1) url(javascript:owned=1) @import '//example.org'",
    "\\3c script\\3e owned=1 \\000041 }*{color:red}",
    "=1+1 +1 -1 @SUM(A1) \t=cmd|' /C calc'!A0",
    "'; DROP TABLE prompts; --",
    "-o --file=/etc/passwd $(id) `id` %s %n * ?",
    "\u{1b}[31mred\u{1b}[0m \u{1b}]8;;http://example.org\u{7}link\u{1b}\\",
    "\u{1}\u{2}\u{7}\u{8}\u{b}\u{c}\u{1f}\u{7f} a\u{0}b \u{80}\u{85}\u{9b}31m",
    "\u{202e}right to left\u{202c} \u{2066}x\u{2069} \u{200f}\u{61c} txt.exe",
    "\u{200b}zero\u{200d} width\u{2060}\u{ad} \u{feff}mark",
    "\u{301}\u{308} marks alone, Z\u{337}\u{322}\u{31b}\u{34e} and a\u{36f}\u{36f}\u{36f}\u{36f}\u{36f}\u{36f}\u{36f}\u{36f}",
    "\u{1f469}\u{1f3fd}\u{200d}\u{1f4bb} \u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467} \u{1f3f3}\u{fe0f}\u{200d}\u{1f308} \u{1f1e9}\u{1f1ea} 1\u{fe0f}\u{20e3}",
    "שלום עולם, مرحبا بالعالم 東京 हिन्दी ไทย",
    "\u{d7ff}\u{e000}\u{fffd}\u{fffe}\u{ffff}\u{10000}\u{1fffe}\u{10ffff}\u{e0041}",
    "a line\u{2028}owned=1\u{2029}paragraph\u{85}next",
    "line\r\nline\rline\n\n\ttab\t\ttab",
    " \u{a0}\u{2003}\u{3000} spaces   ",
    "＜script＞owned=1＜/script＞ \u{ff1c}img\u{ff1e} ʺ ʼ \u{2039}\u{203a}",
    WORD,
    LINE,
];
/// Stands for 10 kB without a space.
const WORD: &str = "a word of 10 kB";
/// Stands for a line of as much markup.
const LINE: &str = "a line of 10 kB";

/// Everything that pages are made of.
const ELEMENTS: &str = "html head meta title link style body main header h1 h2 p ol li a section div label select option button span canvas \
    strong noscript script svg desc metadata defs linearGradient stop rect g image line polyline path text tspan clipPath";

/// The prompt that a text is or stands for.
fn meant(text: &str) -> String {
    match text {
        WORD => "wörd".repeat(2000),
        LINE => "<b onclick=owned=1>x</b> ".repeat(400),
        other => other.to_owned(),
    }
}

fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2028}' | '\u{2029}' | '\u{2066}'..='\u{2069}')
}

/// Names of the pages for texts, in their order.
fn pages(shell: &Shell, texts: &[&str], flags: &[&str]) -> Vec<String> {
    let lines: String = texts.iter().map(|text| format!("{}\n", json!({ "prompt": meant(text) }))).collect();
    shell.write("p.jsonl", lines);
    shell.ok(&[&["batch", "p.jsonl", "--out", "d", "-m", "builtin", "-q", "--truncate", "right"], flags].concat());
    let pages: Vec<String> = names(&shell.path("d")).into_iter().filter(|name| name.ends_with(".html")).collect();
    assert_eq!(pages.len(), texts.len() + 1, "with the index");
    pages[..texts.len()].to_vec()
}

/// Nothing of the text is anything but text.
fn is_text(browser: &mut Browser, text: &str) {
    let odd = browser.says(&format!(
        "(() => {{ const known = new Set({:?}.split(/\\s+/)); const all = [...document.querySelectorAll('*')]; \
         return [typeof owned, document.scripts.length, \
         ...all.filter((e) => !known.has(e.localName)).map((e) => e.localName), \
         ...all.flatMap((e) => [...e.attributes]).map((a) => a.name + '=' + a.value) \
         .filter((a) => /^on/.test(a) || /^(href|src|srcdoc|action)=(?!#|data:image|http:\\/\\/www.w3.org)/.test(a))]; }})()",
        ELEMENTS
    ));
    assert_eq!(odd, json!(["undefined", 3]), "{text:?}");
    let shown = browser.says(
        "[document.title, ...['h1', '#status', '.said', '.facts'].map((e) => document.querySelector(e)?.textContent ?? ''), \
         ...[...document.querySelectorAll('#strip button')].map((e) => e.textContent)]",
    );
    for shown in shown.as_array().unwrap().iter().map(|shown| shown.as_str().unwrap()) {
        assert!(!shown.chars().any(|c| acts(c) && c != '\n'), "{text:?} is shown as {shown:?}");
    }
    assert_eq!(browser.faults, Vec::<String>::new(), "{text:?}");
}

#[test]
fn sixty_hostile_texts_are_text_and_their_numbers_are_those_of_the_data() {
    let shell = Shell::new();
    let Some(mut browser) = Browser::or_skip(&shell, [1280, 900]) else { return };
    let pages = pages(&shell, &TEXTS, &["--layer", "4", "--head", "3", "--format", "html,json,csv"]);
    for (text, name) in TEXTS.iter().zip(&pages) {
        let file = |end: &str| shell.read(&format!("d/{}", name.replace(".html", end)));
        let data: Value = serde_json::from_slice(&file(".json")).unwrap();
        let tokens: Vec<&str> =
            data["tokens"].as_array().unwrap().iter().map(|token| token.as_str().unwrap()).collect();
        let last = tokens.len() - 1;
        browser.starts(&shell.path("d").join(name), &format!("#head=4.3&query={last}&key=0"));
        is_text(&mut browser, text);
        let record: Value =
            serde_json::from_str(browser.says("document.getElementById('attnviz').textContent").as_str().unwrap())
                .unwrap();
        assert_eq!((&record["tokens"], &record["prompt"]), (&data["tokens"], &data["prompt"]));
        assert!(meant(text).starts_with(record["prompt"].as_str().unwrap().trim_end_matches('\u{fffd}')), "{text:?}");
        let labels = browser.says("[...document.querySelectorAll('#strip button')].map((e) => e.textContent)");
        assert_eq!(labels.as_array().unwrap().len(), tokens.len());
        for (label, token) in labels.as_array().unwrap().iter().zip(&tokens) {
            if !token.is_empty() && token.chars().all(|c| matches!(c, ' '..='~')) {
                assert_eq!(label.as_str().unwrap(), token.replace(' ', "·"), "{text:?}");
            }
        }
        let said = browser.says("document.getElementById('status').textContent");
        let shown: f64 = said.as_str().unwrap().rsplit(": ").next().unwrap().parse().unwrap();
        let weight = data["results"][0]["attention"][0][0][last][0].as_f64().unwrap();
        assert!((shown - weight).abs() <= 1e-5 * weight, "{said}: {weight}");
        let rows = 1 + tokens.len() * (tokens.len() + 1) / 2;
        // All rows of the head, as the program writes them.
        let ours = table(&String::from_utf8(file(".csv")).unwrap());
        let theirs = table(&browser.saves("save-csv"));
        assert_eq!((ours.len(), theirs.len()), (rows, rows), "{text:?}");
        for (ours, theirs) in ours[1..].iter().zip(&theirs[1..]) {
            assert_eq!(ours[..6], theirs[..6], "{text:?}");
            assert_eq!(unquoted(&theirs[5]), tokens[theirs[4].parse::<usize>().unwrap()], "{text:?}");
            assert_eq!(ours[6].parse::<f32>().unwrap(), theirs[6].parse::<f32>().unwrap(), "{text:?}");
        }
        let svg = browser.saves("save-svg");
        let read = roxmltree::Document::parse(&svg).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        let known = ["svg", "title", "rect", "text", "image"];
        assert!(
            read.descendants().filter(|node| node.is_element()).all(|node| known.contains(&node.tag_name().name()))
        );
    }
    browser.opens(&shell.path("d/index.html"), "#search=<script>owned=1</script>");
    assert_eq!(browser.says("document.querySelectorAll('#prompts li').length"), TEXTS.len());
    assert_eq!(
        browser.says("[typeof owned, document.querySelectorAll('script, iframe, [onclick]').length]"),
        json!(["undefined", 1])
    );
    assert_eq!(browser.faults, Vec::<String>::new());
}

#[test]
fn hostile_texts_are_text_where_they_are_explained() {
    let shell = Shell::new();
    let Some(mut browser) = Browser::or_skip(&shell, [1280, 900]) else { return };
    let flags =
        ["--run", "explain", "--panels", "surprisal,attention", "--versus", "</script><script>owned=2</script>"];
    // The long ones take long, and are no other characters.
    let short = &TEXTS[..TEXTS.len() - 2];
    for (text, name) in short.iter().zip(pages(&shell, short, &[&flags[..], &["--format", "html"]].concat())) {
        browser.starts(&shell.path("d").join(name), "#head=4.3&query=0");
        is_text(&mut browser, text);
        let said = browser.says("document.querySelector('.facts').textContent");
        assert!(said.as_str().unwrap().contains("After the other prompt"), "{text:?}: {said}");
    }
}

#[test]
fn an_address_that_anybody_typed_is_a_view_or_none() {
    let shell = Shell::new();
    let Some(mut browser) = Browser::or_skip(&shell, [1280, 900]) else { return };
    shell.ok(&["attention", "Once upon a time", "-m", "builtin", "-q", "-o", "a.html"]);
    for fragment in [
        "#",
        "#=&==&&",
        "#head=__proto__.constructor&query=toString",
        "#head=-1.-1&query=-1&key=1e3",
        "#head=99.99&query=99&key=99",
        "#head=4.3.2.1&query=1.1.1.x.0.&key=0.0",
        "#head=%00&query=%ff&key=%",
        "#head=4.3&scale=<script>owned=1</script>&view=javascript:owned=1&show=__proto__&pick=constructor",
        "#query=1&query=2&head=4.3&head=0.0",
        "#javascript:owned=1",
        "#explorer",
    ] {
        browser.starts(&shell.path("a.html"), fragment);
        is_text(&mut browser, fragment);
        let choices =
            browser.says("['scale', 'sink', 'view', 'pick', 'show'].map((id) => document.getElementById(id).value)");
        assert_eq!(choices, json!(["linear", "keep", "map", "one", "all"]), "{fragment}");
        assert_eq!(browser.says("document.querySelectorAll('#heads [aria-pressed=true]').length"), 1, "{fragment}");
    }
}
