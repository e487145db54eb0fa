//! A tap of one's own: what does the model say without one of its heads? `cargo run --example tap -- "Once upon a time"`.
#![allow(clippy::print_stdout)]

use attnviz::Result;
use attnviz::analysis::next_tokens;
use attnviz::checkpoint::{Checkpoint, Source};
use attnviz::model::{Activation, NoTap, Site, Tap};
use attnviz::prompt::Prompt;
use attnviz::session::Session;
use attnviz::trace::forward;
use candle_core::Tensor;

/// Empties what one head carries.
struct Without {
    layer: usize,
    head: usize,
}

impl Tap for Without {
    fn wants(&self, site: Site) -> bool {
        site.at == Activation::Z && site.layer == self.layer
    }

    fn visit(&mut self, _: Site, z: Tensor) -> Result<Tensor> {
        let heads = z.dims()[1]; // [len, heads, d_head]
        let kept: Vec<f32> = (0..heads).map(|head| if head == self.head { 0.0 } else { 1.0 }).collect();
        Ok(z.broadcast_mul(&Tensor::from_vec(kept, (1, heads, 1), z.device())?)?)
    }
}

fn main() -> Result<()> {
    let text = std::env::args().nth(1).unwrap_or_else(|| "Once upon a time there was a little".into());
    let session = Session::new(Checkpoint::open(&Source::Builtin)?)?;
    let prompt = Prompt::from_text(&session.tokenizer, &text, None)?;
    let says = |tap: &mut dyn Tap| -> Result<(u32, f64)> {
        let resid = forward(session.model(), &[&prompt.ids], tap)?;
        let best = next_tokens(&session.next_logits(&[&resid])?, 1)?.remove(0);
        Ok((best.id, best.probability))
    };
    let (whole, p) = says(&mut NoTap)?;
    let word = Prompt::from_ids(&session.tokenizer, vec![whole], None).tokens.remove(0).label;
    println!("{text} → {word} {p:.3}");
    for layer in 0..session.spec().layers {
        for head in 0..session.spec().heads {
            let (id, p) = says(&mut Without { layer, head })?;
            if id != whole {
                let other = Prompt::from_ids(&session.tokenizer, vec![id], None).tokens.remove(0).label;
                println!("without {layer}.{head} → {other} {p:.3}");
            }
        }
    }
    Ok(())
}
