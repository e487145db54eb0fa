//! `attnviz attention`: from text to heatmaps and their numbers.

use super::args::{FigureArgs, ModelArgs, PromptArgs, Selection, SelectionArgs, SinkArg, WordsArg};
use super::output::{self, Format, OutputArgs, Target};
use attnviz::analysis::{Attention, Prediction, Reduction, Request, attention, next_tokens};
use attnviz::checkpoint::{Checkpoint, Source};
use attnviz::error::{Error, Kind, Result};
use attnviz::export::{self, Array, Data, Fields, Meta, Received};
use attnviz::figure::attention::{bars, heatmap, matrix, panel, rank};
use attnviz::figure::{Figure, Matrix, Panel, Scale, panel_pixels};
use attnviz::model::Model;
use attnviz::prompt::{Prompt, Word, WordRule};
use attnviz::render::{Fonts, png, svg, terminal};
use attnviz::session::Session;
use attnviz::trace::Activation;
use candle_core::Tensor;
use clap::{Args, ValueEnum};
use rayon::prelude::*;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Instant;

/// The flags of `attention`.
#[derive(Args)]
pub struct AttentionArgs {
    #[command(flatten)]
    prompt: PromptArgs,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    figure: FigureArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// Only the words ranked by the attention they receive, as bars or as a table
    #[arg(long, help_heading = "Output")]
    received: bool,
    /// More arrays in a .safetensors, .npz or .json file
    #[arg(long, value_name = "logits,hidden,scores", value_delimiter = ',', help_heading = "Output")]
    with: Vec<Extra>,
}

/// `--with`.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Extra {
    /// Logits at every position
    Logits,
    /// Hidden states before every layer and after the last
    Hidden,
    /// Scaled scores before the mask
    Scores,
}

/// Attention on the first token above which the figure says how to hide it.
const LARGE_SINK: f32 = 0.4;
/// Next tokens named under the headline.
const NEXT: usize = 3;
/// Up to this many maps are kept whole even for a picture: each may be drawn large.
const WHOLE: usize = 4;

/// Everything that is known once the model has run.
struct Outcome<'a> {
    args: &'a AttentionArgs,
    session: &'a Session,
    prompt: Prompt,
    words: Vec<Word>,
    attention: Attention,
    next: Vec<Prediction>,
    extras: Vec<Array>,
    named: bool,
}

/// Runs the command.
pub fn run(args: AttentionArgs) -> Result<()> {
    let started = Instant::now();
    let lap = |what: &str| {
        if args.output.verbose {
            output::remark(&format!("{what}: {:.1} ms since the start", 1e3 * started.elapsed().as_secs_f64()));
        }
    };
    // What was typed is checked before anything slow.
    let targets = args.output.targets("attention")?;
    args.check(&targets)?;
    args.selection.reductions()?;
    let words = args.prompt.read()?;
    args.model.start_threads()?;
    let (source, named) = args.model.source()?;
    let checkpoint = Checkpoint::open(&source)?;
    let selection = args.selection.resolve(&checkpoint.spec)?;
    if !named && source == Source::Builtin && !args.output.quiet {
        output::remark("no model was named: using the small built-in one (-m DIR chooses another)");
    }
    let session = Session::new(checkpoint)?;
    lap("loaded");
    let prompt = args.prompt.resolve(words, &session.tokenizer, session.model.spec())?;
    let outcome = args.compute(&session, prompt, selection, &targets, named)?;
    lap("computed");
    let fonts = Fonts::with_system();
    let mut paths = Vec::new();
    for target in &targets {
        match target {
            Target::Stdout(format) => output::print(&outcome.bytes(*format, None, &fonts)?)?,
            Target::File(..) => paths.extend(outcome.files(target, &fonts)?),
        }
    }
    lap("written");
    let listing: String =
        paths.iter().map(|path| format!("{}\n", output::printable(&path.display().to_string()))).collect();
    if !args.output.quiet {
        outcome.mention_fonts(&fonts);
        output::preview(&outcome.figure(None));
    }
    // Data on standard output stand alone.
    if targets.iter().any(|target| matches!(target, Target::Stdout(_))) {
        Ok(())
    } else {
        output::print(listing.as_bytes())
    }
}

impl AttentionArgs {
    /// What cannot be meant together.
    fn check(&self, targets: &[Target]) -> Result<()> {
        if self.received && !self.with.is_empty() {
            return Err(
                Error::usage("--with and --received do not go together").hint("ask for them one after the other")
            );
        }
        if !self.with.is_empty() && targets.iter().all(|t| t.format().is_picture() || t.format() == Format::Csv) {
            return Err(
                Error::usage("--with needs a data file").hint("write a .safetensors, .npz or .json file with -o")
            );
        }
        if self.received && targets.iter().any(|t| matches!(t.format(), Format::Npz | Format::Safetensors)) {
            return Err(Error::usage("--received is a table of words").hint("write it as .csv, .json or a picture"));
        }
        if self.received && targets.iter().any(Target::splits) {
            return Err(
                Error::usage("--received has no file for each layer or head").hint("leave {layer} and {head} out")
            );
        }
        Ok(())
    }

    fn compute<'a>(
        &'a self,
        session: &'a Session,
        prompt: Prompt,
        selection: Selection,
        targets: &[Target],
        named: bool,
    ) -> Result<Outcome<'a>> {
        let rule = self.selection.words.map_or(WordRule::Default, WordRule::from);
        let words = prompt.words(rule);
        let maps = |reduced: Option<Reduction>, all: &[usize]| if reduced.is_some() { 1 } else { all.len() };
        let cols = maps(selection.heads_to, &selection.heads);
        let count = cols * maps(selection.layers_to, &selection.layers);
        let tokens = if self.selection.words.is_some() { words.len() } else { prompt.ids.len() };
        let only_sheets = targets.iter().all(|t| t.format().is_picture() && !t.splits());
        let pixels =
            panel_pixels(cols, tokens, self.figure.width, true).max(1) as f32 * (self.figure.dpi / 96.0).max(1.0);
        let request = Request {
            layers: selection.layers,
            heads: selection.heads,
            sink: self.selection.sink.into(),
            words: self.selection.words.map(|_| words.iter().map(|word| word.tokens.clone()).collect()),
            heads_to: selection.heads_to,
            layers_to: selection.layers_to,
            keep: self
                .with
                .iter()
                .filter_map(|extra| match extra {
                    Extra::Hidden => Some(Activation::ResidPre),
                    Extra::Scores => Some(Activation::Scores),
                    Extra::Logits => None,
                })
                .collect(),
            pool: (only_sheets && count > WHOLE).then_some(pixels.ceil() as usize),
        };
        let broken = |error: Error| if error.kind == Kind::Failed { session.explain(error) } else { error };
        let attention = attention(&session.model, &prompt.ids, &request).map_err(broken)?;
        let next = next_tokens(&session.next_logits(&attention.resid)?, NEXT).map_err(broken)?;
        let extras = self.extras(session, &attention)?;
        Ok(Outcome { args: self, session, prompt, words, attention, next, extras, named })
    }

    /// The arrays that `--with` asked for.
    fn extras(&self, session: &Session, attention: &Attention) -> Result<Vec<Array>> {
        let model = &session.model;
        let recorded = |at, layers: &[usize]| -> Result<Vec<Tensor>> {
            layers.iter().map(|layer| attention.trace.get(at, *layer, 0).cloned()).collect()
        };
        let mut arrays: Vec<Array> = Vec::new();
        for extra in [Extra::Logits, Extra::Hidden, Extra::Scores].into_iter().filter(|extra| self.with.contains(extra))
        {
            let (name, tensor) = match extra {
                Extra::Logits => ("logits", model.unembed(&model.final_norm(&attention.resid)?, None)?),
                Extra::Hidden => {
                    let mut all = recorded(Activation::ResidPre, &(0..model.spec().layers).collect::<Vec<_>>())?;
                    all.push(model.final_norm(&attention.resid)?);
                    ("hidden", Tensor::stack(&all, 0)?)
                }
                Extra::Scores => {
                    let heads: Vec<u32> = attention.heads.iter().map(|head| *head as u32).collect();
                    let all = Tensor::stack(&recorded(Activation::Scores, &attention.layers)?, 0)?;
                    ("scores", all.index_select(&Tensor::new(heads, all.device())?, 1)?)
                }
            };
            let shape = tensor.dims().to_vec();
            let mut values: Vec<f32> = tensor.flatten_all()?.to_vec1()?;
            if extra == Extra::Scores {
                let n = attention.received.len();
                for (row, scores) in values.chunks_mut(n).enumerate() {
                    scores[row % n + 1..].fill(f32::NEG_INFINITY);
                }
            }
            arrays.push(Array { name: name.into(), shape, values });
        }
        Ok(arrays)
    }
}

impl Outcome<'_> {
    /// Every file of one target.
    fn files(&self, target: &Target, fonts: &Fonts) -> Result<Vec<PathBuf>> {
        let Target::File(template, format) = target else { return Ok(Vec::new()) };
        let text = self.prompt.text.clone().unwrap_or_else(|| "ids".into());
        let fields = |layer: String, head: String| Fields {
            layer,
            head,
            index: "0".into(),
            slug: export::slug(&text),
            hash: self.hash(),
        };
        if !target.splits() {
            let fields = fields("all".into(), "all".into());
            return Ok(vec![output::write(template, &fields, &self.bytes(*format, None, fonts)?)?]);
        }
        let (layers, heads) = (self.attention.layer_names(), self.attention.head_names());
        let items: Vec<(usize, Fields)> = layers
            .iter()
            .flat_map(|layer| heads.iter().map(move |head| (layer, head)))
            .map(|(layer, head)| fields(layer.clone(), head.clone()))
            .enumerate()
            .collect();
        let mut names = HashSet::new();
        if let Some((_, fields)) = items.iter().find(|(_, fields)| !names.insert(template.fill(fields))) {
            return Err(Error::usage(format!("two files would be named {}", template.fill(fields).display()))
                .hint("put both {layer} and {head} into the name, or select one layer or head"));
        }
        items
            .par_iter()
            .map(|(map, fields)| output::write(template, fields, &self.bytes(*format, Some(*map), fonts)?))
            .collect()
    }

    /// One result in one format: everything, or one map of it.
    fn bytes(&self, format: Format, map: Option<usize>, fonts: &Fonts) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match format {
            Format::Png => bytes = png(&self.figure(map), fonts)?,
            Format::Svg => bytes = svg(&self.figure(map), fonts)?.into_bytes(),
            Format::Txt => bytes = terminal(&self.figure(map), &Default::default()).into_bytes(),
            Format::Json => export::json::write(&self.data(map)?, &mut bytes)?,
            Format::Npz => export::npz::write(&self.data(map)?, &mut bytes)?,
            Format::Safetensors => export::safetensors::write(&self.data(map)?, &mut bytes)?,
            Format::Csv if self.args.received => export::csv::write_received(&self.data(map)?, &mut bytes)?,
            Format::Csv => {
                let (layers, heads) = self.axes(map);
                export::csv::write_attention(&self.data(map)?, &layers, &heads, &mut bytes)?;
            }
        }
        Ok(bytes)
    }

    /// The names of the layers and heads of all maps, or of one.
    fn axes(&self, map: Option<usize>) -> (Vec<String>, Vec<String>) {
        let (layers, heads) = (self.attention.layer_names(), self.attention.head_names());
        match map {
            None => (layers, heads),
            Some(map) => (vec![layers[map / heads.len()].clone()], vec![heads[map % heads.len()].clone()]),
        }
    }

    fn labels(&self) -> Vec<String> {
        match self.args.selection.words {
            Some(_) => self.words.iter().map(|word| word.label.clone()).collect(),
            None => self.prompt.tokens.iter().map(|token| token.label.clone()).collect(),
        }
    }

    /// The figure of all maps and the ranked words, or of one map.
    fn figure(&self, map: Option<usize>) -> Figure {
        let style = &self.args.figure;
        let all: Vec<Matrix> = self.attention.maps.iter().map(matrix).collect();
        // Files of one run share a scale, so that they can be compared.
        let scale = Scale::over(style.scale.into(), style.colormap, "attention", &all);
        let ranks = rank(&self.attention, &self.words);
        let panels: Vec<Panel> = match map {
            _ if self.args.received => vec![bars(&self.attention, &ranks, &self.prompt, Some(usize::MAX))],
            Some(map) => vec![heatmap(all[map].clone(), &self.labels(), scale)],
            None => {
                let maps = panel(&self.attention, &all, &self.labels(), scale);
                let bars = (!ranks.is_empty()).then(|| bars(&self.attention, &ranks, &self.prompt, None));
                std::iter::once(maps).chain(bars).collect()
            }
        };
        Figure {
            title: style.title.clone().unwrap_or_else(|| self.headline()),
            subtitle: self.subtitle(map),
            panels,
            theme: style.theme.into(),
            width: style.width,
            height: style.height,
            dpi: style.dpi,
            provenance: self.provenance(map),
        }
    }

    /// The prompt in one line; the renderer cuts what is too long.
    fn headline(&self) -> String {
        self.prompt.written().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn subtitle(&self, map: Option<usize>) -> Vec<String> {
        let model = if self.named { self.session.name.clone() } else { "built-in model (none was named)".into() };
        let mut lines = vec![format!("{model} · {} · {} tokens", self.what(map), self.prompt.ids.len())];
        let next: Vec<String> = self
            .next
            .iter()
            .map(|next| {
                let label = Prompt::from_ids(&self.session.tokenizer, vec![next.id], None).tokens.remove(0).label;
                format!("{label} {}", percent(next.probability))
            })
            .collect();
        lines.push(format!("next: {}", next.join(", ")));
        let share = percent(f64::from(self.attention.sink_share));
        match self.args.selection.sink {
            SinkArg::Keep if self.attention.sink_share >= LARGE_SINK => {
                lines.push(format!("{share} of the attention is on the first token; --sink mask hides it"));
            }
            SinkArg::Keep => {}
            SinkArg::Mask => lines.push(format!("attention on the first token, {share} of all, is hidden")),
            SinkArg::Renorm => {
                lines.push(format!(
                    "attention on the first token, {share} of all, is hidden and rows are rescaled to 1"
                ));
            }
        }
        lines
    }

    /// What is drawn, in words.
    fn what(&self, map: Option<usize>) -> String {
        if self.args.received {
            return "words ranked by the attention they receive".into();
        }
        let (layers, heads) = self.axes(map);
        let one = |what: &str, names: &[String], reduced: Option<Reduction>, all: usize| match (reduced, names) {
            (Some(_), [how]) => format!("{how} of {all} {what}s"),
            (None, [number]) => format!("{what} {number}"),
            (_, many) => format!("{} {what}s", many.len()),
        };
        let attention = &self.attention;
        format!(
            "{}, {}{}",
            one("layer", &layers, attention.layers_to, attention.layers.len()),
            one("head", &heads, attention.heads_to, attention.heads.len()),
            if self.args.selection.words.is_some() { ", by word" } else { "" }
        )
    }

    fn settings(&self) -> Value {
        let (args, attention) = (self.args, &self.attention);
        let name = |reduction: Option<Reduction>| reduction.map(|r| if r == Reduction::Mean { "mean" } else { "max" });
        json!({
            "layers": attention.layers,
            "heads": attention.heads,
            "reduce_layers": name(attention.layers_to),
            "reduce_heads": name(attention.heads_to),
            "sink": match args.selection.sink { SinkArg::Keep => "keep", SinkArg::Mask => "mask", SinkArg::Renorm => "renorm" },
            "word_rule": args.selection.words.map(|w| if w == WordsArg::Space { "space" } else { "default" }),
            "bos": args.prompt.bos,
        })
    }

    /// How to make the figure again.
    fn provenance(&self, map: Option<usize>) -> Value {
        let style = &self.args.figure;
        let (layers, heads) = self.axes(map);
        json!({
            "attnviz": env!("CARGO_PKG_VERSION"),
            "command": "attention",
            "model": self.session.name,
            "weights": self.session.hash,
            "prompt": self.prompt.written(),
            "token_ids": self.prompt.ids,
            "settings": self.settings(),
            "shown": { "layers": layers, "heads": heads, "received": self.args.received },
            "figure": {
                "scale": attnviz::figure::ScaleKind::from(style.scale),
                "colormap": style.colormap.name(),
                "title": style.title,
                "width": style.width,
                "height": style.height,
                "dpi": style.dpi,
                "theme": attnviz::figure::Theme::from(style.theme),
            },
        })
    }

    /// A short name for this model, prompt and settings.
    fn hash(&self) -> String {
        let what = json!([self.session.hash, self.prompt.ids, self.settings()]).to_string();
        format!("{:016x}", xxhash_rust::xxh3::xxh3_64(what.as_bytes()))
    }

    /// The numbers of all maps, or of one.
    fn data(&self, map: Option<usize>) -> Result<Data> {
        let (layers, heads) = self.axes(map);
        let side = self.attention.maps.first().map_or(0, |map| map.side);
        let maps = map.map_or(&self.attention.maps[..], |map| &self.attention.maps[map..=map]);
        let values = maps.iter().flat_map(|map| &map.values).copied().collect();
        let attention = Array { name: "attention".into(), shape: vec![layers.len(), heads.len(), side, side], values };
        let mut arrays = vec![attention];
        arrays.extend(self.extras.iter().filter(|_| map.is_none()).cloned());
        let text = || self.prompt.tokens.iter().map(|token| token.text.clone());
        let received = rank(&self.attention, &self.words).into_iter().map(|rank| Received {
            word: rank.word.label.clone(),
            first_token: rank.word.tokens.start.max(1),
            last_token: rank.word.tokens.end - 1,
            received: rank.received,
        });
        let one = |all: &[usize], names: &[String]| match (map, names) {
            (Some(_), [name]) => name.parse().map_or(all.to_vec(), |index| vec![index]),
            _ => all.to_vec(),
        };
        Ok(Data {
            meta: Meta {
                version: env!("CARGO_PKG_VERSION").into(),
                model: self.session.name.clone(),
                revision: None,
                hash: self.session.hash.clone(),
                prompt: self.prompt.written(),
                layers: one(&self.attention.layers, &layers),
                heads: one(&self.attention.heads, &heads),
                settings: self.settings(),
            },
            token_ids: self.prompt.ids.clone(),
            tokens: text().collect(),
            words: self.args.selection.words.map(|_| self.words.iter().map(|word| word.label.clone()).collect()),
            arrays,
            received: received.collect(),
            sink_share: Some(self.attention.sink_share),
            received_settings: json!({ "queries": "those that can see the token", "first_token": "left out" }),
        })
    }

    /// Says which characters the bundled font lacks and where they were found.
    fn mention_fonts(&self, fonts: &Fonts) {
        let labels: String = self.labels().concat() + &self.headline();
        let lacking = fonts.missing(&labels);
        let (found, lost): (Vec<_>, Vec<_>) = lacking.into_iter().partition(|(_, font)| font.is_some());
        let list = |chars: &[(char, Option<String>)]| chars.iter().take(8).map(|(c, _)| *c).collect::<String>();
        if let Some((_, Some(font))) = found.first() {
            output::remark(&format!("the bundled font lacks {}; taken from the system's {font}", list(&found)));
        }
        if !lost.is_empty() {
            output::remark(&format!("no font here has {}; drawn as code points", list(&lost)));
        }
    }
}

/// A probability as a short percentage.
fn percent(p: f64) -> String {
    let percent = 100.0 * p;
    if percent >= 9.95 || percent == 0.0 { format!("{percent:.0} %") } else { format!("{percent:.1} %") }
}
