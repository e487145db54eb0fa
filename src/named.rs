//! A choice among a few that have names: the same name on the command line, in files and in a program's own text.

/// A choice among a few, each with its name and a sentence about it.
pub trait Named: Copy + PartialEq + Send + Sync + 'static {
    /// All of them in the order of the documentation: the choice, its name, what it is.
    const ALL: &'static [(Self, &'static str, &'static str)];
    /// Other names that people type. Files have one name for each.
    const ALSO: &'static [(Self, &'static str)] = &[];

    /// Its name.
    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(one, ..)| *one == self).map_or("", |(_, name, _)| name)
    }

    /// The choice of that name.
    fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known, _)| *known == name).map(|(one, ..)| *one)
    }

    /// The choice that somebody typed: by its name or another one, in upper or lower case, with hyphens or underscores.
    fn typed(text: &str) -> Option<Self> {
        let plain = |name: &str| name.to_ascii_lowercase().replace('_', "-");
        let name = plain(text);
        let other = || Self::ALSO.iter().find(|(_, other)| *other == name).map(|(one, _)| *one);
        Self::ALL.iter().find(|(_, own, _)| plain(own) == name).map(|(one, ..)| *one).or_else(other)
    }

    /// All choices.
    fn all() -> impl Iterator<Item = Self> {
        Self::ALL.iter().map(|(one, ..)| *one)
    }

    /// All names, as a sentence lists them.
    fn names() -> String {
        Self::ALL.iter().map(|(_, name, _)| *name).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::Named;
    use crate::analysis::attention::Extra;
    use crate::analysis::{Of, Reduction, Sink, ablation, attribution, heads, mixing, patching};
    use crate::export::read::AttentionKind;
    use crate::figure::{Colormap, ScaleKind, Theme};
    use crate::findings::lens::Colour;
    use crate::findings::saliency::Absent;
    use crate::format::Format;
    use crate::prompt::{Truncate, WordRule};
    use serde::Serialize;
    use serde::de::DeserializeOwned;
    use std::fmt::Debug;

    #[track_caller]
    fn check<T: Named + Serialize + DeserializeOwned + Debug>() {
        for (one, name, about) in T::ALL {
            assert_eq!(serde_json::to_value(one).unwrap(), serde_json::Value::from(*name), "{one:?}");
            assert_eq!(serde_json::from_value::<T>((*name).into()).unwrap(), *one);
            assert_eq!((one.name(), T::named(name)), (*name, Some(*one)));
            assert!(!about.is_empty() && !about.ends_with('.'), "{about}");
            assert_eq!(T::typed(&name.to_uppercase().replace('-', "_")), Some(*one), "{name}");
        }
        for (one, other) in T::ALSO {
            assert_eq!((T::named(other), T::typed(other)), (None, Some(*one)), "{other}");
        }
    }

    #[test]
    fn every_choice_has_one_name_in_files_and_on_the_command_line() {
        check::<AttentionKind>();
        check::<Extra>();
        check::<Of>();
        check::<Reduction>();
        check::<Sink>();
        check::<ablation::With>();
        check::<attribution::Method>();
        check::<attribution::Score>();
        check::<heads::Score>();
        check::<Absent>();
        check::<Colour>();
        check::<mixing::Method>();
        check::<patching::By>();
        check::<patching::Direction>();
        check::<patching::Metric>();
        check::<patching::Rule>();
        check::<Colormap>();
        check::<ScaleKind>();
        check::<Theme>();
        check::<crate::place::Device>();
        check::<crate::place::Precision>();
        check::<Format>();
        check::<Truncate>();
        check::<WordRule>();
    }
}
