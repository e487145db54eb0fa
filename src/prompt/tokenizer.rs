//! Hugging Face tokenizers as the `tokenizers` crate has them, and never a panic.
use std::cell::Cell;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{Encoding, PreTokenizedString, PreTokenizer};

use super::Token;
use super::chat::{Chat, Turn};
use super::class::{Class, Made};
use super::encoded::Encoded;
use super::files::{self, Failed, Loaded, Read};
use super::parts::growth;
use super::settings::Settings;
use super::spelling::Spelling;
use super::vocabulary::Engine;
use crate::error::{Error, Result};

/// The longest normalized text, in bytes: the crate keeps sixteen times as much beside it.
const MOST_NORMALIZED: f64 = (32 << 20) as f64;

/// Turns text into ids and ids into bytes.
pub struct Tokenizer {
    /// Or why there is none: then tokens are known by their ids alone.
    inner: Result<Inner>,
    remarks: Vec<String>,
}

struct Inner {
    tokenizer: Engine,
    origin: String,
    spelling: Spelling,
    bos: Option<u32>,
    chat: Chat,
    /// How many bytes of a text one may become before it is split.
    growth: f64,
}

impl Tokenizer {
    /// The tokenizer of a `tokenizer.json`, as it is written; `origin` names it in errors.
    ///
    /// # Errors
    /// A file that is no tokenizer, or whose parts contradict each other.
    pub fn from_json(bytes: &[u8], origin: &str) -> Result<Self> {
        let read = || Class::AsWritten.make(files::whole(bytes)?, &Settings::default(), true);
        let made = quietly(read).and_then(|made| made).map_err(|reason| broken(origin, &reason))?;
        Ok(Self::of(made, origin.to_owned(), Vec::new(), &|_| Ok(None)))
    }

    /// The tokenizer of a folder, whose files `read` gives by their names (see [`FILES`](super::FILES)) and `locate` names in errors,
    /// as the newest transformers makes it: `tokenizer.json`, `vocab.json` with `merges.txt`, `vocab.txt` or a SentencePiece model, and
    /// what `tokenizer_config.json`, `special_tokens_map.json` and `added_tokens.json` say of it. `class` is the `tokenizer_class` of
    /// the model's config, `model_type` the kind of model. A folder without a usable tokenizer gives one that has only ids; what is
    /// wrong with it is said by [`Self::encode`].
    pub fn from_files(
        read: Read,
        locate: &dyn Fn(&str) -> String,
        class: Option<&str>,
        model_type: Option<&str>,
    ) -> Self {
        match quietly(|| files::load(read, class, model_type)) {
            Ok(Ok(Loaded { made, remarks, origin })) => Self::of(made, locate(origin), remarks, read),
            Ok(Err(Failed::Broken(file, reason))) => Self::without(broken(&locate(file), &reason)),
            Ok(Err(Failed::Unread(error))) => Self::without(error),
            Ok(Err(Failed::Missing)) => Self::without(
                Error::failed(format!("{} is missing: the model has no tokenizer", locate(files::FILES[0]))).hint(
                    "its folder needs tokenizer.json, vocab.json with merges.txt, vocab.txt or a SentencePiece model; or give the prompt as ids, or name a tokenizer",
                ).option("tokenizer"),
            ),
            Err(reason) => Self::without(broken(&locate(files::FILES[0]), &reason)),
        }
    }

    /// A tokenizer that has no tokens, and says why where a text is to be read.
    pub fn without(why: Error) -> Self {
        Self { inner: Err(why), remarks: Vec::new() }
    }

    fn of(Made { mut tokenizer, roles }: Made, origin: String, remarks: Vec<String>, read: Read) -> Self {
        tokenizer.with_padding(None);
        let _ = tokenizer.with_truncation(None); // none is always possible
        let spelling = Spelling::of(tokenizer.get_decoder(), tokenizer.get_pre_tokenizer(), tokenizer.get_model());
        let bos = roles.iter().find(|(role, _)| role == "bos_token");
        let bos = bos.and_then(|(_, bos)| tokenizer.token_to_id(bos));
        let chat = Chat::find(read, roles);
        let growth = growth(tokenizer.get_normalizer());
        Self { inner: Ok(Inner { tokenizer, origin, spelling, bos, chat, growth }), remarks }
    }

    /// Compiles the pattern by which GPT-2's tokenizers split texts, which else the first text waits for.
    pub fn warm() {
        let _ = quietly(|| ByteLevel::default().pre_tokenize(&mut PreTokenizedString::from("a")).is_ok());
    }

    /// What was assumed to read it, a line each, for people.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// Why there is none, if so.
    pub fn missing(&self) -> Option<&Error> {
        self.inner.as_ref().err()
    }

    fn inner(&self) -> Option<&Inner> {
        self.inner.as_ref().ok()
    }

    /// The ids of a text alone, without what the tokenizer puts around it.
    ///
    /// # Errors
    /// A text that this tokenizer cannot encode, such as a character that its vocabulary lacks; no tokenizer.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        self.encoded(text, false).map(|encoded| encoded.ids)
    }

    /// The same with the bytes of the text that each token stands for.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn spans(&self, text: &str) -> Result<Vec<(u32, Range<usize>)>> {
        let (_, encoding) = self.encoding(text, false)?;
        let spans = encoding.get_offsets().iter().map(|(from, to)| *from..*to);
        Ok(encoding.get_ids().iter().copied().zip(spans).collect())
    }

    fn encoding(&self, text: &str, special: bool) -> Result<(&Inner, Encoding)> {
        let inner = self.inner.as_ref().map_err(Clone::clone)?;
        inner.check(text)?;
        Ok((inner, inner.encoding(|| inner.tokenizer.encode(text, special))?))
    }

    /// The same with all that is known of it; `special` lets the tokenizer put its own tokens around it.
    pub(super) fn encoded(&self, text: &str, special: bool) -> Result<Encoded> {
        self.placed(text, special).map(|(encoded, _)| encoded)
    }

    /// The same with the bytes of the text that each token stands for.
    pub(super) fn placed(&self, text: &str, special: bool) -> Result<(Encoded, Vec<Range<usize>>)> {
        let (inner, encoding) = self.encoding(text, special)?;
        let spans = encoding.get_offsets().iter().map(|(from, to)| *from..*to).collect();
        Ok((inner.counted(text, &encoding), spans))
    }

    /// The text as a user's turn in the chat template of the checkpoint, and that turn. Special tokens are read in the template alone: in the
    /// text they are letters.
    pub(super) fn chat(&self, text: &str) -> Result<(Encoded, Turn)> {
        let inner = self.inner.as_ref().map_err(Clone::clone)?;
        let turn = quietly(|| inner.chat.turn(text)).and_then(|turn| turn).map_err(|reason| {
            Error::failed(format!("the model's chat template cannot be used: {reason}"))
                .hint("write the prompt as the model wants it, and leave this out")
                .option("chat")
        })?;
        let turn = turn.ok_or_else(|| {
            Error::usage("the model has no chat template").hint(
                "it is no model for chats, or its tokenizer_config.json and chat_template.jinja are missing; leave this out",
            )
            .option("chat")
        })?;
        let (encoded, spans) = self.placed(&turn.whole, false)?;
        let within = |span: &Range<usize>| span.start < turn.own.end && turn.own.start < span.end;
        if !encoded.ids.iter().zip(&spans).any(|(id, span)| self.is_special(*id) && within(span)) {
            return Ok((Encoded { front: 0, behind: 0, ..encoded }, turn));
        }
        let mut letters = inner.tokenizer.clone();
        letters.set_encode_special_tokens(true);
        let own = inner.encoding(|| letters.encode_fast(&turn.whole[turn.own.clone()], false))?;
        let ids = [
            self.encode(&turn.whole[..turn.own.start])?,
            own.get_ids().to_vec(),
            self.encode(&turn.whole[turn.own.end..])?,
        ];
        let ids = ids.concat();
        Ok((Encoded { gaps: vec![false; ids.len()], ids, ..Encoded::default() }, turn))
    }

    /// What it puts in front of every text.
    ///
    /// # Errors
    /// No tokenizer.
    pub fn front(&self) -> Result<Vec<u32>> {
        let Encoded { ids, front, .. } = self.encoded("a", true)?;
        Ok(ids[..front].to_vec())
    }

    /// How many tokens it knows, added ones included; none without a tokenizer.
    pub fn size(&self) -> usize {
        self.inner().map_or(0, |inner| inner.tokenizer.get_vocab_size(true))
    }

    /// The id of a token as the tokenizer's files write it (`Ġthe`, `<|endoftext|>`).
    pub fn token_id(&self, token: &str) -> Option<u32> {
        self.inner()?.tokenizer.token_to_id(token)
    }

    /// The token that its files say begins a text.
    pub fn bos(&self) -> Option<u32> {
        self.inner()?.bos
    }

    /// The bytes that an id stands for in the middle of a text; those of several ids may make one character.
    pub fn bytes(&self, id: u32) -> Option<Vec<u8>> {
        let inner = self.inner()?;
        let (token, added) = inner.token(id)?;
        Some(if added && inner.spelling.fallback(&token).is_none() {
            token.into_bytes()
        } else {
            inner.spelling.bytes(&token)
        })
    }

    /// The bytes of each of the ids of a text, `[token]`; none of one that it does not know. `gaps` are [`Encoded::gaps`], where there
    /// is a text.
    pub(super) fn all_bytes(&self, ids: &[u32], gaps: Option<&[bool]>) -> Vec<Option<Vec<u8>>> {
        let Some(inner) = self.inner() else { return vec![None; ids.len()] };
        let known: Vec<Option<(String, bool)>> = ids.iter().map(|id| inner.token(*id)).collect();
        let tokens: Vec<_> = known.iter().map(|token| token.clone().unwrap_or((String::new(), true))).collect();
        inner.spelling.all(&tokens, gaps).into_iter().zip(known).map(|(bytes, known)| known.map(|_| bytes)).collect()
    }

    /// How a figure shows an id.
    pub fn label(&self, id: u32) -> String {
        Token::new(self, id).label
    }

    /// Whether an id is a special token, no part of the text, such as `<|endoftext|>`.
    pub fn is_special(&self, id: u32) -> bool {
        let Some(inner) = self.inner() else { return false };
        let added = inner.tokenizer.get_added_vocabulary().get_added_tokens_decoder().get(&id);
        added.is_some_and(|token| token.special && inner.spelling.fallback(&token.content).is_none())
    }
}

impl Inner {
    /// A token as the files write it, and whether it was added to the vocabulary.
    fn token(&self, id: u32) -> Option<(String, bool)> {
        if let Some(added) = self.tokenizer.get_added_vocabulary().get_added_tokens_decoder().get(&id) {
            return Some((added.content.clone(), true));
        }
        Some((self.tokenizer.id_to_token(id)?, false))
    }

    /// What an encoder of its tokens makes of a text.
    fn encoding(&self, encode: impl FnOnce() -> tokenizers::Result<Encoding>) -> Result<Encoding> {
        quietly(|| encode().map_err(|error| error.to_string())).and_then(|encoding| encoding).map_err(|error| {
            Error::failed(format!("{}: the text cannot be tokenized: {error}", self.origin))
                .hint("give the prompt as ids, or the model a tokenizer that suits it")
                .option("ids")
        })
    }

    /// Refuses a text of which a normalizer could make more than memory holds.
    fn check(&self, text: &str) -> Result<()> {
        if text.len() as f64 * self.growth <= MOST_NORMALIZED {
            return Ok(());
        }
        let of = format!(
            "{}: a text of {} bytes may become {:.0e} bytes",
            self.origin,
            text.len(),
            text.len() as f64 * self.growth
        );
        Err(Error::failed(format!("{of} by its normalizer"))
            .hint("give a shorter text, or name another tokenizer")
            .option("tokenizer"))
    }

    fn counted(&self, text: &str, encoding: &Encoding) -> Encoded {
        let encoded = Encoded::of(text, encoding);
        let count = |id: u32| encoded.ids.iter().filter(|other| **other == id).count();
        Encoded { unknown: self.unknown().map(|id| (count(id), id)), ..encoded }
    }

    /// The token that stands for what is not in the vocabulary: that of a letter which no vocabulary has.
    fn unknown(&self) -> Option<u32> {
        const OLD_PERSIAN: &str = "\u{103a0}";
        if self.spelling.byte_level {
            return None;
        }
        let encoding = quietly(|| self.tokenizer.encode_fast(OLD_PERSIAN, false).ok()).ok().flatten()?;
        let id = *encoding.get_ids().last()?;
        let (token, _) = self.token(id)?;
        (!token.contains(OLD_PERSIAN) && super::spelling::byte(&token).is_none()).then_some(id)
    }
}

fn broken(origin: &str, reason: &str) -> Error {
    Error::failed(format!("{origin}: not a tokenizer that can be used: {reason}"))
        .hint("save it anew with transformers' save_pretrained, give the prompt as ids, or name another tokenizer")
        .option("tokenizer")
}

/// The result, or the message of a panic: the `tokenizers` crate indexes and unwraps where a file is inconsistent.
fn quietly<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    thread_local!(static QUIET: Cell<bool> = const { Cell::new(false) });
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !QUIET.get() {
                loud(panic);
            }
        }));
    });
    QUIET.set(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    QUIET.set(false);
    result.map_err(|panic| {
        let message = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        format!("its parts contradict each other ({})", message.unwrap_or("no reason given"))
    })
}
