//! The flags of `patch --edges`.

use attnviz::findings::edges::Options;
use clap::Args;

/// Edges instead of activations.
#[derive(Args)]
#[command(next_help_heading = "Edges")]
pub struct EdgesArgs {
    /// Score every edge between embedding, heads, MLPs and logits (EAP-IG), and run the circuit of the best
    #[arg(long, conflicts_with_all = ["site", "by", "direction", "attribution", "rule"])]
    edges: bool,
    /// Places between the corrupt and the clean embeddings at which the gradient is taken [default: 5]
    #[arg(long, value_name = "N", requires = "edges")]
    steps: Option<usize>,
    /// Edges of the circuit that is drawn [default: 50]
    #[arg(long, value_name = "N", requires = "edges")]
    circuit: Option<usize>,
}

impl EdgesArgs {
    /// What is meant, where edges are.
    pub fn options(&self) -> Option<Options> {
        let (steps, circuit) = (self.steps, self.circuit);
        self.edges.then(|| Options { steps, circuit, ..Options::default() })
    }
}
