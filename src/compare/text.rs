//! Two texts, line by line.

use super::quote;
use crate::text;

pub(super) fn differences(old: &[u8], new: &[u8]) -> Vec<String> {
    let (Ok(old), Ok(new)) = (std::str::from_utf8(old), std::str::from_utf8(new)) else {
        return vec!["it is no text".into()];
    };
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let mut all: Vec<String> = Vec::new();
    if old.len() != new.len() {
        all.push(format!("it has {}, had {}", text::count(new.len(), "line"), old.len()));
    }
    let pairs = (1..).zip(old.iter().zip(&new)).filter(|(_, (old, new))| old != new);
    all.extend(pairs.map(|(line, (old, new))| format!("line {line} is {}, was {}", quote(new), quote(old))));
    if all.is_empty() {
        all.push("its line ends differ".into());
    }
    all
}
