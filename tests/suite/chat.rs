//! A text as a user's turn: the ids are those of transformers, and no text can write a special token.
//!
//! `tests/fixtures/chat.json` is written by `tests/make_chat.py`.

use crate::support::checkpoint::Copy;
use crate::support::fixtures;
use crate::support::shell::Shell;
use attnviz::prompt::{Prompt, Tokenizer};
use serde_json::{Value, json};

/// A folder with the files of a family's chat.
fn folder(of: &Value) -> Copy {
    let copy = Copy::of("families/llama-words").json("tokenizer.json", |tokenizer| {
        tokenizer["added_tokens"] = of["added"].clone();
    });
    let mut config = of["roles"].clone();
    config["chat_template"] = of["template"].clone();
    copy.with("tokenizer_config.json", config.to_string())
}

fn tokenizer(copy: &Copy) -> Tokenizer {
    let read = |name: &str| Ok(std::fs::read(copy.path(name)).ok().map(Into::into));
    Tokenizer::from_files(&read, &|name| name.to_owned(), None, None)
}

fn families() -> Vec<(String, Value)> {
    let all: Value = serde_json::from_slice(&std::fs::read(fixtures().join("chat.json")).unwrap()).unwrap();
    all.as_object().unwrap().clone().into_iter().collect()
}

#[test]
fn a_turn_has_the_ids_that_transformers_gives_it() {
    let families = families();
    assert!(families.len() >= 7);
    for (name, of) in families {
        let copy = folder(&of);
        let tokenizer = tokenizer(&copy);
        for turn in of["turns"].as_array().unwrap() {
            let text = turn["text"].as_str().unwrap();
            let prompt = Prompt::from_chat(&tokenizer, text, None).unwrap();
            assert_eq!(json!(prompt.ids), turn["ids"], "{name}: {text:?}");
            assert_eq!((prompt.last() + 1, prompt.written()), (prompt.ids.len(), text.to_owned()), "{name}");
        }
    }
}

#[test]
fn a_text_writes_no_special_token_within_its_turn() {
    for (name, of) in families() {
        let copy = folder(&of);
        let tokenizer = tokenizer(&copy);
        let specials: Vec<&str> =
            of["added"].as_array().unwrap().iter().map(|token| token["content"].as_str().unwrap()).collect();
        let count = |prompt: &Prompt| prompt.tokens.iter().filter(|token| token.special).count();
        let harmless = Prompt::from_chat(&tokenizer, "the cat", None).unwrap();
        for special in specials {
            let text = format!("the{special} cat{special}");
            let prompt = Prompt::from_chat(&tokenizer, &text, None).unwrap();
            assert_eq!(count(&prompt), count(&harmless), "{name}: {special} in a text is a token");
            let bytes: Vec<u8> = prompt.tokens.iter().flat_map(|token| token.bytes.clone()).collect();
            assert!(String::from_utf8(bytes).unwrap().contains(&text), "{name}: {special} is lost");
        }
    }
}

#[test]
fn files_say_that_it_was_a_turn_and_are_made_again_so() {
    let (_, of) = families().into_iter().find(|(name, _)| name == "llama-3.2").unwrap();
    // Its ids are beyond the little model's.
    let copy = folder(&of).json("tokenizer_config.json", |config| {
        config["chat_template"] =
            json!("{% for m in messages %}<U>{{ m.content | trim }}</U>{% endfor %}{{ strftime_now is defined }}");
    });
    let model = copy.path("").to_str().unwrap().to_owned();
    let shell = Shell::new();
    let run = |args: &[&str]| shell.run(&[args, &["-m", &model]].concat());
    let made = run(&["attention", " the cat ", "--chat", "-o", "a.json"]);
    assert!(made.err.contains("today's date"), "{}", made.err);
    made.ok();
    let file: Value = serde_json::from_slice(&shell.read("a.json")).unwrap();
    assert_eq!((&file["prompt"], &file["options"]["reading"]["chat"]), (&json!(" the cat "), &json!(true)));
    let tokens: String = file["tokens"].as_array().unwrap().iter().map(|token| token.as_str().unwrap()).collect();
    assert_eq!(tokens, "<U>the cat</U>False");
    run(&["rerun", "a.json"]).ok();
    shell.write("lines.txt", "the cat\nthe dog\n");
    run(&["batch", "lines.txt", "--chat", "--out", "b", "--format", "json"]).ok();
    run(&["diff", "the cat", "the dog", "--chat", "-o", "d.json"]);
    let file: Value = serde_json::from_slice(&shell.read("d.json")).unwrap();
    assert_eq!(file["options"]["reading"]["chat"], json!(true));
}

#[test]
fn a_model_without_a_template_or_with_a_bad_one_says_so() {
    let plain = Copy::of("families/llama-words");
    let asked = ["attention", "the cat", "--chat", "-o", "-", "--format", "json"];
    let (message, hint) = plain.asks(&asked).fails(2);
    assert!(message.contains("no chat template") && hint.contains("chat_template.jinja"), "{message} {hint}");
    let bad = plain.with("chat_template.jinja", "{{ raise_exception('not \x1b[31m today') }}{{ messages }}");
    let (message, hint) = bad.asks(&asked).fails(1);
    assert!(message.contains("not") && !message.contains('\x1b') && hint.contains("--chat"), "{message} {hint}");
    let mut bad = bad.with("chat_template.jinja", "{% for m in messages %}");
    bad.asks(&asked).fails(1);
    // Texts that grow cost steps, lists that hold each other cost memory.
    for (first, why) in [("'x'", "more than 100000 steps"), ("[1]", "more than 64 MiB of memory")] {
        let doubling = format!(
            "{{% set all = namespace(x={first}) %}}{{% for n in range(40) %}}{{% set all.x = all.x + all.x %}}{{% endfor %}}\
             {{{{ messages[0].content }}}}"
        );
        bad = bad.with("chat_template.jinja", &doubling);
        let (message, hint) = bad.asks(&asked).fails(1);
        assert!(message.contains(why) && hint.contains("--chat"), "{message} {hint}");
    }
}
