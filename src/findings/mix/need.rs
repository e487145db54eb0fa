//! What mixing takes.

use super::Options;
use crate::analysis::mixing::Method;
use crate::findings::{cost, each_once};
use crate::model::Spec;

impl Options {
    /// How many numbers its files hold.
    pub(super) fn numbers(&self, spec: &Spec, tokens: usize) -> u64 {
        let maps = each_once(&self.method).into_iter().map(|method| if method.has_layers() { spec.layers } else { 1 });
        maps.sum::<usize>() as u64 * (tokens as u64).pow(2)
    }

    /// What is held from the start to the end, and the largest of what is held for one method.
    pub(super) fn memory(&self, spec: &Spec, tokens: usize) -> u64 {
        let (n, d, layers, heads) = (tokens as u64, spec.d_model as u64, spec.layers as u64, spec.heads as u64);
        let (of_layers, methods) = (4 * layers * n * n, each_once(&self.method));
        let has = |wanted: &[Method]| methods.iter().any(|method| wanted.contains(method));
        // Mean patterns in double precision, with and without the residual.
        let means = if methods.iter().any(|method| method.has_sink()) { 4 * of_layers } else { 0 };
        let norms = if has(&[Method::Norm, Method::NormResidual]) { 2 * of_layers } else { 0 };
        let found = methods.iter().map(|method| if method.has_layers() { of_layers } else { 0 } + 3 * 4 * n * n);
        let flow = if has(&[Method::Flow]) { 3 * of_layers } else { 0 };
        let values =
            if has(&[Method::Norm, Method::NormResidual, Method::ValueZeroing]) { 3 * 4 * heads * n * d } else { 0 };
        let gradient = if has(&[Method::AttentionXGradient]) {
            4 * layers * n * d + cost::followed(spec, tokens, 1, true)
        } else {
            0
        };
        let largest = flow.max(gradient).max(values + cost::pass(spec, tokens, true));
        means + norms + found.sum::<u64>() + largest
    }
}
