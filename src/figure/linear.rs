//! The figure of `probe linear`: accuracies over the layers, and each with its interval.

use super::{Curves, IntervalRow, Intervals, Panel, Series};

/// The probes of a model.
pub struct Probed {
    /// Its name.
    pub model: String,
    /// Of each site the task's and the control's accuracy and their difference, each with its interval.
    pub sites: Vec<[[f32; 3]; 3]>,
    /// What each site is called.
    pub names: Vec<String>,
    /// The share of the commonest label.
    pub majority: f32,
}

/// What the three numbers of a site are.
const NUMBERS: [&str; 3] = ["task", "control", "selectivity"];

/// The curves of all models, and under them the intervals.
pub fn panels(models: &[Probed], seeds: usize) -> Vec<Panel> {
    let several = models.len() > 1;
    let named = |model: &Probed, what: &str| if several { format!("{}: {what}", model.model) } else { what.to_owned() };
    let mut series = Vec::new();
    for model in models {
        let xs: Vec<f32> = (0..model.sites.len()).map(|site| site as f32).collect();
        let level = |name: &str, y: f32| Series {
            name: named(model, &format!("{name} {y:.3}")),
            ys: vec![y; xs.len()],
            xs: xs.clone(),
            faint: true,
        };
        for (number, what) in NUMBERS.into_iter().enumerate() {
            let ys = model.sites.iter().map(|site| site[number][0]).collect();
            series.push(Series { name: named(model, what), xs: xs.clone(), ys, faint: false });
        }
        series.push(level("majority", model.majority));
        series.push(level("layer 0", model.sites.first().map_or(f32::NAN, |site| site[0][0])));
    }
    let chart = Curves {
        title: "What a linear probe reads at each layer".into(),
        x_axis: "layers passed".into(),
        y_axis: "accuracy on test".into(),
        x_kind: super::ScaleKind::Linear,
        series,
        note: "control: each type has one random label; selectivity: task − control".into(),
    };
    let row = |(model, site): (&Probed, usize)| {
        let [task, control, selectivity] = model.sites[site];
        let said = [task, control, selectivity].map(|[mean, ..]| format!("{mean:.3}").replace('-', "−"));
        IntervalRow {
            label: named(model, &model.names[site]),
            strong: false,
            estimates: vec![task, control, selectivity],
            remark: said.join("  "),
        }
    };
    let rows: Vec<IntervalRow> =
        models.iter().flat_map(|model| (0..model.sites.len()).map(move |site| row((model, site)))).collect();
    let ends = rows.iter().flat_map(|row| row.estimates.iter().flatten()).filter(|x| x.is_finite());
    let (low, high) = ends.fold((0.0f32, 1.0f32), |(low, high), x| (low.min(*x), high.max(*x)));
    let tenths = |x: f32, round: fn(f32) -> f32| round(x * 10.0) / 10.0;
    let intervals = Intervals {
        title: "The same with intervals".into(),
        rows,
        series: NUMBERS.map(str::to_owned).to_vec(),
        reference: Some(0.0),
        bounds: [tenths(low, f32::floor), tenths(high, f32::ceil)],
        unit: match seeds {
            1 => "one seed: no interval; dashed: 0".into(),
            seeds => format!("mean and 95 % interval over {seeds} seeds (Student); dashed: 0"),
        },
        note: String::new(),
    };
    vec![Panel::Curves(chart), Panel::Intervals(intervals)]
}
