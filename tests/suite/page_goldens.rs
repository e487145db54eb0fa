//! Pages look as they did: on a phone, a tablet, a laptop and a large screen, light, dark, and printed.

use super::support::browser::Browser;
use super::support::screens::Screen;
use super::support::shell::Shell;
use super::support::skip::skip;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use std::process::Command;

const TEXT: &str = "The fox met the crow. The fox";
const WIDTHS: [u32; 4] = [360, 768, 1280, 1920];
const SCHEMES: [&str; 2] = ["light", "dark"];
/// A golden has a fifth of a screen's pixels to a side.
const PART: usize = 5;
const PAGES: [(&str, &[&str]); 2] = [
    ("attention", &["attention", TEXT]),
    ("explain", &["explain", TEXT, "--panels", "saliency,lens,direct,surprisal,attention"]),
];
/// Every page uses them first, where they are installed.
const FONTS: [(&str, &[u8]); 2] = [
    ("400", include_bytes!("../../assets/fonts/Inter-Regular.ttf")),
    ("600 900", include_bytes!("../../assets/fonts/Inter-SemiBold.ttf")),
];

/// A browser that has the fonts of the figures, whatever this machine has.
fn browser(shell: &Shell) -> Option<Browser> {
    let mut browser = Browser::or_skip(shell, [1280, 900])?;
    let fonts = FONTS.map(|(weight, bytes)| {
        format!(
            "document.fonts.add(new FontFace('Inter', Uint8Array.from(atob('{}'), (c) => c.charCodeAt(0)), {{ weight: '{weight}' }}));",
            STANDARD.encode(bytes)
        )
    });
    browser.asks("Page.addScriptToEvaluateOnNewDocument", json!({ "source": fonts.concat() }));
    Some(browser)
}

/// Opens a page, and waits until everything is drawn.
fn opens(browser: &mut Browser, shell: &Shell, name: &str, width: u32, scheme: &str) {
    browser.wears(width, scheme);
    browser.starts(&shell.path(&format!("{name}.html")), "#head=4.2&query=7");
    browser.waits("[...document.querySelectorAll('#heads button')].every((head) => head.firstChild)");
    assert_eq!(
        browser.says("document.fonts.ready.then((all) => [...all].every((font) => font.status === 'loaded'))"),
        true
    );
    browser.says("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))");
}

fn made(shell: &Shell) {
    for (name, args) in PAGES {
        shell.ok(&[args, &["-m", "builtin", "-q", "-o", &format!("{name}.html")]].concat());
    }
}

#[test]
fn pages_look_as_they_did_at_every_width_light_dark_and_printed() {
    let shell = Shell::new();
    let Some(mut browser) = browser(&shell) else { return };
    made(&shell);
    let mut wrong = Vec::new();
    for (name, _) in PAGES {
        for (width, scheme) in WIDTHS.into_iter().flat_map(|width| SCHEMES.map(|scheme| (width, scheme))) {
            opens(&mut browser, &shell, name, width, scheme);
            assert_eq!(
                browser.says("document.documentElement.scrollWidth <= innerWidth"),
                true,
                "{name} {width}: nothing sticks out"
            );
            wrong.extend(Screen::of(&browser.picture(), PART).is_as_blessed(&format!("page-{name}-{width}-{scheme}")));
        }
        opens(&mut browser, &shell, name, 1280, "light");
        let printed = browser.prints();
        match pages(&shell, &printed) {
            Some(pages) => wrong.extend(Screen::joined(pages).is_as_blessed(&format!("page-{name}-print"))),
            None => skip("there is no pdftoppm"),
        }
    }
    assert!(wrong.is_empty(), "{}\nATTNVIZ_BLESS=1 accepts the new pages", wrong.join("\n"));
}

/// The pages of a PDF at 30 dots to an inch.
fn pages(shell: &Shell, pdf: &[u8]) -> Option<Vec<Screen>> {
    shell.write("a.pdf", pdf);
    let ran =
        Command::new("pdftoppm").current_dir(shell.folder()).args(["-r", "60", "-png", "a.pdf", "printed"]).status();
    assert!(ran.ok()?.success());
    let names: Vec<String> = shell.files().into_iter().filter(|name| name.starts_with("printed")).collect();
    let pages = names.iter().map(|name| Screen::of(&shell.read(name), 2)).collect();
    names.iter().for_each(|name| std::fs::remove_file(shell.path(name)).unwrap());
    Some(pages)
}

#[test]
fn what_breaks_a_page_differs_from_its_golden() {
    let shell = Shell::new();
    let Some(mut browser) = browser(&shell) else { return };
    made(&shell);
    opens(&mut browser, &shell, "explain", 1280, "light");
    let good = Screen::of(&browser.picture(), PART);
    let mut look = |change: &str| {
        opens(&mut browser, &shell, "explain", 1280, "light");
        browser.says(&format!("{change}; new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"));
        good.differs(&Screen::of(&browser.picture(), PART))
    };
    assert_eq!(look("0"), None, "the same page again");
    let of = |query: &str, change: &str| format!("document.querySelectorAll({query:?}).forEach((e) => {{ {change} }})");
    for change in [
        of("#figure-lens .still", "e.style.visibility = 'hidden'"),
        of("#figure-lens", "e.style.display = 'none'"),
        of("#save-json", "e.style.visibility = 'hidden'"),
        of(".facts li:nth-child(2)", "e.style.visibility = 'hidden'"),
        of("#figure-surprisal", "e.style.marginTop = '-70px'"),
        of("#strip", "e.style.maxHeight = '12px'"),
        of(".facts", "e.style.color = '#b0b0b0'"),
        of(".still rect", "e.style.fill = '#808080'"),
        of("#heads canvas", "e.style.filter = 'invert(1)'"),
        of("#parts", "e.style.gridTemplateColumns = '1fr'"),
        of("#map", "e.style.transform = 'scale(0.6)'"),
        of("body", "e.style.fontSize = '17px'"),
    ] {
        assert!(look(&change).is_some(), "{change}");
    }
}
