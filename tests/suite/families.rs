//! Every family's numbers are those of Hugging Face transformers, with every switch of its config on and off.
//!
//! The checkpoints and golden files in `tests/fixtures/families` are written by `tests/make_families.py`.

use crate::support::checkpoint::{Copy, WEIGHTS};
use crate::support::shell::{Ran, Shell};
use crate::support::{apart, central_differences, distance, fixtures, golden, gradient, ids, numbers, size};
use attnviz::analysis::attribution::{Baseline, Evaluator};
use attnviz::analysis::{Objective, Of, direct, next_tokens, qk};
use attnviz::checkpoint::{Checkpoint, Source};
use attnviz::model::{Activation, Backend, Model, NoTap, Segments};
use attnviz::session::family;
use attnviz::trace::{Recorder, Trace, forward};
use candle_core::{DType, Device, Tensor};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::PathBuf;

const QUIET: &dyn Fn(usize, usize) = &|_, _| ();
/// Those whose attention adds a bias that is normed together with what heads add: it is no part.
const BIASED: [&str; 2] = ["olmo2-shared", "gemma2-no-caps"];
const EXACT: Backend = Backend::Composite(DType::F64, Device::Cpu);

fn folders() -> Vec<PathBuf> {
    let all = std::fs::read_dir(fixtures().join("families")).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<PathBuf> = all.collect();
    all.sort();
    all
}

fn load(name: &str, backend: &Backend) -> Box<dyn Model> {
    let checkpoint = Checkpoint::open(&Source::Directory(fixtures().join("families").join(name))).unwrap();
    family(&checkpoint).unwrap().load(&checkpoint.weights().unwrap(), backend).unwrap()
}

/// Each name, what transformers computes, and its ids.
fn each() -> impl Iterator<Item = (String, HashMap<String, Tensor>, Vec<u32>)> {
    folders().into_iter().map(|folder| {
        let golden = golden(&folder.join("golden.safetensors"));
        let ids = ids(&golden);
        (folder.file_name().unwrap().to_str().unwrap().to_owned(), golden, ids)
    })
}

fn recorded(model: &dyn Model, ids: &[u32], sites: &[Activation]) -> (Trace, Tensor) {
    let mut recorder = sites.iter().fold(Recorder::new(), |recorder, at| recorder.keep(*at));
    let resid = forward(model, &[ids], &mut recorder).unwrap();
    (recorder.trace(), resid)
}

fn logits(model: &dyn Model, prompts: &[&[u32]]) -> Tensor {
    let resid = forward(model, prompts, &mut NoTap).unwrap();
    model.unembed(&model.final_norm(&resid).unwrap(), None).unwrap()
}

/// About the largest log-probability at the end, as the golden gradients are.
fn objective(model: &dyn Model, ids: &[u32]) -> Objective {
    let last = logits(model, &[ids]).narrow(0, ids.len() - 1, 1).unwrap().to_dtype(DType::F32).unwrap();
    Objective { position: ids.len() - 1, target: next_tokens(&last, 1).unwrap()[0].id, foil: None, of: Of::LogProb }
}

#[test]
fn attention_hidden_states_and_logits_are_those_of_transformers() {
    let mut count = 0;
    for (name, golden, ids) in each() {
        for backend in [Backend::Fused, Backend::Composite(DType::F32, Device::Cpu), EXACT] {
            let model = load(&name, &backend);
            for sites in [
                &[Activation::Pattern, Activation::ResidPre][..],
                &[Activation::Scores, Activation::Pattern, Activation::ResidPre],
            ] {
                let (trace, resid) = recorded(&*model, &ids, sites);
                let layers = 0..model.spec().layers;
                let all = |at| layers.clone().map(|l| trace.get(at, l, 0).unwrap().clone()).collect::<Vec<_>>();
                let normed = model.final_norm(&resid).unwrap();
                let hidden = [all(Activation::ResidPre), vec![normed.clone()]].concat();
                let found = [
                    ("attention", Tensor::stack(&all(Activation::Pattern), 0).unwrap()),
                    ("hidden", Tensor::stack(&hidden, 0).unwrap()),
                    ("logits", model.unembed(&normed, None).unwrap()),
                ];
                for (what, found) in found {
                    let off = distance(&found, &golden[what]) / size(&golden[what]);
                    assert!(off <= 1e-5, "{name}, {backend:?}: {what} is off by {off:.1e}");
                }
            }
        }
        count += 1;
    }
    assert!(count >= 38, "only {count} fixtures");
}

#[test]
fn gradients_of_the_embeddings_are_those_of_pytorch_and_of_central_differences() {
    for (name, golden, ids) in each() {
        let expected = numbers(&golden["gradient"]);
        for (backend, tolerance) in [(Backend::Fused, 1e-4), (EXACT, 1e-5)] {
            let model = load(&name, &backend);
            let objective = objective(&*model, &ids);
            let evaluator = Evaluator::new(&*model, &ids, objective, Baseline::Zero, QUIET).unwrap();
            let found = gradient(&evaluator);
            let off = apart(&found, &expected);
            assert!(off < tolerance, "{name}, {backend:?}: {off:.1e} from PyTorch");
            if matches!(backend, Backend::Composite(..)) {
                let off = apart(&found, &central_differences(&evaluator));
                assert!(off < 1e-6, "{name}: {off:.1e} from central differences");
            }
        }
    }
}

#[test]
fn weights_in_half_precision_are_read_in_place_with_the_bits_of_the_same_weights_as_f32() {
    let ids = [3, 7, 20, 5, 11, 4];
    let all = folders().into_iter().map(|folder| format!("families/{}", folder.file_name().unwrap().to_str().unwrap()));
    for name in all.chain(["base".into()]) {
        for dtype in [DType::BF16, DType::F16] {
            let [half, wide] = [false, true].map(|wide| {
                let copy = Copy::of(&name);
                let tensors = candle_core::safetensors::load(copy.path(WEIGHTS), &Device::Cpu).unwrap();
                let narrowed = tensors.into_iter().map(|(name, tensor)| {
                    let narrow = tensor.to_dtype(dtype).unwrap();
                    (name, if wide { narrow.to_dtype(DType::F32).unwrap() } else { narrow })
                });
                let narrowed: HashMap<String, Tensor> = narrowed.collect();
                candle_core::safetensors::save(&narrowed, copy.path(WEIGHTS)).unwrap();
                let checkpoint = Checkpoint::open(&Source::Directory(copy.path(""))).unwrap();
                let model = family(&checkpoint).unwrap().load(&checkpoint.weights().unwrap(), &Backend::Fused).unwrap();
                let objective = objective(&*model, &ids);
                let evaluator = Evaluator::new(&*model, &ids, objective, Baseline::Zero, QUIET).unwrap();
                let normed = model.embed(&ids).unwrap();
                let some = |ids| numbers(&model.unembed(&normed, Some(ids)).unwrap());
                let heads = (ids.len(), model.spec().heads, model.spec().d_head);
                let added = model.head_adds(1, &Tensor::ones(heads, DType::F32, &Device::Cpu).unwrap()).unwrap();
                [
                    numbers(&logits(&*model, &[&ids])),
                    gradient(&evaluator),
                    some(&[7, 3]),
                    some(&[4, 5, 6]),
                    numbers(&added),
                ]
            });
            assert_eq!(half, wide, "{name} {dtype:?}");
        }
    }
}

#[test]
fn a_prompt_is_the_same_alone_in_a_batch_and_continued_from_its_past() {
    for (name, _, ids) in each() {
        let model = load(&name, &Backend::Fused);
        let alone = logits(&*model, &[&ids]);
        let batch = logits(&*model, &[&ids[..5], &ids, &ids[3..]]).narrow(0, 5, ids.len()).unwrap();
        assert_eq!(numbers(&alone), numbers(&batch), "{name}: the neighbours are seen");
        let (trace, _) = recorded(&*model, &ids[..7], &[Activation::K, Activation::V]);
        let segments = Segments::continued(trace.past(model.spec().layers, 0).unwrap(), ids.len() - 7);
        let resid = model.start(&model.embed(&ids[7..]).unwrap(), &segments).unwrap();
        let resid = model.blocks(resid, &segments, &mut NoTap).unwrap();
        let rest = model.unembed(&model.final_norm(&resid).unwrap(), None).unwrap();
        let whole = alone.narrow(0, 7, ids.len() - 7).unwrap();
        assert!(distance(&rest, &whole) < 1e-5 * size(&whole), "{name}: continued it is another");
    }
}

#[test]
fn prompts_that_share_their_beginnings_are_the_same_as_each_by_itself() {
    for (name, _, ids) in each() {
        let model = load(&name, &Backend::Fused);
        assert!(model.branches(), "{name}");
        // The second leaves the first after five tokens, the third leaves the second after seven, and the fourth shares nothing.
        let second = [&ids[..5], &[6, 13, 2, 17]].concat();
        let third = [&second[..7], &[9, 4, 11, 5, 8]].concat();
        let rows = [&ids[..], &second[5..], &third[7..], &ids[3..]].concat();
        let own = [(None, ids.len()), (Some(4), 4), (Some(ids.len() + 1), 5), (None, ids.len() - 3)];
        let segments = Segments::branching(own);
        let resid = model.start(&model.embed(&rows).unwrap(), &segments).unwrap();
        let together = model.final_norm(&model.blocks(resid, &segments, &mut NoTap).unwrap()).unwrap();
        let mut start = 0;
        for (whole, (_, len)) in [&ids[..], &second, &third, &ids[3..]].into_iter().zip(own) {
            let alone = model.final_norm(&forward(&*model, &[whole], &mut NoTap).unwrap()).unwrap();
            let alone = alone.narrow(0, whole.len() - len, len).unwrap();
            let off = distance(&together.narrow(0, start, len).unwrap(), &alone) / size(&alone);
            assert!(off < 1e-5, "{name}: the rows from {start} are {off:.1e} off");
            start += len;
        }
    }
}

#[test]
fn a_logit_is_the_sum_of_its_parts() {
    for (name, _, ids) in each() {
        let model = load(&name, &Backend::Fused);
        let position = ids.len() - 2;
        let found = match direct(&*model, &ids, None, Some(3), position) {
            Ok(found) => found,
            Err(error) => {
                assert!(BIASED.contains(&&*name) && error.message.contains("before it is normed"), "{name}: {error}");
                continue;
            }
        };
        let resid = forward(&*model, &[&ids], &mut NoTap).unwrap();
        // What is kept below a cap is no sum.
        let logits = model.unembed_uncapped(&model.final_norm(&resid).unwrap(), None).unwrap();
        let logits = logits.get(position).unwrap().to_vec1::<f32>().unwrap();
        let expected = f64::from(logits[found.target as usize]) - f64::from(logits[3]);
        assert!((found.parts.total - expected).abs() < 1e-5, "{name}: {} for {expected}", found.parts.total);
    }
}

#[test]
fn a_score_is_the_sum_of_its_pairs_of_writers() {
    for (name, _, ids) in each() {
        let model = load(&name, &Backend::Fused);
        let query = ids.len() - 1;
        for head in 0..model.spec().heads {
            let found = match qk::qk(&*model, &ids, qk::Look { layer: 1, head, query }) {
                Ok(found) => found,
                Err(error) => {
                    assert!(
                        BIASED.contains(&&*name) && error.message.contains("before it is normed"),
                        "{name}: {error}"
                    );
                    continue;
                }
            };
            assert!(found.apart < 1e-4, "{name}: off by {:.1e}", found.apart);
        }
    }
}

/// One checkpoint of each family, with a tokenizer.
const WORDS: [&str; 7] =
    ["gemma2-words", "gemma3-words", "llama-words", "neo-words", "neox-words", "olmo2-words", "qwen3-words"];

fn run(shell: &Shell, name: &str, args: &str) -> Ran {
    let model = fixtures().join("families").join(name);
    let args = args.split(' ').map(|word| word.replace('_', " ")).chain(["-m".into(), model.to_str().unwrap().into()]);
    shell.run(&args.collect::<Vec<_>>())
}

#[test]
fn every_command_answers_or_says_what_is_not_defined() {
    let lines = "the cat\na dog is\n";
    let pairs = r#"{"sentence_good": "the cat is", "sentence_bad": "the cat are"}"#;
    let commands = [
        "attention The_cat_is --with logits,hidden,scores -o a.npz",
        "attention The_cat_is -o a.png",
        "saliency The_cat_is --evaluate -o s.json",
        "lens The_cat_is -o l.json",
        "lens The_cat_is --direct -o d.png",
        "lens The_cat_is --norms -o n.json",
        "heads The_cat_is -o h.json",
        "heads -o hr.json",
        "heads --weights -o hw.png",
        "heads --corpus lines.txt --length 8 -o hc.json",
        "mix The_cat_is -o m.png",
        "mix The_cat_is --method norm,value-zeroing -o mn.json",
        "qk The_cat_is -o q.json",
        "patch a_cat_is a_car_is --answer _a --foil _the -o p.json",
        "patch a_cat_is a_car_is --answer _a --foil _the --site resid-mid -o pr.json",
        "patch a_cat_is a_car_is --answer _a --foil _the --site k --by head --attribution -o pa.json",
        "patch a_cat_is a_car_is --answer _a --foil _the --attribution --rule relp -o pl.json",
        "patch a_cat_is a_car_is --answer _a --foil _the --edges -o pe.json",
        "patch The_cat_is --ablate 1.1,mlp1,@1 -o pb.json",
        "circuit check induction",
        "surprisal The_cat_is --words -o su.json",
        "explain The_cat_is -o e.html",
        "diff The_cat_is The_dog_is -o di.json",
        "probe pairs pairs.jsonl -o pp.json",
        "probe cloze --template the_{x}_is --fill x=cat,dog -o pc.json",
        "bias --template The_{man|cat}_is -o b.json",
        "batch lines.txt --out b",
    ];
    let refused = |name: &str, command: &str| -> Option<&str> {
        let post = name.starts_with("olmo2") || name.starts_with("gemma");
        let is = |part: &str| command.contains(part);
        match command {
            _ if is("relp") => Some("RelP"),
            _ if is("--edges") && name == "neo-words" => None,
            _ if is("--edges") && name == "neox-words" => Some("no resid_mid"),
            _ if is("--edges") && name == "olmo2-words" => Some("norms what its heads add together"),
            _ if is("--edges") => Some("share keys and values"),
            _ if is("resid-mid") && name == "neox-words" => Some("no resid_mid"),
            _ if (is("--weights") || is("norm,value-zeroing")) && post => Some("norms what its heads add together"),
            _ => None,
        }
    };
    for name in WORDS {
        let shell = Shell::new();
        shell.write("lines.txt", lines).write("pairs.jsonl", pairs);
        for command in commands {
            let ran = run(&shell, name, command);
            match refused(name, command) {
                Some(why) => {
                    assert_eq!(ran.code, Some(2), "{name}: {command}: {}", ran.err);
                    assert!(ran.err.contains(why) && ran.err.contains("hint:"), "{name}: {command}: {}", ran.err);
                }
                None => assert!(matches!(ran.code, Some(0 | 3)), "{name}: {command}: {}", ran.err),
            }
        }
        let said = run(&shell, name, "mix The_cat_is -o said.json").err;
        assert_eq!(said.contains("value-zeroing are left out"), refused(name, "--weights").is_some(), "{name}: {said}");
    }
}

#[test]
fn what_changes_numbers_and_is_not_known_is_refused_by_name() {
    let of = |name: &str| Copy::of(&format!("families/{name}"));
    let set = |name: &str, field: &str, value: Value| of(name).json("config.json", |config| config[field] = value);
    let llama = |field: &str, value: Value| set("llama-words", field, value);
    for (field, value, named) in [
        ("hidden_size", json!(0), "hidden_size"),
        ("num_key_value_heads", json!(3), "num_key_value_heads"),
        ("num_hidden_layers", json!(-1), "num_hidden_layers"),
        ("head_dim", json!(5), "dimensions of a head"),
        ("hidden_act", json!("mish"), "mish"),
        ("rms_norm_eps", json!(null), "rms_norm_eps"),
        ("attention_bias", json!("yes"), "attention_bias"),
        ("rope_scaling", json!({"rope_type": "longrope", "factor": 2.0}), "longrope"),
        ("rope_scaling", json!({"rope_type": "linear"}), "factor"),
        ("rope_scaling", json!({"rope_type": "default", "mrope_section": [1, 2]}), "mrope_section"),
        ("partial_rotary_factor", json!(0.5), "partial_rotary_factor"),
        ("num_local_experts", json!(8), "num_local_experts"),
        ("embedding_multiplier", json!(12.0), "embedding_multiplier"),
        ("quantization_config", json!({"bits": 4}), "quantization_config"),
        ("attn_logit_softcapping", json!(30.0), "attn_logit_softcapping"),
        ("is_causal", json!(false), "is_causal"),
    ] {
        llama(field, value).refused(&["config.json", named]);
    }
    llama("layer_types", json!(["full_attention", "linear_attention"])).refused(&["layer 1 is of linear_attention"]);
    llama("num_hidden_layers", json!(1)).refused(&["layers.1.", "num_hidden_layers 1"]);
    llama("num_hidden_layers", json!(3)).refused(&["layers.2."]);
    llama("attention_bias", json!(true)).refused(&["q_proj.bias"]);
    set("llama-biases", "attention_bias", json!(false)).refused(&["bias", "belongs to no part"]);
    set("mistral-window", "sliding_window", json!(0)).refused(&["sliding_window"]);
    set("qwen2-window", "layer_types", json!(["chunked_attention", "full_attention"])).refused(&["layer 0", "chunked"]);
    set("gemma2-words", "use_bidirectional_attention", json!(true)).refused(&["use_bidirectional_attention"]);
    set("gemma3-words", "attn_logit_softcapping", json!(50.0)).refused(&["attn_logit_softcapping"]);
    set("gemma3-words", "layer_types", json!(["recurrent", "full_attention"])).refused(&["layer 0", "recurrent"]);
    set("neo-odd-heads", "attention_types", json!([[["global", "sparse"], 1]])).refused(&["layer 1", "sparse"]);
    set("neo-words", "attention_types", json!([[["global"], 3]])).refused(&["attention_types", "3"]);
    set("neox-words", "use_parallel_residual", json!(null)).refused(&["use_parallel_residual"]);
    for (kind, why) in [("mixtral", "experts"), ("qwen3_next", "linear attention"), ("mamba2", "no attention")] {
        llama("model_type", json!(kind)).refused(&["model_type", kind, why, "gemma3_text"]);
    }
    let borrowed = set("llama-words", "architectures", json!(["OtherForCausalLM"])).json("config.json", |config| {
        config["other_field"] = json!(1);
    });
    let said = borrowed.run().err;
    assert!(said.contains("OtherForCausalLM is no class") && said.contains("no effect: other_field"), "{said}");
    let adapter = of("llama-words").renamed(|name| name.replace("q_proj.weight", "q_proj.base_layer.weight"));
    adapter.refused(&["q_proj"]);
    of("llama-words").without(WEIGHTS).refused(&["model.safetensors"]);
}

#[test]
fn texts_become_the_ids_that_transformers_has_for_each_family() {
    // What AutoTokenizer makes of the folders, of which the classes of Qwen and GPT-NeoX compose characters first.
    let composed = [296, 280, 220, 16, 17];
    let written = [68, 136, 223, 280, 220, 16, 17];
    for (name, class, expected) in [
        ("qwen3-words", None, &composed[..]),
        ("qwen3-words", Some("Qwen2Tokenizer"), &composed),
        ("qwen3-words", Some("GPT2Tokenizer"), &written),
        ("qwen2-full", Some("LlamaTokenizerFast"), &composed),
        ("neox-words", None, &composed),
        ("olmo2-words", None, &written),
        ("olmo2-words", Some("GPTNeoXTokenizer"), &written),
        ("llama-words", None, &written),
        ("llama-words", Some("PreTrainedTokenizerFast"), &written),
        ("neo-words", None, &written),
    ] {
        let tokenizer = std::fs::read(fixtures().join("base/tokenizer.json")).unwrap();
        let mut copy = Copy::of(&format!("families/{name}")).with("tokenizer.json", tokenizer);
        if let Some(class) = class {
            copy = copy.with("tokenizer_config.json", json!({"tokenizer_class": class}).to_string());
        }
        let folder = copy.path("config.json").parent().unwrap().to_path_buf();
        let checkpoint = Checkpoint::open(&Source::Directory(folder)).unwrap();
        let found = attnviz::session::tokenizer(&checkpoint).encode("e\u{301} is 12").unwrap();
        assert_eq!(found, expected, "{name} {class:?}");
    }
}

#[test]
fn files_say_how_many_heads_share_keys_and_values_where_they_do() {
    let of = |name: &str| -> Value {
        let ran = run(&Shell::new(), name, "attention The_cat_is -o - --format json");
        serde_json::from_slice::<Value>(&ran.ok()).unwrap()["model"].clone()
    };
    assert_eq!(of("llama-words")["kv_heads"], json!(2));
    assert_eq!(of("neo-words").get("kv_heads"), None);
    let shell = Shell::new();
    let listed: Value = serde_json::from_slice(&shell.ok(&["models", "--format", "json", "--quiet"])).unwrap();
    let heads = ["layers", "heads", "kv_heads"].map(|name| listed[0][name].as_u64().unwrap());
    assert!(heads[1] == heads[2] && heads[0] > 0, "{heads:?}");
}

#[test]
fn probes_put_in_front_of_texts_what_the_tokenizer_does_and_say_so() {
    let begun = Copy::of("families/llama-words").json("tokenizer.json", |tokenizer| {
        tokenizer["post_processor"] = json!({
            "type": "TemplateProcessing", "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
            "single": [{"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "special_tokens": {"<|endoftext|>": {"id": "<|endoftext|>", "ids": [299], "tokens": ["<|endoftext|>"]}},
        });
    });
    let plain = Copy::of("families/llama-words");
    let shell = Shell::new();
    let filled = |copy: &Copy, more: &[&str]| -> (Value, String) {
        let folder = copy.path("");
        let asked =
            ["probe", "cloze", "--template", "the {x} is", "--fill", "x=cat,dog", "-m", folder.to_str().unwrap()];
        let found = shell.ok(&[&asked[..], &["-o", "-", "--format", "json"], more].concat());
        let found: Value = serde_json::from_slice(&found).unwrap();
        let drawn = String::from_utf8(shell.ok(&[&asked[..], &["-o", "-", "--format", "svg"], more].concat())).unwrap();
        (found["results"][0].clone(), drawn)
    };
    let (own, drawn) = filled(&begun, &[]);
    assert!(own["bos"] == json!(true) && drawn.contains("after the tokenizer"), "{own}");
    let (asked, drawn) = filled(&plain, &["--bos"]);
    assert!(asked["bos"] == json!(true) && drawn.contains("after BOS"));
    let (without, drawn) = filled(&plain, &[]);
    assert!(without["bos"] == json!(false) && drawn.contains("no BOS"));
    assert_eq!(own["p_top"], asked["p_top"]);
    assert_ne!(own["p_top"], without["p_top"]);
}

#[test]
fn a_token_that_begins_texts_is_put_in_front_unless_it_is_not_wanted() {
    let begun = Copy::of("families/llama-words").json("tokenizer.json", |tokenizer| {
        tokenizer["post_processor"] = json!({
            "type": "TemplateProcessing", "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
            "single": [{"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "special_tokens": {"<|endoftext|>": {"id": "<|endoftext|>", "ids": [299], "tokens": ["<|endoftext|>"]}},
        });
    });
    let folder = begun.path("");
    let ids = |flags: &[&str]| -> Value {
        let args =
            [&["attention", "The", "-o", "-", "--format", "json", "-m", folder.to_str().unwrap()], flags].concat();
        serde_json::from_slice::<Value>(&Shell::new().run(&args).ok()).unwrap()["token_ids"].clone()
    };
    assert_eq!(ids(&[]), json!([299, 295]));
    assert_eq!(ids(&["--bos"]), json!([299, 295]));
    assert_eq!(ids(&["--no-bos"]), json!([295]));
    assert_eq!(ids(&["--no-special"]), json!([295]));
}
