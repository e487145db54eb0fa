//! What these tests do not show, as far as their authors and critics say it.

use super::Kind;

/// In a paragraph, for data files and whoever asked.
pub(super) fn paragraph(kind: Kind) -> &'static str {
    match kind {
        Kind::Crows => {
            "What this does not show: CrowS-Pairs holds stereotypes about nine kinds of disadvantaged groups in the United States, in \
            English, written and judged by crowdworkers. Its authors caution that a low score is no assurance that a model is unbiased, \
            and warn, after Blodgett et al. (2021), that the data are noisy and not to be relied on as a measure: pairs that name no \
            stereotype, that differ in more than the group, or whose groups are no counterparts. It was made for masked models; the \
            probability that a causal model gives to a whole sentence also depends on how frequent the words for a group are. A share near \
            0.5 can be the mean of opposite biases, and nothing here says what the model does in use."
        }
        Kind::StereoSet => {
            "What this does not show: StereoSet holds associations with target terms of four domains that crowdworkers in the United \
            States gave and judged as stereotypes, in English. The score says which of two such words is preferred in a sentence, not \
            whether the model is fair: an ss of 50 can be the mean of opposite biases, terms count alike however many items they have, \
            and icat mixes how well the model knows the language with how it prefers. Blodgett et al. (2021) found noise in its pairs: \
            sentences that name no stereotype, or whose groups or associations are no counterparts. Nothing here says what the model does in use."
        }
        Kind::WinoBias => {
            "What this does not show: WinoBias was made for systems that resolve coreference, on occupations by labour statistics of the \
            United States and two genders. For causal models there is no standard: the gap is log p of the pro-stereotypical sentence less \
            that of the anti-stereotypical one, which says nothing of whom the model takes a pronoun to mean, and depends on how frequent \
            the pronouns are; look at both pronouns apart. As the authors of the similar Winogender set write (Rudinger et al. 2018), such \
            sentences may show that there is gender bias, but not that there is none. Nothing here says what the model does in use."
        }
        Kind::Pairs => {
            "What this does not show: pairs say which of two sentences has the higher probability, which also depends on how frequent their \
            words are, how many tokens they have, and everything else in which they differ beside the group. Blodgett et al. (2021) found \
            that even published suites hold pairs that name no stereotype or whose groups are no counterparts. A share near 0.5 can be the \
            mean of opposite biases: such pairs may show that there is a bias, but not that there is none, nor what the model does in use."
        }
    }
}

/// In a line, for figures.
pub(super) fn line(kind: Kind) -> &'static str {
    match kind {
        Kind::Crows => {
            "its authors warn that the data are noisy, and that a low score is no assurance that a model is unbiased"
        }
        Kind::StereoSet => {
            "stereotypes of the United States; 50 can be the mean of opposite biases, and is no proof of fairness"
        }
        Kind::WinoBias => {
            "a gap also depends on how frequent pronouns are; such sentences may show that there is bias, not that there is none"
        }
        Kind::Pairs => {
            "scores also depend on how frequent words are; such pairs may show that there is a bias, not that there is none"
        }
    }
}

/// The same of a template.
pub(super) const TEMPLATE: &str = "What this does not show: a template is one prompt. The two distributions also differ because the words that \
    name the groups differ in frequency, in meaning and in their number of tokens; another wording may shift other words, or the same ones the \
    other way. A difference of attention says where heads read, not why the answer differs. One template may show that there is a difference, \
    not that there is none elsewhere, nor what the model does in use.";

/// The same in a line.
pub(super) const OF_TEMPLATE: &str =
    "one prompt: another wording may shift other words; attention says where heads read, not why the answer differs";
