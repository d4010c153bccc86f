//! How many paths each LUN should have on a node.
//!
//! A path that was removed is not listed, so it cannot be counted as failed. The administrator's number
//! comes first: `expected-paths` of the LUN's section, else of `defaults` ([`Configured`]). Without
//! one, the node remembers the largest number of active paths that each LUN has kept for
//! [`SETTLE_SECONDS`] ([`Memory`], the file `paths.json`; [`Learning`], numbers that have not settled
//! yet). Only active paths count: a dead path that stays listed beside its replacement must not be
//! expected for ever.
//!
//! The memory also has the ends of each path, so that what broke is known of one that was removed
//! ([`known_paths`]).

mod known;
mod learning;
mod memory;
mod node_maps;

use std::collections::BTreeMap;

use thiserror::Error;

use crate::Wwid;
use crate::config::{self, Config};
use crate::node::maps::{ExpectedPaths, Map};

pub use known::known_paths;
pub use learning::{Learning, MAX_GAP_SECONDS, SETTLE_SECONDS};
pub use memory::{MAX_ENDS, Memory, MemoryError};
pub use node_maps::{NodeMaps, expect_paths, node_maps};

/// Most paths of one map. A larger number is not one that multipathd could have.
pub(crate) const MAX_PATHS: u32 = 65_535;

/// The numbers of paths in the cluster's configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configured {
    /// For LUNs without a number of their own.
    default: Option<u32>,
    /// The allow-listed LUNs with their own numbers.
    luns: BTreeMap<Wwid, Option<u32>>,
}

impl Configured {
    /// The numbers in this configuration.
    pub fn of(config: &Config<'_>) -> Self {
        let number = |settings: &crate::config::settings::Settings| {
            let setting = settings.get("expected-paths")?;
            u32::try_from(setting.number()?).ok()
        };
        let luns = config::luns(config);
        Self {
            default: number(&config::effective_defaults(config)),
            luns: luns
                .iter()
                .map(|(wwid, own)| (wwid.clone(), number(own)))
                .collect(),
        }
    }

    fn paths(&self, wwid: &Wwid) -> Option<u32> {
        self.luns.get(wwid).copied().flatten().or(self.default)
    }

    /// The allow-listed LUNs, sorted.
    pub fn luns(&self) -> impl Iterator<Item = &Wwid> {
        self.luns.keys()
    }

    fn is_allow_listed(&self, wwid: &Wwid) -> bool {
        self.luns.contains_key(wwid)
    }
}

/// How many paths a map should have; none if that is unknown. `configured` and `memory` are none if they
/// could not be read.
pub fn expected(
    wwid: &Wwid,
    configured: Option<&Configured>,
    memory: Option<&Memory>,
) -> Option<ExpectedPaths> {
    let configured = configured.and_then(|configured| configured.paths(wwid));
    let remembered = || memory.and_then(|memory| memory.paths(wwid));
    configured
        .map(ExpectedPaths::Configured)
        .or_else(|| remembered().map(ExpectedPaths::Remembered))
}

/// The numbers of active paths by LUN; of two maps of one LUN, the larger number.
pub fn active_paths(maps: &[Map]) -> BTreeMap<Wwid, u32> {
    let mut active = BTreeMap::new();
    for map in maps {
        let number = u32::try_from(map.paths_active).unwrap_or(u32::MAX);
        let known = active.entry(map.wwid.clone()).or_insert(number);
        *known = number.max(*known);
    }
    active
}

/// Why the present number of paths cannot be accepted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// There is no path, or no map.
    #[error("{0} has no path on this node, and no path cannot be the expected number")]
    NoPaths(Wwid),
    /// The administrator configured a number.
    #[error(
        "{wwid} has {present} paths, and expected-paths of multipath.cfg says {configured}: change that"
    )]
    Configured {
        /// The LUN.
        wwid: Wwid,
        /// The configured number.
        configured: u32,
        /// The present number.
        present: u32,
    },
}

/// Remembers the present number of paths of a LUN, whatever was remembered before.
///
/// # Errors
///
/// There is no path, or `multipath.cfg` has a number for the LUN.
pub fn accept(
    memory: &mut Memory,
    configured: Option<&Configured>,
    wwid: &Wwid,
    present: u32,
) -> Result<(), AcceptError> {
    if present == 0 {
        return Err(AcceptError::NoPaths(wwid.clone()));
    }
    if let Some(ExpectedPaths::Configured(configured)) = expected(wwid, configured, None) {
        return Err(AcceptError::Configured {
            wwid: wwid.clone(),
            configured,
            present,
        });
    }
    memory.remember(wwid, present);
    // Those of the active paths are learned again at once.
    memory.forget_ends(wwid);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configured(text: &str) -> Configured {
        Configured::of(&config::parse("multipath.cfg", text.as_bytes()).config)
    }

    fn wwid(text: &str) -> Wwid {
        Wwid::new(text).unwrap()
    }

    #[test]
    fn the_configuration_comes_before_the_memory() {
        let (a, b, c) = (wwid("3600a"), wwid("3600b"), wwid("3600c"));
        let own = configured("wwid: 3600a\n\texpected-paths 8\n\nwwid: 3600b\n");
        let all = configured(
            "defaults: defaults\n\texpected-paths 2\n\nwwid: 3600a\n\texpected-paths 8\n",
        );
        let mut memory = Memory::default();
        memory.remember(&a, 4);
        memory.remember(&b, 4);
        let says = |wwid, configured| expected(wwid, configured, Some(&memory));

        assert_eq!(says(&a, Some(&own)), Some(ExpectedPaths::Configured(8)));
        assert_eq!(says(&b, Some(&own)), Some(ExpectedPaths::Remembered(4)));
        assert_eq!(says(&c, Some(&own)), None);
        assert_eq!(says(&a, Some(&all)), Some(ExpectedPaths::Configured(8)));
        assert_eq!(says(&b, Some(&all)), Some(ExpectedPaths::Configured(2)));
        assert_eq!(says(&a, None), Some(ExpectedPaths::Remembered(4)));
        assert_eq!(expected(&a, None, None), None);
    }

    #[test]
    fn luns_that_leave_the_allow_list_are_forgotten() {
        let (a, b, c) = (wwid("3600a"), wwid("3600b"), wwid("3600c"));
        let mut memory = Memory::default();
        for wwid in [&a, &b, &c] {
            memory.remember(wwid, 4);
        }
        let present = BTreeMap::from([(a.clone(), 4), (b.clone(), 4)]);
        let look = |memory: &mut Memory, configured: Option<&Configured>| {
            let _ = Learning::default().observe(memory, &present, configured, 0);
            [&a, &b, &c].map(|wwid| memory.paths(wwid).is_some())
        };

        // A configuration that cannot be read is not an empty one.
        assert_eq!(look(&mut memory, None), [true, true, true]);
        // Never on the list, and without a map.
        let both = configured("wwid: 3600a\n\nwwid: 3600b\n");
        assert_eq!(look(&mut memory, Some(&both)), [true, true, false]);
        let one = configured("wwid: 3600a\n");
        assert_eq!(look(&mut memory, Some(&one)), [true, false, false]);
        // The file remembers that it was on the list.
        let mut memory = Memory::parse(memory.to_json().as_bytes()).unwrap_or_default();
        assert_eq!(
            look(&mut memory, Some(&configured(""))),
            [false, false, false]
        );
    }

    #[test]
    fn an_administrator_accepts_the_present_number() {
        let a = wwid("3600a");
        let mut memory = Memory::default();
        memory.remember(&a, 4);
        assert_eq!(accept(&mut memory, None, &a, 2), Ok(()));
        assert_eq!(memory.paths(&a), Some(2));
        let error = accept(&mut memory, None, &a, 0);
        assert_eq!(error, Err(AcceptError::NoPaths(a.clone())));
        let own = configured("wwid: 3600a\n\texpected-paths 8\n");
        let error = accept(&mut memory, Some(&own), &a, 4);
        assert!(matches!(
            error,
            Err(AcceptError::Configured {
                configured: 8,
                present: 4,
                ..
            })
        ));
        assert_eq!(memory.paths(&a), Some(2));
    }
}
