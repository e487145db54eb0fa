//! A figure as PDF: it looks like its PNG, its texts can be searched, its fonts are inside, and it says how it was made.

use crate::support::pictures::decode;
use crate::support::shell::Shell;
use crate::support::skip::skip;
use std::process::Command;

const TALE: &str = "The fox met the crow by the well and sang a song. ";
/// Levels by which a colour may differ.
const LEVELS: u8 = 24;
/// The share of coloured pixels that must be the same: edges, and lines as thin as a chart's, are smoothed otherwise.
const SAME: f64 = 0.85;

/// Whether Poppler's programs are here, which read any PDF.
#[track_caller]
fn poppler() -> bool {
    let found = ["pdftoppm", "pdftotext", "pdffonts", "pdfinfo"]
        .into_iter()
        .all(|name| Command::new(name).arg("-v").output().is_ok());
    if !found {
        skip("Poppler's programs are not installed");
    }
    found
}

/// What a program prints.
fn printed(shell: &Shell, program: &str, args: &[&str]) -> String {
    let ran = shell.program(program).args(args).output().unwrap();
    assert!(ran.status.success(), "{program}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap()
}

/// Draws with these flags as `a.png` and `a.pdf`.
fn drawn(shell: &Shell, args: &[&str]) {
    shell.ok(&[args, &["-m", "builtin", "-q", "-o", "a.png", "-o", "a.pdf"]].concat());
}

#[test]
fn every_kind_of_figure_looks_like_its_png() {
    if !poppler() {
        return;
    }
    let shell = Shell::new();
    let (long, longer) = (TALE.repeat(4), TALE.repeat(12));
    for args in [
        &["attention", TALE][..],
        &["attention", &longer],
        &["attention", "--layer", "4", "--head", "3", &long, "--theme", "dark"],
        &["attention", "--layer", "4", "--head", "3", TALE, "--width", "2000"],
        &["saliency", &long],
        &["saliency", TALE, "--evaluate"],
        &["lens", TALE],
        &["mix", TALE],
        &["heads"],
    ] {
        drawn(&shell, args);
        printed(&shell, "pdftoppm", &["-r", "96", "-png", "-singlefile", "a.pdf", "theirs"]);
        let ((width, ours), (their_width, theirs)) = (decode(&shell.read("a.png")), decode(&shell.read("theirs.png")));
        assert_eq!((width, ours.len()), (their_width, theirs.len()), "{args:?}: the page is exactly the figure");
        let coloured = |[r, g, b]: &[u8; 3]| r.max(g).max(b) - r.min(g).min(b) > 30;
        let near = |a: &[u8; 3], b: &[u8; 3]| a.iter().zip(b).all(|(a, b)| a.abs_diff(*b) <= LEVELS);
        let seen: Vec<_> = ours.iter().zip(&theirs).filter(|(ours, _)| coloured(ours)).collect();
        let same = seen.iter().filter(|(ours, theirs)| near(ours, theirs)).count();
        assert!(seen.len() > 100, "{args:?} has no colours");
        let share = same as f64 / seen.len() as f64;
        assert!(share > SAME, "{args:?}: only {share:.3} of the coloured pixels are the same");
    }
}

#[test]
fn texts_are_texts_in_embedded_letters() {
    if !poppler() {
        return;
    }
    let shell = Shell::new();
    let text = "Él naïve Ω мир שלום مرحبا بالعالم fi";
    drawn(&shell, &["attention", "--layer", "1", "--head", "2", "--words=space", text]);
    let found = printed(&shell, "pdftotext", &["-raw", "a.pdf", "-"]);
    for word in ["attention", "key", "Él", "naïve", "Ω", "мир", "fi"] {
        assert!(found.contains(word), "{word} is not in {found:?}");
    }
    // Joined and from right to left: its letters are there, in whatever order the reader puts them.
    let letters = |text: &str| text.chars().filter(|c| ('\u{5d0}'..='\u{64a}').contains(c)).count();
    assert!(letters(&found) >= letters(text), "{found:?}");
    let fonts = printed(&shell, "pdffonts", &["a.pdf"]);
    let rows: Vec<&str> = fonts.lines().skip(2).collect();
    assert!(rows.len() >= 3, "{fonts}");
    for row in rows {
        // Name with the mark of a subset, type, encoding, embedded, subset, with a map to characters.
        assert!(row.as_bytes()[6] == b'+' && row.contains("Identity-H       yes yes yes"), "{row}");
    }
    let about = printed(&shell, "pdfinfo", &["a.pdf"]);
    assert!(about.contains(&format!("Title:           {text}")), "{about}");
    assert!(!about.contains("Date"), "the same figure would have other bytes tomorrow: {about}");
    assert!(shell.read("a.pdf").len() < 60_000, "only the letters that are used");
}

#[test]
fn it_says_how_it_was_made_and_is_made_again_to_the_same_bytes() {
    let shell = Shell::new();
    let title = "</x:xmpmeta> <?xpacket begin \\) %%EOF";
    shell.ok(&["-m", "builtin", TALE, "-q", "--title", title, "-o", "a.pdf", "-o", "b-{layer}-{head}.pdf"]);
    assert_eq!(shell.says(&["rerun", "a.pdf"]), "a.pdf: the same bytes\n");
    assert_eq!(shell.says(&["rerun", "b-1-2.pdf"]), "b-1-2.pdf: the same bytes\n");
    shell.ok(&["rerun", "a.pdf", "-o", "c.svg", "-q"]);
    assert_eq!(shell.says(&["rerun", "c.svg"]), "c.svg: the same bytes\n");

    // A PDF of anybody else, a damaged one, one without a record.
    let whole = shell.read("a.pdf");
    let at = |what: &[u8]| whole.windows(what.len()).position(|window| window == what).unwrap();
    let without = [&whole[..at(b"<attnviz:record>")], &whole[at(b"</attnviz:record>") + 17..]].concat();
    for bytes in [&b"%PDF-1.7\n%%EOF"[..], &whole[..at(b"</x:xmpmeta>")], &without] {
        shell.write("other.pdf", bytes);
        let (message, _) = shell.fails(1, &["rerun", "other.pdf"]);
        assert!(message.contains("does not say how it was made"), "{message}");
    }
}

#[test]
fn what_differs_is_told_as_words_and_cells() {
    let shell = Shell::new();
    let suite = "command = \"attention\"\nformats = [\"pdf\"]\n[[case]]\nname = \"fox\"\nprompt = \"The fox met the crow\"\n\
                 args = [\"--layer\", \"1\", \"--head\", \"2\", \"--title\", \"A fox\"]\n";
    shell.write("suite.toml", suite);
    shell.ok(&["snapshot", "record", "suite.toml", "--out", "expected", "-q"]);
    shell.ok(&["snapshot", "check", "suite.toml", "--out", "expected", "-q"]);
    let record = |flags: &[&str]| {
        let args = ["-m", "builtin", "The fox met the crow", "-q", "--layer", "1", "--head", "2", "-o", "now.pdf"];
        shell.ok(&[&args[..], flags].concat());
        shell.read("now.pdf")
    };
    let compare = |old: &[u8], new: &[u8]| {
        let tolerance = attnviz::compare::Tolerance::default();
        attnviz::compare::differences(attnviz::format::Format::Pdf, old, new, &tolerance)
    };
    let fox = record(&["--title", "A fox"]);
    assert!(compare(&fox, &fox).is_empty());
    let found = compare(&fox, &record(&["--title", "A cat"]));
    assert_eq!(found, ["text \"A cat\", was \"A fox\""]);
    let found = compare(&fox, &record(&["--title", "A fox", "--scale", "sqrt"])).join("\n");
    assert!(found.contains("pixels differ"), "{found}");
    // Whatever is damaged is a difference, or nothing that anybody sees, and never a panic.
    for at in (0..fox.len()).step_by(97) {
        let mut damaged = fox.clone();
        damaged[at] ^= 0x55;
        compare(&damaged, &fox);
        compare(&fox, &damaged[..at]);
    }
}

#[test]
fn a_batch_writes_them_too() {
    let shell = Shell::new();
    shell.write("prompts.txt", "The fox met the crow\nOnce upon a time\n");
    shell.ok(&["batch", "prompts.txt", "-m", "builtin", "--out", "out", "--format", "pdf", "-q"]);
    let made = crate::support::shell::names(&shell.path("out"));
    assert_eq!(made.iter().filter(|name| name.ends_with(".pdf")).count(), 2, "{made:?}");
    let (message, _) = shell.fails(1, &["-m", "builtin", "x", "-q", "-o", "missing/a.pdf"]);
    assert!(message.contains("missing"), "{message}");
}
