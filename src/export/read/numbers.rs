//! Numbers of every kind that a trace may use.
use half::{bf16, f16};

/// Appends the numbers that the bytes hold, the lowest byte first.
pub(super) type Append<T> = fn(&[u8], &mut Vec<T>);

/// What kind of number a tensor holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    F16,
    Bf16,
    F32,
    F64,
    Bool,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    /// Any other, by its name in the file.
    Other(String),
}

impl Kind {
    /// Bytes per number; nothing is read of other kinds.
    pub(super) fn width(&self) -> usize {
        match self {
            Self::Bool | Self::I8 | Self::U8 => 1,
            Self::F16 | Self::Bf16 | Self::I16 | Self::U16 => 2,
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::F64 | Self::I64 | Self::U64 => 8,
            Self::Other(_) => 0,
        }
    }

    /// Appends bytes as floats, where the kind is one.
    pub(super) fn floats(&self) -> Option<Append<f32>> {
        Some(match self {
            Self::F16 => |bytes, numbers| convert(bytes, numbers, |number| f16::from_le_bytes(number).to_f32()),
            Self::Bf16 => |bytes, numbers| convert(bytes, numbers, |number| bf16::from_le_bytes(number).to_f32()),
            Self::F32 => |bytes, numbers| convert(bytes, numbers, f32::from_le_bytes),
            Self::F64 => |bytes, numbers| convert(bytes, numbers, |number| f64::from_le_bytes(number) as f32),
            _ => return None,
        })
    }

    /// Appends bytes as integers, where the kind is one; what does not fit becomes -1, which is no token.
    pub(super) fn integers(&self) -> Option<Append<i64>> {
        Some(match self {
            Self::Bool | Self::U8 => |bytes, numbers| numbers.extend(bytes.iter().map(|byte| i64::from(*byte))),
            Self::I8 => |bytes, numbers| convert(bytes, numbers, |number| i8::from_le_bytes(number).into()),
            Self::I16 => |bytes, numbers| convert(bytes, numbers, |number| i16::from_le_bytes(number).into()),
            Self::U16 => |bytes, numbers| convert(bytes, numbers, |number| u16::from_le_bytes(number).into()),
            Self::I32 => |bytes, numbers| convert(bytes, numbers, |number| i32::from_le_bytes(number).into()),
            Self::I64 => |bytes, numbers| convert(bytes, numbers, i64::from_le_bytes),
            Self::U32 => |bytes, numbers| convert(bytes, numbers, |number| u32::from_le_bytes(number).into()),
            Self::U64 => |bytes, numbers| {
                convert(bytes, numbers, |number| i64::try_from(u64::from_le_bytes(number)).unwrap_or(-1))
            },
            _ => return None,
        })
    }

    /// The kind's name.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::Bool => "bool",
            Self::I8 => "i8",
            Self::I16 => "i16",
            Self::U8 => "u8",
            Self::U16 => "u16",
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::U32 => "u32",
            Self::U64 => "u64",
            Self::Other(name) => name,
        }
    }
}

fn convert<const WIDTH: usize, T>(bytes: &[u8], numbers: &mut Vec<T>, number: impl Fn([u8; WIDTH]) -> T) {
    numbers.extend(bytes.as_chunks::<WIDTH>().0.iter().map(|chunk| number(*chunk)));
}
