//! The one error type: what went wrong, naming the thing, and the way out.

/// Which exit code a failure deserves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file, the network, or a checkpoint that is missing or broken: exit code 1.
    Failed,
    /// The hub cannot be asked (no network, offline, or it keeps failing): exit code 1, but a default may step in.
    Unreachable,
    /// Something typed that cannot be meant: exit code 2.
    Usage,
    /// Two things were compared, and they differ: exit code 3.
    Different,
}

/// A failure in two lines: a message that names the file, option, value or model, and a hint that names the way out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What went wrong, in one line.
    pub message: String,
    /// What to do about it, in one line.
    pub hint: Option<String>,
    /// Which exit code it deserves.
    pub kind: Kind,
    /// The option that the way out is about, by its name among a command's options; the command line adds its flag to the hint.
    pub option: Option<&'static str>,
}

/// The library's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A failure of a file, the network or a checkpoint.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, kind: Kind::Failed, option: None }
    }

    /// A hub that cannot be asked; the caller may have something else to offer.
    pub fn unreachable(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, kind: Kind::Unreachable, option: None }
    }

    /// A failure of what was typed.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, kind: Kind::Usage, option: None }
    }

    /// Two things that were compared and differ.
    pub fn different(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, kind: Kind::Different, option: None }
    }

    /// The same failure with the way out.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same failure, which an option may mend.
    pub fn option(mut self, option: &'static str) -> Self {
        self.option = Some(option);
        self
    }

    /// The same failure with the name of a thing in front: a file, a case.
    pub fn of(mut self, thing: impl std::fmt::Display) -> Self {
        self.message = format!("{thing}: {}", self.message);
        self
    }
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        use candle_core::Error::{Cuda, Metal, WithBacktrace};
        let mut plain = &error;
        while let WithBacktrace { inner, .. } = plain {
            plain = inner;
        }
        match plain {
            // No number of the model is to blame.
            Cuda(_) | Metal(_) => Self::failed(format!("the device failed: {plain}"))
                .hint("its driver must be as new as the toolkit that attnviz was built with, and its memory large enough; or compute on the CPU")
                .option("device"),
            _ => Self::failed(format!("tensor computation failed: {plain}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_device_is_named_and_no_weight_is_blamed() {
        let error = Error::from(candle_core::Error::Cuda("an old driver".into()).bt());
        assert!(error.message.contains("an old driver") && error.message.lines().count() == 1, "{}", error.message);
        assert!(error.hint.is_some_and(|hint| hint.contains("driver")) && error.option == Some("device"));
        let other = Error::from(candle_core::Error::Msg("a shape".into()).bt());
        assert_eq!((&other.message[..], other.hint), ("tensor computation failed: a shape", None));
    }
}
