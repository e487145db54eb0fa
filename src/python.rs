//! Lists of texts as programs write them down: JSON, or what Python prints.
use serde::Deserialize;

/// Texts in one axis or two.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Texts {
    /// A text for each token.
    List(Vec<String>),
    /// Such a list for each item of a batch.
    Lists(Vec<Vec<String>>),
}

impl Texts {
    /// A list of texts, or several, as JSON or as Python prints them: `['a', "b"]`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().or_else(|| {
            let mut rest = text.trim();
            let lists = list(&mut rest, |rest| list(rest, string)).filter(|_| rest.is_empty()).map(Self::Lists);
            let mut rest = text.trim();
            list(&mut rest, string).filter(|_| rest.is_empty()).map(Self::List).or(lists)
        })
    }
}

/// What stands between brackets, with commas between.
fn list<T>(rest: &mut &str, one: impl Fn(&mut &str) -> Option<T>) -> Option<Vec<T>> {
    let close = if rest.starts_with('(') { ')' } else { ']' };
    *rest = rest.strip_prefix(['[', '('])?.trim_start();
    let mut all = Vec::new();
    loop {
        if let Some(after) = rest.strip_prefix(close) {
            *rest = after;
            return Some(all);
        }
        all.push(one(rest)?);
        *rest = rest.trim_start();
        match rest.strip_prefix(',') {
            Some(after) => *rest = after.trim_start(),
            None if rest.starts_with(close) => {}
            None => return None,
        }
    }
}

/// The text that a Python literal is; none where it is no such literal and nothing else.
pub(crate) fn literal(text: &str) -> Option<String> {
    let mut rest = text;
    string(&mut rest).filter(|_| rest.is_empty())
}

/// A text in quotes, with Python's escapes.
fn string(rest: &mut &str) -> Option<String> {
    let quote = rest.chars().next().filter(|c| ['\'', '"'].contains(c))?;
    let mut chars = rest[1..].char_indices();
    let mut text = String::new();
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == quote => {
                *rest = &rest[1 + at + 1..];
                return Some(text);
            }
            '\\' => {
                let digits = match chars.next()?.1 {
                    'n' => Err('\n'),
                    't' => Err('\t'),
                    'r' => Err('\r'),
                    same @ ('\\' | '\'' | '"') => Err(same),
                    'x' => Ok(2),
                    'u' => Ok(4),
                    'U' => Ok(8),
                    _ => return None,
                };
                text.push(match digits {
                    Err(c) => c,
                    Ok(count) => {
                        let code = (0..count).map(|_| chars.next().map(|(_, digit)| digit)).collect::<Option<String>>();
                        char::from_u32(u32::from_str_radix(&code?, 16).ok()?)?
                    }
                });
            }
            c => text.push(c),
        }
    }
    None
}

/// A text as a Python literal, for lines that somebody pastes.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list_of(texts: &[&str]) -> Option<Texts> {
        Some(Texts::List(texts.iter().map(|text| (*text).to_owned()).collect()))
    }

    #[test]
    fn a_list_is_read_as_json_or_as_python_prints_it() {
        for text in [r#"["a", "it's", "\n"]"#, r#"['a', "it's", '\n']"#, r#" ('a', 'it\'s', '\x0a',) "#] {
            assert_eq!(Texts::parse(text), list_of(&["a", "it's", "\n"]), "{text}");
        }
        assert_eq!(Texts::parse(r"['\u2581a', '\U0001f600']"), list_of(&["▁a", "😀"]));
        let two = Texts::Lists(vec![vec!["a".into()], vec!["b".into(), "c".into()]]);
        assert_eq!(Texts::parse("[['a'], ['b', 'c']]"), Some(two.clone()));
        assert_eq!(Texts::parse(r#"[["a"], ["b", "c"]]"#), Some(two));
        assert_eq!(Texts::parse("[]"), list_of(&[]));
    }

    #[test]
    fn what_is_no_list_of_texts_is_none() {
        for text in
            ["", "a b", "[1, 2]", "['a'", "['a' 'b']", "['a')", r"['\q']", r"['\ud800']", "['a'] + ['b']", "[[[]]]"]
        {
            assert_eq!(Texts::parse(text), None, "{text}");
        }
        assert_eq!(Texts::parse(&"[".repeat(100_000)), None);
    }
}
