//! Numbers from traces, one file per method. Nothing here formats, and no model knows of it.

pub mod attention;
pub mod next;
pub mod objective;

pub use attention::{Attention, Reduction, Request, Sink, attention};
pub use next::{Prediction, next_tokens};
pub use objective::{Objective, Of};
