//! What a sequence classifier's `config.json` says of its classes.

use super::{Classes, Odds};
use crate::error::{Error, Result};
use crate::text;
use serde_json::{Map, Value};

/// The matrix that makes the logits of classes.
pub(super) const SCORE: &str = "score.weight";
/// More classes than anybody trains.
const MOST: u64 = 1 << 20;

/// Whether a class of transformers has logits of whole texts.
pub(super) fn is_classifier(architecture: &str) -> bool {
    architecture.ends_with("ForSequenceClassification")
}

/// The classes by `id2label`, else as many as `num_labels` says, else two; and what was assumed of them. `padding` is the token that fills
/// texts up where the config names none.
///
/// # Errors
/// Fields that name no classes, or name them in a way that transformers does not read.
pub(super) fn classes(
    config: &Map<String, Value>,
    origin: &str,
    padding: Option<u32>,
) -> Result<(Classes, Option<String>)> {
    let refuse = |field: &str, why: &str| {
        let value = config.get(field).unwrap_or(&Value::Null);
        Error::failed(format!("{origin}: {field} is {value}: {why}"))
            .hint("a classifier's config.json names its classes: \"id2label\": {\"0\": \"no\", \"1\": \"yes\"}")
    };
    let given = |field: &str| config.get(field).filter(|value| !value.is_null());
    let count = match given("num_labels").map(Value::as_u64) {
        None => None,
        Some(Some(count @ 1..=MOST)) => Some(count as usize),
        Some(_) => return Err(refuse("num_labels", "it must be a number from 1")),
    };
    let labels: Vec<String> = match given("id2label") {
        None => (0..count.unwrap_or(2)).map(|class| format!("LABEL_{class}")).collect(),
        Some(Value::Object(names)) if !names.is_empty() => {
            let name = |class: usize| names.get(&class.to_string())?.as_str().map(str::to_owned);
            (0..names.len())
                .map(name)
                .collect::<Option<_>>()
                .ok_or_else(|| refuse("id2label", "its keys must count from 0, and each have a name"))?
        }
        Some(_) => return Err(refuse("id2label", "it must be an object of names")),
    };
    if count.is_some_and(|count| count != labels.len()) {
        return Err(refuse("num_labels", &format!("id2label names {}", text::count(labels.len(), "class"))));
    }
    let assumed =
        || format!("{origin}: one class and no problem_type: its logit is taken as a score, as of a regression");
    let (odds, remark) = match given("problem_type").map(Value::as_str) {
        None if labels.len() == 1 => (Odds::Score, Some(assumed())),
        None => (Odds::OneOf, None),
        Some(Some("single_label_classification")) if labels.len() > 1 => (Odds::OneOf, None),
        Some(Some("multi_label_classification")) => (Odds::Each, None),
        Some(Some("regression")) => (Odds::Score, None),
        Some(_) => return Err(refuse("problem_type", "it is none of transformers', or not for one class")),
    };
    let padding = match config.get("pad_token_id") {
        None => padding,
        Some(id) => id.as_u64().and_then(|id| u32::try_from(id).ok()),
    };
    Ok((Classes { labels, odds, padding }, remark))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(config: Value) -> Result<(Classes, Option<String>)> {
        classes(config.as_object().unwrap(), "config.json", None)
    }

    #[test]
    fn classes_are_those_that_transformers_reads() {
        let labels = |config: Value| of(config).unwrap().0.labels;
        assert_eq!(labels(json!({})), ["LABEL_0", "LABEL_1"]);
        assert_eq!(labels(json!({"num_labels": 3, "id2label": null})), ["LABEL_0", "LABEL_1", "LABEL_2"]);
        assert_eq!(labels(json!({"id2label": {"1": "yes", "0": "no"}})), ["no", "yes"]);
        let eleven: Map<String, Value> = (0..11).map(|i| (i.to_string(), json!(format!("c{i}")))).collect();
        assert_eq!(labels(json!({"id2label": eleven}))[10], "c10");
    }

    #[test]
    fn what_logits_mean_is_said_by_the_problem_type() {
        let odds = |problem: Value, count: usize| {
            of(json!({"problem_type": problem, "num_labels": count}))
                .map(|(classes, remark)| (classes.odds, remark.is_some()))
        };
        assert_eq!(odds(Value::Null, 2).unwrap(), (Odds::OneOf, false));
        assert_eq!(odds(Value::Null, 1).unwrap(), (Odds::Score, true));
        assert_eq!(odds(json!("regression"), 2).unwrap(), (Odds::Score, false));
        assert_eq!(odds(json!("multi_label_classification"), 1).unwrap(), (Odds::Each, false));
        assert!(odds(json!("single_label_classification"), 1).is_err());
        assert!(odds(json!("ranking"), 2).unwrap_err().message.contains("problem_type is \"ranking\""));
    }

    #[test]
    fn fields_that_name_no_classes_are_refused_by_name() {
        for (config, field) in [
            (json!({"id2label": ["no", "yes"]}), "id2label"),
            (json!({"id2label": {}}), "id2label"),
            (json!({"id2label": {"1": "no", "2": "yes"}}), "id2label"),
            (json!({"id2label": {"0": 5}}), "id2label"),
            (json!({"num_labels": 0}), "num_labels"),
            (json!({"num_labels": "two"}), "num_labels"),
            (json!({"num_labels": 3, "id2label": {"0": "no", "1": "yes"}}), "num_labels"),
        ] {
            let message = of(config).unwrap_err().message;
            assert!(message.contains(&format!("{field} is ")), "{message}");
        }
    }
}
