//! Values of the core that a Perl process keeps between calls.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Error, format_err};

/// The values by number. Perl has the numbers, and hands them back when it no longer needs a value.
pub struct Kept<T>(Mutex<BTreeMap<u64, T>>);

impl<T> Kept<T> {
    pub const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    /// Keeps a value. Returns its number.
    pub fn keep(&self, value: T) -> u64 {
        let mut values = self.values();
        let number = values.keys().next_back().map_or(1, |last| last + 1);
        values.insert(number, value);
        number
    }

    /// Calls the code with the value of this number.
    pub fn with<R>(&self, number: u64, code: impl FnOnce(&mut T) -> R) -> Result<R, Error> {
        let mut values = self.values();
        let value = values.get_mut(&number);
        let value = value.ok_or_else(|| format_err!("there is no value with number {number}"))?;
        Ok(code(value))
    }

    /// Drops the value of this number.
    pub fn release(&self, number: u64) {
        self.values().remove(&number);
    }

    /// A call that panicked leaves a value that the next call can use.
    fn values(&self) -> MutexGuard<'_, BTreeMap<u64, T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
