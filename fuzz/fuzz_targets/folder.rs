//! A folder's files for a tokenizer: the first byte says which vocabulary they have and how they are split, then the parts, apart by 0xFF:
//! a text, a vocabulary, merges, `tokenizer_config.json`, `special_tokens_map.json`, `added_tokens.json`.
#![no_main]

use attnviz::prompt::{Prompt, Tokenizer, WordRule};
use libfuzzer_sys::fuzz_target;

const VOCABULARIES: [&str; 4] = ["tokenizer.json", "vocab.json", "vocab.txt", "spiece.model"];

fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else { return };
    let mut parts = rest.split(|byte| *byte == 0xff);
    let mut next = || parts.next().unwrap_or_default().to_vec();
    let (text, vocabulary) = (next(), next());
    let files = [
        (VOCABULARIES[usize::from(first % 4)], vocabulary),
        ("merges.txt", next()),
        ("tokenizer_config.json", next()),
        ("special_tokens_map.json", next()),
        ("added_tokens.json", next()),
    ];
    let read = |name: &str| {
        let found = files.iter().find(|(file, bytes)| *file == name && !bytes.is_empty());
        Ok(found.map(|(_, bytes)| bytes.clone().into()))
    };
    let tokenizer = Tokenizer::from_files(&read, &str::to_owned, None, Some("gpt2"));
    let text = String::from_utf8_lossy(&text[..text.len().min(2000)]).into_owned();
    for prompt in [Prompt::from_text(&tokenizer, &text, None), Ok(Prompt::from_ids(&tokenizer, vec![0, 1, u32::MAX], None))] {
        let Ok(prompt) = prompt else { continue };
        let words = prompt.words(WordRule::Default);
        assert_eq!(words.iter().map(|word| word.tokens.len()).sum::<usize>(), prompt.ids.len());
        assert!(prompt.front + prompt.behind <= prompt.ids.len());
    }
});
