//! The speeds at which dimensions turn, by the `rope_parameters` of a config, as transformers 5 computes them: in single precision.

use crate::error::{Error, Result};
use crate::model::decoder::Fields;
use std::f64::consts::PI;

/// How queries and keys are turned.
#[derive(Clone, Debug, PartialEq)]
pub struct Rotary {
    /// Radians a position, of each pair of dimensions.
    pub(super) inverse: Vec<f32>,
    /// What cosines and sines are multiplied by.
    pub(super) factor: f32,
}

/// What a config says where it says nothing.
pub(in crate::model) struct Usual {
    /// Where the config has the base.
    pub theta: &'static str,
    /// The base.
    pub base: f64,
    /// Where the config has the share of a head's dimensions that are turned, and that share; none where all are.
    pub partial: Option<(&'static str, f64)>,
}

impl Usual {
    /// Llama's, and most others'.
    pub const LLAMA: Self = Self { theta: "rope_theta", base: 10_000.0, partial: None };
}

/// The keys of `rope_parameters` that are understood.
const KNOWN: [&str; 14] = [
    "type",
    "rope_type",
    "rope_theta",
    "partial_rotary_factor",
    "factor",
    "original_max_position_embeddings",
    "attention_factor",
    "beta_fast",
    "beta_slow",
    "mscale",
    "mscale_all_dim",
    "truncate",
    "low_freq_factor",
    "high_freq_factor",
];

impl Rotary {
    /// By a whole config.
    ///
    /// # Errors
    /// A way of scaling that is not known here, or what it lacks.
    pub(in crate::model) fn of(config: &Fields, usual: &Usual, d_head: usize, context: usize) -> Result<Self> {
        let empty = || Ok::<_, Error>(Fields::empty(config));
        let scaling = config.object("rope_scaling")?.filter(|all| !all.is_empty());
        let own = config.object("rope_parameters")?;
        Self::within(config, &scaling.or(own).map_or_else(empty, Ok)?, usual, d_head, context)
    }

    /// By one object of `rope_parameters`.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub(in crate::model) fn within(
        config: &Fields,
        rope: &Fields,
        usual: &Usual,
        d_head: usize,
        context: usize,
    ) -> Result<Self> {
        let (named, old) = (rope.get::<String>("rope_type")?, rope.get::<String>("type")?);
        let kind = named.or(old).unwrap_or_else(|| "default".into());
        if let Some(other) = rope.names().find(|name| !KNOWN.contains(name)) {
            return Err(rope.refuse(other, "it is not known how it turns queries and keys"));
        }
        let outer = config.get::<f64>(usual.theta)?.unwrap_or(usual.base);
        let base = rope.get::<f64>("rope_theta")?.unwrap_or(outer);
        if !(base.is_finite() && base > 1.0) {
            return Err(Error::failed(format!("{}: {} is {base}", config.origin, usual.theta))
                .hint("it must be a number above 1, such as 10000"));
        }
        let named = usual.partial.map_or("partial_rotary_factor", |(name, _)| name);
        let inside = rope.get::<f64>("partial_rotary_factor")?;
        let share = match (inside, config.get::<f64>(named)?, usual.partial) {
            (Some(share), ..) | (None, Some(share), _) => share,
            (None, None, partial) => partial.map_or(1.0, |(_, share)| share),
        };
        // Llama's own way ignores the share, its scaled ways do not: nobody means that.
        if !(share > 0.0 && share <= 1.0) || (share < 1.0 && usual.partial.is_none()) {
            return Err(Error::failed(format!("{}: {named} is {share}", config.origin))
                .hint("attnviz knows this family with whole heads turned"));
        }
        let turned = (d_head as f64 * share) as usize;
        if turned == 0 || 2 * turned.div_ceil(2) > d_head {
            return Err(Error::failed(format!(
                "{}: {turned} of {d_head} dimensions of a head are turned",
                config.origin
            ))
            .hint("it must be an even number"));
        }
        let plain = Plain { base, turned };
        let (inverse, factor) = match kind.as_str() {
            "default" => (plain.inverse().collect(), 1.0),
            // Beyond the context it would stretch; no prompt goes there.
            "dynamic" => (plain.inverse().collect(), 1.0),
            "linear" => {
                let factor = positive(rope, "factor")?;
                (plain.inverse().map(|inverse| inverse / factor as f32).collect(), 1.0)
            }
            "llama3" => (llama3(&plain, rope, original(config, rope, context)?)?, 1.0),
            "yarn" => yarn(&plain, rope, context, original(config, rope, context)?)?,
            other => {
                return Err(Error::failed(format!("{}: rope_type is {other:?}", rope.origin))
                    .hint("known are default, linear, dynamic, llama3 and yarn"));
            }
        };
        Ok(Self { inverse, factor })
    }
}

/// Without any scaling.
struct Plain {
    base: f64,
    turned: usize,
}

impl Plain {
    /// `base^(2i / turned)`, rounded as torch does.
    fn periods(&self) -> impl Iterator<Item = f32> {
        let power = |i: usize| (2 * i) as f32 / self.turned as f32;
        (0..self.turned.div_ceil(2)).map(move |i| self.base.powf(f64::from(power(i))) as f32)
    }

    fn inverse(&self) -> impl Iterator<Item = f32> {
        self.periods().map(|period| 1.0 / period)
    }
}

fn positive(rope: &Fields, name: &'static str) -> Result<f64> {
    match rope.get::<f64>(name)? {
        Some(value) if value.is_finite() && value > 0.0 => Ok(value),
        Some(value) => Err(Error::failed(format!("{}: {name} is {value}", rope.origin))
            .hint("scaled positions need a positive number there")),
        None => Err(Error::failed(format!("{}: {name} is missing", rope.origin))
            .hint("scaled positions need a positive number there")),
    }
}

/// The context before it was stretched.
fn original(config: &Fields, rope: &Fields, context: usize) -> Result<f64> {
    const NAME: &str = "original_max_position_embeddings";
    let outer = config.get::<usize>(NAME)?;
    let original = outer.or(rope.get::<usize>(NAME)?).unwrap_or(context);
    if original == 0 {
        return Err(rope.refuse(NAME, "it must be a number of positions"));
    }
    Ok(original as f64)
}

/// Llama 3.1's: slow dimensions are slowed down, fast ones are not, those between are in part.
fn llama3(plain: &Plain, rope: &Fields, original: f64) -> Result<Vec<f32>> {
    let [factor, low, high] =
        [positive(rope, "factor")?, positive(rope, "low_freq_factor")?, positive(rope, "high_freq_factor")?];
    if high <= low {
        return Err(rope.refuse("high_freq_factor", "it must be larger than low_freq_factor"));
    }
    let (slow, fast) = ((original / low) as f32, (original / high) as f32);
    let (factor, low, high, original) = (factor as f32, low as f32, high as f32, original as f32);
    let scaled = |inverse: f32| {
        let wavelength = (2.0 * PI) as f32 / inverse;
        if wavelength > slow {
            inverse / factor
        } else if wavelength < fast {
            inverse
        } else {
            let smooth = (original / wavelength - low) / (high - low);
            (1.0 - smooth) * inverse / factor + smooth * inverse
        }
    };
    Ok(plain.inverse().map(scaled).collect())
}

/// YaRN (Peng et al. 2023): the same by the number of turns within the original context, with a factor on both queries and keys.
fn yarn(plain: &Plain, rope: &Fields, context: usize, original: f64) -> Result<(Vec<f32>, f32)> {
    let factor = match rope.get::<f64>("factor")? {
        None => context as f64 / original,
        Some(_) => positive(rope, "factor")?,
    };
    let grown = |scale: f64| if factor <= 1.0 { 1.0 } else { 0.1 * scale * factor.ln() + 1.0 };
    let given = |name: &'static str| rope.get::<f64>(name).map(|value| value.filter(|value| *value != 0.0));
    let on_both = match (rope.get::<f64>("attention_factor")?, given("mscale")?, given("mscale_all_dim")?) {
        (Some(own), ..) => own,
        (None, Some(above), Some(below)) => grown(above) / grown(below),
        (None, ..) => grown(1.0),
    };
    let (fast, slow) = (given("beta_fast")?.unwrap_or(32.0), given("beta_slow")?.unwrap_or(1.0));
    let turned = plain.turned as f64;
    let dimension = |turns: f64| turned * (original / (turns * 2.0 * PI)).ln() / (2.0 * plain.base.ln());
    let (mut low, mut high) = (dimension(fast), dimension(slow));
    if rope.get::<bool>("truncate")?.unwrap_or(true) {
        (low, high) = (low.floor(), high.ceil());
    }
    (low, high) = (low.max(0.0), high.min(turned - 1.0));
    if low == high {
        high += 0.001; // as transformers has it
    }
    let scaled = |(i, period): (usize, f32)| {
        let kept = 1.0 - ((i as f32 - low as f32) / (high - low) as f32).clamp(0.0, 1.0);
        1.0 / (factor as f32 * period) * (1.0 - kept) + 1.0 / period * kept
    };
    let inverse: Vec<f32> = plain.periods().enumerate().map(scaled).collect();
    if !(inverse.iter().all(|x| x.is_finite()) && on_both.is_finite()) {
        return Err(Error::failed(format!("{}: positions scaled by yarn are not finite", rope.origin))
            .hint("factor, beta_fast, beta_slow and attention_factor must be positive numbers"));
    }
    Ok((inverse, on_both as f32))
}
