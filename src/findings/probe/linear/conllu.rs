//! CoNLL-U: a word a line with ten columns, a blank line after each sentence.

use super::task::Raw;
use crate::error::{Error, Result};
use crate::findings::probe::rows::Bad;
use crate::text;
use std::ops::Range;

/// The columns.
const COLUMNS: [&str; 10] = ["ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC"];
const FORM: usize = 1;
const FEATS: usize = 5;
const MISC: usize = 9;
/// In front of the name of one feature.
const FEATURE: &str = "FEATS.";

/// What of a word is its label.
enum Label {
    Column(usize),
    Feature(String),
}

impl Label {
    fn named(name: &str) -> Result<Self> {
        let column = COLUMNS.iter().position(|column| column.eq_ignore_ascii_case(name)).filter(|at| *at > 0);
        let feature = name.get(..FEATURE.len()).filter(|start| start.eq_ignore_ascii_case(FEATURE));
        match (column, feature) {
            (Some(column), _) => Ok(Self::Column(column)),
            (None, Some(_)) => Ok(Self::Feature(name[FEATURE.len()..].to_owned())),
            _ => Err(Error::usage(format!("CoNLL-U has no column {name:?}"))
                .hint(format!("it has {}, and FEATS.Number for one feature", COLUMNS[1..].join(", ")))
                .option("label")),
        }
    }

    fn of(&self, fields: &[&str]) -> Option<String> {
        let value = match self {
            Self::Column(FORM) => return Some(fields[FORM].to_owned()),
            Self::Column(column) => fields[*column],
            Self::Feature(name) => {
                let mut features = fields[FEATS].split('|').filter_map(|feature| feature.split_once('='));
                features.find(|(own, _)| own == name)?.1
            }
        };
        (value != "_" && !value.is_empty()).then(|| value.to_owned())
    }
}

/// The sentences, each with its words and what of them is the label. Texts are put together from the forms.
///
/// # Errors
/// A column that CoNLL-U does not have.
pub(super) fn read(bytes: &[u8], name: &str, label: &str) -> Result<Vec<Result<Raw, Bad>>> {
    let label = Label::named(label)?;
    let mut all = Vec::new();
    let mut sentence: Option<Sentence> = None;
    for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii_end();
        if line.is_empty() {
            all.extend(sentence.take().map(Sentence::close));
        } else if !line.starts_with(b"#") {
            let own = sentence.get_or_insert_with(|| Sentence::new(at + 1));
            let read = std::str::from_utf8(line).map_err(|_| "it is not UTF-8".to_owned());
            if let Err(why) = read.and_then(|line| own.word(line, &label)) {
                own.bad.get_or_insert(Bad { file: name.to_owned(), line: at + 1, why });
            }
        }
    }
    all.extend(sentence.map(Sentence::close));
    Ok(all)
}

/// A sentence as far as it was read.
struct Sentence {
    raw: Raw,
    /// Whether no blank stands before the next word.
    joined: bool,
    /// The last word of the token of several words that is open, and where it stands.
    several: Option<(usize, Range<usize>)>,
    /// How much of it its words have spelled; none where they do not spell it.
    spelled: Option<usize>,
    bad: Option<Bad>,
}

impl Sentence {
    fn new(line: usize) -> Self {
        let raw = Raw { line, text: String::new(), words: Vec::new(), by_word: true };
        Self { raw, joined: true, several: None, spelled: None, bad: None }
    }

    fn word(&mut self, line: &str, label: &Label) -> Result<(), String> {
        let fields: Vec<&str> = line.split('\t').collect();
        if fields.len() != COLUMNS.len() {
            return Err(format!("it has {}, CoNLL-U has {}", text::count(fields.len(), "column"), COLUMNS.len()));
        }
        if fields[FORM].trim().is_empty() {
            return Err("its FORM is empty".into());
        }
        let number = |text: &str| text.parse::<usize>().map_err(|_| format!("{text:?} is no ID"));
        if let Some((first, last)) = fields[0].split_once('-') {
            let (_, last) = (number(first)?, number(last)?);
            let span = self.write(&fields);
            (self.spelled, self.several) = (Some(span.start), Some((last, span)));
            return Ok(());
        }
        if fields[0].contains('.') {
            return Ok(()); // an empty node is no part of the text
        }
        let id = number(fields[0])?;
        self.several.take_if(|(last, _)| id > *last);
        let span = match &self.several {
            None => self.write(&fields),
            // Words whose forms spell the whole stand where they are in it, as do|n't; others are where the whole is, as de|el in del.
            Some((_, whole)) => {
                let here = self.spelled.filter(|at| self.raw.text[*at..whole.end].starts_with(fields[FORM]));
                self.spelled = here.map(|at| at + fields[FORM].len());
                here.map_or(whole.clone(), |at| at..at + fields[FORM].len())
            }
        };
        self.raw.words.push((span, label.of(&fields)));
        Ok(())
    }

    /// Adds a form to the text.
    fn write(&mut self, fields: &[&str]) -> Range<usize> {
        if !self.joined {
            self.raw.text.push(' ');
        }
        self.joined = fields[MISC].split('|').any(|field| field == "SpaceAfter=No");
        let start = self.raw.text.len();
        self.raw.text.push_str(fields[FORM]);
        start..self.raw.text.len()
    }

    fn close(self) -> Result<Raw, Bad> {
        self.bad.map_or(Ok(self.raw), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Words = Vec<(String, Option<String>)>;

    fn words(text: &str, label: &str) -> Vec<Result<Words, String>> {
        let of = |raw: Raw| raw.words.into_iter().map(|(span, label)| (raw.text[span].to_owned(), label)).collect();
        let all = read(text.as_bytes(), "x", label).unwrap();
        all.into_iter().map(|raw| raw.map(of).map_err(|bad| bad.to_string())).collect()
    }

    fn line(id: &str, form: &str, upos: &str, misc: &str) -> String {
        format!("{id}\t{form}\t_\t{upos}\t_\tNumber=Sing|Case=Nom\t_\t_\t_\t{misc}\n")
    }

    #[test]
    fn words_stand_where_the_text_has_them() {
        let text = [
            "# text = I don't.\n".to_owned(),
            line("1", "I", "PRON", "_"),
            line("2-3", "don't", "_", "SpaceAfter=No"),
            line("2", "do", "AUX", "_"),
            line("3", "n't", "PART", "_"),
            line("3.1", "go", "VERB", "_"),
            line("4", ".", "_", "_"),
        ]
        .concat();
        let raw = read(text.as_bytes(), "x", "upos").unwrap().remove(0).ok().unwrap();
        assert_eq!((raw.text.as_str(), raw.line), ("I don't.", 2));
        let found: Vec<_> = raw.words.iter().map(|(span, label)| (span.clone(), label.as_deref())).collect();
        assert_eq!(found, [(0..1, Some("PRON")), (2..4, Some("AUX")), (4..7, Some("PART")), (7..8, None)]);
    }

    #[test]
    fn words_that_do_not_spell_their_token_stand_where_it_is() {
        let text = [
            line("1-2", "del", "_", "_"),
            line("1", "de", "ADP", "_"),
            line("2", "el", "DET", "_"),
            line("3", "sol", "NOUN", "_"),
        ]
        .concat();
        let own = |form: &str, label: &str| (form.to_owned(), Some(label.to_owned()));
        // “de” begins “del”, but what is left of that is not “el”.
        assert_eq!(words(&text, "UPOS"), [Ok(vec![own("de", "ADP"), own("del", "DET"), own("sol", "NOUN")])]);
    }

    #[test]
    fn a_feature_is_a_label_and_a_line_that_is_none_is_named() {
        let text = line("1", "a", "X", "_") + "\n" + "1\tb\n\n" + &line("1", "c", "X", "_");
        let own = |form: &str| Ok(vec![(form.to_owned(), Some("Sing".to_owned()))]);
        let bad = Err("x:3: it has 2 columns, CoNLL-U has 10".to_owned());
        assert_eq!(words(&text, "FEATS.Number"), [own("a"), bad, own("c")]);
        assert_eq!(read(b"", "x", "POS").err().unwrap().option, Some("label"));
    }
}
