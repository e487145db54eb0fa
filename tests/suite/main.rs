//! All tests of the library and of the program, in one program: it is linked once, and its tests share the cores.
#![allow(clippy::unwrap_used)] // a test that cannot go on should fail there

mod batch;
mod bias;
mod checkpoints;
mod classifier;
mod cli;
mod default_figures;
mod diff;
mod errors;
mod examples;
mod export;
mod gradients;
mod heads;
mod hub;
mod llama;
mod long_prompts;
mod looks;
mod manual;
mod model;
mod models;
mod norms;
mod numbers;
mod one_run;
mod openai;
mod paper;
mod parity;
mod patching;
mod pdf;
mod probe_linear;
mod prompt;
mod qk;
mod reading;
mod reading_cli;
mod render;
mod render_file;
mod rerun;
mod saliency;
mod same_bytes;
mod saved_attention;
mod scoring;
mod snapshot;
#[cfg(unix)]
mod strange_files;
mod support;
mod tokenizers;
mod typed;
mod unicode;
mod viewers;
mod weights;
#[cfg(unix)]
mod whole_files;
mod whole_pictures;
