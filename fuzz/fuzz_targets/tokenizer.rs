//! A `tokenizer.json`, and a text for it: the first line is the text, the rest the file.
#![no_main]

use attnviz::prompt::{Prompt, Tokenizer, WordRule};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (text, file) = bytes.split_at(bytes.iter().position(|byte| *byte == b'\n').unwrap_or(0));
    let Ok(tokenizer) = Tokenizer::from_json(file, "tokenizer.json") else { return };
    let text = String::from_utf8_lossy(text);
    for prompt in [Prompt::from_text(&tokenizer, &text, None), Ok(Prompt::from_ids(&tokenizer, vec![0, 1, u32::MAX], None))] {
        let Ok(prompt) = prompt else { continue };
        let words = prompt.words(WordRule::Default);
        assert_eq!(words.iter().map(|word| word.tokens.len()).sum::<usize>(), prompt.ids.len());
    }
});
