//! Every control of a page does what it says, and all views show the one thing that is chosen.

use super::support::browser::Browser;
use super::support::pictures::rgba;
use super::support::results::table;
use super::support::shell::Shell;
use serde_json::{Value, json};

const TEXT: &str = "Once upon a time there was a fox by the well";
const STATUS: &str = "document.getElementById('status').textContent";
/// The colour of the map's cell, from its lower right end: the last query's to one of the last keys.
const CELL: &str = "((back) => { const c = document.getElementById('map'); \
    return pixel(c, c.width - 30 * back - 15, c.height - 15); })";
/// What a pixel of a canvas is: read from a copy, since nobody else reads there.
const PIXEL: &str = "window.pixel = (canvas, x, y) => { const pen = new OffscreenCanvas(1, 1).getContext('2d'); \
    pen.drawImage(canvas, x, y, 1, 1, 0, 0, 1, 1); return [...pen.getImageData(0, 0, 1, 1).data].join(); }; 0";

/// A browser at a page of the built-in model, and its attention `[layer][head][query][key]`.
fn opened(shell: &Shell, fragment: &str) -> Option<(Browser, Value)> {
    let mut browser = Browser::or_skip(shell, [1280, 900])?;
    shell.ok(&["attention", TEXT, "-m", "builtin", "-q", "-o", "a.html", "-o", "a.json"]);
    browser.starts(&shell.path("a.html"), fragment);
    browser.says(PIXEL);
    let data: Value = serde_json::from_slice(&shell.read("a.json")).unwrap();
    Some((browser, data["results"][0]["attention"].clone()))
}

fn hash(browser: &mut Browser) -> String {
    browser.says("location.hash").as_str().unwrap().to_owned()
}

/// Whether an element is seen.
fn is_seen(browser: &mut Browser, id: &str) -> bool {
    browser.says(&format!("document.getElementById('{id}').getClientRects().length > 0")) == true
}

#[test]
fn hovering_tells_a_click_keeps_escape_lets_go_back_goes_back_and_forward_forth() {
    let shell = Shell::new();
    let Some((mut browser, data)) = opened(&shell, "#head=4.3") else { return };
    let before = browser.says(STATUS);
    browser.points("#map", [-4.0, -4.0]);
    let hovered = browser.says(STATUS);
    let weight = data[4][3][10][10].as_f64().unwrap() as f32;
    assert!(hovered.as_str().unwrap().contains("query “·well” (10) → key “·well” (10): "), "{hovered}");
    let shown: f32 = hovered.as_str().unwrap().rsplit(": ").next().unwrap().parse().unwrap();
    assert!((shown - weight).abs() < 1e-5 * weight, "{hovered}");
    browser.points("h1", [1.0, 1.0]);
    assert_eq!(browser.says(STATUS), before, "what is only hovered is let go");
    browser.clicks("#map", [-4.0, -4.0], 1, 0);
    browser.points("h1", [1.0, 1.0]);
    assert_eq!(browser.says(STATUS), hovered, "a click keeps it");
    assert_eq!(hash(&mut browser), "#head=4.3&query=10&key=10");
    browser.says("document.getElementById('map').focus()");
    for (key, expected) in [
        ("ArrowUp", "#head=4.3&query=9&key=9"), // no query looks ahead
        ("ArrowRight", "#head=4.3&query=9&key=9"),
        ("ArrowLeft", "#head=4.3&query=9&key=8"),
        ("ArrowDown", "#head=4.3&query=10&key=8"),
        ("ArrowDown", "#head=4.3&query=10&key=8"),
    ] {
        browser.presses(key);
        assert_eq!(hash(&mut browser), expected, "{key}");
    }
    browser.says("history.back()");
    browser.waits("location.hash === '#head=4.3&query=9&key=8'");
    browser.waits(&format!("{STATUS}.includes('(9) → key “·by” (8)')"));
    browser.says("history.forward()");
    browser.waits("location.hash === '#head=4.3&query=10&key=8'");
    browser.waits(&format!("{STATUS}.includes('(10) → key “·by” (8)')"));
    browser.presses("Escape");
    assert_eq!(browser.says(STATUS), before);
    assert_eq!(hash(&mut browser), "#head=4.3");
    // An address that is typed is followed without loading.
    browser.says("(() => { location.hash = '#head=2.1&query=3&view=lines'; })()");
    browser.waits(&format!("{STATUS}.startsWith('head 2.1: query “·time” (3)')"));
    assert_eq!(browser.says("document.getElementById('view').value"), "lines");
    assert_eq!(browser.faults, Vec::<String>::new());
}

#[test]
fn heads_are_chosen_by_click_and_arrows_and_a_double_click_shows_one_alone() {
    let shell = Shell::new();
    let Some((mut browser, _)) = opened(&shell, "#head=4.3") else { return };
    let pressed = "document.querySelector('#heads [aria-pressed=true]').getAttribute('aria-label')";
    browser.clicks("#heads [aria-label='layer 1, head 2']", [5.0, 5.0], 1, 0);
    assert_eq!((hash(&mut browser), browser.says(pressed)), ("#head=1.2".into(), json!("layer 1, head 2")));
    for (key, expected) in [
        ("ArrowUp", "0.2"),
        ("ArrowUp", "0.2"),
        ("ArrowRight", "0.3"),
        ("ArrowRight", "0.3"),
        ("ArrowDown", "1.3"),
        ("ArrowLeft", "1.2"),
    ] {
        browser.presses(key);
        assert_eq!(hash(&mut browser), format!("#head={expected}"), "{key}");
        let focused = browser.says("document.activeElement.getAttribute('aria-label')");
        assert_eq!(browser.says(pressed), focused, "what is chosen has the focus");
    }
    assert_eq!(
        browser.says("document.querySelectorAll('#heads button:not([tabindex=\"-1\"])').length"),
        1,
        "one stop for Tab"
    );
    browser.clicks("#heads [aria-label='layer 0, head 1']", [5.0, 5.0], 2, 0);
    assert_eq!(hash(&mut browser), "#head=0.1&show=alone");
    assert!(!is_seen(&mut browser, "heads") && is_seen(&mut browser, "map"));
    browser.presses("Escape");
    assert!(is_seen(&mut browser, "heads"));
    browser.chooses("show", "alone");
    assert!(!is_seen(&mut browser, "heads"));
    browser.chooses("show", "all");
    assert!(is_seen(&mut browser, "heads"));
    assert_eq!(browser.faults, Vec::<String>::new());
}

#[test]
fn tokens_are_chosen_in_the_strip_one_or_several_and_let_go() {
    let shell = Shell::new();
    let Some((mut browser, data)) = opened(&shell, "#head=3.1") else { return };
    let token = |at: usize| format!("#strip button:nth-child({})", at + 1);
    let click = |browser: &mut Browser, at: usize, held: u32| {
        browser.clicks(&token(at), [4.0, 4.0], 1, held);
        hash(browser)
    };
    assert_eq!(click(&mut browser, 7, 0), "#head=3.1&query=7");
    for key in [0, 4] {
        let title = browser.says(&format!("document.querySelectorAll('#strip button')[{key}].title"));
        let shown: f64 =
            title.as_str().unwrap().strip_prefix("gets ").unwrap().split(',').next().unwrap().parse().unwrap();
        let weight = data[3][1][7][key].as_f64().unwrap();
        assert!((shown - weight).abs() < 1e-5 * weight, "{title}");
    }
    let given = browser.says("document.querySelectorAll('#strip button')[9].title");
    let shown: f64 = given.as_str().unwrap().strip_prefix("gives ").unwrap().parse().unwrap();
    assert!((shown - data[3][1][9][7].as_f64().unwrap()).abs() < 1e-5, "{given}");
    assert_eq!(click(&mut browser, 5, 0), "#head=3.1&query=5");
    assert_eq!(click(&mut browser, 7, 8), "#head=3.1&query=5.7");
    assert_eq!(click(&mut browser, 5, 8), "#head=3.1&query=7");
    assert_eq!(click(&mut browser, 7, 0), "#head=3.1");
    browser.chooses("pick", "several");
    click(&mut browser, 2, 0);
    assert_eq!(click(&mut browser, 3, 0), "#head=3.1&query=2.3&pick=several");
    let chosen = "[...document.querySelectorAll('#strip [aria-pressed=true]')].map((e) => e.textContent).join('')";
    assert_eq!(browser.says(chosen), "·a·time");
    browser.presses("Escape");
    assert_eq!(browser.says(chosen), "");
    assert_eq!(browser.faults, Vec::<String>::new());
}

#[test]
fn scale_and_first_token_change_what_is_drawn_and_nothing_that_is_said() {
    let shell = Shell::new();
    let Some((mut browser, data)) = opened(&shell, "#head=1.1&query=10&key=4") else { return };
    let said = browser.says(STATUS);
    let palette = browser.says("JSON.parse(document.getElementById('attnviz').textContent).page.palette.light");
    let colours: Vec<String> = palette
        .as_str()
        .unwrap()
        .as_bytes()
        .chunks(6)
        .map(|hex| {
            let level = |at: usize| u8::from_str_radix(std::str::from_utf8(&hex[at..at + 2]).unwrap(), 16).unwrap();
            format!("{},{},{},255", level(0), level(2), level(4))
        })
        .collect();
    let weight = data[1][1][10][7].as_f64().unwrap();
    let mut seen = Vec::new();
    for (scale, place) in [("linear", weight), ("sqrt", weight.sqrt()), ("log", 1.0 - weight.log10() / -4.0)] {
        browser.chooses("scale", scale);
        let colour = browser.says(&format!("{CELL}(3)"));
        assert_eq!(colour, colours[(place * (colours.len() - 1) as f64).round() as usize], "{scale}");
        seen.push(colour);
        assert_eq!(
            browser.says("document.getElementById('least').textContent"),
            if scale == "log" { "0.0001 or less" } else { "0" }
        );
    }
    assert!(seen[0] != seen[1] && seen[1] != seen[2]);
    let small = "pixel(document.querySelector('#heads canvas'), 0, 5)";
    for drawn in [&format!("{CELL}(10)"), small] {
        assert!(browser.says(drawn).as_str().unwrap().ends_with(",255"), "{drawn}");
    }
    browser.chooses("sink", "hide");
    browser.waits(&format!("{small} === '0,0,0,0'"));
    assert_eq!(browser.says(&format!("{CELL}(10)")), "0,0,0,0");
    assert_eq!(browser.says(STATUS), said);
    assert_eq!(browser.saves("save-csv").lines().count(), 1 + 66, "numbers are all there");
    assert_eq!(hash(&mut browser), "#head=1.1&query=10&key=4&scale=log&sink=hide");
    // Dark, while it is looked at.
    browser.chooses("scale", "linear");
    browser.wears(1280, "dark");
    browser.waits(&format!("{CELL}(3) !== '{}'", seen[0].as_str().unwrap()));
    assert_eq!(browser.faults, Vec::<String>::new());
}

#[test]
fn lines_are_the_weights_and_their_tokens_can_be_chosen() {
    let shell = Shell::new();
    let Some((mut browser, data)) = opened(&shell, "#head=2.2") else { return };
    browser.chooses("view", "lines");
    assert!(!is_seen(&mut browser, "map") && is_seen(&mut browser, "lines") && is_seen(&mut browser, "note"));
    let weights = |query: usize, from: usize| (from..=query).map(move |key| (query, key));
    let strong = |(query, key): (usize, usize)| data[2][2][query][key].as_f64().unwrap() as f32 >= 0.02;
    let count = |from: usize| (0..11).flat_map(|query| weights(query, from)).filter(|cell| strong(*cell)).count();
    let lines = "document.querySelectorAll('#lines line').length";
    assert_eq!(browser.says(lines), count(0));
    browser.chooses("sink", "hide");
    assert_eq!(browser.says(lines), count(1));
    browser.chooses("sink", "keep");
    browser
        .says("document.querySelectorAll('#lines text')[6].dispatchEvent(new MouseEvent('click', { bubbles: true }))");
    assert_eq!(hash(&mut browser), "#head=2.2&query=6&view=lines");
    let of = |class: &str| format!("document.querySelectorAll('#lines line.{class}').length");
    let (given, got) =
        ((0..=6).filter(|key| strong((6, *key))).count(), (7..11).filter(|query| strong((*query, 6))).count());
    assert_eq!((browser.says(&of("given")), browser.says(&of("got"))), (json!(given), json!(got)));
    let titles = browser.says("[...document.querySelectorAll('#lines title')].map((e) => e.textContent)");
    for title in titles.as_array().unwrap() {
        let shown: f32 = title.as_str().unwrap().rsplit(": ").next().unwrap().parse().unwrap();
        let known = (0..=6).map(|key| (6, key)).chain((7..11).map(|query| (query, 6)));
        let known = known.map(|(query, key)| data[2][2][query][key].as_f64().unwrap() as f32);
        assert!(known.into_iter().any(|weight| (weight - shown).abs() < 1e-5), "{title}");
    }
    browser.chooses("view", "map");
    assert!(is_seen(&mut browser, "map") && !is_seen(&mut browser, "lines"));
    assert_eq!(browser.faults, Vec::<String>::new());
}

#[test]
fn each_file_that_is_saved_is_of_what_is_looked_at() {
    let shell = Shell::new();
    let Some((mut browser, data)) = opened(&shell, "#head=3.2&query=8&sink=hide") else { return };
    browser.says("(() => { window.names = []; HTMLAnchorElement.prototype.click = function () { names.push(this.download); }; })()");
    let rows = table(&browser.saves("save-csv"));
    assert!(rows[1..].iter().all(|row| row[0] == "3" && row[1] == "2"));
    let picture = rgba(&browser.saves_picture("save-png"));
    let shown = browser.says("[document.getElementById('map').width, document.getElementById('map').height]");
    assert_eq!(json!([picture.0, picture.1.len() / picture.0]), shown);
    let colour = browser.says(&format!("{CELL}(3)"));
    let pixel = picture.1[picture.1.len() - 15 * picture.0 - 105];
    assert_eq!(colour, pixel.map(|level| level.to_string()).join(","), "the map, as it is drawn");
    let svg = browser.saves("save-svg");
    let read = roxmltree::Document::parse(&svg).unwrap();
    let titles: Vec<&str> =
        read.descendants().filter(|node| node.has_tag_name("title")).filter_map(|node| node.text()).collect();
    assert_eq!(titles[0], "attention of head 3.2: rows are queries, columns keys");
    let mut cells = titles[1..].iter();
    for (query, key) in (0..11).flat_map(|query| (1..=query).map(move |key| (query, key))) {
        let shown: f32 = cells.next().unwrap().rsplit(": ").next().unwrap().parse().unwrap();
        let weight = data[3][2][query][key].as_f64().unwrap() as f32;
        assert!((shown - weight).abs() <= 1e-5 * weight, "{query} {key}");
    }
    assert_eq!(cells.next(), None, "without the first token");
    let all: Value = serde_json::from_str(&browser.saves("save-json")).unwrap();
    assert_eq!(all["results"][0]["attention"].as_array().unwrap().len(), 5);
    let names = json!(["attention-3.2.csv", "attention-3.2.png", "attention-3.2.svg", "attention.json"]);
    assert_eq!(browser.says("names"), names);
    assert_eq!(browser.faults, Vec::<String>::new());
}

#[test]
fn without_scripts_sentences_and_pictures_stand_and_no_control_promises_anything() {
    let shell = Shell::new();
    let Some(mut browser) = Browser::or_skip(&shell, [1280, 900]) else { return };
    shell.ok(&["explain", "The fox", "-m", "builtin", "-q", "--panels", "lens,surprisal,attention", "-o", "a.html"]);
    browser.asks("Emulation.setScriptExecutionDisabled", json!({ "value": true }));
    browser.opens(&shell.path("a.html"), "");
    assert!(!is_seen(&mut browser, "explorer"));
    assert_eq!(browser.says("getComputedStyle(document.querySelector('noscript')).display !== 'none'"), true);
    assert!(browser.says("document.querySelectorAll('.facts li').length").as_u64().unwrap() > 3);
    assert_eq!(browser.says("document.querySelectorAll('.still svg').length"), 4);
    assert_eq!(browser.faults, Vec::<String>::new());
}
