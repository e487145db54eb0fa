//! A model that another device computes. Here that device is the CPU by candle's own operations; `tests/compare_devices.py` asks a real one.

use crate::support::fixtures;
use crate::support::shell::Shell;
use crate::support::skip::skip;
use attnviz::analysis::attribution::Method;
use attnviz::checkpoint::{Checkpoint, Source};
use attnviz::findings::{self, Asked, Output, Ready, Subject, Words, find};
use attnviz::format::Format;
use attnviz::model::{Away, Backend};
use attnviz::render::Fonts;
use attnviz::session::{self, Session};
use candle_core::{DType, Device};
use serde_json::Value;

fn here(source: &Source) -> Session {
    Session::new(Checkpoint::open(source).unwrap()).unwrap()
}

fn away(source: &Source, dtype: DType) -> Session {
    let checkpoint = Checkpoint::open(source).unwrap();
    let backend = Backend::Composite(dtype, Device::Cpu);
    let model = session::family(&checkpoint).unwrap().load(&checkpoint.weights().unwrap(), &backend).unwrap();
    let tokenizer = session::tokenizer(&checkpoint);
    Session::of("away", None, "none", Box::new(Away::new(model, Device::Cpu)), tokenizer)
}

fn found(session: &Session, asked: &Asked) -> Value {
    let analysis = asked.analysis();
    let words = Words::Text("Once upon a time there was a little girl".into());
    let prompt = analysis.reading().read(words, &session.tokenizer, session.spec()).unwrap();
    let found = find(analysis, Subject::new(session, prompt, asked).unwrap(), &[Output::whole(Format::Json)]).unwrap();
    serde_json::from_slice(&Ready::new(&*found).bytes(Format::Json, None, &Fonts::bundled()).unwrap()).unwrap()
}

/// The largest difference between numbers at the same place.
fn distance(a: &Value, b: &Value) -> f64 {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => (a.as_f64().unwrap() - b.as_f64().unwrap()).abs(),
        (Value::Array(a), Value::Array(b)) => {
            assert_eq!(a.len(), b.len());
            a.iter().zip(b).map(|(a, b)| distance(a, b)).fold(0.0, f64::max)
        }
        (Value::Object(a), Value::Object(b)) => {
            assert!(a.keys().eq(b.keys()));
            a.values().zip(b.values()).map(|(a, b)| distance(a, b)).fold(0.0, f64::max)
        }
        _ => 0.0,
    }
}

#[track_caller]
fn same_numbers(source: &Source, asked: &[Asked], least: f64) {
    let (here, away) = (here(source), away(source, DType::F32));
    for asked in asked {
        let [a, b] = [&here, &away].map(|session| found(session, asked)["results"].clone());
        let apart = distance(&a, &b);
        assert!(apart < least, "{source:?} {asked:?}: {apart}");
    }
}

#[test]
fn every_command_has_the_numbers_of_a_model_that_is_here() {
    let direct = findings::lens::Options { direct: true, ..Default::default() };
    let method = vec![Method::InputXGradient, Method::AttentionXGradient];
    let gradients = findings::saliency::Options { method, ..Default::default() };
    same_numbers(&Source::Builtin, &[Asked::Attention(Default::default())], 1e-5);
    let every = [
        Asked::Saliency(gradients),
        Asked::Lens(Default::default()),
        Asked::Lens(direct),
        Asked::Heads(Default::default()),
        Asked::Mix(Default::default()),
    ];
    same_numbers(&Source::Builtin, &every, 2e-3);
}

#[test]
fn every_family_has_the_numbers_of_a_model_that_is_here() {
    let folders = fixtures().join("families").read_dir().unwrap().map(|entry| entry.unwrap().path());
    let whole: Vec<_> = folders.filter(|folder| folder.join("tokenizer.json").is_file()).collect();
    assert!(whole.len() > 5, "{whole:?}");
    for folder in whole {
        let every = [Asked::Attention(Default::default()), Asked::Lens(Default::default())];
        same_numbers(&Source::Directory(folder), &every, 1e-4);
    }
}

#[test]
fn weights_of_eight_bits_move_attention_a_little_and_rows_still_sum_to_one() {
    let (asked, builtin) = (Asked::Attention(Default::default()), Source::Builtin);
    let [exact, rounded] = [here(&builtin), away(&builtin, DType::BF16)].map(|s| found(&s, &asked)["results"].clone());
    let apart = distance(&exact, &rounded);
    assert!((1e-4..0.2).contains(&apart), "{apart}");
}

#[test]
fn a_device_that_this_program_was_not_built_for_is_refused_before_the_model_is_read() {
    if cfg!(feature = "cuda") {
        return skip("this program was built with cuda");
    }
    let shell = Shell::new();
    for (flags, said) in [
        (&["--device", "cuda"][..], "error: this attnviz was built without cuda\nhint: "),
        (&["--device", "cpu", "--dtype", "bf16"], "error: the processor computes in f32\nhint: "),
        (&["--dtype", "bf16"], "error: "),
    ] {
        let ran = shell.run(&[&["Hello", "-m", "no-such/model"], flags].concat());
        assert!(ran.code == Some(2) && ran.err.starts_with(said), "{flags:?}: {}", ran.err);
    }
}
