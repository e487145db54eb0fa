//! An SVG looks the same in the programs that people open it with: librsvg's, and Inkscape.

use crate::support::pictures::decode;
use crate::support::shell::Shell;
use crate::support::skip::skip;
use std::io::Cursor;
use std::process::Command;

/// Levels by which a colour may differ.
const LEVELS: u8 = 24;
/// The share of coloured pixels that must be the same: edges are smoothed otherwise, and letters on a colour are others. Of a map that is
/// empty or blurred, hardly any are.
const SAME: f64 = 0.8;

/// A program that draws `{name}.svg` as `{name}.png`.
const VIEWERS: [(&str, &[&str]); 2] = [("rsvg-convert", &["-o"]), ("inkscape", &["-o"])];

/// Each kind of figure that has maps or areas of colour, small and large.
fn figures() -> Vec<(&'static str, Vec<String>)> {
    let tale = "The fox met the crow by the well and sang a song. ";
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let with = |line: &str, text: String| [words(line), vec![text]].concat();
    vec![
        ("sheet", with("attention", tale.to_owned())),
        ("sheet-60", with("attention", tale.repeat(4))),
        ("sheet-150", with("attention", tale.repeat(12))),
        ("head", with("attention --layer 4 --head 3", tale.to_owned())),
        ("head-60", with("attention --layer 4 --head 3 --theme dark", tale.repeat(4))),
        ("head-150", with("attention --layer 4 --head 3", tale.repeat(12))),
        ("saliency", with("saliency", tale.repeat(2))),
        ("lens", with("lens", tale.to_owned())),
        ("mix", with("mix", tale.to_owned())),
        ("heads", words("heads")),
    ]
}

/// Red, green and blue of any PNG, on white.
fn pixels(bytes: &[u8]) -> (usize, Vec<[u8; 3]>) {
    let mut decoder = png::Decoder::new(Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::STRIP_16);
    let mut reader = decoder.read_info().unwrap();
    let mut data = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut data).unwrap();
    let width = info.width as usize;
    match info.color_type {
        png::ColorType::Rgb => (width, data.as_chunks::<3>().0.to_vec()),
        png::ColorType::Rgba => {
            let on_white = |c: u8, a: u8| ((u32::from(c) * u32::from(a) + 255 * (255 - u32::from(a))) / 255) as u8;
            let all = data.as_chunks::<4>().0.iter();
            (width, all.map(|[r, g, b, a]| [on_white(*r, *a), on_white(*g, *a), on_white(*b, *a)]).collect())
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn maps_look_the_same_in_other_programs() {
    let shell = Shell::new();
    let found: Vec<_> =
        VIEWERS.iter().filter(|(name, _)| Command::new(name).arg("--version").output().is_ok()).collect();
    if found.len() < VIEWERS.len() {
        skip("rsvg-convert and inkscape are not both installed");
    }
    for (name, command) in figures().iter().filter(|_| !found.is_empty()) {
        let (ours, file) = (format!("{name}.png"), format!("{name}.svg"));
        let args: Vec<&str> = command.iter().map(String::as_str).collect();
        shell.ok(&[&args[..], &["-m", "builtin", "-o", &ours, "-o", &file, "-q"]].concat());
        let (width, expected) = decode(&shell.read(&ours));
        for (program, flags) in &found {
            let theirs = format!("{name}-{program}.png");
            let ran = shell.program(program).arg(&file).args(*flags).arg(&theirs).output().unwrap();
            assert!(ran.status.success(), "{program}: {}", String::from_utf8_lossy(&ran.stderr));
            let (their_width, actual) = pixels(&shell.read(&theirs));
            assert_eq!((width, expected.len()), (their_width, actual.len()), "{name} in {program}");
            // Letters are grey, and every program has its own; what has a colour is what was found.
            let coloured = |[r, g, b]: &[u8; 3]| r.max(g).max(b) - r.min(g).min(b) > 30;
            let near = |a: &[u8; 3], b: &[u8; 3]| a.iter().zip(b).all(|(a, b)| a.abs_diff(*b) <= LEVELS);
            let seen: Vec<_> = expected.iter().zip(&actual).filter(|(ours, _)| coloured(ours)).collect();
            let same = seen.iter().filter(|(ours, theirs)| near(ours, theirs)).count();
            assert!(seen.len() > 100, "{name} has no colours");
            let share = same as f64 / seen.len() as f64;
            assert!(share > SAME, "{name} in {program}: only {share:.3} of the coloured pixels are the same");
        }
    }
}
