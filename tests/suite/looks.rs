//! What a picture shows: what was asked for, how large, in which colours, and what it says of itself.
use crate::support::drawing::{Drawing, Place, colour, hex};
use crate::support::results::{Svg, attention, builtin, flat, floats, json, png, svg, tensors};
use crate::support::shell::Shell;
use attnviz::Named;
use attnviz::figure::{Colormap, Matrix, Scale, ScaleKind, Theme};
use candle_core::{IndexOp, Tensor};
use serde_json::Value;
use std::collections::HashMap;

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

/// What a token is called in a picture, as long as it is plain; the last character of the text is two tokens.
fn labels(data: &Value) -> Vec<String> {
    let plain = |token: &Value| token.as_str().unwrap().replace(' ', "·");
    let parts = [("⟨C3⟩", "ë₁"), ("⟨AB⟩", "ë₂")];
    let label =
        |token: String| parts.iter().find(|(byte, _)| *byte == token).map_or(token.clone(), |(_, part)| (*part).into());
    data["tokens"].as_array().unwrap().iter().map(plain).map(label).collect()
}

/// The numbers of a causal map that are drawn: those of keys that a query sees.
fn seen(values: &[f32], n: usize) -> Vec<Option<f32>> {
    values.iter().enumerate().map(|(at, value)| (at % n <= at / n).then_some(*value)).collect()
}

#[test]
fn every_cell_has_the_colour_of_its_number_beside_its_query_and_above_its_key() {
    let looks: [(&[&str], ScaleKind, Colormap, Theme); 3] = [
        (&[], ScaleKind::Linear, Colormap::Tide, Theme::Light),
        (&["--scale", "sqrt", "--colormap", "grey"], ScaleKind::Sqrt, Colormap::Grey, Theme::Light),
        (&["--scale=log", "--colormap=magma", "--theme=dark"], ScaleKind::Log, Colormap::Magma, Theme::Dark),
    ];
    for (flags, kind, colormap, theme) in looks {
        let shell = Shell::new();
        let head = ["-m", BASE, TEXT, "--layer", "0", "--head", "1", "-o", "a.svg", "-o", "a.png", "-o", "a.json"];
        shell.ok(&[&head[..], flags].concat());
        let data = json(&shell.read("a.json"));
        let (_, values) = attention(&data);
        let labels = labels(&data);
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        let scale = Scale::over(kind, colormap, "", [&Matrix::new(N, N, values.clone())]);
        let drawing = Drawing::of(&shell.text("a.svg"));
        let [map, ..] = drawing.frames[..] else { panic!("no map") };
        drawing.shows_map(map, (&labels, &labels), &seen(&values, N), &scale, theme);
        // The PNG is the same picture.
        let picture = png(&shell.read("a.png"));
        for at in 0..N * N {
            let (x, y) = map.cell((N, N), at / N, at % N).middle();
            assert_eq!(hex(picture.at(x, y)), drawing.colour((x, y)), "cell {at}");
        }
    }
}

#[test]
fn a_picture_in_characters_has_each_number_beside_its_query_and_below_its_key() {
    let shell = Shell::new();
    let args = ["-m", "builtin", "The fox and the crow", "--layer", "4", "--head", "3", "-q", "-o", "-", "--format"];
    let data = json(&shell.ok(&[&args[..], &["json"]].concat()));
    let (labels, (_, values)) = (labels(&data), attention(&data));
    let n = labels.len();
    let text = shell.says(&[&args[..], &["txt"]].concat());
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    let keys = lines.iter().position(|words| *words == labels).unwrap_or_else(|| panic!("{labels:?}: {text}"));
    for (query, words) in lines[keys + 1..][..n].iter().enumerate() {
        assert_eq!((words[0], words.len()), (labels[query].as_str(), query + 2), "{text}");
        let shown = words[1..].iter().map(|number| number.parse::<f32>().unwrap());
        let apart = shown.zip(&values[query * n..]).map(|(shown, value)| (shown - value).abs());
        assert!(apart.fold(0.0, f32::max) <= 0.005, "{words:?} {:?}", &values[query * n..][..n]);
    }
}

#[test]
fn every_map_of_a_sheet_is_that_of_its_layer_and_its_head() {
    let shell = Shell::new();
    shell.ok(&["-m", "builtin", "The fox and the crow", "-o", "a.svg", "-o", "a.json", "-o", "a.png"]);
    let (shape, values) = attention(&json(&shell.read("a.json")));
    let [layers, heads, n, _] = shape[..] else { panic!("{shape:?}") };
    let scale = Scale::over(ScaleKind::Linear, Colormap::Tide, "", [&Matrix::new(1, values.len(), values.clone())]);
    let (drawing, picture) = (Drawing::of(&shell.text("a.svg")), png(&shell.read("a.png")));
    assert_eq!((layers, heads), builtin());
    assert_eq!(drawing.frames.len(), layers * heads + 1, "one is the scale's");
    for (at, map) in drawing.frames[..layers * heads].iter().enumerate() {
        let (layer, head) = (at / heads, at % heads);
        let (above, beside) = (drawing.frames[head], drawing.frames[layer * heads]);
        assert_eq!((map.x, map.y), (above.x, beside.y), "rows are layers, columns heads");
        let title = |place: Place| drawing.texts_in(place).into_iter().filter_map(|text| text.parse().ok()).next();
        assert_eq!(title(Place { x: 0.0, w: beside.x, ..*map }), Some(layer));
        assert_eq!(title(Place { y: above.y - 24.0, h: 24.0, ..*map }), Some(head));
        for (cell, value) in seen(&values[at * n * n..][..n * n], n).iter().enumerate() {
            let (x, y) = map.cell((n, n), cell / n, cell % n).middle();
            let wanted = value.map_or(drawing.page().to_owned(), |value| colour(value, &scale, Theme::Light));
            assert_eq!(drawing.colour((x, y)), wanted, "layer {layer}, head {head}, cell {cell}");
            assert_eq!(hex(picture.at(x, y)), wanted, "layer {layer}, head {head}, cell {cell} of the PNG");
        }
    }
}

#[test]
fn every_token_stands_on_the_colour_of_its_score() {
    let shell = Shell::new();
    shell.ok(&["saliency", "-m", "builtin", "The old king and his", "-q", "-o", "a.svg", "-o", "a.json"]);
    let data = json(&shell.read("a.json"));
    let scores = flat(&data["results"][0]["scores"]);
    assert!(scores.iter().any(|score| *score > 0.0) && scores.iter().any(|score| *score < 0.0), "{scores:?}");
    let scale = Scale::signed("", scores.iter().copied());
    let drawing = Drawing::of(&shell.text("a.svg"));
    let wanted = labels(&data).into_iter().zip(scores.iter().map(|score| colour(*score, &scale, Theme::Light)));
    let on = |(place, text): &(Place, String)| Some((text.clone(), drawing.shape(place.middle())?.to_owned()));
    let found: Vec<(String, String)> = drawing.texts.iter().filter_map(on).collect();
    let tokens: Vec<_> = found.iter().step_by(2).cloned().collect(); // each with its score below
    assert!(tokens.into_iter().eq(wanted), "{found:?}");
    let signs = found.iter().skip(1).step_by(2).map(|(score, _)| score.starts_with('−'));
    assert!(signs.eq(scores.iter().map(|score| *score < 0.0)), "{found:?}");
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
    assert_eq!(share >= 0.4, sheet.shows("of the attention is on the first token"), "{share}: {:?}", sheet.texts);
    shell.ok(&["-m", "builtin", "The ca", "--sink", "mask", "-o", "c.svg"]);
    assert!(svg(&shell.text("c.svg")).shows("is hidden"));
}

#[test]
fn advice_about_flags_is_for_whoever_asks_and_not_for_the_readers_of_a_figure() {
    let shell = Shell::new();
    let text = "Once upon a time there was a king";
    // 32 heads, more than a figure's table lists.
    std::fs::create_dir(shell.path("many")).unwrap();
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
        std::fs::copy(format!("{BASE}/{file}"), shell.path(&format!("many/{file}"))).unwrap();
    }
    let config = shell.text("many/config.json").replace("\"n_head\": 2", "\"n_head\": 16");
    shell.write("many/config.json", config);
    let table: [(&[&str], &str); 5] = [
        (&["attention", text], "--sink mask hides the attention on the first token"),
        (&["mix", text], "--sink renorm hides the attention on the first token"),
        (&["heads", text, "-m", "many"], "--sort by one of the scores lists all heads"),
        (
            &["saliency", text, "--method=gradient-shap", "--samples=1"],
            "--samples with a larger number may close the gap",
        ),
        (&["saliency", text, "--method=integrated-gradients", "--steps=1"], "--steps auto may close the gap"),
    ];
    for (words, advice) in table {
        let model: &[&str] = if words.contains(&"-m") { &[] } else { &["-m", "builtin"] };
        let ran = shell.run(&[words, model, &["-o", "a.svg"]].concat());
        assert!(ran.err.contains(advice), "{words:?}: {}", ran.err);
        let texts = svg(&shell.text("a.svg")).texts;
        assert!(!texts.iter().any(|text| text.contains("--")), "{words:?}: {texts:?}");
        let quiet = shell.run(&[words, model, &["-o", "a.svg", "-q"]].concat());
        assert!(!quiet.err.contains(advice), "{words:?}: {}", quiet.err);
    }
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

#[test]
fn a_map_of_one_head_does_not_shrink_as_tokens_grow() {
    let shell = Shell::new();
    let mut first = 0.0;
    for count in [60, 110, 120, 180, 200, 240, 300, 360, 420] {
        let text = vec!["the fox"; count / 2].join(" ");
        shell.ok(&["-m", "builtin", &text, "--layer", "0", "--head", "1", "--no-received", "-o", "a.svg"]);
        let width = Drawing::of(&shell.text("a.svg")).frames[0].w;
        assert!(width > 0.93 * first && width < 1.5 * 620.0, "{count}: {width} after {first}");
        first = if first == 0.0 { width } else { first };
    }
}

#[test]
fn what_one_token_cannot_say_is_not_said() {
    let shell = Shell::new();
    shell.ok(&["-m", "builtin", "The", "--received", "-o", "a.svg"]);
    let alone = svg(&shell.text("a.svg"));
    assert!(!alone.texts.iter().any(|text| text.contains("0 %")), "{:?}", alone.texts);
    shell.ok(&["heads", "-m", "builtin", "The", "-o", "a.svg", "-o", "a.csv"]);
    let heads = svg(&shell.text("a.svg"));
    assert!(heads.shows("undefined: the text is too short for any score"), "{:?}", heads.texts);
    assert!(shell.text("a.csv").lines().skip(1).all(|row| row.contains("undefined")));
}

#[test]
fn words_that_are_there_twice_have_their_positions_among_the_ranked() {
    let shell = Shell::new();
    shell.ok(&["-m", "builtin", "A fox met a crow and the fox sang", "--received", "-o", "a.svg"]);
    let ranked = svg(&shell.text("a.svg"));
    assert!(
        ["fox 1", "fox 7", "crow"].iter().all(|label| ranked.texts.iter().any(|text| text == label)),
        "{:?}",
        ranked.texts
    );
}

#[test]
fn more_arrays_of_heads_that_are_named_one_by_one_are_refused() {
    let shell = Shell::new();
    let (message, hint) =
        shell.fails(2, &["-m", "builtin", "The fox", "--heads", "1.3,2.1", "--with", "logits", "-o", "a.npz"]);
    assert!(message.contains("one by one") && hint.contains("--layer and --head"), "{message} {hint}");
    shell.ok(&["-m", "builtin", "The fox", "--heads", "1.3,1.1", "--with", "logits", "-o", "a.npz"]);
}

#[test]
fn names_that_differ_at_their_ends_stay_apart_and_a_survey_says_how_long_it_took() {
    let shell = Shell::new();
    std::fs::create_dir(shell.path("blimp")).unwrap();
    for end in ["irregular_1", "irregular_2"] {
        shell.write(
            &format!("blimp/determiner_noun_agreement_with_adj_{end}.csv"),
            "good,bad\nThe fox runs.,The fox run.\nThe boys sing.,The boys sings.\n",
        );
    }
    let ran = shell.run(&["probe", "pairs", "blimp", "-m", "builtin", "--width", "312", "-o", "a.svg", "-v"]);
    assert!(ran.code == Some(0) && ran.err.contains("computed: ") && ran.err.contains("written: "), "{}", ran.err);
    let chart = svg(&shell.text("a.svg"));
    for end in ["_1", "_2"] {
        let is_cut = |text: &&String| text.starts_with("deter") && text.contains('…') && text.ends_with(end);
        assert!(chart.texts.iter().any(|text| is_cut(&text)), "{end}: {:?}", chart.texts);
    }
}
