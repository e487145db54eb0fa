//! What a reader may expect of every picture, whatever was typed.

use crate::support::drawing::overlap;
use crate::support::figures::{
    atlas, attention, everything, grid, heatmap, hostile, hostile_figure, hostile_table, lens, saliency, scale, sheet,
    table, with_bars, words,
};
use crate::support::pictures::{DRAWN, look_as_they_did};
use attnviz::Kind;
use attnviz::figure::layout::{Item, Label, Scene, layout, least};
use attnviz::figure::{
    Bars, Colormap, Curves, Figure, Grid, Heatmap, Matrix, Panel, Pooling, Scale, ScaleKind, Series, Sheet, SheetMap,
    Strip, StripRow, Table, Theme, panel_pixels,
};
use attnviz::record::Record;
use attnviz::render::{Colour, Fonts, Terminal, pixels, png, svg, terminal};
use resvg::usvg;

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
fn every_text_is_anchored_at_its_cell_and_none_there_is_stretched() {
    let text = svg(&hostile_figure(), &Fonts::bundled()).unwrap();
    let document = usvg::roxmltree::Document::parse(&text).unwrap();
    let texts: Vec<_> = document.descendants().filter(|node| node.has_tag_name("text")).collect();
    let anchored = |how: &str| texts.iter().filter(|node| node.attribute("text-anchor") == Some(how)).count();
    assert!(texts.len() > 40 && anchored("middle") > 0 && anchored("end") > 10, "{}", texts.len());
    // Joined letters, such as Arabic ones, stay joined.
    let held: Vec<_> = texts.iter().filter(|node| node.has_attribute("textLength")).collect();
    let joins = |c: char| ('\u{590}'..'\u{2000}').contains(&c);
    assert!(!text.contains("letter-spacing"));
    assert!(!held.iter().any(|node| node.text().is_none_or(|text| text.contains(joins))), "{held:?}");
    assert!(held.iter().all(|node| node.attribute("text-anchor").is_none()), "{held:?}");
}

#[test]
fn only_a_text_that_wider_letters_would_push_off_the_page_has_a_length() {
    let drawn = |title: &str| {
        let figure = Figure { title: title.into(), width: None, ..heatmap(&words(8)) };
        svg(&figure, &Fonts::bundled()).unwrap()
    };
    assert!(!drawn("short").contains("textLength"));
    let text = drawn(&"many words that take more than a line ".repeat(9));
    let document = usvg::roxmltree::Document::parse(&text).unwrap();
    let number = |node: &usvg::roxmltree::Node, name: &str| node.attribute(name).unwrap().parse::<f32>().unwrap();
    let held: Vec<_> = document.descendants().filter(|node| node.has_attribute("textLength")).collect();
    let page: f32 = document.root_element().attribute("viewBox").unwrap().split(' ').nth(2).unwrap().parse().unwrap();
    assert!(
        !held.is_empty() && held.iter().all(|node| number(node, "x") + number(node, "textLength") < page),
        "{text}"
    );
    assert!(held.iter().all(|node| node.attribute("text-anchor").is_none()));
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
    for n in [1, 2, 11, 40, 200] {
        figures.extend([saliency(&words(n), 1, false), saliency(&words(n), 7, true), lens(&words(n), 13)]);
        figures.extend([sheet(&words(n)), everything(&words(n))]);
    }
    figures.extend([saliency(&hostile(), 3, true), lens(&hostile(), 3), sheet(&hostile()), everything(&hostile())]);
    figures.extend([atlas(12, 12), atlas(48, 25), saliency(&words(1024), 7, false)]);
    for figure in &mut figures {
        for (width, height) in sizes.into_iter().flat_map(|w| [None, w, Some(300)].map(|h| (w, h))) {
            (figure.width, figure.height) = (width, height);
            let scene = layout(figure, &fonts);
            let mut labels = labels(&scene);
            labels.sort_by(|a, b| top(a).total_cmp(&top(b)));
            for (i, label) in labels.iter().enumerate() {
                for (x, y) in label.corners() {
                    let inside = (-0.6..=scene.width + 0.6).contains(&x) && (-0.6..=scene.height + 0.6).contains(&y);
                    assert!(inside, "{:?} at {x} {y} leaves {width:?} × {height:?}", label.text);
                }
                let bottom = label.corners().iter().fold(f32::MIN, |deep, corner| deep.max(corner.1));
                for other in labels[i + 1..].iter().take_while(|other| top(other) < bottom) {
                    assert!(
                        !overlap(&label.corners(), &other.corners(), 0.5),
                        "on {width:?} × {height:?}:\n{label:?}\n{other:?}"
                    );
                }
            }
        }
    }
}

fn top(label: &Label) -> f32 {
    label.corners().iter().fold(f32::MAX, |top, corner| top.min(corner.1))
}

#[test]
fn a_png_is_its_svg_drawn() {
    let fonts = Fonts::bundled();
    for dpi in [96.0, 200.0] {
        let figure = Figure { dpi, ..with_bars(heatmap(&words(11)), &words(5)) };
        let drawn = pixels(&svg(&figure, &fonts).unwrap(), &fonts, dpi / 96.0, figure.theme).unwrap();
        let (info, data, _) = decode(&png(&figure, &fonts).unwrap());
        assert_eq!((info.width as usize, info.height as usize), (drawn.width, drawn.height));
        assert!(drawn.rgb == data);
    }
}

#[test]
fn maps_that_are_painted_are_where_the_svg_draws_them() {
    let fonts = Fonts::bundled();
    // An image of the SVG and a rectangle give a pixel whose middle is on an edge to different cells.
    for (tokens, width, dpi) in [(60, None, 96.0), (60, Some(700), 200.0), (75, Some(431), 131.0)] {
        let figure = Figure { dpi, width, ..heatmap(&words(tokens)) };
        let drawn = pixels(&svg(&figure, &fonts).unwrap(), &fonts, dpi / 96.0, figure.theme).unwrap();
        let (info, data, _) = decode(&png(&figure, &fonts).unwrap());
        assert_eq!((info.width as usize, info.height as usize), (drawn.width, drawn.height));
        let pairs = drawn.rgb.chunks_exact(3).zip(data.chunks_exact(3));
        let other = pairs.filter(|(drawn, painted)| drawn != painted).count();
        assert!(other * 3000 < data.len(), "{tokens} tokens at {dpi} dpi: {other} pixels are others");
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
fn the_record_survives_in_every_file() {
    let (figure, fonts) = (heatmap(&words(3)), Fonts::bundled());
    let (_, _, text) = decode(&png(&figure, &fonts).unwrap());
    let found: Option<Record> = serde_json::from_str(&text.unwrap()).unwrap();
    assert_eq!(found, figure.record);

    let text = svg(&figure, &fonts).unwrap();
    let document = usvg::roxmltree::Document::parse(&text).unwrap();
    let metadata = document.descendants().find(|node| node.has_tag_name("metadata")).unwrap();
    let found: Option<Record> = serde_json::from_str(metadata.text().unwrap()).unwrap();
    assert_eq!(found, figure.record);
}

#[test]
fn cells_are_shapes_as_long_as_a_file_stays_small_and_sharp_images_beyond() {
    let fonts = Fonts::bundled();
    let few = svg(&heatmap(&words(11)), &fonts).unwrap();
    assert!(!few.contains("<image") && !few.contains("<path fill") && few.matches("<rect").count() > 20);
    let many = svg(&heatmap(&words(200)), &fonts).unwrap();
    assert!(!many.contains("<image") && many.matches("data-cells=\"200 200\"").count() == 1);
    assert!(many.len() < 500_000, "{}", many.len());
    let noise = |n: usize| Matrix::new(n, n, (0..n * n).map(|i| (i * 7919 % 997) as f32 / 997.0).collect());
    let most = svg(&grid(12, 12, &noise(100)), &fonts).unwrap();
    // Both names of what an image shows, and several pixels to a cell: a viewer that blurs keeps cells apart.
    assert_eq!((most.matches("<image").count(), most.matches(" href=").count()), (144, 144));
    assert_eq!(most.matches(" xlink:href=").count(), 144);
    let document = usvg::roxmltree::Document::parse(&most).unwrap();
    let image = document.descendants().find(|node| node.has_tag_name("image")).unwrap();
    let data = image.attribute("href").unwrap().strip_prefix("data:image/png;base64,").unwrap();
    let (info, ..) = decode(&base64::Engine::decode(&base64::prelude::BASE64_STANDARD, data).unwrap());
    assert!(info.width.is_multiple_of(info.height) && info.width >= 200, "{}", info.width);
}

#[test]
fn a_recorder_that_pools_to_panel_pixels_fills_the_panels_exactly() {
    let fonts = Fonts::bundled();
    for (tokens, width) in [(1024, None), (150, None), (900, Some(1200)), (1024, Some(800)), (500, Some(2000))] {
        let pixels = panel_pixels(12, tokens, width, false);
        let pooled = Matrix::causal(tokens, vec![0.5; tokens * tokens]).pool(pixels, Pooling::Mean);
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
            let scale = Scale { kind, colormap, min, max, ..Scale::default() };
            let map =
                Heatmap { values: matrix.clone(), row_labels: words(2), scale: scale.clone(), ..Heatmap::default() };
            let sheet = Grid {
                cells: vec![matrix.clone()],
                row_titles: words(2),
                col_titles: words(3),
                scale: scale.clone(),
                ..Grid::default()
            };
            let odd = Bars { labels: words(3), values: vec![nan, -1.0], ..Bars::default() };
            let row = StripRow { values: matrix.data.clone(), scale: Some(scale.clone()), ..StripRow::default() };
            let strip = Strip { labels: words(3), rows: vec![row, StripRow::default()], ..Strip::default() };
            let line = Series {
                xs: words(4).iter().map(|w| w.len() as f32).collect(),
                ys: matrix.data.clone(),
                ..Series::default()
            };
            let chart = Curves { series: vec![line, Series::default()], ..Curves::default() };
            let named = SheetMap { values: matrix.clone(), ..SheetMap::default() };
            let maps =
                Sheet { maps: vec![named, SheetMap::default()], row_labels: words(2), scale, ..Sheet::default() };
            let mut panels = vec![Panel::Heatmap(map), Panel::Grid(sheet), Panel::Bars(odd)];
            panels.extend([Panel::Strip(strip), Panel::Curves(chart), Panel::Sheet(maps)]);
            for (width, theme) in [(None, Theme::Light), (Some(120), Theme::Dark)] {
                let figure = Figure { panels: panels.clone(), width, height: width, theme, ..Figure::default() };
                let drawn = png(&figure, &fonts);
                assert!(width.is_some() || drawn.is_ok(), "{drawn:?}");
                assert!(drawn.is_ok_and(|_| true) || least(&figure, &fonts).is_some());
                terminal(&figure, &Terminal { width: 1, colour: Colour::True, theme, ..Terminal::default() });
            }
        }
    }
    png(&Figure::default(), &fonts).unwrap();
    let empty = vec![
        Panel::Grid(Grid::default()),
        Panel::Bars(Bars::default()),
        Panel::Strip(Strip::default()),
        Panel::Curves(Curves::default()),
        Panel::Table(Table::default()),
        Panel::Sheet(Sheet::default()),
    ];
    png(&Figure { panels: empty, ..Figure::default() }, &fonts).unwrap();
}

#[test]
fn a_token_is_as_coloured_as_its_score_and_can_be_read() {
    let fonts = Fonts::bundled();
    for theme in [Theme::Light, Theme::Dark] {
        let figure = Figure { theme, ..saliency(&words(6), 3, true) };
        let Panel::Strip(strip) = &figure.panels[0] else { unreachable!() };
        let scene = layout(&figure, &fonts);
        let fills = scene.items.iter().filter_map(|item| if let Item::Fill(_, ink) = item { Some(*ink) } else { None });
        let fills: Vec<[u8; 3]> = fills.map(|ink| theme.ink(ink)).collect();
        let colours = strip.rows.iter().flat_map(|row| {
            let scale = row.scale.as_ref().unwrap();
            row.values.iter().map(|v| scale.colormap.rgb(theme, scale.position(*v).unwrap()))
        });
        assert_eq!(fills, colours.collect::<Vec<_>>());
    }
}

#[test]
fn rows_of_a_strip_put_a_token_under_itself() {
    let (figure, fonts) = (saliency(&words(9), 5, true), Fonts::bundled());
    let scene = layout(&figure, &fonts);
    let fills: Vec<_> =
        scene.items.iter().filter_map(|item| if let Item::Fill(rect, _) = item { Some(*rect) } else { None }).collect();
    assert_eq!(fills.len(), 45);
    assert!(fills.iter().enumerate().all(|(i, rect)| (rect.x, rect.w) == (fills[i % 9].x, fills[i % 9].w)));
}

#[test]
fn bars_of_negative_numbers_grow_to_the_other_side_of_zero() {
    let values = vec![0.5, -0.25, 0.0];
    let bars = Bars { labels: words(3), values, ..Bars::default() };
    let figure = Figure { panels: vec![Panel::Bars(bars)], width: Some(400), ..Figure::default() };
    let fonts = Fonts::bundled();
    let scene = layout(&figure, &fonts);
    let bars: Vec<_> =
        scene.items.iter().filter_map(|item| if let Item::Fill(rect, _) = item { Some(*rect) } else { None }).collect();
    let zero = bars[0].x;
    assert!((bars[1].x + bars[1].w - zero).abs() < 0.01, "{bars:?}");
    assert!((bars[0].w - 2.0 * bars[1].w).abs() < 0.1 && bars[2].w == 0.0);
}

#[test]
fn cells_have_their_texts_as_long_as_they_can_be_read() {
    let fonts = Fonts::bundled();
    let texts = |figure: &Figure| {
        let scene = layout(figure, &fonts);
        labels(&scene).iter().filter(|label| label.text == "·fox" || label.text == "prev").count()
    };
    assert!(texts(&lens(&words(11), 13)) > 10);
    assert_eq!(texts(&Figure { width: Some(1200), ..atlas(12, 12) }), 24);
    assert!(texts(&lens(&words(200), 13)) < 40); // the column labels alone
}

#[test]
fn a_long_table_says_what_it_leaves_out() {
    let fonts = Fonts::bundled();
    let figure = Figure { panels: vec![table(144)], ..Figure::default() };
    let scene = layout(&figure, &fonts);
    assert!(labels(&scene).iter().any(|label| label.text == "… 105 more"));
    assert!(terminal(&figure, &Terminal::default()).contains("… 105 more rows"));
}

#[test]
fn a_curve_goes_through_its_points_and_stops_where_one_is_missing() {
    let nan = f32::NAN;
    let series = Series { xs: vec![0.0, 1.0, 2.0, 3.0, 4.0], ys: vec![1.0, 0.5, nan, 0.5, 0.0], ..Series::default() };
    let chart = Curves { series: vec![series], ..Curves::default() };
    let figure = Figure { panels: vec![Panel::Curves(chart)], ..Figure::default() };
    let fonts = Fonts::bundled();
    let scene = layout(&figure, &fonts);
    let curves: Vec<_> = scene
        .items
        .iter()
        .filter_map(|item| if let Item::Curve { points, .. } = item { Some(points) } else { None })
        .collect();
    assert_eq!(curves.iter().map(|points| points.len()).collect::<Vec<_>>(), [2, 2]);
    let (first, last) = (curves[0][0], curves[1][1]);
    assert!(last.0 > first.0 && last.1 > first.1);
    assert!((curves[0][1].0 - first.0 - (last.0 - first.0) / 4.0).abs() < 0.01);
    assert!((curves[0][1].1 - first.1 - (last.1 - first.1) / 2.0).abs() < 0.01);
}

#[test]
fn every_map_and_strip_has_a_scale_with_its_unit() {
    let fonts = Fonts::bundled();
    let figures = [heatmap(&words(5)), grid(2, 3, &attention(4)), lens(&words(5), 3), sheet(&words(5)), atlas(4, 4)];
    let figures = figures.into_iter().chain([saliency(&words(5), 2, false), saliency(&words(5), 2, true)]);
    for figure in figures {
        let units = ["attention", "probability", "share", "confidence", "log p", "nats"];
        let scene = layout(&figure, &fonts);
        let ramps = scene.items.iter().filter(|item| matches!(item, Item::Ramp(..))).count();
        let named = labels(&scene).iter().filter(|label| units.contains(&label.text.as_str())).count();
        assert!(ramps >= 1 && named >= 1, "{}: {ramps} {named}", figure.title);
        let text = terminal(&figure, &Terminal::default());
        assert!(units.iter().any(|unit| text.contains(unit)), "{text}");
    }
}

#[test]
fn cells_that_show_means_have_a_scale_up_to_the_largest_mean_that_says_so() {
    let (n, fonts) = (300, Fonts::bundled());
    let small = grid(12, 12, &attention(n));
    for (figure, width) in [(heatmap(&words(n)), 312), (heatmap(&words(n)), 430), (small, 600)] {
        let figure = Figure { width: Some(width), ..figure };
        let scene = layout(&figure, &fonts);
        let (place, matrix, scale) = scene
            .items
            .iter()
            .find_map(|item| if let Item::Cells(place, map, scale) = item { Some((place, map, scale)) } else { None })
            .unwrap();
        let block = n.div_ceil((place.w * scene.zoom).round() as usize);
        let (_, largest) = matrix.pool_by(block, Pooling::Mean).range().unwrap();
        assert!(block > 1 && scale.max == largest && largest < 0.9, "{width}: {block} {} {largest}", scale.max);
        let texts: Vec<String> = labels(&scene).into_iter().map(|label| label.text.clone()).collect();
        let said = texts.iter().any(|text| text == "mean attention") || texts.iter().any(|text| text == "mean");
        assert!(said && texts.iter().any(|text| text.contains("each cell is the mean")), "{texts:?}");
    }
    // Files that are to be compared keep their common scale.
    let mut shared = Figure { width: Some(312), ..heatmap(&words(n)) };
    if let Panel::Heatmap(map) = &mut shared.panels[0] {
        map.scale.shared = true;
    }
    let scene = layout(&shared, &fonts);
    assert!(scene.items.iter().any(|item| matches!(item, Item::Cells(_, _, scale) if scale.max == 1.0)));
    // Where each cell is a number of its own, nothing changes.
    let whole = heatmap(&words(12));
    assert!(
        layout(&whole, &fonts)
            .items
            .iter()
            .any(|item| matches!(item, Item::Cells(_, _, scale) if scale.unit == "attention"))
    );
}

#[test]
fn figures_survive_json() {
    for figure in [everything(&words(5)), sheet(&words(3)), lens(&words(3), 2), grid(2, 2, &attention(3))] {
        let json = serde_json::to_string(&figure).unwrap();
        let back: Figure = serde_json::from_str(&json).unwrap();
        assert_eq!(serde_json::to_string(&back).unwrap(), json);
    }
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
    let mut figure = hostile_figure();
    for mut other in [saliency(&hostile(), 3, true), lens(&hostile(), 3), sheet(&hostile()), everything(&hostile())] {
        figure.panels.append(&mut other.panels);
    }
    figure.panels.push(hostile_table());
    let colours = [Colour::None, Colour::Basic, Colour::Indexed, Colour::True];
    for (colour, ascii) in colours.into_iter().flat_map(|c| [(c, false), (c, true)]) {
        let text = terminal(&figure, &Terminal { colour, ascii, ..Terminal::default() });
        assert!(!ascii || text.is_ascii());
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
        ("strip", sized(saliency(&words(8), 3, true), 700, Theme::Light)),
        ("strip-long-dark", sized(saliency(&words(24), 2, false), 300, Theme::Dark)),
        ("lens", sized(lens(&words(5), 4), 480, Theme::Light)),
        ("sheet", sized(sheet(&words(6)), 700, Theme::Light)),
        ("everything", sized(everything(&words(4)), 440, Theme::Light)),
        ("hostile", sized(heatmap(&hostile()[..14]), 420, Theme::Light)),
    ];
    let drawn = pictures.map(|(name, figure)| (format!("render-{name}"), png(&figure, &fonts).unwrap()));
    look_as_they_did(drawn, DRAWN);
}
