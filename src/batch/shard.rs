//! A share of the work: whole blocks of prompts, dealt out in turn.

use super::BLOCK;
use crate::error::{Error, Result};
use std::str::FromStr;

/// Share `number` of `of`, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    number: u64,
    of: u64,
}

impl Default for Shard {
    /// All of it.
    fn default() -> Self {
        Self { number: 1, of: 1 }
    }
}

impl Shard {
    /// Share `number` of `of`, counted from 1.
    ///
    /// # Errors
    /// A number that is not from 1 to `of`.
    pub fn new(number: u64, of: u64) -> Result<Self> {
        if (1..=of).contains(&number) {
            return Ok(Self { number, of });
        }
        Err(Error::usage(format!("shard {number}/{of} does not exist")).hint("shards are numbered 1/N to N/N"))
    }

    /// What the variables of a job array say: Slurm's, counted from its own first task, or, where `of` is given, those of a
    /// Kubernetes indexed job, counted from 0.
    ///
    /// # Errors
    /// No such variable is set, or it is no number.
    pub fn from_environment(get: impl Fn(&str) -> Option<String>, of: Option<u64>) -> Result<Self> {
        let number = |name: &str| -> Result<Option<u64>> {
            let Some(text) = get(name) else { return Ok(None) };
            let wrong =
                |_| Error::usage(format!("{name}={text:?} is not a number")).hint("write K/N instead").option("shard");
            text.parse().map(Some).map_err(wrong)
        };
        if let Some(task) = number("SLURM_ARRAY_TASK_ID")? {
            let first = number("SLURM_ARRAY_TASK_MIN")?.unwrap_or(0);
            let count = of.map_or_else(|| number("SLURM_ARRAY_TASK_COUNT"), |of| Ok(Some(of)))?;
            let count = count.ok_or_else(|| {
                Error::usage("SLURM_ARRAY_TASK_ID is set, but not SLURM_ARRAY_TASK_COUNT")
                    .hint("write auto/N or K/N")
                    .option("shard")
            })?;
            return Self::new(task.wrapping_sub(first).wrapping_add(1), count);
        }
        match (number("JOB_COMPLETION_INDEX")?, of) {
            (Some(index), Some(of)) => Self::new(index.wrapping_add(1), of),
            (Some(_), None) => Err(Error::usage("JOB_COMPLETION_INDEX does not say of how many")
                .hint("write auto/N, with N the job's completions")
                .option("shard")),
            (None, _) => Err(Error::usage("no job array is running here")
                .hint("SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX must be set; or write K/N")
                .option("shard")),
        }
    }

    /// Whether a prompt is in this share.
    pub fn owns(self, index: u64) -> bool {
        index / BLOCK as u64 % self.of == self.number - 1
    }

    /// Its number, from 1.
    pub fn number(self) -> u64 {
        self.number
    }

    /// How many shares there are.
    pub fn of(self) -> u64 {
        self.of
    }

    /// Whether there are other shares.
    pub fn is_part(self) -> bool {
        self.of > 1
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Shard {
    type Err = Error;

    /// `K/N`.
    fn from_str(text: &str) -> Result<Self> {
        let numbers = text.split_once('/').and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
        let (number, of) = numbers.ok_or_else(|| {
            Error::usage(format!("{text:?} is not a share")).hint("write K/N, such as 1/4, or auto").option("shard")
        })?;
        Self::new(number, of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prompt_is_in_exactly_one_share() {
        let shares: Vec<Shard> = ["1/3", "2/3", "3/3"].iter().map(|text| text.parse().unwrap()).collect();
        for index in 0..1000 {
            assert_eq!(shares.iter().filter(|share| share.owns(index)).count(), 1, "{index}");
        }
        assert!(Shard::default().owns(u64::MAX));
        for wrong in ["0/3", "4/3", "1/0", "a/b", "1", "", "-1/3"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn job_arrays_name_their_share() {
        let from = |variables: &[(&str, &str)], of| {
            let get = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| value.to_string());
            Shard::from_environment(get, of).map(|shard| shard.to_string()).map_err(|error| error.message)
        };
        let slurm = [("SLURM_ARRAY_TASK_ID", "7"), ("SLURM_ARRAY_TASK_MIN", "5"), ("SLURM_ARRAY_TASK_COUNT", "4")];
        assert_eq!(from(&slurm, None).unwrap(), "3/4");
        assert_eq!(from(&[("JOB_COMPLETION_INDEX", "0")], Some(2)).unwrap(), "1/2");
        assert!(from(&[("JOB_COMPLETION_INDEX", "2")], Some(2)).unwrap_err().contains("3/2"));
        assert!(from(&[("JOB_COMPLETION_INDEX", "x")], Some(2)).unwrap_err().contains("not a number"));
        assert!(from(&[], Some(2)).unwrap_err().contains("no job array"));
    }
}
