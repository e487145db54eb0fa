//! A folder that holds an adapter, which changes another model, where a model is asked for.

use super::contents;
use crate::error::Error;
use crate::json;
use serde::Deserialize;
use std::path::Path;

/// How PEFT describes an adapter.
const CONFIG: &str = "adapter_config.json";

#[derive(Default, Deserialize)]
#[serde(default)]
struct Described {
    base_model_name_or_path: Option<String>,
    peft_type: Option<String>,
}

/// The error for a folder with an adapter and no model of its own.
pub(super) fn unmerged(folder: &Path) -> Option<Error> {
    let bytes = contents::read(folder, CONFIG).ok()??;
    let Described { base_model_name_or_path, peft_type } = json::parse(&bytes).unwrap_or_default();
    let (kind, base) =
        (peft_type.unwrap_or_else(|| "PEFT".into()), base_model_name_or_path.filter(|base| !base.is_empty()));
    let of = base.as_ref().map_or_else(|| "a model that it does not name".into(), |base| format!("{base:?}"));
    let (folder, base) = (folder.display(), base.as_deref().unwrap_or("BASE"));
    let merge = format!(
        "merge it in Python: PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained({base:?}), {:?}).merge_and_unload()\
         .save_pretrained(dir)",
        folder.to_string()
    );
    Some(Error::failed(format!("{folder} holds a {kind} adapter of {of}, not a model")).hint(merge))
}
