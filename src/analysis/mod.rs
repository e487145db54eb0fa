//! Numbers from traces, one file per method. Nothing here formats, and no model knows of it.

pub mod agreement;
pub mod attention;
pub mod attribution;
pub mod faithfulness;
pub mod generate;
pub mod next;
pub mod objective;

pub use attention::{Attention, Pass, Recorded, Reduction, Request, Sink, attention, recorded};
pub use next::{Prediction, next_tokens, probability};
pub use objective::{Objective, Of};
