//! The forward pass alone: `cargo bench --bench forward -- MODEL_DIR [TOKENS …]` prints the median of several runs, with
//! every pattern handed to a tap that looks at it (as transformers does with `output_attentions=True`).
#![allow(clippy::print_stdout)]

use attnviz::checkpoint::{Checkpoint, Source};
use attnviz::model::{Activation, Backend};
use attnviz::session::family;
use attnviz::trace::{Recorder, forward};
use std::time::Instant;

fn main() -> attnviz::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let Some((dir, lengths)) = args.split_first() else {
        println!("forward: give the folder of a checkpoint");
        return Ok(());
    };
    attnviz::model::keep_freed_memory();
    let started = Instant::now();
    let checkpoint = Checkpoint::open(&Source::parse(dir)?)?;
    let weights = checkpoint.weights()?;
    let model = family(&checkpoint)?.load(&weights, &Backend::Fused)?;
    println!("load {:.4} s", started.elapsed().as_secs_f64());
    let started = Instant::now();
    println!("hash {} {:.4} s", weights.hash(), started.elapsed().as_secs_f64());
    let lengths = if lengths.is_empty() {
        vec![1, 11, 24, 72, 128, 901]
    } else {
        lengths.iter().filter_map(|n| n.parse().ok()).collect()
    };
    for n in lengths {
        let ids: Vec<u32> = (0..n as u64).map(|i| (i * 7919 + 13) as u32 % model.spec().vocab as u32).collect();
        let mut times: Vec<f64> = (0..if n > 256 { 5 } else { 15 })
            .map(|_| {
                let layers: Vec<usize> = (0..model.spec().layers).collect();
                let mut tap = Recorder::new().reduce(Activation::Pattern, &layers, |_, _| Ok(None));
                let started = Instant::now();
                forward(&*model, &[&ids], &mut tap).map(|_| started.elapsed().as_secs_f64())
            })
            .collect::<attnviz::Result<_>>()?;
        times.sort_by(f64::total_cmp);
        println!("{n} tokens: median {:.4} s, min {:.4} s", times[times.len() / 2], times[0]);
    }
    Ok(())
}
