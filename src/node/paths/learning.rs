//! Numbers of paths on their way into the memory.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Configured, Memory};
use crate::Wwid;

/// Seconds that a number of paths has to last before it is remembered.
pub const SETTLE_SECONDS: i64 = 300;

/// Longest time in seconds between two looks at the maps. After a longer one nobody knows what was
/// in between, and settling begins anew.
pub const MAX_GAP_SECONDS: i64 = 120;

/// What has not settled yet. It lives as long as the process that looks at the maps, which keeps it
/// as a text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learning {
    /// When the maps were last looked at, in seconds since the epoch.
    #[serde(default)]
    seen: Option<i64>,
    /// By WWID, the numbers above the remembered one; see [`Level`].
    #[serde(default)]
    levels: BTreeMap<String, Vec<Level>>,
}

/// The LUN has had at least this many paths since then. Of several, each has more paths than the one
/// before, for a shorter time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Level {
    paths: u32,
    since: i64,
}

impl Learning {
    /// Reads what [`Learning::to_json`] gave. Anything else begins anew.
    pub fn parse(text: Option<&[u8]>) -> Self {
        let learning = text.and_then(|text| serde_json::from_slice(text).ok());
        learning.unwrap_or_default()
    }

    /// As a text.
    pub fn to_json(&self) -> String {
        // Cannot fail: there are only texts and numbers.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Looks at the maps at `now`, in seconds since the epoch: remembers what has settled and forgets
    /// what is not wanted any more. `present` has the active paths of the maps that are there.
    ///
    /// Without a configuration, because it cannot be read, nothing is forgotten.
    pub fn observe(
        &mut self,
        memory: &mut Memory,
        present: &BTreeMap<Wwid, u32>,
        configured: Option<&Configured>,
        now: i64,
    ) {
        if let Some(configured) = configured {
            memory.forget(configured, present);
        }
        let gap = self.seen.map(|seen| now.saturating_sub(seen));
        if !gap.is_some_and(|gap| (0..=MAX_GAP_SECONDS).contains(&gap)) {
            self.levels.clear();
        }
        self.seen = Some(now);

        let mut before = std::mem::take(&mut self.levels);
        for (wwid, paths) in present {
            let mut levels = before.remove(wwid.as_str()).unwrap_or_default();
            reach(&mut levels, *paths, now);
            let settled = |level: &&Level| now.saturating_sub(level.since) >= SETTLE_SECONDS;
            let settled = levels.iter().rev().find(settled).map(|level| level.paths);
            let remembered = memory.paths(wwid).unwrap_or(0);
            if let Some(paths) = settled.filter(|paths| *paths > remembered) {
                memory.remember(wwid, paths);
            }
            let remembered = memory.paths(wwid).unwrap_or(0);
            levels.retain(|level| level.paths > remembered);
            if !levels.is_empty() {
                self.levels.insert(wwid.to_string(), levels);
            }
        }
    }
}

/// Takes in that there are now this many paths. There were at least as many since the first level
/// that is above.
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
        Wwid::new("3600a").unwrap_or_else(|err| unreachable!("{err}"))
    }

    /// What is remembered after each look: (seconds, active paths, remembered).
    fn walk(looks: &[(i64, u32, Option<u32>)]) {
        let (mut learning, mut memory) = (Learning::default(), Memory::default());
        for (now, paths, wanted) in looks {
            let present = BTreeMap::from([(wwid(), *paths)]);
            learning = Learning::parse(Some(learning.to_json().as_bytes()));
            learning.observe(&mut memory, &present, None, *now);
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
    fn what_nobody_saw_has_not_settled() {
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

    #[test]
    fn what_is_no_text_of_ours_begins_anew() {
        for text in [
            "",
            "{",
            "[]",
            "{\"levels\":{\"a\":[{\"paths\":-1,\"since\":0}]}}",
        ] {
            assert_eq!(Learning::parse(Some(text.as_bytes())), Learning::default());
        }
    }
}
