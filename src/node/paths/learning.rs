//! Numbers of paths that have not settled yet.

use std::collections::BTreeMap;

use super::{Configured, Memory};
use crate::Wwid;

/// How long a number of paths has to last before it is remembered, in seconds.
pub const SETTLE_SECONDS: i64 = 300;

/// Longest time between two looks at the maps, in seconds. What happened during a longer one is
/// unknown, so settling starts again.
pub const MAX_GAP_SECONDS: i64 = 120;

/// Numbers of paths that have not settled yet, kept by the process that looks at the maps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Learning {
    /// When the maps were last looked at, in seconds since the epoch.
    seen: Option<i64>,
    /// The numbers above the remembered one, by LUN; see [`Level`].
    levels: BTreeMap<Wwid, Vec<Level>>,
}

/// The LUN has had at least this many paths since then. Of several levels, each has more paths than the
/// one before, for a shorter time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Level {
    paths: u32,
    since: i64,
}

impl Learning {
    /// Whether there is no number that has not settled: as long as the maps stay the same, looks at them
    /// change nothing.
    pub fn is_at_rest(&self) -> bool {
        self.levels.is_empty()
    }

    /// Looks at the maps at `now`, in seconds since the epoch: remembers the numbers that have settled,
    /// and forgets LUNs as [`Memory::forget`] says. `present` has the numbers of active paths.
    ///
    /// Without a configuration, because it could not be read, nothing is forgotten.
    ///
    /// Returns what has not settled. Numbers that have, but are not in `memory` yet, are still among it:
    /// until they have been written, each look finds them again, and so does a second look at the same
    /// time with a memory that was locked meanwhile.
    #[must_use]
    pub fn observe(
        &self,
        memory: &mut Memory,
        present: &BTreeMap<Wwid, u32>,
        configured: Option<&Configured>,
        now: i64,
    ) -> Self {
        if let Some(configured) = configured {
            memory.forget(configured, present);
        }
        let gap = self.seen.map(|seen| now.saturating_sub(seen));
        let is_continued = gap.is_some_and(|gap| (0..=MAX_GAP_SECONDS).contains(&gap));
        let mut next = Self {
            seen: Some(now),
            levels: BTreeMap::new(),
        };
        for (wwid, paths) in present {
            let before = self.levels.get(wwid).filter(|_| is_continued);
            let mut levels = before.cloned().unwrap_or_default();
            reach(&mut levels, *paths, now);
            let remembered = memory.paths(wwid).unwrap_or(0);
            levels.retain(|level| level.paths > remembered);
            let is_settled = |level: &&Level| now.saturating_sub(level.since) >= SETTLE_SECONDS;
            if let Some(level) = levels.iter().rfind(is_settled) {
                memory.remember(wwid, level.paths);
            }
            if !levels.is_empty() {
                next.levels.insert(wwid.clone(), levels);
            }
        }
        next
    }
}

/// Records that there are now this many paths. The first level with at least as many tells since when.
fn reach(levels: &mut Vec<Level>, paths: u32, now: i64) {
    let above = levels.iter().find(|level| level.paths >= paths);
    let since = above.map_or(now, |level| level.since);
    levels.retain(|level| level.paths < paths);
    levels.push(Level { paths, since });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wwid() -> Wwid {
        Wwid::new("3600a").unwrap()
    }

    /// What is remembered after each look: (seconds, active paths, remembered).
    fn walk(looks: &[(i64, u32, Option<u32>)]) {
        let (mut learning, mut memory) = (Learning::default(), Memory::default());
        for (now, paths, wanted) in looks {
            let present = BTreeMap::from([(wwid(), *paths)]);
            learning = learning.observe(&mut memory, &present, None, *now);
            assert_eq!(memory.paths(&wwid()), *wanted, "at {now} of {looks:?}");
        }
    }

    #[test]
    fn the_largest_number_that_stayed_is_remembered() {
        walk(&[
            (0, 4, None),
            (100, 4, None),
            (200, 4, None),
            (299, 4, None),
            (300, 4, Some(4)),
        ]);
        // Each number settles by itself while the paths come one after the other.
        walk(&[
            (0, 1, None),
            (20, 2, None),
            (100, 4, None),
            (200, 4, None),
            (300, 4, Some(1)),
            (320, 4, Some(2)),
            (399, 4, Some(2)),
            (400, 4, Some(4)),
        ]);
        // At least three were there all the time.
        walk(&[
            (0, 3, None),
            (100, 4, None),
            (200, 3, None),
            (300, 4, Some(3)),
            (400, 4, Some(3)),
        ]);
        // A path that comes and goes is not remembered, nor is a number forgotten.
        walk(&[
            (0, 2, None),
            (100, 2, None),
            (200, 2, None),
            (300, 2, Some(2)),
            (310, 3, Some(2)),
            (400, 2, Some(2)),
            (500, 3, Some(2)),
            (600, 3, Some(2)),
            (650, 0, Some(2)),
        ]);
    }

    #[test]
    fn after_a_gap_settling_starts_again() {
        walk(&[
            (0, 4, None),
            (121, 4, None),
            (240, 4, None),
            (300, 4, None),
            (420, 4, None),
            (421, 4, Some(4)),
        ]);
        // A clock that was set back.
        walk(&[
            (1000, 4, None),
            (500, 4, None),
            (620, 4, None),
            (740, 4, None),
            (800, 4, Some(4)),
        ]);
    }
}
