//! A text as one user's turn of a chat, by the template of the checkpoint: Jinja that nobody vouches for, held to steps, depth, output and memory.
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, Value};
use serde::Deserialize;

use super::Read;
use crate::json;
use crate::system::within;

/// The file of a template, which counts before what `tokenizer_config.json` says.
pub const CHAT: &str = "chat_template.jinja";
/// A template has at most so many bytes: the longest that is known has some thirty thousand.
const LARGEST: usize = 1 << 18;
/// Instructions of a template: one turn takes a few hundred.
const STEPS: u64 = 100_000;
/// How deep macros and blocks may call each other.
const DEEPEST: usize = 50;
/// Bytes that a template may write around the text.
const MOST_AROUND: usize = 1 << 18;
/// Bytes of memory that it may have, beside some copies of the text, and what is said where it wants more.
const MEMORY: usize = 64 << 20;
const TOO_MUCH: &str = "error: the chat template asks for more than 64 MiB of memory\n\
                        hint: mend chat_template.jinja, or leave --chat out\n";
/// What asks for today's date in templates. It is not given, so that the same text always gives the same tokens.
const TODAY: &str = "strftime_now";

/// A template, and what it may call tokens by.
#[derive(Clone, Debug, Default)]
pub(super) struct Chat {
    template: Option<String>,
    /// Roles and texts of tokens: `bos_token` and the like.
    roles: Vec<(String, String)>,
}

/// A text within its template.
#[derive(Debug, PartialEq)]
pub(super) struct Turn {
    /// Everything that is read.
    pub whole: String,
    /// Where the text itself stands; a template may trim it.
    pub own: Range<usize>,
    /// Whether the template would have liked to know the date.
    pub asks_for_today: bool,
}

/// One of several templates.
#[derive(Deserialize)]
struct Named {
    name: String,
    template: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    One(String),
    Several(Vec<Named>),
}

#[derive(Default, Deserialize)]
struct Config {
    chat_template: Option<Written>,
}

impl Chat {
    /// The template that the files of a checkpoint have, as transformers looks for it.
    pub fn find(read: Read, roles: Vec<(String, String)>) -> Self {
        let bytes = |name: &str| read(name).ok().flatten();
        let file = bytes(CHAT).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        // What is wrong with the settings is said where the tokenizer is made of them.
        let said = || json::parse::<Config>(&bytes("tokenizer_config.json")?).ok()?.chat_template;
        let template = file.or_else(|| match said()? {
            Written::One(template) => Some(template),
            Written::Several(all) => all.into_iter().find(|one| one.name == "default").map(|one| one.template),
        });
        Self { template, roles }
    }

    /// The text as a user's turn, with what makes the model answer behind it; none without a template.
    ///
    /// # Errors
    /// A template that cannot be read, refuses, writes too much or takes too long, or does more to the text than trimming it.
    pub fn turn(&self, text: &str) -> Result<Option<Turn>, String> {
        let Some(template) = &self.template else { return Ok(None) };
        if template.len() > LARGEST {
            return Err(format!("it has more than {LARGEST} bytes"));
        }
        // What stands for a text shows what is put around any text.
        let mut stand_in = "\u{f8fa}\u{f8fb}".to_owned();
        while text.contains(&stand_in) || template.contains(&stand_in) {
            stand_in.push('\u{f8fb}');
        }
        let around = self.render(template, &stand_in)?;
        let [before, behind] = around.split(&stand_in).collect::<Vec<_>>()[..] else {
            return Err(format!("it writes the text {} times, not once", around.matches(&stand_in).count()));
        };
        let whole = self.render(template, text)?;
        let own = whole.strip_prefix(before).and_then(|rest| rest.strip_suffix(behind));
        match own.filter(|own| text.contains(own) && own.trim() == text.trim()) {
            Some(own) => {
                let own = before.len()..before.len() + own.len();
                Ok(Some(Turn { whole, own, asks_for_today: template.contains(TODAY) }))
            }
            None => Err("what it writes depends on the text, which it does not leave as it is".into()),
        }
    }

    fn render(&self, template: &str, text: &str) -> Result<String, String> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build(); // as in transformers
        environment.set_syntax(syntax.map_err(|error| reason(&error))?);
        environment.set_fuel(Some(STEPS));
        environment.set_recursion_limit(DEEPEST);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        let refuse = |why: String| -> Result<Value, Error> { Err(Error::new(ErrorKind::InvalidOperation, why)) };
        environment.add_function("raise_exception", refuse);
        let message = [("role", "user"), ("content", text)].map(|(name, value)| (name, Value::from(value)));
        let none = ["tools", "documents"].map(|name| (name.to_owned(), Value::from(())));
        let roles = self.roles.iter().map(|(role, token)| (role.clone(), Value::from(token.as_str())));
        let given = [
            ("messages".to_owned(), Value::from(vec![Value::from(BTreeMap::from(message))])),
            ("add_generation_prompt".to_owned(), Value::from(true)),
        ];
        let context = Value::from(roles.chain(none).chain(given).collect::<BTreeMap<String, Value>>());
        let mut out = Limited { bytes: Vec::new(), room: MOST_AROUND + text.len() };
        let rendered = within(MEMORY + 16 * text.len(), TOO_MUCH, || {
            let template = environment.template_from_str(template)?;
            template.render_captured_to(context, &mut out).map(drop)
        });
        rendered.map_err(|error| reason(&error))?;
        String::from_utf8(out.bytes).map_err(|error| error.to_string())
    }
}

/// Why a template gave nothing, in a line.
fn reason(error: &Error) -> String {
    match error.kind() {
        ErrorKind::OutOfFuel => format!("it takes more than {STEPS} steps"),
        ErrorKind::WriteFailure => format!("it writes more than {MOST_AROUND} bytes around the text"),
        _ => {
            let line = error.line().map_or(String::new(), |line| format!(" (line {line})"));
            let said = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
            format!("{}{line}", said.chars().take(200).collect::<String>())
        }
    }
}

/// Bytes up to a limit.
struct Limited {
    bytes: Vec<u8>,
    room: usize,
}

impl io::Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.room - self.bytes.len() {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(template: &str, text: &str) -> Result<Option<Turn>, String> {
        let roles = vec![("bos_token".to_owned(), "<s>".to_owned())];
        Chat { template: Some(template.to_owned()), roles }.turn(text)
    }

    #[test]
    fn a_text_is_put_into_its_template_once_and_is_known_again() {
        let template = "{{ bos_token }}{% for m in messages %}\n  {%- if m.role == 'user' %}\n[{{ m['content'] | trim }}]\n\
                        {% endif %}{% endfor %}{% if add_generation_prompt %}>{% endif %}";
        let found = turn(template, " a [b] ").unwrap().unwrap();
        assert_eq!(found.whole, "<s>[a [b]]\n>");
        assert_eq!(&found.whole[found.own], "a [b]");
        assert_eq!(Chat::default().turn("a").unwrap(), None);
    }

    #[test]
    fn a_template_that_is_not_understood_or_does_too_much_is_refused_with_its_reason() {
        let content = "{{ messages[0].content }}";
        let endless =
            format!("{{% for a in range(99999) %}}{{% for b in range(99999) %}}{{% endfor %}}{{% endfor %}}{content}");
        let long = format!("{{% for a in range(9999) %}}{}{{% endfor %}}{content}", "x".repeat(99));
        let deep = "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}";
        for (template, why) in [
            (&*endless, "steps"),
            (&long, "bytes around the text"),
            (deep, "recursion"),
            ("{{ raise_exception('only in pairs') }}", "only in pairs"),
            ("{{ strftime_now('%d') }}", "strftime_now"),
            ("{{ messages | nothing }}", "nothing"),
            ("{% generation %}", "generation"),
            ("{% if %}", "line 1"),
            ("no text", "0 times"),
            ("{{ messages[0].content }}{{ messages[0].content }}", "2 times"),
            ("{{ messages[0].content | upper }}", "depends on the text"),
            ("{{ messages[0].content }}{% if 'a' in messages[0].content %}!{% endif %}", "depends on the text"),
        ] {
            let reason = turn(template, "a text").unwrap_err();
            assert!(reason.contains(why), "{template:.50}: {reason}");
        }
        assert!(turn(&" ".repeat(LARGEST + 1), "a").is_err());
    }

    #[test]
    fn the_date_is_not_given_and_the_template_says_what_it_takes_instead() {
        let template =
            "{% if strftime_now is defined %}{{ strftime_now('%d') }}{% else %}26{% endif %} {{ messages[0].content }}";
        let found = turn(template, "a").unwrap().unwrap();
        assert!(found.whole == "26 a" && found.asks_for_today);
    }
}
