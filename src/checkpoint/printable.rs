//! Untrusted text in messages.

use crate::text::excerpt;

/// Untrusted text for a message: short, and with nothing in it that acts or hides.
pub(super) fn printable(text: &str) -> String {
    const LONGEST: usize = 80;
    excerpt(text, LONGEST)
}
