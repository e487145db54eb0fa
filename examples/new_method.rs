//! A new attribution method in one file: the gradient's variance around the prompt (VarGrad, Adebayo et al. 2018).
//!
//!     cargo run --example new_method "Once upon a"
//!
//! A method is a function of an [`Evaluator`], which runs the model, in batches, on whatever embeddings the method makes.

use attnviz::analysis::attribution::{Baseline, Dice, Evaluator, Method, Request, attribute};
use attnviz::analysis::{Objective, Of, next_tokens};
use attnviz::checkpoint::{Checkpoint, Source};
use attnviz::model::NoTap;
use attnviz::prompt::Prompt;
use attnviz::session::Session;
use attnviz::trace::forward;

const SAMPLES: usize = 25;
const NOISE: f64 = 0.05;

/// `‖Var_s ∂y(e + n_s)‖₂` for each token: where the gradient depends most on the neighbourhood.
fn var_grad(evaluator: &Evaluator) -> attnviz::Result<Vec<f64>> {
    let size = evaluator.visible() * evaluator.width();
    let (mut sum, mut squares) = (vec![0.0; size], vec![0.0; size]);
    let noisy = |sample: usize| {
        let mut dice = Dice::new(0, sample as u64);
        let noise: Vec<f64> = (0..size).map(|_| NOISE * dice.normal()).collect();
        Ok((evaluator.embeddings() + evaluator.tensor(&noise)?)?)
    };
    evaluator.gradients(SAMPLES, &noisy, &mut |_sample, _y, gradient| {
        for (i, g) in gradient.iter().enumerate() {
            sum[i] += g / SAMPLES as f64;
            squares[i] += g * g / SAMPLES as f64;
        }
        Ok(())
    })?;
    let variance: Vec<f64> = squares.iter().zip(&sum).map(|(square, mean)| square - mean * mean).collect();
    Ok(variance.chunks(evaluator.width()).map(|v| v.iter().map(|x| x * x).sum::<f64>().sqrt()).collect())
}

fn main() -> attnviz::Result<()> {
    let text = std::env::args().nth(1).unwrap_or_else(|| "Once upon a".into());
    let session = Session::new(Checkpoint::open(&Source::parse("builtin")?)?)?;
    let prompt = Prompt::from_text(&session.tokenizer, &text, None)?;
    let logits = session.next_logits(&[&forward(session.model(), &[&prompt.ids], &mut NoTap)?])?;
    let target = next_tokens(&logits, 1)?[0].id;
    let objective = Objective { position: prompt.ids.len() - 1, target, foil: None, of: Of::LogProb };
    let evaluator = Evaluator::new(session.model(), &prompt.ids, objective, Baseline::Zero, &|_, _| ())?;
    let smooth = attribute(&evaluator, Method::Smoothgrad, &Request::default())?;
    println!("{:>12} {:>12} {:>12}", "token", "var-grad", "smoothgrad");
    for ((token, own), built_in) in prompt.tokens.iter().zip(var_grad(&evaluator)?).zip(smooth.scores) {
        println!("{:>12} {own:>12.3e} {built_in:>12.3}", token.label);
    }
    Ok(())
}
