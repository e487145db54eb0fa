//! What a reader may expect of every picture, whatever was typed.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use attnviz::Kind;
use attnviz::figure::layout::{Item, Label, Scene, layout};
use attnviz::figure::{Bars, Colormap, Figure, Grid, Heatmap, Matrix, Panel, Scale, ScaleKind, Theme, panel_pixels};
use attnviz::render::{Colour, Fonts, Terminal, pixels, png, svg, terminal};
use resvg::usvg;

/// A plausible causal map: a sink, a diagonal, and something in between.
fn attention(n: usize) -> Matrix {
    let weight = |i: usize, j: usize| match (i - j, j) {
        (0, _) => 3.0,
        (_, 0) => 2.0,
        (d, _) => ((i * 7 + j * 13) % 11) as f32 / 11.0 / d as f32,
    };
    let mut data = vec![0.0; n * n];
    for (i, row) in data.chunks_mut(n.max(1)).enumerate() {
        let sum: f32 = (0..=i).map(|j| weight(i, j)).sum();
        (0..=i).for_each(|j| row[j] = weight(i, j) / sum);
    }
    Matrix::causal(n, data)
}

fn scale() -> Scale {
    Scale { unit: "attention".into(), ..Scale::default() }
}

fn heatmap(labels: &[String]) -> Figure {
    Figure {
        title: "Layer 4 · head 11".into(),
        subtitle: vec!["tiny model · attention".into(), "next: “·fox” 41 %, “·dog” 12 %, “·cat” 6 %".into()],
        panels: vec![Panel::Heatmap(Heatmap {
            title: String::new(),
            values: attention(labels.len()),
            row_labels: labels.to_vec(),
            col_labels: labels.to_vec(),
            row_axis: "query".into(),
            col_axis: "key".into(),
            scale: scale(),
        })],
        provenance: serde_json::json!({ "prompt": "a\u{0}b]]><script>&\u{ffff}\u{85}", "layer": 4 }),
        ..Figure::default()
    }
}

fn grid(rows: usize, cols: usize, matrix: &Matrix) -> Figure {
    Figure {
        title: "Attention of every head".into(),
        subtitle: vec!["tiny model · attention, square-root scale".into()],
        panels: vec![Panel::Grid(Grid {
            cells: vec![matrix.clone(); rows * cols],
            row_titles: (0..rows).map(|i| format!("layer {i}")).collect(),
            col_titles: (0..cols).map(|i| format!("head {i}")).collect(),
            scale: Scale { kind: ScaleKind::Sqrt, ..scale() },
        })],
        ..Figure::default()
    }
}

fn bars(labels: &[String]) -> Panel {
    Panel::Bars(Bars {
        title: "Words by attention received".into(),
        labels: labels.to_vec(),
        values: (0..labels.len()).map(|i| 0.3 / (i + 1) as f32).collect(),
        unit: "mean over heads and queries".into(),
        note: "The first token receives 62 % and is left out.".into(),
    })
}

fn with_bars(mut figure: Figure, labels: &[String]) -> Figure {
    figure.panels.push(bars(labels));
    figure
}

fn words(n: usize) -> Vec<String> {
    let some = ["The", "·quick", "·brown", "·fox", ",", "·counterrevolutionaries", "·over", "⏎", "⟨E2⟩", "·ⅷ"];
    (0..n).map(|i| some[i % some.len()].to_owned()).collect()
}

fn hostile() -> Vec<String> {
    let mut labels: Vec<String> = [
        "<script>alert(1)</script>",
        "]]>",
        "-->",
        "&amp;\"'",
        "\0\u{1}\u{1b}[31mred\u{1b}[0m\u{7f}\u{85}",
        "\r\n\t",
        "\u{fffe}\u{ffff}\u{fdd0}",
        "\u{202e}reversed\u{2066}",
        "שלום עולם",
        "مرحبا",
        "e\u{301}",
        "\u{301}",
        "👨\u{200d}👩\u{200d}👧\u{200d}👦",
        "👍🏽",
        "🇩🇪",
        "你好",
        "\u{200b}",
        "",
        "   ",
        "\u{e0001}\u{e0041}",
    ]
    .map(String::from)
    .into();
    labels.push("x".repeat(10_000));
    labels.push(format!("a{}", "\u{301}".repeat(5_000)));
    labels
}

fn hostile_figure() -> Figure {
    let all = hostile();
    let mut figure = with_bars(heatmap(&all), &all);
    figure.title = all.concat();
    figure.subtitle = all.clone();
    if let Panel::Heatmap(map) = &mut figure.panels[0] {
        (map.title, map.row_axis, map.col_axis) = (all.concat(), all[4].clone(), all[0].clone());
        map.scale.unit = all[7].clone();
    }
    let mut sheet = grid(2, 2, &attention(3));
    if let Panel::Grid(grid) = &mut sheet.panels[0] {
        grid.row_titles = all[..2].to_vec();
        grid.col_titles = all[4..6].to_vec();
    }
    figure.panels.append(&mut sheet.panels);
    figure
}

fn labels<'a>(scene: &'a Scene) -> Vec<&'a Label> {
    scene.items.iter().filter_map(|item| if let Item::Label(label) = item { Some(label) } else { None }).collect()
}

fn decode(bytes: &[u8]) -> (png::OutputInfo, Vec<u8>, Option<String>) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
    let mut data = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut data).unwrap();
    let text = reader.info().utf8_text.iter().find(|chunk| chunk.keyword == "attnviz");
    (info, data, text.map(|chunk| chunk.get_text().unwrap()))
}

#[test]
fn an_svg_is_well_formed_whatever_the_labels_hold() {
    for fonts in [Fonts::bundled(), Fonts::with_system()] {
        let text = svg(&hostile_figure(), &fonts).unwrap();
        usvg::roxmltree::Document::parse(&text).unwrap();
        assert!(!text.contains("<script"));
        let reorders = |c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        let acts = |c: char| c.is_control() && c != '\n' || reorders(c) || matches!(c, '\u{fffe}' | '\u{ffff}');
        assert_eq!(text.find(acts), None);
    }
}

#[test]
fn every_text_has_its_length_so_that_any_viewer_keeps_the_layout() {
    let text = svg(&hostile_figure(), &Fonts::bundled()).unwrap();
    let document = usvg::roxmltree::Document::parse(&text).unwrap();
    let texts: Vec<_> = document.descendants().filter(|node| node.has_tag_name("text")).collect();
    assert!(texts.len() > 40);
    assert!(texts.iter().all(|node| node.attribute("textLength").is_some()));
}

#[test]
fn no_character_is_drawn_as_an_empty_box() {
    let fonts = Fonts::bundled();
    let text = svg(&heatmap(&hostile()), &fonts).unwrap();
    assert!(text.contains("U+4F60 U+597D") && text.contains("U+1F44D U+1F3FD"));
    let missing: Vec<char> = fonts.missing("你a\u{0}é⏎⟨·→␀").into_iter().map(|(c, _)| c).collect();
    assert_eq!(missing, ['你']);
}

#[test]
fn labels_never_overlap_nor_leave_the_page() {
    let fonts = Fonts::bundled();
    let sizes = [None, Some(120), Some(160), Some(240), Some(400), Some(700), Some(1000), Some(2400)];
    let mut figures = vec![hostile_figure()];
    for n in [1, 2, 5, 11, 25, 60, 200, 1024] {
        figures.push(heatmap(&words(n)));
        figures.push(with_bars(heatmap(&words(n)), &words(n)));
    }
    for (rows, cols) in [(1, 1), (1, 12), (12, 1), (12, 12), (48, 25)] {
        figures.push(grid(rows, cols, &attention(7)));
    }
    for figure in &mut figures {
        for (width, height) in sizes.into_iter().flat_map(|w| [None, w, Some(300)].map(|h| (w, h))) {
            (figure.width, figure.height) = (width, height);
            let scene = layout(figure, &fonts);
            let labels = labels(&scene);
            for (i, label) in labels.iter().enumerate() {
                for (x, y) in label.corners() {
                    let inside = (-0.6..=scene.width + 0.6).contains(&x) && (-0.6..=scene.height + 0.6).contains(&y);
                    assert!(inside, "{:?} at {x} {y} leaves {width:?} × {height:?}", label.text);
                }
                for other in &labels[..i] {
                    assert!(!overlap(label, other), "on {width:?} × {height:?}:\n{label:?}\n{other:?}");
                }
            }
        }
    }
}

/// Two turned rectangles overlap unless a line along one of their sides parts them.
fn overlap(a: &Label, b: &Label) -> bool {
    let (a, b) = (a.corners(), b.corners());
    let parted = |of: &[(f32, f32); 4]| {
        [(0, 1), (1, 2)].into_iter().any(|(i, j)| {
            let (nx, ny) = (of[j].1 - of[i].1, of[i].0 - of[j].0);
            let length = nx.hypot(ny).max(1e-6);
            let span = |corners: &[(f32, f32); 4]| {
                let along = corners.map(|(x, y)| (x * nx + y * ny) / length);
                (along.into_iter().fold(f32::MAX, f32::min), along.into_iter().fold(f32::MIN, f32::max))
            };
            let ((a0, a1), (b0, b1)) = (span(&a), span(&b));
            a1 <= b0 + 0.5 || b1 <= a0 + 0.5
        })
    };
    !parted(&a) && !parted(&b)
}

#[test]
fn a_png_is_its_svg_drawn() {
    let fonts = Fonts::bundled();
    for dpi in [96.0, 200.0] {
        let figure = Figure { dpi, ..with_bars(heatmap(&words(11)), &words(5)) };
        let drawn = pixels(&svg(&figure, &fonts).unwrap(), &fonts, dpi / 96.0, figure.theme).unwrap();
        let (info, data, _) = decode(&png(&figure, &fonts).unwrap());
        assert_eq!((info.width, info.height), (drawn.width(), drawn.height()));
        let rgb: Vec<u8> = drawn.data().chunks_exact(4).flat_map(|pixel| pixel[..3].to_vec()).collect();
        assert!(rgb == data);
    }
}

#[test]
fn the_same_figure_gives_the_same_bytes_on_any_number_of_threads() {
    use rayon::prelude::*;
    let fonts = Fonts::bundled();
    let figures: Vec<Figure> = (2..14).map(|n| heatmap(&words(n))).collect();
    let draw = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| figures.par_iter().map(|figure| png(figure, &fonts).unwrap()).collect::<Vec<_>>())
    };
    let once = draw(1);
    assert!(once == draw(1) && once == draw(2));
    assert!(once[0] == png(&figures[0], &Fonts::bundled()).unwrap());
}

#[test]
fn provenance_survives_in_every_file() {
    let (figure, fonts) = (heatmap(&words(3)), Fonts::bundled());
    let (_, _, text) = decode(&png(&figure, &fonts).unwrap());
    let found: serde_json::Value = serde_json::from_str(&text.unwrap()).unwrap();
    assert_eq!(found, figure.provenance);

    let text = svg(&figure, &fonts).unwrap();
    let document = usvg::roxmltree::Document::parse(&text).unwrap();
    let metadata = document.descendants().find(|node| node.has_tag_name("metadata")).unwrap();
    let found: serde_json::Value = serde_json::from_str(metadata.text().unwrap()).unwrap();
    assert_eq!(found, figure.provenance);
}

#[test]
fn few_cells_stay_shapes_and_many_become_an_image() {
    let fonts = Fonts::bundled();
    let few = svg(&heatmap(&words(11)), &fonts).unwrap();
    assert!(!few.contains("<image") && few.matches("<rect").count() > 20);
    let many = svg(&heatmap(&words(200)), &fonts).unwrap();
    assert_eq!(many.matches("<image").count(), 1);
    assert!(many.len() < 200_000);
}

#[test]
fn a_recorder_that_pools_to_panel_pixels_fills_the_panels_exactly() {
    let fonts = Fonts::bundled();
    for (tokens, width) in [(1024, None), (150, None), (900, Some(1200)), (1024, Some(800)), (500, Some(2000))] {
        let pixels = panel_pixels(12, tokens, width, false);
        let pooled = Matrix::causal(tokens, vec![0.5; tokens * tokens]).pool(pixels);
        assert!(pooled.rows == pixels || tokens <= pixels);
        let figure = Figure { width, ..grid(12, 12, &pooled) };
        let scene = layout(&figure, &fonts);
        let place =
            scene.items.iter().find_map(|item| if let Item::Cells(rect, ..) = item { Some(rect) } else { None });
        let side = place.unwrap().w * scene.zoom / pooled.rows as f32;
        assert!(side.fract() < 1e-4, "{tokens} tokens on {width:?}: {side} pixels each");
    }
}

#[test]
fn no_figure_is_too_odd_to_draw() {
    let fonts = Fonts::bundled();
    let nan = f32::NAN;
    let matrices = [
        Matrix::default(),
        Matrix::new(0, 5, vec![]),
        Matrix::new(3, 3, vec![]),
        Matrix::new(1, 1, vec![nan]),
        Matrix::new(2, 2, vec![f32::INFINITY, f32::NEG_INFINITY, nan, 0.0]),
        Matrix::new(1, 500, vec![1e-40; 500]),
        Matrix::new(500, 1, vec![-1e38; 500]),
        Matrix::new(2, 2, vec![1.0; 4]),
    ];
    let bounds = [(ScaleKind::Linear, 0.5, 0.5), (ScaleKind::Log, nan, f32::INFINITY), (ScaleKind::Sqrt, 1.0, -1.0)];
    for matrix in &matrices {
        for (colormap, (kind, min, max)) in
            [Colormap::Tide, Colormap::Balance].into_iter().flat_map(|c| bounds.map(|b| (c, b)))
        {
            let scale = Scale { kind, colormap, min, max, unit: String::new() };
            let map =
                Heatmap { values: matrix.clone(), row_labels: words(2), scale: scale.clone(), ..Heatmap::default() };
            let sheet = Grid { cells: vec![matrix.clone()], row_titles: words(2), col_titles: words(3), scale };
            let odd = Bars { labels: words(3), values: vec![nan, -1.0], ..Bars::default() };
            let panels = vec![Panel::Heatmap(map), Panel::Grid(sheet), Panel::Bars(odd)];
            for (width, theme) in [(None, Theme::Light), (Some(120), Theme::Dark)] {
                let figure = Figure { panels: panels.clone(), width, height: width, theme, ..Figure::default() };
                png(&figure, &fonts).unwrap();
                terminal(&figure, &Terminal { width: 1, colour: Colour::True, theme });
            }
        }
    }
    png(&Figure::default(), &fonts).unwrap();
    let empty = vec![Panel::Grid(Grid::default()), Panel::Bars(Bars::default())];
    png(&Figure { panels: empty, ..Figure::default() }, &fonts).unwrap();
}

#[test]
fn an_absurd_size_is_refused_with_a_way_out() {
    let fonts = Fonts::bundled();
    let absurd = [
        Figure { width: Some(3), ..heatmap(&words(3)) },
        Figure { height: Some(1_000_000), ..heatmap(&words(3)) },
        Figure { dpi: f32::NAN, ..heatmap(&words(3)) },
        Figure { dpi: 0.0, ..heatmap(&words(3)) },
        Figure { width: Some(15_000), height: Some(15_000), dpi: 600.0, ..heatmap(&words(3)) },
    ];
    for figure in absurd {
        let error = png(&figure, &fonts).unwrap_err();
        assert!(error.kind == Kind::Usage && error.hint.is_some(), "{error:?}");
    }
}

#[test]
fn a_terminal_gets_nothing_but_what_can_be_read() {
    let figure = hostile_figure();
    for colour in [Colour::None, Colour::Indexed, Colour::True] {
        let text = terminal(&figure, &Terminal { colour, ..Terminal::default() });
        // Our own colours are the only escapes.
        let mut plain = String::new();
        for (i, part) in text.split('\u{1b}').enumerate() {
            let end = if i == 0 { 0 } else { part.find('m').map(|end| end + 1).expect("an escape that sets a colour") };
            assert!(part[..end].chars().all(|c| c.is_ascii_digit() || "[;m".contains(c)), "{part:?}");
            plain.push_str(&part[end..]);
        }
        assert!(colour != Colour::None || !text.contains('\u{1b}'));
        assert_eq!(plain.find(|c: char| c.is_control() && c != '\n'), None);
        for line in plain.lines() {
            assert!(unicode_width::UnicodeWidthStr::width(line) <= 80, "{line:?}");
        }
    }
}

#[test]
fn pictures_look_as_they_did() {
    let fonts = Fonts::bundled();
    let sized = |figure: Figure, width, theme| Figure { width: Some(width), theme, ..figure };
    let mut signed = heatmap(&words(4));
    if let Panel::Heatmap(map) = &mut signed.panels[0] {
        map.values = Matrix::new(3, 4, (0..12).map(|v| v as f32 - 5.0).collect());
        map.scale = Scale { colormap: Colormap::Balance, min: -5.0, max: 6.0, unit: "logits".into(), ..scale() };
    }
    let pictures = [
        ("heatmap", sized(heatmap(&words(6)), 360, Theme::Light)),
        ("ranked-dark", sized(with_bars(heatmap(&words(8)), &words(4)), 360, Theme::Dark)),
        ("grid", sized(grid(3, 4, &attention(40)), 360, Theme::Light)),
        ("signed", sized(signed, 320, Theme::Light)),
        ("hostile", sized(heatmap(&hostile()[..14]), 420, Theme::Light)),
    ];
    let changed = pictures.iter().filter_map(|(name, figure)| differs(name, &png(figure, &fonts).unwrap()));
    let changed: Vec<String> = changed.collect();
    assert!(changed.is_empty(), "{}\nATTNVIZ_BLESS=1 accepts the new pictures", changed.join("\n"));
}

/// Compares a picture with the one that was blessed, to one level of each colour.
fn differs(name: &str, actual: &[u8]) -> Option<String> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/snapshots/render-{name}.png"));
    if std::env::var_os("ATTNVIZ_BLESS").is_some() {
        std::fs::create_dir_all(golden.parent().unwrap()).unwrap();
        std::fs::write(&golden, actual).unwrap();
        return None;
    }
    let expected = std::fs::read(&golden).unwrap_or_default();
    let (info, found, _) = decode(actual);
    let wanted = if expected.is_empty() { Vec::new() } else { decode(&expected).1 };
    if found.len() == wanted.len() && found.iter().zip(&wanted).all(|(a, b)| a.abs_diff(*b) <= 1) {
        return None;
    }
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let save =
        |kind: &str, bytes: &[u8]| std::fs::write(folder.join(format!("render-{name}-{kind}.png")), bytes).unwrap();
    save("expected", &expected);
    save("actual", actual);
    if found.len() == wanted.len() {
        let difference: Vec<u8> =
            found.iter().zip(&wanted).map(|(a, b)| 255 - a.abs_diff(*b).saturating_mul(8)).collect();
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, info.width, info.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.write_header().unwrap().write_image_data(&difference).unwrap();
        save("difference", &bytes);
    }
    Some(format!("{name} is not as it was; see render-{name}-*.png in {}", folder.display()))
}
