//! Why allow-listed LUNs have no map on a node, by what multipathd, sysfs, udev and LVM have of its disks.

use std::collections::{BTreeMap, BTreeSet};

use super::Content;
use super::candidates::identify::{How, Seen, identify};
use super::candidates::{Candidate, Holder, Inputs, Reason, Warning, seen};
use super::wwids_file::parse_wwids;
use crate::Wwid;
use crate::types::absence::Absence;
use crate::types::label::Label;

/// Why these LUNs have no map. Those without a known cause have none: the node
/// sees them, and multipathd should have made their maps.
///
/// `wwids_file` is the content of `/etc/multipath/wwids`.
pub fn absent<'w>(
    wanted: impl IntoIterator<Item = &'w Wwid>,
    inputs: &Inputs<'_>,
    wwids_file: &Content<'_>,
) -> BTreeMap<Wwid, Option<Absence>> {
    let seen = seen(inputs, &BTreeSet::new());
    let luns = Luns::new(&seen);
    let in_file: Option<BTreeSet<&[u8]>> = match wwids_file {
        Content::Absent => Some(BTreeSet::new()),
        Content::Text(text) => Some(parse_wwids(text).into_iter().collect()),
        Content::Unreadable(_) => None,
    };
    let is_in_file = |wwid: &Wwid| {
        let in_file = in_file.as_ref();
        in_file.is_none_or(|in_file| in_file.contains(wwid.as_str().as_bytes()))
    };
    let absence = |wwid: &Wwid| {
        let of_lun = match luns.of(wwid) {
            Ok(of_lun) => of_lun,
            Err(absence) => return Some(absence),
        };
        // device-mapper itself shares a path between a map and a logical volume
        let held = of_lun.first().and_then(|lun| held(lun));
        let (shared, blocked) = match held {
            Some((held, true)) => (Some(held), None),
            Some((held, false)) => (None, Some(held)),
            None => (None, None),
        };
        { blocked.or_else(|| hidden(of_lun)) }
            .or_else(|| (!is_in_file(wwid)).then_some(Absence::NotInWwidsFile))
            .or_else(|| alias_taken(wwid, inputs))
            .or_else(|| offline(of_lun))
            .or(shared)
    };
    let wanted = wanted.into_iter();
    wanted.map(|wwid| (wwid.clone(), absence(wwid))).collect()
}

/// The paths of these LUNs, some of them or all, that are used past their maps, and what uses them.
pub fn past_maps(inputs: &Inputs<'_>) -> BTreeMap<Wwid, Absence> {
    let with_map: BTreeSet<&str> = inputs
        .mapped
        .values()
        .filter_map(|map| map.wwid())
        .collect();
    let seen = seen(inputs, &BTreeSet::new());
    let held = seen.into_iter().filter_map(|lun| {
        let (held, _) = held(&lun)?;
        let wwid = lun
            .lun
            .wwid
            .filter(|wwid| with_map.contains(wwid.as_str()))?;
        Some((wwid, held))
    });
    held.collect()
}

/// What a node sees.
struct Luns<'c> {
    by_wwid: BTreeMap<&'c str, Vec<&'c Candidate>>,
    names: Vec<Seen<'c>>,
}

impl<'c> Luns<'c> {
    fn new(seen: &'c [Candidate]) -> Self {
        let mut by_wwid: BTreeMap<&str, Vec<&Candidate>> = BTreeMap::new();
        for lun in seen {
            if let Some(wwid) = lun.lun.known_wwid() {
                by_wwid.entry(wwid).or_default().push(lun);
            }
        }
        for luns in by_wwid.values_mut() {
            luns.sort_by_key(|lun| lun.lun.wwid.is_none());
        }
        Self {
            by_wwid,
            names: seen.iter().map(Seen::from).collect(),
        }
    }

    /// The paths with this WWID, those that multipathd knows first.
    fn of(&self, wwid: &Wwid) -> Result<&[&'c Candidate], Absence> {
        let found = self.by_wwid.get(wwid.as_str());
        { found.map(Vec::as_slice) }
            .ok_or_else(|| self.elsewhere(wwid).unwrap_or(Absence::NotVisible))
    }

    /// The LUN that is meant by a WWID that none has.
    fn elsewhere(&self, wwid: &Wwid) -> Option<Absence> {
        let found = identify(wwid.as_str(), &self.names).ok()?;
        let is_seen = found.how != How::Unseen && found.wwid != *wwid;
        is_seen.then_some(Absence::OtherWwid { wwid: found.wwid })
    }
}

/// Why multipathd does not have the paths, or cannot have them.
fn hidden(luns: &[&Candidate]) -> Option<Absence> {
    let first = luns.first()?;
    let is_known = first.lun.wwid.is_some();
    Some(match first.reason.as_ref()? {
        Reason::NativeNvme => Absence::NativeNvme,
        // what multipathd knows, it makes maps of
        _ if is_known => return None,
        Reason::Blacklisted { hit } => Absence::Blacklisted {
            rule: Label::name(hit.rule.as_bytes())?,
            place: { hit.place.as_ref() }
                .and_then(|place| Label::name(place.to_string().as_bytes())),
        },
        Reason::MissingProperty => Absence::MissingProperty,
        Reason::NoWwid { state } => Absence::NoWwid {
            state: state.clone().filter(|_| offline(luns).is_some()),
        },
        Reason::NotMonitored => Absence::NotMonitored,
        _ => return None,
    })
}

/// What uses the paths of a LUN past its map, and whether the kernel allows a map beside it.
fn held(lun: &Candidate) -> Option<(Absence, bool)> {
    let Some(Reason::InUse { by, devs }) = &lun.reason else {
        return None;
    };
    let group = by.iter().find_map(|holder| match holder {
        Holder::Volume { group, .. } => Some(group.clone()),
        _ => None,
    });
    let is_shared = by.iter().all(Holder::is_mapped);
    let by: Vec<String> = by.iter().map(ToString::to_string).collect();
    let held = Absence::Held {
        devs: devs.clone(),
        by: Label::name(by.join(", ").as_bytes())?,
        group,
    };
    Some((held, is_shared))
}

fn alias_taken(wwid: &Wwid, inputs: &Inputs<'_>) -> Option<Absence> {
    let alias = inputs.aliases.get(wwid.as_str())?;
    let (dev, map) = inputs.mapped.iter().find(|(_, map)| {
        map.name
            .is_some_and(|name| name.trim_ascii() == alias.as_bytes())
            && map.wwid() != Some(wwid.as_str())
    })?;
    Some(Absence::AliasTaken {
        alias: Label::name(alias.as_bytes())?,
        by: { map.uuid.and_then(|uuid| Label::name(uuid.trim_ascii())) }
            .or_else(|| Label::name(dev.as_str().as_bytes()))?,
    })
}

fn offline(luns: &[&Candidate]) -> Option<Absence> {
    let paths: usize = luns.iter().map(|lun| lun.lun.paths).sum();
    let warnings = luns.iter().flat_map(|lun| &lun.warnings);
    let offline: usize = { warnings }
        .map(|warning| match warning {
            Warning::PathsOffline { count } => *count,
            _ => 0,
        })
        .sum();
    (offline == paths).then_some(Absence::PathsOffline { count: paths })
}
