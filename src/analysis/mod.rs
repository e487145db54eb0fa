//! Numbers from traces, one file per method. Nothing here formats, and no model knows of it.

pub mod attention;
pub mod next;

pub use attention::{Attention, Pass, Recorded, Reduction, Request, Sink, attention, recorded};
pub use next::{Prediction, next_tokens};
