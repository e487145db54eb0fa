//! Numbers from traces, one file per method. Nothing here formats, and no model knows of it.

pub mod ablation;
pub mod agreement;
pub mod alignment;
pub mod attention;
pub mod attribution;
pub mod composition;
pub mod difference;
pub mod direct;
pub mod eigenvalues;
pub mod faithfulness;
pub mod flow;
pub mod generate;
pub mod heads;
pub mod lens;
pub mod linear;
pub(crate) mod logits;
pub mod mixing;
pub mod next;
pub mod norms;
mod numbers;
pub mod objective;
pub mod patching;
pub mod permutation;
pub mod proportion;
pub mod qk;
pub mod residuals;
pub mod rollout;
pub mod scoring;
pub mod shifts;
pub mod zeroing;

pub use attention::{Attention, Pass, Recorded, Reduction, Request, Sink, attention, packed, recorded};
pub use direct::{Direct, Parts, direct};
pub use lens::{Answer, Lens, lens};
pub use next::{Prediction, next_tokens, predictions, probability};
pub use objective::{Objective, Of};
