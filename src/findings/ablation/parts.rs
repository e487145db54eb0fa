//! The parts that are taken out, as people name them: `4.3`, `L4H3`, `mlp4`, `4.3@-1`, `@5`, or `each`.

use super::super::checks::position;
use crate::analysis::ablation::{Cut, Part};
use crate::error::{Error, Result};
use crate::model::Spec;
use crate::text::count;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

const NOTATION: &str = "write heads as 4.3 or L4H3, MLPs as mlp4, at one position 4.3@-1 or mlp4@2, all of them at one position @2, or each";

/// Which parts are taken out; negative numbers count from the end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Parts {
    /// Every head and every MLP, one at a time.
    #[default]
    Each,
    /// These, all at once.
    Listed(Vec<Named>),
}

/// A part as it is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    what: What,
    position: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Head(i64, i64),
    Mlp(i64),
    All,
}

impl Parts {
    /// Those that are listed, in a model; none of [`Parts::Each`].
    ///
    /// # Errors
    /// A head or an MLP that there is not.
    fn within(&self, spec: &Spec) -> Result<Vec<(Part, Option<i64>)>> {
        let Self::Listed(all) = self else { return Ok(Vec::new()) };
        let index = |what: &str, typed: i64, of: usize| {
            let at = if typed < 0 { typed.saturating_add(of as i64) } else { typed };
            usize::try_from(at).ok().filter(|at| *at < of).ok_or_else(|| {
                Error::usage(format!("{what} {typed} is not there: the model has {}", count(of, what)))
                    .hint(format!("{what}s are 0 to {}; -1 is the last", of - 1))
                    .option("ablate")
            })
        };
        let part = |named: &Named| -> Result<(Part, Option<i64>)> {
            let part = match named.what {
                What::Head(layer, head) => {
                    Part::Head(index("layer", layer, spec.layers)?, index("head", head, spec.heads)?)
                }
                What::Mlp(layer) => Part::Mlp(index("layer", layer, spec.layers)?),
                What::All => Part::All,
            };
            Ok((part, named.position))
        };
        all.iter().map(part).collect()
    }

    /// Fails where a model has no such parts.
    ///
    /// # Errors
    /// A head or an MLP that there is not.
    pub(super) fn fits(&self, spec: &Spec) -> Result<()> {
        self.within(spec).map(drop)
    }

    /// The cuts that are listed, in a prompt of so many tokens.
    ///
    /// # Errors
    /// What there is not; a part that is named twice, or within another.
    pub(super) fn cuts(&self, spec: &Spec, tokens: usize) -> Result<Vec<Cut>> {
        let mut cuts: Vec<Cut> = Vec::new();
        for (part, typed) in self.within(spec)? {
            let at = typed.map(|typed| position("position", typed, tokens).map_err(|error| error.option("ablate")));
            let cut = Cut { part, position: at.transpose()? };
            if let Some(known) = cuts.iter().find(|known| holds(known, &cut) || holds(&cut, known)) {
                let what = match *known == cut {
                    true => format!("{} is named twice", name(&cut)),
                    false => format!("{} and {} are named: one is within the other", name(known), name(&cut)),
                };
                return Err(Error::usage(what).hint("name each part once").option("ablate"));
            }
            cuts.push(cut);
        }
        Ok(cuts)
    }
}

/// Whether a cut takes out all that another does.
fn holds(a: &Cut, b: &Cut) -> bool {
    (a.part == b.part || a.part == Part::All) && (a.position == b.position || a.position.is_none())
}

/// What files call a cut, which is how it is typed.
pub(super) fn name(cut: &Cut) -> String {
    let part = match cut.part {
        Part::Head(layer, head) => format!("{layer}.{head}"),
        Part::Mlp(layer) => format!("mlp{layer}"),
        Part::All => String::new(),
    };
    cut.position.map_or(part.clone(), |position| format!("{part}@{position}"))
}

impl FromStr for Named {
    type Err = Error;

    fn from_str(typed: &str) -> Result<Self> {
        let one = || -> Option<Self> {
            let item = typed.trim().to_ascii_lowercase();
            let (part, position) = match item.split_once('@') {
                Some((part, position)) => (part, Some(position.parse().ok()?)),
                None => (&*item, None),
            };
            let what = if let Some(layer) = part.strip_prefix("mlp") {
                What::Mlp(layer.parse().ok()?)
            } else if let Some(rest) = part.strip_prefix('l') {
                let (layer, head) = rest.split_once('h')?;
                What::Head(layer.parse().ok()?, head.parse().ok()?)
            } else if let Some((layer, head)) = part.split_once('.') {
                What::Head(layer.parse().ok()?, head.parse().ok()?)
            } else {
                (part.is_empty() && position.is_some()).then_some(What::All)?
            };
            Some(Self { what, position })
        };
        one().ok_or_else(|| {
            Error::usage(format!("{typed:?} is no head, MLP or position")).hint(NOTATION).option("ablate")
        })
    }
}

impl FromStr for Parts {
    type Err = Error;

    fn from_str(list: &str) -> Result<Self> {
        if list.trim().eq_ignore_ascii_case("each") {
            return Ok(Self::Each);
        }
        list.split(',').map(str::parse).collect::<Result<_>>().map(Self::Listed)
    }
}

impl fmt::Display for Parts {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self::Listed(all) = self else { return f.write_str("each") };
        for (place, Named { what, position }) in all.iter().enumerate() {
            f.write_str(if place > 0 { "," } else { "" })?;
            match what {
                What::Head(layer, head) => write!(f, "{layer}.{head}")?,
                What::Mlp(layer) => write!(f, "mlp{layer}")?,
                What::All => {}
            }
            position.map_or(Ok(()), |position| write!(f, "@{position}"))?;
        }
        Ok(())
    }
}

impl TryFrom<String> for Parts {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map_err(|error: Error| error.message)
    }
}

impl From<Parts> for String {
    fn from(parts: Parts) -> Self {
        parts.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: Spec =
        Spec { layers: 6, heads: 4, kv_heads: 4, d_model: 8, d_head: 2, d_mlp: 8, vocab: 9, context: 16, bos: None };

    #[test]
    fn parts_are_read_in_every_notation_and_written_in_one() {
        let names = |text: &str| -> Vec<String> {
            text.parse::<Parts>().unwrap().cuts(&SPEC, 5).unwrap().iter().map(name).collect()
        };
        assert_eq!(names("4.3, L2H-1,MLP0,mlp-1@-1,1.2@3,@2"), ["4.3", "2.3", "mlp0", "mlp5@4", "1.2@3", "@2"]);
        assert_eq!("EACH".parse::<Parts>().unwrap(), Parts::Each);
        let parts: Parts = "L4H3,mlp-1@0,@2".parse().unwrap();
        assert_eq!(parts.to_string(), "4.3,mlp-1@0,@2");
        assert_eq!(parts.to_string().parse::<Parts>().unwrap(), parts);
    }

    #[test]
    fn what_is_no_part_or_not_there_or_named_twice_is_refused() {
        for wrong in ["", "4", "4.", "mlp", "@", "4.3@", "4.3@x", "l4", "l4h", "4.3,,", "mlp1.2", "each,4.3"] {
            assert_eq!(wrong.parse::<Parts>().unwrap_err().option, Some("ablate"), "{wrong:?}");
        }
        for wrong in ["6.0", "0.4", "mlp6", "mlp-7"] {
            assert!(wrong.parse::<Parts>().unwrap().fits(&SPEC).is_err(), "{wrong}");
        }
        for wrong in ["@5", "1.1,L1H1", "1.1,1.1@2", "mlp1@2,mlp1", "@2,1.1@2", "@-1,@4"] {
            let parts: Parts = wrong.parse().unwrap();
            assert!(parts.fits(&SPEC).is_ok() && parts.cuts(&SPEC, 5).is_err(), "{wrong}");
        }
        assert!("1.1,@2,1.1@9".parse::<Parts>().unwrap().cuts(&SPEC, 16).is_err());
        assert_eq!("1.1,@2".parse::<Parts>().unwrap().cuts(&SPEC, 16).unwrap().len(), 2);
    }
}
