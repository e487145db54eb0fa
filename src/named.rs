//! A choice among a few that have names: the same name on the command line, in files and in a program's own text.

/// A choice among a few, each with its name and a sentence about it.
pub trait Named: Copy + PartialEq + Send + Sync + 'static {
    /// All of them in the order of the documentation: the choice, its name, what it is.
    const ALL: &'static [(Self, &'static str, &'static str)];

    /// Its name.
    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(one, ..)| *one == self).map_or("", |(_, name, _)| name)
    }

    /// The choice of that name.
    fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known, _)| *known == name).map(|(one, ..)| *one)
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
