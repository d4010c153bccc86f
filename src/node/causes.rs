//! What several LUNs have lost in common: a port of the node or of the array.
//!
//! A port of which every path is lost is a cause if that concerns at least two LUNs. A lost path whose two
//! ports are both causes belongs to the one that has lost more paths. Where both have lost as many, the
//! node cannot tell which one broke: such paths are a cause with both ports, and the cluster decides, see
//! [`cluster::causes`](crate::cluster::causes).

use std::collections::{BTreeMap, BTreeSet};

use super::ports::{Ends, Initiator, PortName};
use crate::Wwid;

/// Most causes that a node reports. The ones with the fewest paths are left out; their paths count as
/// failures of the LUN.
pub const MAX_CAUSES: usize = 64;

/// A path of a LUN that is there, or that the node remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownPath {
    /// Its ports.
    pub ends: Ends,
    /// Whether it is gone, or device-mapper does not use it.
    pub is_lost: bool,
}

/// The port that broke.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LostPort {
    /// A port of the node.
    Initiator(Initiator),
    /// A port of the array.
    Target(PortName),
    /// One of these two: all paths of either are lost, and they are the same number of paths.
    Either(Initiator, PortName),
}

/// A port that broke, and what that took away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The port.
    pub port: LostPort,
    /// The number of paths that were lost with it.
    pub paths: u32,
    /// The LUNs that had these paths: at least two.
    pub luns: BTreeSet<Wwid>,
}

/// A port that can be a cause by itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Port<'a> {
    Initiator(&'a Initiator),
    Target(&'a PortName),
}

#[derive(Default)]
struct Count<'a> {
    lost: u32,
    used: bool,
    luns: BTreeSet<&'a Wwid>,
}

/// The causes of a node's lost paths, the ones with most paths first.
pub fn causes<'a>(
    luns: impl IntoIterator<Item = (&'a Wwid, &'a [KnownPath])> + Clone,
) -> Vec<Cause> {
    let mut ports: BTreeMap<Port<'a>, Count<'a>> = BTreeMap::new();
    for (wwid, path) in paths(luns.clone()) {
        for port in path.ends.ports() {
            let count = ports.entry(port).or_default();
            if path.is_lost {
                count.lost = count.lost.saturating_add(1);
                count.luns.insert(wwid);
            } else {
                count.used = true;
            }
        }
    }
    ports.retain(|_, count| !count.used && count.luns.len() > 1);

    let mut found: BTreeMap<LostPort, Cause> = BTreeMap::new();
    for (wwid, path) in paths(luns).filter(|(_, path)| path.is_lost) {
        let Some(port) = blamed(&path.ends, &ports) else {
            continue;
        };
        let cause = found.entry(port.clone()).or_insert_with(|| Cause {
            port,
            paths: 0,
            luns: BTreeSet::new(),
        });
        cause.paths = cause.paths.saturating_add(1);
        cause.luns.insert(wwid.clone());
    }
    let mut causes: Vec<_> = found.into_values().collect();
    // what another port explains may leave a port with a single LUN
    causes.retain(|cause| cause.luns.len() > 1);
    causes.sort_by_key(|cause| std::cmp::Reverse(cause.paths));
    causes.truncate(MAX_CAUSES);
    causes
}

fn paths<'a>(
    luns: impl IntoIterator<Item = (&'a Wwid, &'a [KnownPath])>,
) -> impl Iterator<Item = (&'a Wwid, &'a KnownPath)> {
    let luns = luns.into_iter();
    luns.flat_map(|(wwid, paths)| paths.iter().map(move |path| (wwid, path)))
}

impl Ends {
    fn ports(&self) -> impl Iterator<Item = Port<'_>> {
        let initiator = self.initiator.as_ref().map(Port::Initiator);
        initiator
            .into_iter()
            .chain(self.target.as_ref().map(Port::Target))
    }
}

/// The port to which a lost path belongs.
fn blamed(ends: &Ends, ports: &BTreeMap<Port<'_>, Count<'_>>) -> Option<LostPort> {
    let lost = |port| ports.get(&port).map(|count| count.lost);
    let initiator = ends.initiator.as_ref();
    let initiator = initiator.and_then(|port| Some((port, lost(Port::Initiator(port))?)));
    let target = ends.target.as_ref();
    let target = target.and_then(|port| Some((port, lost(Port::Target(port))?)));
    match (initiator, target) {
        (Some((initiator, by_initiator)), Some((target, by_target))) => {
            Some(match by_initiator.cmp(&by_target) {
                std::cmp::Ordering::Greater => LostPort::Initiator(initiator.clone()),
                std::cmp::Ordering::Less => LostPort::Target(target.clone()),
                std::cmp::Ordering::Equal => LostPort::Either(initiator.clone(), target.clone()),
            })
        }
        (Some((initiator, _)), None) => Some(LostPort::Initiator(initiator.clone())),
        (None, Some((target, _))) => Some(LostPort::Target(target.clone())),
        (None, None) => None,
    }
}
