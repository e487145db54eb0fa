//! The options of `patch`, and what they ask of the next token.

use super::super::Advice;
use super::super::subject::Subject;
use super::super::target::{answer_and_foil, spaceless};
use super::super::{Reading, Style, Target, Token};
use crate::analysis::next::next_tokens;
use crate::analysis::patching::{By, Direction, Metric, Question, Rule, Where};
use crate::error::{Error, Result};
use crate::model::{Model, NoTap};
use crate::named::Named;
use crate::prompt::Prompt;
use crate::trace::forward;
use serde::{Deserialize, Serialize};

/// One site, or all that a model shows, which are estimated at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Sites {
    /// One.
    One(Where),
    /// All.
    All,
}

impl Default for Sites {
    fn default() -> Self {
        Self::One(Where::default())
    }
}

impl Named for Sites {
    const ALL: &'static [(Self, &'static str, &'static str)] = &{
        let mut all = [(Self::All, "all", "Every site, estimated at once"); Where::ALL.len() + 1];
        let mut at = 0;
        while at < Where::ALL.len() {
            let (site, name, said) = Where::ALL[at];
            all[at] = (Self::One(site), name, said);
            at += 1;
        }
        all
    };
    const ALSO: &'static [(Self, &'static str)] = &{
        let mut all = [(Self::All, "all"); Where::ALSO.len()];
        let mut at = 0;
        while at < all.len() {
            let (site, name) = Where::ALSO[at];
            all[at] = (Self::One(site), name);
            at += 1;
        }
        all
    };
}

impl From<Sites> for String {
    fn from(sites: Sites) -> Self {
        sites.name().to_owned()
    }
}

impl TryFrom<String> for Sites {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::named(&name).ok_or_else(|| format!("there is no site {name:?}"))
    }
}

impl Sites {
    /// The sites, of those that a model shows.
    pub(super) fn of(self, model: &dyn Model) -> Vec<Where> {
        match self {
            Self::One(site) => vec![site],
            Self::All => Where::all().filter(|site| model.shows(site.activation())).collect(),
        }
    }

    /// The one site.
    ///
    /// # Errors
    /// All of them.
    pub fn one(self) -> Result<Where> {
        match self {
            Self::One(site) => Ok(site),
            Self::All => {
                Err(Error::usage("all sites at once are for one pair of prompts").hint("name one site").option("site"))
            }
        }
    }
}

/// What one cell of the grid is: what was asked for, else a head where the site has heads.
pub(super) fn by(site: Where, by: Option<By>) -> By {
    by.unwrap_or(if site.has_heads() { By::Head } else { By::Position })
}

/// Fails where a site has no such cells.
///
/// # Errors
/// Heads of a site that has none.
pub(super) fn has_cells(site: Where, by: Option<By>) -> Result<()> {
    if by == Some(By::Head) && !site.has_heads() {
        return Err(Error::usage(format!("{} has no heads of its own", site.name()))
            .hint("patch z, q, k, v or pattern by head")
            .option("by"));
    }
    Ok(())
}

/// Cells of an estimate that are patched in earnest, of one site and of each of several.
const CONFIRMED: usize = 10;
const CONFIRMED_OF_EACH: usize = 3;

/// Fails where cells cannot be estimated, or are not and a rule says how.
///
/// # Errors
/// A rule without an estimate; an estimate where the metric is flat.
pub(super) fn can_be_estimated(is_estimate: bool, rule: Rule, metric: Metric, direction: Direction) -> Result<()> {
    if rule != Rule::Gradient && !is_estimate {
        return Err(Error::usage("a rule is for estimates").hint("ask for attribution, too").option("rule"));
    }
    if is_estimate && metric == Metric::Kl && direction == Direction::Noising {
        return Err(Error::usage("KL(clean ‖ run) is flat at the clean run, so that nothing can be estimated there")
            .hint("estimate another metric, or leave attribution out")
            .option("attribution"));
    }
    Ok(())
}

/// The cells of a grid, of one site or of one of several, whose estimates are the largest, by layer and number.
pub(super) fn largest(grid: &[Vec<f64>], sites: usize) -> Vec<(usize, usize)> {
    let cells = |layer: usize| (0..grid[layer].len()).map(move |cell| (layer, cell));
    let mut order: Vec<(usize, usize)> = (0..grid.len()).flat_map(cells).collect();
    order.sort_by(|a, b| grid[b.0][b.1].abs().total_cmp(&grid[a.0][a.1].abs()));
    order.truncate(if sites == 1 { CONFIRMED } else { CONFIRMED_OF_EACH });
    order
}

/// The options of `patch`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How both prompts are read.
    pub reading: Reading,
    /// The corrupt prompt; the clean one is the prompt itself.
    pub corrupt: String,
    /// The answer to the clean prompt; none means what the model says to it.
    pub answer: Option<Token>,
    /// What it is compared with; none means what the model says to the corrupt prompt. For the logit difference only.
    pub foil: Option<Token>,
    /// The position whose next token is meant; negative ones count from the end, none means the last.
    pub position: Option<i64>,
    /// What is replaced: the residual stream entering a block, unless another site is named; all of them can be estimated at once.
    pub site: Sites,
    /// What one cell of the grid is; none means a head where the site has heads, else a position.
    pub by: Option<By>,
    /// What is measured: the logit difference, unless another metric is named.
    pub metric: Metric,
    /// Which run is patched: the corrupt one, unless the other way is named.
    pub direction: Direction,
    /// Estimate every cell from two forward passes and one backward, and patch only the largest; off unless asked for.
    pub attribution: bool,
    /// How an estimate's backward pass goes: by the gradient, unless another rule is named.
    pub rule: Rule,
    /// How the figure looks.
    pub style: Style,
}

impl Options {
    /// What one cell of the grid of a site is.
    pub(super) fn by(&self, site: Where) -> By {
        by(site, self.by)
    }

    /// Fails where not every site that is meant has such cells, or can be patched in earnest.
    ///
    /// # Errors
    /// Heads of a site that has none; all sites without an estimate.
    pub(super) fn check_sites(&self) -> Result<()> {
        match self.site {
            Sites::One(site) => has_cells(site, self.by),
            Sites::All if !self.attribution => Err(Error::usage("all sites at once are estimated")
                .hint("ask for attribution, or name one site")
                .option("attribution")),
            Sites::All => has_cells(Where::ResidPre, self.by),
        }
    }

    /// The question within two prompts.
    ///
    /// # Errors
    /// A text that is not one token, a position that there is not, an answer that is the foil.
    pub(in crate::findings) fn question(&self, subject: &Subject, corrupt: &Prompt) -> Result<Question> {
        let position = Target { position: self.position, ..Target::default() }.within(subject)?.position;
        let (session, metric) = (subject.session, self.metric);
        let [answer, foil] = answer_and_foil(session, [&self.answer, &self.foil])?;
        let own = |ids: &[u32]| -> Result<u32> {
            let resid = forward(session.model(), &[&ids[..=position]], &mut NoTap)?;
            let next = next_tokens(&session.next_logits(&[&resid])?.get(0)?, 1)?;
            next.first().map(|next| next.id).ok_or_else(|| Error::failed("the model's vocabulary is empty"))
        };
        let answer = answer.map_or_else(|| own(&subject.prompt.ids), Ok)?;
        let foil = match metric {
            Metric::LogitDifference => Some(foil.map_or_else(|| own(&corrupt.ids), Ok)?),
            _ => None,
        };
        if foil == Some(answer) {
            return Err(Error::usage(format!("the model says {} to both prompts", subject.name(answer)))
                .hint("name an answer and a foil")
                .option("foil"));
        }
        Ok(Question { position, answer, foil, metric })
    }
}

impl Options {
    /// That an answer or a foil was typed without the space that makes it likely after its own prompt.
    ///
    /// # Errors
    /// A corrupt prompt that cannot be read; a model whose logits are not finite.
    pub(in crate::findings) fn doubts(&self, subject: &Subject) -> Result<Vec<Advice>> {
        let corrupt = super::prompts::corrupt(self, subject)?;
        let position = || Ok(Target { position: self.position, ..Target::default() }.within(subject)?.position);
        let session = subject.session;
        let mut doubts = spaceless(session, &subject.prompt.ids, position, &[("answer", &self.answer)])?;
        doubts.extend(spaceless(session, &corrupt.ids, position, &[("foil", &self.foil)])?);
        Ok(doubts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::Analysis;

    #[test]
    fn options_survive_json_and_unknown_ones_are_refused() {
        crate::findings::check_json::<Options>(r#"{"clean": "x"}"#);
    }

    #[test]
    fn what_cannot_be_meant_names_its_option() {
        let own = || Options { corrupt: "a".into(), ..Options::default() };
        let refused = |options: Options| options.check(&[]).unwrap_err().option;
        assert_eq!(refused(Options::default()), None);
        assert_eq!(refused(Options { by: Some(By::Head), ..own() }), Some("by"));
        assert_eq!(refused(Options { site: Sites::All, ..own() }), Some("attribution"));
        let all = Options { site: Sites::All, attribution: true, ..own() };
        assert!(all.check(&[]).is_ok() && Sites::All.one().unwrap_err().option == Some("site"));
        assert_eq!(refused(Options { by: Some(By::Head), ..all }), Some("by"));
        assert_eq!(refused(Options { metric: Metric::Kl, answer: Some(Token::Id(1)), ..own() }), Some("answer"));
        assert_eq!(refused(Options { metric: Metric::LogProb, foil: Some(Token::Id(1)), ..own() }), Some("foil"));
        assert_eq!(refused(Options { rule: Rule::Relp, ..own() }), Some("rule"));
        let flat = Options { metric: Metric::Kl, direction: Direction::Noising, attribution: true, ..own() };
        assert_eq!(refused(flat), Some("attribution"));
        assert!(own().check(&[]).is_ok());
    }
}
