//! LUNs that a node sees and that are not on the allow-list, and whether they may be put there.
//!
//! multipathd tells the WWIDs ([`listing`]): other programs may come to another one for the same device.
//! Devices that it does not tell of are listed as well, with the reason. Everything else is read from
//! files of sysfs, udev and LVM, none of which touches a device that may hang.

mod content;
mod disk;
mod held;
pub mod identify;
pub mod listing;
mod lun;
mod reason;
mod reported;
mod sources;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use crate::node::block::lvm::VolumeGroups;
pub use content::{Content, ContentCode};
pub use disk::{Disk, Partition};
pub use held::Holder;
pub use lun::Lun;
pub use reason::{Reason, Warning};
pub use reported::{Hindrance, Reported, ReportedList};
pub use sources::Sources;

use crate::Wwid;
use crate::multipath_conf::blacklisted::{Facts, Rules, Verdict};
use crate::node::block::lvm;
use crate::types::label::Label;
use crate::types::reason::{Device, MAX_DEVICES};
use crate::wire::byte_string::ByteString;
use disk::{Kind, trimmed};
use held::Mounted;
use listing::{Listing, PathWwid};

/// Most candidates of a node. Those that may be offered come first.
pub const MAX_CANDIDATES: usize = 2_000;

/// A device of device-mapper, with what stands in its files in `/sys/block/dm-N`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Mapped<'a> {
    /// `dm/name`.
    #[serde(borrow)]
    pub name: Option<&'a [u8]>,
    /// `dm/uuid`.
    #[serde(borrow)]
    pub uuid: Option<&'a [u8]>,
}

impl<'a> Mapped<'a> {
    /// Whether it is a multipath map, or a partition of one.
    fn is_multipath(&self) -> bool {
        let uuid = trimmed(self.uuid);
        let of_partition = uuid.strip_prefix(b"part").and_then(|rest| {
            let end = rest.iter().position(|byte| !byte.is_ascii_digit())?;
            rest.get(end..).filter(|_| end > 0)
        });
        uuid.starts_with(b"mpath-") || of_partition.is_some_and(|rest| rest.starts_with(b"-mpath-"))
    }

    /// The LUN, if it is a multipath map.
    pub fn wwid(&self) -> Option<&'a str> {
        std::str::from_utf8(trimmed(self.uuid).strip_prefix(b"mpath-")?).ok()
    }

    /// The volume group and the name, if it is a logical volume.
    fn volume(&self) -> Option<(Label, Label)> {
        let is_lvm = trimmed(self.uuid).starts_with(b"LVM-");
        lvm::split_dm_name(trimmed(self.name)).filter(|_| is_lvm)
    }
}

/// What is known of a node's disks.
#[derive(Debug)]
pub struct Inputs<'a> {
    /// What multipathd lists; none if it does not answer.
    pub listing: Option<Listing>,
    /// The block devices in `/sys/block` that are none of device-mapper's, by kernel name.
    pub disks: BTreeMap<ByteString<'a>, Disk<'a>>,
    /// Those of device-mapper.
    pub mapped: BTreeMap<ByteString<'a>, Mapped<'a>>,
    /// The cluster's allow-list.
    pub allow_list: BTreeSet<Wwid>,
    /// The aliases that multipathd's configuration gives to WWIDs.
    pub aliases: BTreeMap<String, String>,
    /// multipathd's blacklist.
    pub rules: Rules,
    /// `/proc/self/mountinfo`.
    pub mountinfo: &'a [u8],
    /// `/proc/swaps`.
    pub swaps: &'a [u8],
    /// What LVM has left in files.
    pub volume_groups: VolumeGroups,
}

/// A LUN, or another disk, that is not on the allow-list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Candidate {
    /// What it is.
    #[serde(flatten)]
    pub lun: Lun,
    /// What is on it, at most 8 things.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contents: Vec<Content>,
    /// Why it is not offered; none if it may be put on the allow-list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// What to know before that.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
    /// Links to its paths below /dev, and the name of its map.
    #[serde(skip)]
    names: BTreeSet<String>,
    #[serde(skip)]
    all_devs: BTreeSet<Device>,
}

/// The candidates of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Candidates {
    /// Those that may be offered first, each kind by WWID; at most [`MAX_CANDIDATES`].
    pub candidates: Vec<Candidate>,
    /// How many are not among them.
    pub omitted: usize,
}

/// A candidate with what is said of it in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown<'c> {
    /// The candidate.
    #[serde(flatten)]
    pub candidate: &'c Candidate,
    /// 1 if it may be put on the allow-list, else 0.
    pub offered: u8,
    /// Why it is not offered, what is on it, and the warnings.
    pub told: Vec<String>,
}

impl Candidates {
    /// The candidates with what is said of each.
    pub fn shown(&self) -> Vec<Shown<'_>> {
        let shown = |candidate| Shown {
            candidate,
            offered: u8::from(Candidate::is_offered(candidate)),
            told: Candidate::told(candidate),
        };
        self.candidates.iter().map(shown).collect()
    }
}

impl Candidate {
    /// Whether it may be put on the allow-list.
    pub fn is_offered(&self) -> bool {
        self.reason.is_none()
    }

    /// What is to be said of it beside its columns, in words: why it is not offered, what is on it, and
    /// the warnings.
    pub fn told(&self) -> Vec<String> {
        let reason = self.reason.iter().map(ToString::to_string);
        // an offer of a LUN that is not empty says what is on it
        let is_warned = self.warnings.contains(&Warning::HasData);
        let mark = if is_warned { "not empty: " } else { "" };
        let marks = std::iter::once(mark).chain(std::iter::repeat(""));
        let contents = self.contents.iter().zip(marks);
        let contents = contents.map(|(content, mark)| format!("{mark}{content}"));
        let others = self
            .warnings
            .iter()
            .filter(|warning| **warning != Warning::HasData);
        reason
            .chain(contents)
            .chain(others.map(ToString::to_string))
            .collect()
    }
}

/// What devices are put together by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    /// multipathd's WWID.
    Wwid(Wwid),
    /// udev's WWID of a device that multipathd has none of.
    Udev(String),
    /// The kernel name of a device without any.
    Name(Device),
}

/// A path, with what decides about it.
struct Path<'p, 'a> {
    device: Device,
    disk: &'p Disk<'a>,
    protocol: Option<Box<str>>,
    kind: Kind,
    /// Why multipathd does not have it as the path of a LUN.
    unusable: Option<Reason>,
}

/// The candidates of a node.
pub fn candidates(inputs: &Inputs<'_>) -> Candidates {
    let mut found = seen(inputs, &inputs.allow_list);
    found.sort_by_key(|candidate| !candidate.is_offered());
    let omitted = found.len().saturating_sub(MAX_CANDIDATES);
    found.truncate(MAX_CANDIDATES);
    Candidates {
        candidates: found,
        omitted,
    }
}

/// All that a node sees and that is not on this allow-list, by WWID.
pub(crate) fn seen(inputs: &Inputs<'_>, allow_list: &BTreeSet<Wwid>) -> Vec<Candidate> {
    let mounted = Mounted::new(inputs.mountinfo, inputs.swaps);
    let mut maps: BTreeMap<&str, &Mapped<'_>> = BTreeMap::new();
    for map in inputs.mapped.values() {
        maps.extend(map.wwid().map(|wwid| (wwid, map)));
    }
    { grouped(inputs, allow_list).into_iter() }
        .map(|(key, paths)| candidate(&key, &paths, inputs, &mounted, &maps))
        .collect()
}

/// The paths of what is not on the allow-list.
fn grouped<'p, 'a>(
    inputs: &'p Inputs<'a>,
    allow_list: &BTreeSet<Wwid>,
) -> BTreeMap<Key, Vec<Path<'p, 'a>>> {
    let mut groups: BTreeMap<Key, Vec<Path<'p, 'a>>> = BTreeMap::new();
    // keys of those that multipathd does not list, until the blacklist was tried on them
    let mut unlisted: Vec<(Key, Path<'p, 'a>, Facts)> = Vec::new();
    for (name, disk) in &inputs.disks {
        let name = name.as_str();
        let Some(device) = Device::new(name).filter(|_| !disk.is_virtual(name)) else {
            continue;
        };
        let of_udev = disk.wwid_by_udev(name);
        let by_udev = || match of_udev {
            Some(wwid) => Key::Udev(wwid.to_owned()),
            None => Key::Name(device.clone()),
        };
        // the numbers differ if one device has gone and another one come since
        let listed = { inputs.listing.iter() }
            .find_map(|listing| listing.paths.get(&device))
            .filter(|listed| {
                let number = listed.number.as_deref().map(str::as_bytes);
                number.is_none_or(|number| disk.number().is_empty() || number == disk.number())
            });
        let mut path = Path {
            device: device.clone(),
            disk,
            protocol: None,
            kind: disk.kind(name),
            unusable: None,
        };
        let Some(listed) = listed else {
            path.protocol = disk.protocol(name).map(Into::into);
            unlisted.push((by_udev(), path, disk.facts(name)));
            continue;
        };
        path.protocol.clone_from(&listed.protocol);
        let key = match &listed.wwid {
            PathWwid::Known(wwid) => Key::Wwid(wwid.clone()),
            PathWwid::Missing => {
                path.unusable = Some(Reason::NoWwid {
                    state: disk.state(),
                });
                Key::Name(device)
            }
            PathWwid::Invalid(wwid, _) => {
                path.unusable = Some(Reason::InvalidWwid { wwid: wwid.clone() });
                Key::Name(device)
            }
            PathWwid::Contradictory => {
                path.unusable = Some(Reason::Contradictory);
                Key::Name(device)
            }
        };
        groups.entry(key).or_default().push(path);
    }

    let facts: Vec<Facts> = unlisted
        .iter_mut()
        .map(|(.., facts)| std::mem::take(facts))
        .collect();
    let verdicts = inputs.rules.verdicts(&facts);
    for ((key, mut path, _), verdict) in unlisted.into_iter().zip(verdicts) {
        path.unusable = Some(match (verdict, &inputs.listing) {
            (Verdict::Hit(hit), _) => Reason::Blacklisted { hit },
            (Verdict::MissingProperty, _) => Reason::MissingProperty,
            (Verdict::Free | Verdict::NotTried, None) => Reason::NoAnswer,
            (Verdict::Free | Verdict::NotTried, Some(_)) => Reason::NotMonitored,
        });
        groups.entry(key).or_default().push(path);
    }
    groups.retain(|key, paths| !is_allowed(key, paths, allow_list));
    groups
}

fn is_allowed(key: &Key, paths: &[Path<'_, '_>], allow_list: &BTreeSet<Wwid>) -> bool {
    match key {
        Key::Wwid(wwid) => allow_list.contains(wwid),
        Key::Udev(wwid) => allow_list.contains(wwid.as_str()),
        // what is wrong with the path of an allow-listed LUN is said elsewhere
        Key::Name(name) => paths.iter().any(|path| {
            let wwid = path.disk.wwid_by_udev(name.as_str());
            wwid.is_some_and(|wwid| allow_list.contains(wwid))
        }),
    }
}

fn candidate(
    key: &Key,
    paths: &[Path<'_, '_>],
    inputs: &Inputs<'_>,
    mounted: &Mounted,
    maps: &BTreeMap<&str, &Mapped<'_>>,
) -> Candidate {
    let disks = || paths.iter().map(|path| (path.device.as_str(), path.disk));
    let wwid = match key {
        Key::Wwid(wwid) => Some(wwid.clone()),
        Key::Udev(_) | Key::Name(_) => None,
    };
    let mut of_udev = disks().filter_map(|(name, disk)| disk.wwid_by_udev(name));
    let udev_wwid = of_udev.next().filter(|_| wwid.is_none());

    let contents: BTreeSet<Content> = disks()
        .flat_map(|(name, disk)| content::of_disk(name, disk, &inputs.volume_groups))
        .collect();
    let mut holders = BTreeSet::new();
    let mut held = Vec::new();
    for path in paths {
        let of_path = held::of_disk(path.device.as_str(), path.disk, &inputs.mapped, mounted);
        held.extend((!of_path.is_empty()).then(|| path.device.clone()));
        holders.extend(of_path);
    }
    let sizes: BTreeSet<u64> = disks().filter_map(|(_, disk)| disk.size()).collect();
    let size = sizes.first().copied();
    let map = wwid.as_ref().and_then(|wwid| maps.get(wwid.as_str()));
    let map = map.and_then(|map| Label::text(trimmed(map.name)));

    held.truncate(MAX_DEVICES);
    let reason = reason(paths, holders, held, size);
    let mut warnings = Vec::new();
    if reason.is_none() {
        if !contents.is_empty() {
            warnings.push(Warning::HasData);
        }
        warnings.extend(map.clone().map(|map| Warning::HasMap { map }));
        if paths.len() == 1 {
            warnings.push(Warning::SinglePath);
        }
        if sizes.len() > 1 {
            warnings.push(Warning::SizesDiffer);
        }
    }
    let offline = paths.iter().filter(|path| path.disk.is_offline());
    match offline.count() {
        0 => {}
        count => warnings.push(Warning::PathsOffline { count }),
    }

    let links = disks().flat_map(|(_, disk)| disk.udev().links());
    let mut names: BTreeSet<String> = links.map(str::to_owned).collect();
    names.extend(map.map(|map| format!("mapper/{map}")));
    let all_devs: BTreeSet<Device> = paths.iter().map(|path| path.device.clone()).collect();
    let first = |of: &dyn Fn(&Disk<'_>) -> Option<Label>| disks().find_map(|(_, disk)| of(disk));
    let lun = Lun {
        wwid,
        udev_wwid: udev_wwid.and_then(|wwid| Label::text(wwid.as_bytes())),
        size,
        vendor: first(&|disk| disk.vendor()),
        product: first(&|disk| disk.product()),
        serial: first(&|disk| disk.serial()),
        transport: common(disks().map(|(_, disk)| disk.transport())),
        protocol: common(paths.iter().map(|path| path.protocol.clone()))
            .and_then(|protocol| Label::name(protocol.as_bytes())),
        paths: paths.len(),
        devs: all_devs.iter().take(MAX_DEVICES).cloned().collect(),
    };
    Candidate {
        lun,
        contents: contents.into_iter().take(content::MAX_CONTENTS).collect(),
        reason,
        warnings,
        names,
        all_devs,
    }
}

/// Why it is not offered: what the device is comes before what the configuration says.
fn reason(
    paths: &[Path<'_, '_>],
    holders: BTreeSet<Holder>,
    devs: Vec<Device>,
    size: Option<u64>,
) -> Option<Reason> {
    let of_kind = |kind: Kind| match kind {
        Kind::Cd => Some(Reason::Cd),
        Kind::NativeNvme => Some(Reason::NativeNvme),
        // several ways lead to it, so it is not inside of the node
        Kind::Local("PCIe") if paths.len() > 1 => None,
        Kind::Local(what) => Some(Reason::LocalDisk { what }),
        Kind::Lun => None,
    };
    let kinds: BTreeSet<Kind> = paths.iter().map(|path| path.kind).collect();
    let in_use = || {
        let by: Vec<Holder> = holders.into_iter().take(held::MAX_HOLDERS).collect();
        (!by.is_empty()).then_some(Reason::InUse { by, devs })
    };
    let unusable = || paths.iter().find_map(|path| path.unusable.clone());
    // such are devices by which an array is managed
    let empty = || (size == Some(0)).then_some(Reason::Empty);
    { kinds.into_iter().find_map(of_kind) }
        .or_else(in_use)
        .or_else(unusable)
        .or_else(empty)
}

/// The value that all have.
fn common<T: PartialEq>(mut values: impl Iterator<Item = Option<T>>) -> Option<T> {
    let first = values.next()??;
    values
        .all(|value| value.as_ref() == Some(&first))
        .then_some(first)
}
