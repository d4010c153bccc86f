//! Fuzz targets: what comes from outside, as any bytes, and what has to hold of it.
//!
//! A target is a function that panics when something does not hold. Two programs feed them: `random`
//! changes the project's fixtures at random and needs nothing that the core does not need
//! (`make fuzz-smoke`), `guided` hands them to libFuzzer (`make fuzz`). Both begin with the same
//! texts and words.

pub mod mutate;
mod seeds;
mod targets;

use std::path::{Path, PathBuf};

pub use mutate::{Pool, Rng};

/// Takes an input; whether it got so far that others may come from it. Panics if something does not
/// hold.
pub type Run = Box<dyn Fn(&[u8]) -> bool>;

/// What is fed with bytes.
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// Makes it ready, or says why it cannot run on this machine.
    pub start: fn() -> Result<Run, String>,
    /// How many inputs `random` gives it by default: some seconds' worth.
    pub inputs: u64,
    /// Which fixtures it begins with: a folder, and a part of the files' paths.
    seeds: &'static [(&'static str, &'static str)],
    /// Words that matter to it, beside those of the fixtures.
    words: &'static str,
}

/// All targets.
pub static TARGETS: [&Target; 5] = [
    &targets::overrides::TARGET,
    &targets::config::TARGET,
    &targets::maps::TARGET,
    &targets::broadcasts::TARGET,
    &targets::accepted_texts::TARGET,
];

impl Target {
    /// The target of this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        TARGETS.into_iter().find(|target| target.name == name)
    }

    /// The texts and words to begin with.
    pub fn pool(&self) -> Pool {
        Pool::new(seeds::read(self.seeds), self.words)
    }
}

/// The project's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
