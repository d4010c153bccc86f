//! The entries of `devices`, and how long multipathd takes to join those for the same devices
//! (libmultipath/config.c, `factorize_hwtable`).
//!
//! It compares each entry with all behind it, and starts over whenever it has joined two.

use std::borrow::Cow;
use std::collections::HashMap;

use super::finding::{Finding, FindingCode, Position, Remark};

/// Entries that multipathd has of its own, which it compares with the others each time.
const BUILT_IN: usize = 150;

/// Most comparisons, which take 0.3 to 0.4 s on an EPYC of 2023, in any of the three versions.
const MOST_COMPARISONS: usize = 50_000_000;

/// What an entry is for: vendor, product and revision.
pub(super) type Key<'t> = [Option<Cow<'t, str>>; 3];

/// The entries so far.
#[derive(Debug, Default)]
pub(super) struct Devices<'t> {
    /// How many there are for the same devices.
    counts: Vec<usize>,
    /// Place of each kind in `counts`.
    kinds: HashMap<Key<'t>, usize>,
    /// The kind of each entry.
    entries: Vec<usize>,
    /// The first entry that repeats another.
    first_repeated: Option<Position>,
}

impl<'t> Devices<'t> {
    /// Takes note of an entry; whether there is one for the same devices above.
    pub(super) fn add(&mut self, key: Key<'t>, at: Position) -> bool {
        let new = self.counts.len();
        let kind = *self.kinds.entry(key).or_insert(new);
        self.entries.push(kind);
        match self.counts.get_mut(kind) {
            Some(count) => {
                *count += 1;
                self.first_repeated.get_or_insert(at);
                true
            }
            None => {
                self.counts.push(1);
                false
            }
        }
    }

    /// What is to be said of all of them.
    pub(super) fn check(&self) -> Option<Finding> {
        let at = self.first_repeated?;
        if self.comparisons() <= MOST_COMPARISONS {
            return None;
        }
        let all = self.entries.len();
        let repeated = all - self.counts.len();
        let message = format!(
            "{repeated} of the {all} entries of 'devices' repeat others: to join them would keep \
             multipathd busy for seconds whenever it reads its configuration"
        );
        let remark = Remark::error(FindingCode::TooManyEntries, message)
            .instead("keep one entry for the same vendor, product and revision");
        Some(remark.at(at))
    }

    /// How often multipathd compares two entries.
    fn comparisons(&self) -> usize {
        let mut behind = self.counts.clone();
        let mut left = self.entries.len();
        let mut single = 0;
        let mut comparisons = 0_usize;
        for kind in &self.entries {
            let Some(behind) = behind.get_mut(*kind) else {
                continue;
            };
            *behind -= 1;
            if *behind > 0 {
                // it goes into the next one of its kind, and all is compared anew up to here
                let again = (BUILT_IN + single).saturating_mul(left);
                comparisons = comparisons.saturating_add(again);
                left -= 1;
            } else {
                single += 1;
            }
        }
        comparisons
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comparisons(names: &[usize]) -> usize {
        let mut devices = Devices::default();
        for name in names {
            let at = Position { line: 1, column: 1 };
            devices.add([Some(name.to_string().into()), None, None], at);
        }
        devices.comparisons()
    }

    // counted by hand: each join costs what stands before it, and what multipathd has, times the rest
    #[test]
    fn each_join_starts_over() {
        assert_eq!(comparisons(&[1, 2, 3]), 0);
        assert_eq!(comparisons(&[1, 1]), 150 * 2);
        assert_eq!(comparisons(&[1, 1, 1]), 150 * 3 + 150 * 2);
        assert_eq!(comparisons(&[1, 2, 2]), 151 * 3);
        assert_eq!(comparisons(&[1, 2, 1]), 150 * 3);
    }
}
