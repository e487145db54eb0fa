//! What a picture shows: what was asked for, how large, in which colours, and what it says of itself.
mod support {
    pub mod results;
    pub mod shell;
}

use attnviz::Named;
use attnviz::figure::Colormap;
use candle_core::{IndexOp, Tensor};
use std::collections::HashMap;
use support::results::{Svg, builtin, floats, json, png, svg, tensors};
use support::shell::Shell;

const BASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/base");
/// What the golden files were made from: twelve tokens.
const TEXT: &str = "The café is in Zoë.";
const N: usize = 12;

fn golden() -> HashMap<String, Tensor> {
    tensors(&std::path::Path::new(BASE).join("expected.safetensors"))
}

#[test]
fn a_sheet_shows_every_layer_and_head_and_the_ranked_words() {
    let shell = Shell::new();
    shell.ok(&["-m", "builtin", "The fox and the crow", "-o", "a.svg"]);
    let sheet = svg(&shell.text("a.svg"));
    for title in ["layer", "head", "Attention received", "fox", "crow"] {
        assert!(sheet.shows(title), "{title}: {:?}", sheet.texts);
    }
    let (layers, heads) = builtin();
    for number in 0..layers.max(heads) {
        // A row of maps, a column of them; the scale has a 0 and a 1 as well.
        let count = sheet.texts.iter().filter(|text| **text == number.to_string()).count();
        assert!(count >= usize::from(number < layers) + usize::from(number < heads), "{number}: {:?}", sheet.texts);
    }
    assert!(!sheet.texts.contains(&layers.max(heads).to_string()), "{:?}", sheet.texts);
}

#[test]
fn one_head_is_a_heatmap_with_every_token_on_both_sides() {
    let shell = Shell::new();
    shell.ok(&["-m", BASE, TEXT, "--layer", "0", "--head", "1", "-o", "a.svg"]);
    let map = svg(&shell.text("a.svg"));
    for label in ["The", "·is", "·in", "é", "·ca", "Z"] {
        assert!(map.texts.iter().filter(|text| *text == label).count() >= 2, "{label}: {:?}", map.texts);
    }
    assert!(map.shows("query") && map.shows("key") && map.shows("layer 0, head 1"), "{:?}", map.texts);
}

#[test]
fn the_subtitle_says_model_selection_length_next_tokens_and_a_large_sink() {
    let shell = Shell::new();
    shell.ok(&["-m", BASE, TEXT, "--layer", "0-1", "--head", "-1", "-o", "a.svg"]);
    let map = svg(&shell.text("a.svg"));
    assert!(map.shows("base · 2 layers, head 1 · 12 tokens"), "{:?}", map.texts);
    let logits = floats(&golden()["logits"].i(N - 1).unwrap());
    let max = logits.iter().copied().fold(f32::MIN, f32::max);
    let total: f64 = logits.iter().map(|l| f64::from(l - max).exp()).sum();
    let percent = 100.0 / total; // of the most probable
    let expected = if percent >= 9.95 { format!("{percent:.0} %") } else { format!("{percent:.1} %") };
    let next = map.texts.iter().find(|text| text.contains("next: ")).unwrap();
    assert!(next.contains(&expected) && next.matches('%').count() == 3, "{next}: {expected}");

    let ids = [299; 3].map(|id: u32| id.to_string()).join(",");
    shell.ok(&["-m", BASE, "--ids", &ids, "-o", "b.svg"]); // three times the same token: the first gets (1/2 + 1/3) / 2 or so
    let data = json(&shell.ok(&["-m", BASE, "--ids", &ids, "-o", "-", "--format", "json"]));
    let share = data["results"][1]["sink_share"].as_f64().unwrap();
    let sheet = svg(&shell.text("b.svg"));
    assert_eq!(share >= 0.4, sheet.shows("--sink mask hides it"), "{share}: {:?}", sheet.texts);
    shell.ok(&["-m", "builtin", "The ca", "--sink", "mask", "-o", "c.svg"]);
    assert!(svg(&shell.text("c.svg")).shows("is hidden"));
}

#[test]
fn files_of_one_run_share_a_scale() {
    let shell = Shell::new();
    shell.ok(&["-m", BASE, TEXT, "-o", "{layer}-{head}.svg"]);
    let ticks = |name: &str| -> Vec<String> {
        svg(&shell.text(name)).texts.into_iter().filter(|text| text.parse::<f32>().is_ok()).collect()
    };
    assert!(!ticks("0-0.svg").is_empty());
    for name in ["0-1.svg", "1-0.svg", "1-1.svg"] {
        assert_eq!(ticks(name), ticks("0-0.svg"));
    }
}

fn drawn(shell: &Shell, flags: &[&str]) -> Svg {
    svg(&shell
        .says(&[&["-m", BASE, TEXT, "--layer", "0", "--head", "0", "-o", "-", "--format", "svg"], flags].concat()))
}

#[test]
fn scales_spread_the_same_numbers_over_the_colours_differently() {
    let shell = Shell::new();
    let [linear, sqrt, log] = ["linear", "sqrt", "log"].map(|scale| drawn(&shell, &["--scale", scale]));
    assert!(linear.fills != sqrt.fills && sqrt.fills != log.fills && linear.fills != log.fills);
    assert_eq!(drawn(&shell, &[]).fills, linear.fills);
    // The numbers of the scale stand before those of the bars.
    let scale =
        |map: &Svg| map.texts.iter().take_while(|text| *text != "Attention received").cloned().collect::<Vec<_>>();
    let ticks = |map: &Svg| scale(map).iter().filter_map(|text| text.parse::<f32>().ok()).collect::<Vec<_>>();
    let least = |map: &Svg| ticks(map).into_iter().filter(|tick| *tick > 0.0).fold(1.0, f32::min);
    assert!(least(&linear) >= 0.1 && least(&log) <= 0.01, "{:?} {:?}", linear.texts, log.texts);
}

#[test]
fn every_colour_map_has_its_own_colours() {
    let shell = Shell::new();
    let fills = Colormap::all().map(|map| drawn(&shell, &["--colormap", map.name()]).fills).collect::<Vec<_>>();
    for (at, one) in fills.iter().enumerate() {
        assert!(fills[..at].iter().all(|other| other != one), "{}", Colormap::ALL[at].1);
    }
    let grey = &fills[Colormap::all().position(|map| map.name() == "grey").unwrap()];
    let channel = |fill: &str, at: usize| i32::from_str_radix(&fill[at..at + 2], 16).unwrap();
    let neutral = |fill: &&String| {
        (channel(fill, 1) - channel(fill, 3)).abs().max((channel(fill, 3) - channel(fill, 5)).abs()) < 16
    };
    assert!(grey.iter().filter(neutral).count() > N * N / 2, "{grey:?}");
}

#[test]
fn a_title_replaces_the_prompt_and_an_empty_one_leaves_no_room() {
    let shell = Shell::new();
    let [plain, titled, bare] =
        [&[][..], &["--title", "One head"], &["--title", ""]].map(|flags: &[&str]| drawn(&shell, flags));
    assert_eq!((plain.texts[0].as_str(), titled.texts[0].as_str()), (TEXT, "One head"));
    assert!(!titled.texts.contains(&TEXT.into()) && !bare.texts.contains(&TEXT.into()));
    assert!(bare.height < plain.height && bare.texts[0].starts_with("base"));
}

#[test]
fn width_height_and_resolution_are_those_asked_for() {
    let shell = Shell::new();
    for (width, height) in [(300, 900), (1200, 400), (3000, 600)] {
        let (w, h) = (width.to_string(), height.to_string());
        let map = drawn(&shell, &["--width", &w, "--height", &h]);
        assert_eq!((map.width, map.height), (width as f32, height as f32));
        shell.ok(&["-m", BASE, TEXT, "--width", &w, "--height", &h, "--dpi", "144", "-o", "a.png"]);
        let picture = png(&shell.read("a.png"));
        assert_eq!((picture.width, picture.height, picture.dpi), (width * 3 / 2, height * 3 / 2, 144));
    }
    let sized = |flags: &[&str]| png(&shell.ok(&[&["-m", BASE, TEXT, "-o", "-", "--format", "png"], flags].concat()));
    let (screen, print) = (sized(&[]), sized(&["--dpi", "300"]));
    assert_eq!((screen.dpi, print.dpi), (96, 300));
    assert!(print.width.abs_diff(screen.width * 300 / 96) <= 4, "{} {}", screen.width, print.width);
    assert_eq!(sized(&["--width", "640"]).width, 640);
    assert_eq!(sized(&["--height", "640"]).height, 640);
}

#[test]
fn themes_are_dark_on_light_and_light_on_dark() {
    let shell = Shell::new();
    let (light, dark) = (drawn(&shell, &["--theme", "light"]), drawn(&shell, &["--theme", "dark"]));
    let brightness = |fill: &str| u32::from_str_radix(&fill[1..3], 16).unwrap();
    assert!(brightness(&light.fills[0]) > 240 && brightness(&dark.fills[0]) < 40);
    assert_eq!(light.texts, dark.texts);
    let picture = png(&shell.ok(&["-m", BASE, TEXT, "--theme", "dark", "-o", "-", "--format", "png"]));
    assert!(picture.rgb[0] < 40);
}
