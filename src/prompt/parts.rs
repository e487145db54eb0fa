//! A byte-level BPE tokenizer put together from its parts.
use tokenizers::AddedToken;
use tokenizers::models::bpe::{BPE, Merges, Vocab};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;

/// The tokenizer, or what is wrong with its parts.
pub(super) fn assemble(
    vocab: Vocab,
    merges: Merges,
    added: Vec<AddedToken>,
    before: ByteLevel,
    decoder: ByteLevel,
    after: Option<ByteLevel>,
) -> Result<tokenizers::Tokenizer, String> {
    let model = BPE::builder().vocab_and_merges(vocab, merges).build().map_err(|error| error.to_string())?;
    let mut tokenizer = tokenizers::Tokenizer::new(model);
    tokenizer.with_pre_tokenizer(Some(before)).with_decoder(Some(decoder)).with_post_processor(after);
    tokenizer.add_tokens(added).map_err(|error| error.to_string())?;
    Ok(tokenizer)
}
