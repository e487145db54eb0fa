//! Where a model is computed, and in which type of number its weights are held.

use crate::named::Named;
use serde::{Deserialize, Serialize};

/// Where a model is computed. Numbers of another place differ in their last digits, so that a file says which it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Place {
    /// By which processor.
    pub device: Device,
    /// From which numbers.
    pub dtype: Precision,
}

impl Place {
    /// Whether it is where nobody says otherwise.
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self.dtype {
            Precision::F32 => f.write_str(self.device.name()),
            Precision::Bf16 => write!(f, "{}, weights rounded to bf16", self.device.name()),
        }
    }
}

/// A processor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// The processor that runs the program.
    #[default]
    Cpu,
    /// The first of NVIDIA's.
    Cuda,
    /// Apple's.
    Metal,
}

impl Named for Device {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Cpu, "cpu", "The processor that runs the program"),
        (Self::Cuda, "cuda", "NVIDIA's first, in a program built for it"),
        (Self::Metal, "metal", "Apple's, in a program built for it"),
    ];
}

/// How weights are held. What is computed from them, the residual stream and the patterns are f32 in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// With 24 bits of precision.
    #[default]
    F32,
    /// With 8 bits of precision and half the memory.
    Bf16,
}

impl Named for Precision {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::F32, "f32", "With 24 bits of precision"),
        (Self::Bf16, "bf16", "With 8 bits of precision and half the memory"),
    ];
}
