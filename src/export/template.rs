//! File names with fields: `out/{layer}-{head}.png`.
use crate::error::{Error, Result};
use crate::record::Part;
use std::path::PathBuf;

/// A slug's longest length: names stay readable in a listing, and paths stay within every system's limit.
const MOST_SLUG_LETTERS: usize = 40;
/// The slug of a text without a letter or digit.
const NO_SLUG: &str = "prompt";

/// A field of a file name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The layer.
    Layer,
    /// The head.
    Head,
    /// The prompt's position in its batch.
    Index,
    /// The prompt in a few letters.
    Slug,
    /// The hash of what was asked.
    Hash,
}

/// A value for each field; those that a template does not name may be empty.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    /// The layer's number, or `mean` or `max`.
    pub layer: String,
    /// The head's number, or `mean` or `max`.
    pub head: String,
    /// The prompt's position in its batch.
    pub index: String,
    /// The prompt in a few letters: [`slug`].
    pub slug: String,
    /// The hash of what was asked.
    pub hash: String,
}

/// A file name with fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Field(Field),
}

impl Field {
    const ALL: [(&str, Self); 5] = [
        ("layer", Self::Layer),
        ("head", Self::Head),
        ("index", Self::Index),
        ("slug", Self::Slug),
        ("hash", Self::Hash),
    ];
}

impl Template {
    /// Reads a name such as `out/{layer}-{head}.png`; `{{` and `}}` are plain braces.
    ///
    /// # Errors
    /// An unknown field, or a brace without its partner.
    pub fn parse(text: &str) -> Result<Self> {
        let unbalanced = |brace: char| {
            Error::usage(format!("`{text}` has a `{brace}` without its partner"))
                .hint(format!("write {brace}{brace} for a plain brace"))
        };
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            literal.push_str(&rest[..at]);
            let (brace, after) = rest[at..].split_at(1);
            if let Some(after) = after.strip_prefix(brace) {
                literal.push_str(brace);
                rest = after;
                continue;
            }
            if brace == "}" {
                return Err(unbalanced('}'));
            }
            let (name, after) = after.split_once('}').ok_or_else(|| unbalanced('{'))?;
            let field = Field::ALL.iter().find(|(known, _)| *known == name).ok_or_else(|| unknown(text, name))?.1;
            parts.extend([Piece::Text(std::mem::take(&mut literal)), Piece::Field(field)]);
            rest = after;
        }
        literal.push_str(rest);
        parts.push(Piece::Text(literal));
        parts.retain(|part| *part != Piece::Text(String::new()));
        Ok(Self(parts))
    }

    /// The fields that the name depends on, each once, in the order of their first use.
    pub fn fields(&self) -> Vec<Field> {
        let mut fields = Vec::new();
        for part in &self.0 {
            if let Piece::Field(field) = part
                && !fields.contains(field)
            {
                fields.push(*field);
            }
        }
        fields
    }

    /// Whether there is a file for each layer or head.
    pub fn by_part(&self) -> bool {
        self.fields().iter().any(|field| matches!(field, Field::Layer | Field::Head))
    }

    /// The name with its values. A value adds no folder: all but ASCII letters, digits, `-` and `_` become `-`.
    pub fn fill(&self, fields: &Fields) -> PathBuf {
        let mut path = String::new();
        for part in &self.0 {
            match part {
                Piece::Text(text) => path.push_str(text),
                Piece::Field(field) => path.extend(fields.value(*field).chars().map(plain)),
            }
        }
        path.into()
    }
}

impl Fields {
    /// The same of one part.
    pub fn of(&self, part: &Part) -> Self {
        Self { layer: part.layer.clone(), head: part.head.clone(), ..self.clone() }
    }

    fn value(&self, field: Field) -> &str {
        match field {
            Field::Layer => &self.layer,
            Field::Head => &self.head,
            Field::Index => &self.index,
            Field::Slug => &self.slug,
            Field::Hash => &self.hash,
        }
    }
}

fn plain(character: char) -> char {
    if character.is_ascii_alphanumeric() || character == '_' { character } else { '-' }
}

fn unknown(text: &str, name: &str) -> Error {
    let known: Vec<_> = Field::ALL.iter().map(|(known, _)| format!("{{{known}}}")).collect();
    Error::usage(format!("`{text}` has an unknown field `{{{name}}}`"))
        .hint(format!("the fields are {}; write {{{{ for a plain brace", known.join(", ")))
}

/// A text in a few letters that every file system takes: ASCII lower case, words joined with `-`, at most 40.
pub fn slug(text: &str) -> String {
    let text = text.replace(['\'', '’'], ""); // don't: one word
    let words = text.split(|character: char| !character.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut slug = String::new();
    for word in words {
        let room = MOST_SLUG_LETTERS - slug.len();
        if slug.is_empty() {
            slug.extend(word.chars().take(room));
        } else if word.len() < room {
            slug.push('-');
            slug.push_str(word);
        } else {
            break;
        }
    }
    slug.make_ascii_lowercase();
    match slug.as_str() {
        "" => NO_SLUG.to_owned(),
        name if is_reserved(name) => format!("{NO_SLUG}-{name}"),
        _ => slug,
    }
}

/// Names of devices that Windows takes for no file, whatever their extension.
fn is_reserved(name: &str) -> bool {
    let numbered = |name: &str| name.len() == 1 && name.bytes().all(|byte| byte.is_ascii_digit());
    matches!(name, "con" | "prn" | "aux" | "nul")
        || name.strip_prefix("com").or(name.strip_prefix("lpt")).is_some_and(numbered)
}
