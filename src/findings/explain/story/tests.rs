//! Each kind of sentence goes where its numbers go.

use super::*;
use crate::export::Array;
use crate::findings::{Target, Token};
use serde_json::{Map, Value, json};

fn entry(method: &str, fields: Value, arrays: &[(&str, &[usize], &[f32])]) -> Entry {
    let array = |(name, shape, values): &(&str, &[usize], &[f32])| Array {
        name: (*name).into(),
        shape: shape.to_vec(),
        values: values.to_vec(),
    };
    let fields = fields.as_object().cloned().unwrap_or_default();
    Entry { method: method.into(), settings: Map::new(), fields, arrays: arrays.iter().map(array).collect() }
}

fn scores(values: &[f32; 3]) -> Entry {
    entry("a", json!({ "target": 7 }), &[("scores", &[3], values)])
}

/// What comes next: the answer's probability, and the model's own choice.
fn next(p: f64, own: u32) -> Entry {
    entry("next-token", json!({ "target": 7, "p_target": p, "next": [{ "token": own }] }), &[])
}

/// Ranks of three rows at the last of three positions.
fn lens(ranks: [f32; 3], own: f32) -> Entry {
    let spread: Vec<f32> = ranks.iter().flat_map(|rank| [9.0, 9.0, *rank]).collect();
    let top = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, own];
    let rows = json!({ "rows": ["embedding", "layer 0", "layer 1"] });
    entry("lens", rows, &[("rank", &[3, 3], &spread), ("top", &[3, 3], &top)])
}

/// One layer of two heads.
fn direct(heads: [f32; 2], mlp: f32) -> Entry {
    let arrays: [(&str, &[usize], &[f32]); 3] = [
        ("parts_centred.heads", &[1, 2], &heads),
        ("parts_centred.mlp", &[1], &[mlp]),
        ("parts_centred.total", &[], &[heads[0] + heads[1] + mlp]),
    ];
    entry("direct-logit-attribution", Value::Null, &arrays)
}

fn attention(last: [f32; 3], label: &str) -> [Entry; 2] {
    let mut weights = vec![0.0; 18];
    weights[6..9].copy_from_slice(&last);
    let map = entry("attention", Value::Null, &[("attention", &[1, 2, 3, 3], &weights)]);
    [map, entry("heads", json!({ "label": [[label, "broad"]] }), &[])]
}

/// What is told of these, in one text.
fn told(results: &[Entry], target: Option<u32>) -> String {
    let results: Vec<&Entry> = results.iter().collect();
    let tokens = ["a", "b", "c"].map(String::from);
    let facts = Facts { results: &results, tokens: &tokens, position: 2, label: &|id| format!("w{id}") };
    let target = Target { target: target.map(Token::Id), ..Target::default() };
    let all = tell(&facts, &Options { target, ..Options::default() });
    all.iter().map(|sentence| format!("{}: {}\n", sentence.panel, sentence.text)).collect()
}

#[test]
fn how_sure_the_model_is_follows_the_probability() {
    let said = |p| told(&[next(p, 7), lens([5.0, 2.0, 1.0], 7.0)], None);
    assert!(said(0.95).contains("almost certain that “w7” comes next: its probability is 95 %"), "{}", said(0.95));
    assert!(said(0.6).contains("more than that of all other tokens together"));
    assert!(said(0.2).contains("it is not sure"));
    let other = told(&[next(0.01, 4), lens([5.0, 2.0, 3.0], 4.0)], Some(7));
    assert!(other.contains("its own first choice is “w4”") && other.contains("ends at rank 3"), "{other}");
}

#[test]
fn no_token_is_named_where_methods_do_not_agree() {
    let said = |a, b| told(&[next(0.5, 7), scores(&a), scores(&b)], None);
    let same = said([0.1, 0.2, 3.0], [0.2, 0.3, 9.0]);
    assert!(same.contains("name “c” (2)") && same.contains("much the same order (mean rank correlation"), "{same}");
    let first = said([0.2, 0.1, -3.0], [0.1, 0.2, 9.0]);
    assert!(first.contains("name “c” (2)") && first.contains("in different orders"), "{first}");
    let apart = said([3.0, 2.0, 1.0], [1.0, 2.0, 3.0]);
    assert!(apart.contains("do not agree") && !apart.contains("name “"), "{apart}");
    assert!(
        !told(&[next(0.5, 7), scores(&[1.0, 2.0, 3.0])], None).contains("attribution name"),
        "one method agrees with none"
    );
}

#[test]
fn the_layer_at_which_an_answer_forms_is_where_it_stays_first() {
    let said = |ranks| told(&[next(0.9, 7), lens(ranks, 7.0)], None);
    assert!(said([1.0, 1.0, 1.0]).contains("from the very beginning"));
    assert!(said([1.0, 4.0, 1.0]).contains("only at the end, after layer 1; one step before it was at rank 4"));
    assert!(said([8.0, 1.0, 1.0]).contains("after layer 0 and remains so to the end"));
    assert!(said([1.0, 1.0, 2.0]).contains("ends at rank 2"));
}

#[test]
fn only_parts_that_lift_the_answer_are_said_to_write_it() {
    let base = next(0.9, 7);
    let said = |heads, mlp| told(&[base.clone(), direct(heads, mlp)], None);
    let all = said([2.0, -1.0], 0.5);
    assert!(all.contains("is 1.50 above that of the average token. Of the attention heads and MLPs, the two kinds of parts of a layer, head 0.0 (+2.00) and MLP 0 (+0.50) wrote the largest shares"), "{all}");
    let none = told(
        &[
            base.clone(),
            entry(
                "direct-logit-attribution",
                Value::Null,
                &[
                    ("parts_centred.heads", &[1, 2], &[0.004, -1.0]),
                    ("parts_centred.mlp", &[1], &[0.0]),
                    ("parts_centred.total", &[], &[5.0]),
                ],
            ),
        ],
        None,
    );
    assert!(none.contains("none wrote a hundredth of that") && !none.contains("+0.00"), "{none}");
    assert!(said([-2.0, -1.0], 0.5).contains("is not above that of the average token (−2.50)"));
    let [map, heads] = attention([0.1, 0.8, 0.1], "induction");
    let looks = told(&[base.clone(), direct([2.0, -1.0], 0.5), map, heads], None);
    assert!(
        looks.contains("followed an earlier copy of the token (an induction head); from “c” (2) it looks most at “b” (1) (weight 0.80)"),
        "{looks}"
    );
    let [map, heads] = attention([0.1, 0.2, 0.1], "broad");
    let vague = told(&[base.clone(), direct([2.0, -1.0], 0.5), map, heads], None);
    assert!(vague.contains("looks at nothing in particular") && !vague.contains("Head 0.1"), "{vague}");
}

#[test]
fn what_taking_heads_out_does_is_said_as_it_is() {
    let said = |after: f64, rank: u32| {
        let of = |p: f64, rank: u32| json!({ "logprob": p.ln(), "rank": rank });
        let fields = json!({ "ablated": ["4.2", "4.1"], "before": of(0.5, 1), "after": of(after, rank) });
        told(&[next(0.5, 7), entry("ablation", fields, &[])], None)
    };
    let falls = said(0.02, 7);
    assert!(
        falls.contains("Without heads 4.2 and 4.1 (set to zero), “w7” falls from 50 % (rank 1) to 2.0 % (rank 7)"),
        "{falls}"
    );
    assert!(said(0.4, 1).contains("at least half of its probability is left"));
    assert!(said(0.6, 1).contains("does not fall"));
}

#[test]
fn what_was_not_measured_is_not_told() {
    let nothing = told(&[], None);
    assert!(nothing.starts_with("next: Not shown by this") && nothing.lines().count() == 1, "{nothing}");
    let test = entry("faithfulness", json!({ "conclusion": "On this prompt no method does." }), &[]);
    assert!(told(&[test], None).contains("saliency: Put to the test: on this prompt no method does."));
    let bits = entry("surprisal", json!({ "mean": 4.0 }), &[("bits", &[3], &[f32::NAN, 2.0, 6.0])]);
    assert!(
        told(&[bits], None)
            .contains("4.00 bits a token on average (one bit is the toss of a coin), and most at “c” (2), by 6.0 bits")
    );
}

#[test]
fn what_comes_from_an_earlier_token_is_said_of_the_rollout_alone() {
    let map = entry("rollout", Value::Null, &[("map", &[3, 3], &[1.0, 0.0, 0.0, 0.5, 0.5, 0.0, 0.5, 0.3, 0.2])]);
    let said = told(&[map], None);
    assert!(
        said.contains("has a share of 0.50 in what stands at “c” (2); of those between, “b” (1) has the most, 0.30"),
        "{said}"
    );
}

#[test]
fn another_prompt_is_told_of_as_far_as_it_was_measured() {
    let other = |p: f64, rank: u32, own: u32| {
        let fields = json!({ "p_target": p, "rank": rank, "prompt": "x\ny", "next": [{ "token": own }] });
        told(&[next(0.5, 7), entry("contrast", fields, &[])], None)
    };
    let goes = other(0.02, 5, 9);
    assert!(
        goes.contains("After the other prompt, “x y”, the first choice is “w9”; “w7” goes from 50 % to 2.0 % (rank 5)"),
        "{goes}"
    );
    assert!(other(0.9, 1, 7).contains("the first choice is “w7” as well, with 90 % where it is 50 % here"));
    let apart = |grid: &[f32]| told(&[next(0.5, 7), entry("patching", Value::Null, &[("grid", &[2, 3], grid)])], None);
    let moved = apart(&[0.0, 1.0, 0.0, 0.1, 0.2, 0.8]);
    assert!(
        moved.contains("the one at “b” (1) alone brings back 1.00 of the difference as late as layer 0"),
        "{moved}"
    );
    assert!(moved.contains("the one at the last position brings back 0.80 of it from layer 1 on"));
    assert!(apart(&[0.4; 6]).contains("none brings back half of the difference"));
    assert!(!told(&[next(0.5, 7)], None).contains("patching"));
}

/// Everything that can be told of, in the order in which it is told, with what only that sentence says.
fn whole() -> [(Vec<Entry>, &'static str); 11] {
    let of = |p: f64, rank: u32| json!({ "logprob": p.ln(), "rank": rank });
    let ablated = json!({ "ablated": ["0.0"], "before": of(0.5, 1), "after": of(0.1, 2) });
    let contrast = json!({ "p_target": 0.1, "rank": 3, "prompt": "x", "next": [{ "token": 9 }] });
    let conclusion = json!({ "conclusion": "On this prompt none." });
    let rollout: (&str, &[usize], &[f32]) = ("map", &[3, 3], &[1.0, 0.0, 0.0, 0.5, 0.5, 0.0, 0.5, 0.3, 0.2]);
    [
        (vec![next(0.6, 7)], "After “c” (2) the model expects"),
        (vec![scores(&[0.1, 0.2, 3.0]), scores(&[0.2, 0.3, 9.0])], "methods of attribution name"),
        (vec![entry("faithfulness", conclusion, &[])], "Put to the test"),
        (vec![entry("rollout", Value::Null, &[rollout])], "Following attention alone"),
        (vec![lens([8.0, 1.0, 1.0], 7.0)], "Read layer by layer"),
        (vec![direct([2.0, 1.0], 0.5)], "wrote the largest shares"),
        (attention([0.1, 0.8, 0.1], "induction").into(), "it looks most at"),
        (vec![entry("ablation", ablated, &[])], "Without head 0.0"),
        (
            vec![entry("surprisal", json!({ "mean": 4.0 }), &[("bits", &[3], &[f32::NAN, 2.0, 6.0])])],
            "The prompt itself",
        ),
        (vec![entry("contrast", contrast, &[])], "After the other prompt"),
        (vec![entry("patching", Value::Null, &[("grid", &[2, 3], &[0.0, 1.0, 0.0, 0.1, 0.2, 0.8])])], "(patching)"),
    ]
}

#[test]
fn every_kind_of_sentence_goes_with_what_it_tells_of_and_with_nothing_else() {
    let all = whole();
    for left_out in 0..=all.len() {
        let kept = all.iter().enumerate().filter(|(at, _)| *at != left_out);
        let said = told(&kept.flat_map(|(_, (entries, _))| entries.clone()).collect::<Vec<_>>(), None);
        for (at, (_, marker)) in all.iter().enumerate() {
            // Sentences about an answer need the answer, and heads are looked at because they wrote it.
            let needs = match at {
                4 | 5 | 7 | 9 => vec![0],
                6 => vec![5],
                _ => Vec::new(),
            };
            let expected = at != left_out && !needs.contains(&left_out);
            assert_eq!(
                said.contains(marker),
                expected,
                "{marker} without {:?}: {said}",
                all.get(left_out).map(|one| one.1)
            );
        }
        assert!(said.contains("Not shown by this"));
    }
}

#[test]
fn every_kind_of_sentence_goes_where_its_numbers_are_none() {
    for (entries, marker) in &whole()[1..] {
        let mut without = entries.clone();
        without.iter_mut().flat_map(|entry| &mut entry.arrays).for_each(|array| array.values.fill(f32::NAN));
        without.iter_mut().for_each(|entry| entry.fields.clear());
        let rest = [next(0.6, 7), direct([2.0, 1.0], 0.5)];
        let said =
            told(&[&without[..], &rest[..if *marker == "wrote the largest shares" { 1 } else { 2 }]].concat(), None);
        assert!(!said.contains(marker), "{marker}: {said}");
    }
}

#[test]
fn a_probability_that_is_not_nothing_is_not_said_to_be_nothing() {
    assert!(
        told(&[next(0.0001, 7)], None).contains("less than 0.1 %")
            && !told(&[next(0.0001, 7)], None).contains(" 0.0 %")
    );
}
