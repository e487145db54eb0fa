//! Figures for print: lengths with units, sizes of text, fonts, single heads, other shapes than maps, numbers and frames.

use crate::support::pictures::decode;
use crate::support::shell::Shell;
use attnviz::compare::{Tolerance, differences};
use attnviz::format::Format;
use roxmltree::{Document, Node};
use serde_json::Value;

const TALE: &str = "The fox met the crow by the well and sang a song.";
const FONT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/fonts/DejaVuSans.ttf");

/// An SVG with these flags.
fn svg(shell: &Shell, args: &[&str]) -> String {
    shell.ok(&[&["-m", "builtin", TALE, "-q", "-o", "a.svg"], args].concat());
    shell.text("a.svg")
}

/// The numbers with these flags.
fn json(shell: &Shell, args: &[&str]) -> Value {
    serde_json::from_slice(&shell.ok(&[args, &["-q", "-o", "-", "--format", "json"]].concat())).unwrap()
}

fn texts(svg: &str) -> Vec<String> {
    let document = Document::parse(svg).unwrap();
    let all = document.descendants().filter(|node| node.has_tag_name("text"));
    all.map(|node| node.descendants().filter_map(|child| child.text().filter(|_| child.is_text())).collect()).collect()
}

/// The smallest text, in points at the figure's own size.
fn smallest(svg: &str) -> f64 {
    let document = Document::parse(svg).unwrap();
    let root = document.root_element();
    let number = |node: Node, name| node.attribute(name).unwrap().parse::<f64>().unwrap();
    let unit =
        number(root, "width") / root.attribute("viewBox").unwrap().split(' ').nth(2).unwrap().parse::<f64>().unwrap();
    let sizes = document
        .descendants()
        .filter(|node| node.has_tag_name("text"))
        .map(|node| number(node, "font-size") * unit * 0.75);
    sizes.fold(f64::MAX, f64::min)
}

#[test]
fn a_length_has_a_unit_and_a_wrong_one_is_refused() {
    let shell = Shell::new();
    let widths = [("3.25in", "312"), ("85mm", "321.2598"), ("8.5cm", "321.2598"), ("234pt", "312")];
    for (typed, width) in widths.into_iter().chain([("312px", "312"), ("312.4", "312.4"), ("400", "400")]) {
        let found = svg(&shell, &["--layer", "4", "--head", "3", "--width", typed]);
        assert!(found.contains(&format!("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\"")), "{typed}");
    }
    // The page is exactly what was asked for, in points of 72 to the inch; a PNG has whole pixels.
    let page = |file: &str| {
        let bytes = shell.read(file);
        let at = bytes.windows(9).position(|window| window == b"/MediaBox").unwrap();
        let text = String::from_utf8_lossy(&bytes[at..at + 80]).into_owned();
        text[text.find('[').unwrap() + 1..text.find(']').unwrap()]
            .split(' ')
            .map(|number| number.parse::<f64>().unwrap())
            .collect::<Vec<_>>()
    };
    for (width, height) in [("8.5cm", Some("7.3cm")), ("8.5cm", None), ("101.7mm", Some("4in"))] {
        let mut args = vec!["-m", "builtin", TALE, "--layer", "4", "--head", "3", "-q", "--no-received"];
        args.extend(["-o", "a.pdf", "-o", "a.png", "--width", width]);
        args.extend(height.iter().flat_map(|height| ["--height", height]));
        shell.ok(&args);
        let points = |typed: &str| match typed.strip_suffix("cm") {
            Some(number) => number.parse::<f64>().unwrap() / 2.54 * 72.0,
            None if typed.ends_with("mm") => typed.trim_end_matches("mm").parse::<f64>().unwrap() / 25.4 * 72.0,
            None => typed.trim_end_matches("in").parse::<f64>().unwrap() * 72.0,
        };
        let found = page("a.pdf");
        assert!((found[2] - points(width)).abs() < 0.001, "{width}: {found:?}");
        assert!(height.is_none_or(|height| (found[3] - points(height)).abs() < 0.001), "{height:?}: {found:?}");
        assert_eq!(decode(&shell.read("a.png")).0, (points(width) / 0.75).round() as usize, "{width}");
    }
    for typed in ["3.25", "wide", "-3in", "3ft", "1e99cm", "NaNin"] {
        shell.fails(2, &["-m", "builtin", TALE, "-q", &format!("--width={typed}")]);
    }
}

#[test]
fn no_text_is_smaller_than_seven_points_and_all_grow_with_the_size_that_is_asked_for() {
    let shell = Shell::new();
    let head = ["--layer", "4", "--head", "3"];
    for flags in [&["--width", "3.25in"][..], &[], &["--numbers"], &["--width", "6.75in", "--numbers"]] {
        let found = smallest(&svg(&shell, &[&head[..], flags].concat()));
        assert!(found >= 7.0, "{flags:?}: {found}");
    }
    let found = svg(&shell, &["--width", "6.75in"]);
    assert!(smallest(&found) >= 7.0, "a sheet has {}", smallest(&found));
    let small = smallest(&svg(&shell, &[&head[..], &["--width", "6in", "--font-size", "6"]].concat()));
    let large = smallest(&svg(&shell, &[&head[..], &["--width", "6in", "--font-size", "12pt"]].concat()));
    assert!(small >= 6.0 * 0.875 && large >= 12.0 * 0.875, "{small} {large}");
}

#[test]
fn a_bare_figure_says_on_stderr_what_it_leaves_out() {
    let shell = Shell::new();
    let ran = shell
        .run(&["-m", "builtin", TALE, "--layer", "4", "--head", "3", "--bare", "--width", "3.25in", "-o", "a.svg"]);
    assert!(ran.err.contains("left out of the figure: builtin · layer 4, head 3"), "{}", ran.err);
    let shown = texts(&shell.text("a.svg"));
    assert!(
        shown.iter().all(|text| !text.contains("builtin") && text != TALE && !text.contains("received")),
        "{shown:?}"
    );
    assert!(shown.iter().any(|text| text == "key"), "{shown:?}");
    let shown = texts(&svg(&shell, &["--no-received"]));
    assert!(shown.iter().any(|text| text == TALE) && !shown.iter().any(|text| text.contains("received")), "{shown:?}");
}

#[test]
fn a_font_of_ones_own_is_embedded_or_outlined_and_named_in_the_record_by_its_hash() {
    let shell = Shell::new();
    let found = svg(&shell, &["--layer", "4", "--head", "3", "--font", FONT]);
    assert!(texts(&found).is_empty() && found.contains("aria-label=\"·fox\""), "texts are outlines");
    assert!(found.contains("DejaVuSans.ttf") && !found.contains("assets"), "a record knows no path");
    let (_, hint) = shell.fails(1, &["rerun", "a.svg"]);
    assert!(hint.contains("--font"), "{hint}");
    assert_eq!(shell.says(&["rerun", "a.svg", "--font", FONT]), "a.svg: the same bytes\n");
    shell.write("no.ttf", "a text").write("web.woff2", "wOF2 and more");
    for (file, says) in [("no.ttf", "no font"), ("web.woff2", "compressed"), ("none.ttf", "cannot be read")] {
        let (message, _) = shell.fails(1, &["-m", "builtin", TALE, "-q", "--font", file]);
        assert!(message.contains(says), "{message}");
    }
}

#[test]
fn heads_are_small_multiples_in_the_order_that_is_typed() {
    let shell = Shell::new();
    let shown = texts(&svg(&shell, &["--heads", "4.3,L2H1,l3h0"]));
    let names: Vec<&String> = shown.iter().filter(|text| text.starts_with("layer ")).collect();
    assert_eq!(names, ["layer 4, head 3", "layer 2, head 1", "layer 3, head 0"]);
    let all = json(&shell, &["-m", "builtin", TALE]);
    let some = json(&shell, &["-m", "builtin", TALE, "--heads", "4.3,2.1"]);
    let head = |json: &Value, result: usize, layer: usize, head: usize| {
        json["results"][result]["attention"][layer][head].clone()
    };
    assert_eq!(head(&some, 0, 0, 0), head(&all, 0, 4, 3));
    assert_eq!(head(&some, 1, 0, 0), head(&all, 0, 2, 1));
    assert_eq!((&some["results"][1]["layers"][0], &some["results"][1]["heads"][0]), (&2.into(), &1.into()));
    // One head in either notation is the same.
    let [a, b] = [&["--head", "L4H3"][..], &["--layer", "4", "--head", "3"]].map(|flags| {
        let out = json(&shell, &[&["-m", "builtin", TALE], flags].concat());
        out["results"].clone()
    });
    assert_eq!(a, b);
    shell.ok(&["-m", "builtin", TALE, "-q", "--heads", "4.3,2.1", "-o", "h-{layer}-{head}.svg"]);
    assert!(shell.files().contains(&"h-2-1.svg".to_owned()) && shell.files().contains(&"h-4-3.svg".to_owned()));
    assert_eq!(shell.says(&["rerun", "h-2-1.svg"]), "h-2-1.svg: the same bytes\n");
    for flags in
        [&["--heads", "4.9"][..], &["--heads", "4.3,4.3"], &["--heads", "4.3", "--layer", "2"], &["--heads", "4.3,x"]]
    {
        shell.fails(2, &[&["-m", "builtin", TALE, "-q"], flags].concat());
    }
}

#[test]
fn a_text_is_shaded_by_what_one_query_attends_to() {
    let shell = Shell::new();
    let out = shell.says(&[
        "-m", "builtin", TALE, "--view", "text", "--query", "2", "--heads", "4.3,2.1", "-o", "-", "--format", "txt",
    ]);
    assert!(
        out.contains("What query 2 ·met attends to")
            && out.contains("layer 4, head 3")
            && out.contains("layer 2, head 1"),
        "{out}"
    );
    let shown = texts(&svg(&shell, &["--view", "text", "--heads", "4.3,2.1"]));
    assert!(shown.iter().any(|text| text.starts_with("What query")), "{shown:?}");
    for flags in [
        &["--view", "text", "--query", "99", "--head", "4.3"][..],
        &["--query", "2"],
        &["--view", "text", "--mark", "1:0"],
    ] {
        shell.fails(2, &[&["-m", "builtin", TALE, "-q"], flags].concat());
    }
}

#[test]
fn lines_lead_from_queries_to_keys_as_many_as_asked_for() {
    let shell = Shell::new();
    let flags = ["--view", "lines", "--heads", "3.0,2.1", "--sink", "mask"];
    let lines = |svg: &str| svg.matches("<polyline").count();
    let (one, five) = (svg(&shell, &[&flags[..], &["--top", "1"]].concat()), svg(&shell, &flags));
    assert!(lines(&one) > 10 && lines(&five) > lines(&one), "{} {}", lines(&one), lines(&five));
    let shown = texts(&one);
    assert!(shown.iter().any(|text| text.starts_with("the strongest key of each query")), "{shown:?}");
    assert_eq!(shown.iter().filter(|text| *text == "·crow").count(), 2, "a query and a key");
    let out = shell.says(&[&["-m", "builtin", TALE, "-o", "-", "--format", "txt"], &flags[..]].concat());
    assert!(out.contains("·crow → "), "{out}");
    let (message, _) = shell.fails(2, &["-m", "builtin", TALE, "-q", "--view", "lines"]);
    assert!(message.contains("at most 7 heads"), "{message}");
}

#[test]
fn numbers_stand_in_cells_or_it_is_said_that_they_do_not_fit() {
    let shell = Shell::new();
    let head = ["--layer", "2", "--head", "1", "--numbers"];
    let shown = texts(&svg(&shell, &head));
    assert!(shown.iter().filter(|text| text.starts_with("0.")).count() > 30, "{shown:?}");
    let shown = texts(&svg(&shell, &[&head[..], &["--width", "3.25in"]].concat()));
    assert!(shown.iter().any(|text| text.contains("too small for their numbers")), "{shown:?}");
    let shown = texts(&svg(&shell, &["--numbers"]));
    assert!(shown.iter().any(|text| text.contains("numbers do not fit")), "{shown:?}");
}

#[test]
fn marked_cells_are_framed_and_named() {
    let shell = Shell::new();
    let plain = svg(&shell, &["--layer", "2", "--head", "1"]);
    let marked = svg(&shell, &["--layer", "2", "--head", "1", "--mark", "3:1,-1:0"]);
    let lines = |svg: &str| svg.matches("<polyline").count();
    assert_eq!(lines(&marked), lines(&plain) + 4, "each has a line and a hem");
    let said = texts(&marked).into_iter().find(|text| text.starts_with("framed, query → key: ·the → ·fox 0.")).unwrap();
    assert!(said.contains(". → The"), "{said}");
    assert_eq!(shell.says(&["rerun", "a.svg"]), "a.svg: the same bytes\n");
    for wrong in ["99:0", "1", "a:b", "1:-99"] {
        shell.fails(2, &["-m", "builtin", TALE, "-q", "--layer", "2", "--head", "1", "--mark", wrong]);
    }
}

#[test]
fn an_svg_says_what_it_shows_and_each_cell_its_number() {
    let shell = Shell::new();
    let found = svg(&shell, &["--layer", "4", "--head", "3"]);
    let document = Document::parse(&found).unwrap();
    let root = document.root_element();
    assert_eq!((root.attribute("role"), root.attribute("aria-labelledby")), (Some("img"), Some("title desc")));
    let by_id =
        |id: &str| root.children().find(|node| node.attribute("id") == Some(id)).unwrap().text().unwrap().to_owned();
    assert_eq!(by_id("title"), TALE);
    let said = by_id("desc");
    assert!(said.contains("strongest, row to column: ") && said.matches(" → ").count() == 3, "{said}");
    assert!(said.contains("of the attention is on the first token"), "{said}");
    let cells: Vec<&str> = document
        .descendants()
        .filter(|node| node.has_tag_name("title") && node.parent_element().unwrap().has_tag_name("path"))
        .filter_map(|node| node.text())
        .collect();
    let tokens = json(&shell, &["-m", "builtin", TALE])["tokens"].as_array().unwrap().len();
    assert_eq!(cells.len(), tokens * (tokens + 1) / 2);
    assert!(cells.contains(&"The → The: 1"), "{cells:?}");
    // What is said is no difference of its own: its numbers are compared as colours.
    let other = found.replace("The → The: 1<", "The → The: 0.999<");
    assert!(
        other != found
            && differences(Format::Svg, found.as_bytes(), other.as_bytes(), &Tolerance::default()).is_empty()
    );
    // More cells than that would be a large file.
    let long = svg(&shell, &[]);
    assert!(!long.contains("data-values") || long.len() < 2_000_000);
}

#[test]
fn picked_maps_of_a_long_text_say_which_tokens_stand_where() {
    let shell = Shell::new();
    let text = "The fox met the crow by the well and sang a song to the moon, who did not care. ".repeat(4);
    shell.ok(&["attention", &text, "-m", "builtin", "--heads", "4.1,0.2,1.3", "-q", "-o", "a.svg"]);
    let drawn = texts(&shell.text("a.svg"));
    let labels = |at: &str| drawn.iter().filter(|text| text.starts_with(at)).count();
    // Left of the first map and under all three.
    assert!(labels("20 ") == 4 && labels("0 The") == 4, "{drawn:?}");
}
