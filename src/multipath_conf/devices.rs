//! How long multipathd takes to merge the entries of `devices` that are for the same devices
//! (libmultipath/config.c, `factorize_hwtable`).
//!
//! It compares each entry with all later ones, and starts over whenever it has merged two.

use std::borrow::Cow;
use std::collections::HashMap;

use super::finding::{Finding, FindingCode, Position, Remark};

/// Number of built-in entries, which are compared with the others each time.
const BUILT_IN: usize = 150;

/// Most comparisons: they take 0.3 to 0.4 s on an EPYC of 2023, in each of the three versions.
const MOST_COMPARISONS: usize = 50_000_000;

/// The devices that an entry is for: vendor, product and revision.
pub(super) type Key<'t> = [Option<Cow<'t, str>>; 3];

/// The entries so far.
#[derive(Debug, Default)]
pub(super) struct Devices<'t> {
    /// Number of entries for each key.
    counts: Vec<usize>,
    /// Index of each key in `counts`.
    kinds: HashMap<Key<'t>, usize>,
    /// The index of each entry's key.
    entries: Vec<usize>,
    /// The first entry with the key of an earlier one.
    first_repeated: Option<Position>,
}

impl<'t> Devices<'t> {
    /// Adds an entry, and returns whether an earlier one has the same key.
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

    /// A finding if merging the entries takes too long.
    pub(super) fn check(&self) -> Option<Finding> {
        let at = self.first_repeated?;
        if self.comparisons() <= MOST_COMPARISONS {
            return None;
        }
        let all = self.entries.len();
        let repeated = all - self.counts.len();
        let message = format!(
            "{repeated} of the {all} entries of 'devices' repeat others: merging them would keep \
             multipathd busy for seconds each time it reads its configuration"
        );
        let remark = Remark::error(FindingCode::TooManyEntries, message)
            .instead("keep one entry for each vendor, product and revision");
        Some(remark.at(at))
    }

    /// Number of comparisons of two entries.
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
                // it is merged into the next one with its key, and all comparisons up to here start
                // over
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

    // counted by hand: a merge costs the entries before it, with the built-in ones, times those
    // left
    #[test]
    fn each_join_starts_over() {
        assert_eq!(comparisons(&[1, 2, 3]), 0);
        assert_eq!(comparisons(&[1, 1]), 150 * 2);
        assert_eq!(comparisons(&[1, 1, 1]), 150 * 3 + 150 * 2);
        assert_eq!(comparisons(&[1, 2, 2]), 151 * 3);
        assert_eq!(comparisons(&[1, 2, 1]), 150 * 3);
    }
}
