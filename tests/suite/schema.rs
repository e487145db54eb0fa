//! `docs/schema.json` says what every command writes as JSON: nothing is missing there, and nothing is written that it does not name.
use crate::support::commands::whole_commands;
use crate::support::results::json;
use crate::support::shell::Shell;
use serde_json::{Value, json as object};

const TREE: &str = env!("CARGO_MANIFEST_DIR");

/// What is wrong with a value by this schema, with the place: of JSON Schema what `docs/schema.json` uses, and no other word passes.
fn wrong(schema: &Value, value: &Value, root: &Value, place: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (word, asked) in schema.as_object().unwrap() {
        match (word.as_str(), value) {
            ("$schema" | "$defs" | "title" | "description" | "additionalProperties", _) => {}
            ("$ref", _) => {
                let part = root.pointer(&asked.as_str().unwrap()[1..]).unwrap();
                found.extend(wrong(part, value, root, place));
            }
            ("type", _) => {
                let is = |name: &Value| match (name.as_str().unwrap(), value) {
                    ("null", Value::Null) | ("boolean", Value::Bool(_)) | ("number", Value::Number(_)) => true,
                    ("integer", Value::Number(number)) => number.is_i64() || number.is_u64(),
                    ("string", Value::String(_)) | ("array", Value::Array(_)) | ("object", Value::Object(_)) => true,
                    _ => false,
                };
                if !asked.as_array().map_or_else(|| is(asked), |names| names.iter().any(is)) {
                    found.push(format!("{place} is no {asked}"));
                }
            }
            ("enum", _) => found
                .extend((!asked.as_array().unwrap().contains(value)).then(|| format!("{place} is none of {asked}"))),
            ("required", Value::Object(fields)) => {
                let names = asked.as_array().unwrap().iter().map(|name| name.as_str().unwrap());
                found.extend(
                    names.filter(|name| !fields.contains_key(*name)).map(|name| format!("{place} lacks {name}")),
                );
            }
            ("properties", Value::Object(fields)) => {
                for (name, inner) in fields {
                    match asked.get(name) {
                        Some(schema) => found.extend(wrong(schema, inner, root, &format!("{place}.{name}"))),
                        None if schema["additionalProperties"] == false => {
                            found.push(format!("{place}.{name} is not told"))
                        }
                        None => {}
                    }
                }
            }
            ("items", Value::Array(all)) => {
                let each = all.iter().enumerate();
                found.extend(each.flat_map(|(at, inner)| wrong(asked, inner, root, &format!("{place}[{at}]"))));
            }
            ("anyOf", _) => {
                let each = asked.as_array().unwrap().iter().map(|schema| wrong(schema, value, root, place));
                found.extend(each.min_by_key(Vec::len).unwrap());
            }
            ("required" | "properties" | "items", _) => {} // `type` says that it is something else
            (word, _) => panic!("the test does not know {word}"),
        }
    }
    found
}

fn schema() -> Value {
    json(&std::fs::read(format!("{TREE}/docs/schema.json")).unwrap())
}

#[test]
fn what_is_wrong_by_the_schema_is_found() {
    let schema = schema();
    let shell = Shell::new();
    let good = json(&shell.ok(&["lens", "-m", "builtin", "a b", "-q", "-o", "-", "--format", "json"]));
    assert_eq!(wrong(&schema, &good, &schema, "$"), Vec::<String>::new());
    let spoilt = |change: &dyn Fn(&mut Value)| {
        let mut value = good.clone();
        change(&mut value);
        wrong(&schema, &value, &schema, "$").join("; ")
    };
    assert!(spoilt(&|value| value["results"][0]["new"] = object!(1)).contains(".new is not told"));
    assert!(spoilt(&|value| value["extra"] = object!(1)).contains("$.extra is not told"));
    assert!(spoilt(&|value| value["model"]["name"] = object!(1)).contains("$.model.name is no"));
    assert!(spoilt(&|value| value["results"][0]["top"] = object!([["x"]])).contains("top[0][0] is no"));
    assert!(spoilt(&|value| drop(value.as_object_mut().unwrap().remove("tokens"))).contains("$ lacks tokens"));
}

/// Lines that make data, of every command that does.
const LINES: &[&str] = &[
    "attention|The fox|--with|logits,hidden,scores",
    "attention|The fox ran|--words|--sink|renorm|--reduce|heads=mean",
    "attention|The fox|--heads|4.1,3.2|--bos",
    "saliency|The fox|--method|all|--steps|4|--samples|2|--evaluate|--with|draws",
    "saliency|The fox|--generate|2|--method|smoothgrad|--samples|2|--temperature|1|--with|draws",
    "saliency|The fox|--target| ran|--foil| sat|--words",
    "lens|The fox|--top|3|--target| ran|--foil| sat",
    "lens|The fox|--direct",
    "lens|The fox|--norms",
    "heads|The fox",
    "heads|--weights",
    "heads|--corpus|story.txt|--length|16",
    "mix|The fox|--all-rows",
    "surprisal|The fox ran",
    "surprisal|The fox ran|--bow-correction",
    "surprisal|The fox ran|--model|twin",
    "qk|The fox ran|--head|4.3",
    "patch|The old king and his|The young king and her|--site|z",
    "patch|The old king and his|The young king and her|--attribution|--rule|relp",
    "patch|The old king and his|The young king and her|--edges|--steps|1|--circuit|5",
    "patch|The old king|--ablate|4.3,mlp2,@1",
    "patch|The old king|--ablate|each",
    "patch|--pairs|patches.jsonl",
    "patch|--pairs|patches.jsonl|--attribution",
    "diff|The old king|The young king|--tol|1",
    "diff|The old king|The young king|--tol|1|--heads|4.1,3.2",
    "probe pairs|pairs.csv|--explain|1",
    "probe cloze|cloze.jsonl",
    "probe cloze|--template|The {x} was|--fill|x=king,fox",
    "probe linear|labels.tsv|--cache|none",
    "bias|stereoset.json",
    "bias|--template|The {man|woman} worked as a",
    "circuit check|induction|--count|1",
    "explain|The old king|--versus|The young king|--foil| wolf",
    "explain|The old king|--against|twin|--panels|lens",
    "render|saved.npz",
];

#[test]
fn every_command_writes_what_the_schema_says() {
    let shell = Shell::new();
    shell
        .write("story.txt", "Once upon a time there was a fox who lived by a well. ".repeat(3))
        .write("pairs.csv", "good,bad\nThe fox runs.,The fox run.\nThe boys sing.,The boys sings.\n")
        .write("cloze.jsonl", r#"{"prompt": "The old king and his", "answers": [" son"], "distractors": [" well", " sea"]}"#)
        .write("patches.jsonl", r#"{"clean": "The old king and his", "corrupt": "The young king and her", "answer": " wife", "foil": " son"}"#)
        .write("labels.tsv", "text\tlabel\n".to_owned() + &"The king was good.\tgood\nThe king was bad.\tbad\n".repeat(14));
    std::fs::copy(format!("{TREE}/tests/fixtures/bias/stereoset.json"), shell.path("stereoset.json")).unwrap();
    std::fs::create_dir(shell.path("twin")).unwrap();
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
        std::fs::copy(format!("{TREE}/assets/model/{file}"), shell.path("twin").join(file)).unwrap();
    }
    shell.ok(&["-m", "builtin", "The fox", "-q", "-o", "saved.npz"]);
    let schema = schema();
    for line in LINES {
        let (words, rest) = line.split_once('|').unwrap();
        // `{man|woman}` has the same character.
        let rest = rest.replace("{man|", "{man\0");
        let rest: Vec<String> = rest.split('|').map(|word| word.replace('\0', "|")).collect();
        let model: &[&str] = if words == "render" { &[] } else { &["-m", "builtin"] };
        let args: Vec<&str> =
            words.split(' ').chain(rest.iter().map(String::as_str)).chain(model.iter().copied()).collect();
        let wrote = json(&shell.ok(&[&args[..], &["-q", "-o", "-", "--format", "json"]].concat()));
        let wrong = wrong(&schema, &wrote, &schema, "$");
        assert!(wrong.is_empty(), "{line}: {}", wrong[..wrong.len().min(5)].join("; "));
    }
    // Those that write no data of their own: folders of the others', the same again, nothing at all.
    const OTHERS: [&str; 8] = ["batch", "snapshot", "rerun", "models", "models get", "completions", "man", "probe"];
    for words in whole_commands().iter().map(|words| words.join(" ")).filter(|words| words != "circuit") {
        let told = LINES.iter().any(|line| line.starts_with(&format!("{words}|")));
        assert!(told != OTHERS.contains(&words.as_str()), "{words} is not held against docs/schema.json");
    }
}
