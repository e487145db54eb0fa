//! Figures to draw: plausible, long, and hostile ones.

use attnviz::figure::{
    Bars, Column, Curves, Figure, Grid, Heatmap, Matrix, Panel, Scale, ScaleKind, Series, Sheet, SheetMap, Strip,
    StripRow, Table,
};
use attnviz::record::Record;

/// A plausible causal map: a sink, a diagonal, and something in between.
pub fn attention(n: usize) -> Matrix {
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

pub fn scale() -> Scale {
    Scale { unit: "attention".into(), ..Scale::default() }
}

pub fn heatmap(labels: &[String]) -> Figure {
    Figure {
        title: "Layer 4 · head 11".into(),
        subtitle: vec!["tiny model · attention".into(), "next: “·fox” 41 %, “·dog” 12 %, “·cat” 6 %".into()],
        panels: vec![Panel::Heatmap(Heatmap {
            values: attention(labels.len()),
            row_labels: labels.to_vec(),
            col_labels: labels.to_vec(),
            row_axis: "query".into(),
            col_axis: "key".into(),
            scale: scale(),
            ..Heatmap::default()
        })],
        record: Some(Record {
            command: "attention".into(),
            prompt: "a\u{0}b]]><script>&\u{ffff}\u{85}\u{202e}".into(),
            ..Record::default()
        }),
        ..Figure::default()
    }
}

pub fn grid(rows: usize, cols: usize, matrix: &Matrix) -> Figure {
    Figure {
        title: "Attention of every head".into(),
        subtitle: vec!["tiny model · attention, square-root scale".into()],
        panels: vec![Panel::Grid(Grid {
            cells: vec![matrix.clone(); rows * cols],
            row_titles: (0..rows).map(|i| format!("layer {i}")).collect(),
            col_titles: (0..cols).map(|i| format!("head {i}")).collect(),
            scale: Scale { kind: ScaleKind::Sqrt, ..scale() },
            ..Grid::default()
        })],
        ..Figure::default()
    }
}

pub fn bars(labels: &[String]) -> Panel {
    Panel::Bars(Bars {
        title: "Words by attention received".into(),
        labels: labels.to_vec(),
        values: (0..labels.len()).map(|i| 0.3 / (i + 1) as f32).collect(),
        unit: "mean over heads and queries".into(),
        note: "The first token receives 62 % and is left out.".into(),
        more: 0,
    })
}

pub fn with_bars(mut figure: Figure, labels: &[String]) -> Figure {
    figure.panels.push(bars(labels));
    figure
}

pub fn words(n: usize) -> Vec<String> {
    let some = ["The", "·quick", "·brown", "·fox", ",", "·counterrevolutionaries", "·over", "⏎", "⟨E2⟩", "·ⅷ"];
    (0..n).map(|i| some[i % some.len()].to_owned()).collect()
}

pub fn hostile() -> Vec<String> {
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

pub fn hostile_figure() -> Figure {
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

pub const METHODS: [&str; 7] = [
    "gradient",
    "input-x-gradient",
    "integrated-gradients",
    "smoothgrad",
    "gradient-shap",
    "occlusion",
    "attention-x-gradient",
];

/// Scores of both signs that look as if a method had made them, the same on every machine.
pub fn scores(n: usize, seed: usize) -> Vec<f32> {
    let score = |i: usize| ((i * 37 + seed * 101 + 11) % 97) as f32 / 97.0 - 0.35;
    (0..n).map(|i| score(i).powi(3) * 4.0).collect()
}

/// A text once for each of the first methods; with scales of their own, each row ten times larger than the one before.
pub fn strip(labels: &[String], methods: usize, own: bool) -> Panel {
    let row = |(i, name): (usize, &&str)| {
        let size = if own { 10f32.powi(i as i32 - 3) } else { 1.0 };
        let values: Vec<f32> = scores(labels.len(), i).iter().map(|v| v * size).collect();
        let scale = own.then(|| Scale::signed("nats", values.iter().copied()));
        StripRow { name: (*name).into(), values, note: format!("gap 0.{i} %"), scale }
    };
    let rows: Vec<StripRow> = METHODS.iter().take(methods).enumerate().map(row).collect();
    let scale = Scale::signed("log p", rows.iter().flat_map(|row| row.values.clone()));
    Panel::Strip(Strip { title: "What moved “·fox”".into(), labels: labels.to_vec(), rows, scale })
}

pub fn saliency(labels: &[String], methods: usize, own: bool) -> Figure {
    Figure {
        title: "The quick brown fox".into(),
        subtitle: vec!["tiny model · log p of “·fox” at position 3".into()],
        panels: vec![strip(labels, methods, own)],
        ..Figure::default()
    }
}

/// Layers down, positions across, the likeliest token in each cell.
pub fn lens(labels: &[String], layers: usize) -> Figure {
    let cols = labels.len();
    let p = |i: usize| (((i / cols + 1) * (i % cols * 5 + 3)) % 29) as f32 / 29.0;
    let guesses = ["·the", "·fox", ",", "·jumped", "⏎", "·counterrevolutionary", "你好", "ing", "<b>"];
    Figure {
        title: "What each layer would answer".into(),
        subtitle: vec!["tiny model · logit lens".into()],
        panels: vec![Panel::Heatmap(Heatmap {
            values: Matrix::new(layers, cols, (0..layers * cols).map(p).collect()),
            row_labels: (0..layers).map(|l| if l == 0 { "embedding".into() } else { format!("{}", l - 1) }).collect(),
            col_labels: labels.to_vec(),
            row_axis: "after layer".into(),
            col_axis: "position".into(),
            cell_labels: (0..layers * cols).map(|i| guesses[(i * 7 + i / cols) % guesses.len()].to_owned()).collect(),
            scale: Scale { unit: "probability".into(), ..Scale::default() },
            ..Heatmap::default()
        })],
        ..Figure::default()
    }
}

pub fn curves(title: &str, methods: usize) -> Panel {
    let n = 24;
    let xs: Vec<f32> = (0..=n).map(|i| i as f32 / n as f32).collect();
    let line = |(i, name): (usize, &&str)| Series {
        name: (*name).into(),
        xs: xs.clone(),
        ys: xs
            .iter()
            .map(|x| 0.41 * (1.0 - x).powf(1.0 + i as f32) + 0.02 * ((x * 40.0 + i as f32).sin() + 1.0))
            .collect(),
        faint: false,
    };
    let mut series: Vec<Series> = METHODS.iter().take(methods).enumerate().map(line).collect();
    series.push(Series {
        name: "random (mean of 10)".into(),
        xs: xs.clone(),
        ys: xs.iter().map(|x| 0.41 * (1.0 - x)).collect(),
        faint: true,
    });
    Panel::Curves(Curves {
        title: title.into(),
        x_axis: "tokens removed, share".into(),
        y_axis: "probability of “·fox”".into(),
        series,
        ..Curves::default()
    })
}

pub fn table(rows: usize) -> Panel {
    let kinds = ["previous", "induction", "sink", "local", "broad", "duplicate"];
    let of = |f: &dyn Fn(usize) -> String| (0..rows).map(f).collect::<Vec<_>>();
    let score = |seed: usize| (0..rows).map(|i| ((i * 31 + seed * 17) % 100) as f32 / 101.0).collect::<Vec<_>>();
    let shade = Scale { unit: "score".into(), ..Scale::default() };
    let mut distance = score(5);
    distance.iter_mut().for_each(|v| *v *= 20.0);
    if let Some(first) = distance.first_mut() {
        *first = f32::NAN;
    }
    Panel::Table(Table {
        title: "Heads".into(),
        columns: vec![
            Column::texts("head", of(&|i| format!("{}.{}", i / 12, i % 12))),
            Column::texts("kind", of(&|i| kinds[i % kinds.len()].into())),
            Column::shaded("previous", score(1), shade.clone()),
            Column::shaded("induction", score(2), shade.clone()),
            Column::shaded("sink", score(3), shade),
            Column::numbers("distance", &distance),
        ],
        note: "Scores are means over queries.".into(),
    })
}

/// A map for each of seven methods.
pub fn sheet(labels: &[String]) -> Figure {
    let names = ["raw", "rollout", "flow", "norm", "norm-residual", "value-zeroing", "attention-x-gradient"];
    let map = |(i, name): (usize, &&str)| SheetMap {
        name: (*name).into(),
        note: if i > 0 { format!("ρ 0.{}", 9 - i) } else { String::new() },
        values: attention(labels.len()),
    };
    Figure {
        title: "Seven ways to say who looks at whom".into(),
        subtitle: vec!["tiny model · mean of 12 layers".into()],
        panels: vec![Panel::Sheet(Sheet {
            maps: names.iter().enumerate().map(map).collect(),
            row_labels: labels.to_vec(),
            col_labels: labels.to_vec(),
            row_axis: "query".into(),
            col_axis: "key".into(),
            scale: Scale { kind: ScaleKind::Sqrt, unit: "share".into(), ..Scale::default() },
            ..Sheet::default()
        })],
        ..Figure::default()
    }
}

/// One coloured cell per head, with what the head does.
pub fn atlas(layers: usize, heads: usize) -> Figure {
    let kinds = ["prev", "ind", "sink", "local", "broad", "dup"];
    let cells = layers * heads;
    Figure {
        title: "What each head does".into(),
        panels: vec![Panel::Heatmap(Heatmap {
            values: Matrix::new(layers, heads, (0..cells).map(|i| (i * 29 % 100) as f32 / 100.0).collect()),
            row_labels: (0..layers).map(|l| l.to_string()).collect(),
            col_labels: (0..heads).map(|h| h.to_string()).collect(),
            row_axis: "layer".into(),
            col_axis: "head".into(),
            cell_labels: (0..cells).map(|i| kinds[i * 7 % kinds.len()].into()).collect(),
            scale: Scale { unit: "confidence".into(), ..Scale::default() },
            ..Heatmap::default()
        })],
        ..Figure::default()
    }
}

pub fn signed_bars(labels: &[String]) -> Panel {
    let mut values = scores(labels.len(), 3);
    values.sort_by(|a, b| b.total_cmp(a));
    Panel::Bars(Bars {
        title: "Words by occlusion".into(),
        labels: labels.to_vec(),
        values,
        unit: "log p".into(),
        note: String::new(),
        more: 0,
    })
}

/// Everything that `saliency` may show.
pub fn everything(labels: &[String]) -> Figure {
    let mut figure = saliency(labels, 3, false);
    figure.panels.extend([
        signed_bars(&labels[..labels.len().min(12)]),
        curves("Deletion", 7),
        curves("Insertion", 7),
        table(6),
    ]);
    figure
}

/// A table of labels that try to break it.
pub fn hostile_table() -> Panel {
    let all = hostile();
    let numbers: Vec<f32> = (0..all.len()).map(|i| [f32::NAN, f32::INFINITY, -1e30, 0.0][i % 4]).collect();
    let mut column = Column::shaded(all[4].clone(), numbers, Scale::default());
    column.cells = all.clone();
    Panel::Table(Table {
        title: all.concat(),
        columns: vec![Column::texts(all[0].clone(), all.clone()), column],
        note: all[4].clone(),
    })
}
