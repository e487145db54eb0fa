//! Numbers in JSON, which has no NaN: what is missing is null.

use serde::{Deserialize, Deserializer, Serializer};

pub(super) fn serialize<S: Serializer>(data: &[f32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(data.iter().map(|v| (!v.is_nan()).then_some(*v)))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f32>, D::Error> {
    let data = Vec::<Option<f32>>::deserialize(deserializer)?;
    Ok(data.into_iter().map(|v| v.unwrap_or(f32::NAN)).collect())
}
