//! From what was read of the block devices to the uses of each map.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::NodeUses;
use super::facts::{self, Block, Facts, Kind};
use super::kind::{Input, MAX_USES, MAX_VOLUMES, Use};
use crate::Wwid;
use crate::node::block::lvm::{self, VolumeGroups};
use crate::node::block::mounts;
use crate::node::block::udev::Udev;
use crate::types::label::Label;
use crate::types::reason::Device;

/// How many devices may lie on one another. Real stacks have up to eight.
const MAX_DEPTH: usize = 32;

/// The uses of all maps of a node.
pub fn node_uses(facts: &Facts<'_>) -> NodeUses {
    let graph = Graph::new(facts);
    let mut maps = BTreeMap::new();
    for (device, block) in &facts.blocks {
        if let Kind::Map(wwid) = block.kind(device) {
            maps.insert(wwid.clone(), graph.uses(device, block, &wwid));
        }
    }
    NodeUses {
        maps,
        unread: graph.unread,
    }
}

/// A device's mounts: the first of them, and how many more there are.
struct Mounted<'f> {
    first: mounts::Mount<'f>,
    others: u32,
}

/// What is known of the devices, ready to be looked up.
struct Graph<'f> {
    blocks: &'f BTreeMap<String, Block<'f>>,
    /// By device, those that lie on it, or on a partition of it that is no device of device-mapper.
    holders: BTreeMap<&'f str, BTreeSet<&'f str>>,
    mounted: BTreeMap<&'f str, Mounted<'f>>,
    swapped: BTreeSet<&'f str>,
    counts: Option<BTreeMap<&'f [u8], u32>>,
    volume_groups: VolumeGroups,
    unread: BTreeMap<Input, String>,
}

impl<'f> Graph<'f> {
    fn new(facts: &'f Facts<'f>) -> Self {
        let mut graph = Self {
            blocks: &facts.blocks,
            holders: BTreeMap::new(),
            mounted: BTreeMap::new(),
            swapped: BTreeSet::new(),
            counts: None,
            volume_groups: VolumeGroups::new(
                facts.lvm_hints.unwrap_or_default(),
                facts.lvm_backup.iter().copied(),
            ),
            unread: facts.errors.clone(),
        };
        for (device, block) in &facts.blocks {
            for slave in &block.slaves {
                graph.holders.entry(slave).or_default().insert(device);
                let disk =
                    facts::disk_of(slave).filter(|_| !facts.blocks.contains_key(slave.as_str()));
                if let Some(disk) = disk {
                    graph.holders.entry(disk).or_default().insert(device);
                }
            }
        }
        graph.counts = graph.read(Input::OpenCounts, facts.open_counts, facts::open_counts);
        let mounts = graph.read(Input::Mounts, facts.mounts, |text| {
            mounts::mounts(text).collect()
        });
        let swaps: Option<Vec<_>> = graph.read(Input::Swaps, facts.swaps, |text| {
            mounts::swaps(text).collect()
        });
        graph.place(mounts.unwrap_or_default(), &swaps.unwrap_or_default());
        graph
    }

    /// Parses a text without which something is not known.
    fn read<T, E: ToString>(
        &mut self,
        input: Input,
        text: Option<&'f [u8]>,
        parse: impl FnOnce(&'f [u8]) -> Result<T, E>,
    ) -> Option<T> {
        let parsed = match text {
            Some(text) => parse(text).map_err(|err| err.to_string()),
            None => Err("it is not there".to_owned()),
        };
        match parsed {
            Ok(value) => Some(value),
            Err(err) => {
                self.unread.entry(input).or_insert(err);
                None
            }
        }
    }

    /// Finds the devices that are mounted and swapped to.
    fn place(&mut self, mounts: Vec<mounts::Mount<'f>>, swaps: &[Vec<u8>]) {
        let mut by_number: HashMap<&[u8], &str> = HashMap::new();
        let mut by_name: HashMap<&[u8], &str> = HashMap::new();
        for (device, block) in self.blocks {
            by_number.extend(block.number().map(|number| (number, device.as_str())));
            by_name.insert(block.name(), device);
        }
        // A path is that of a device, or a link whose name may be out of date.
        let by_path = |path: &[u8]| {
            if let Some(name) = path.strip_prefix(b"/dev/mapper/") {
                return by_name.get(name).copied();
            }
            let device = std::str::from_utf8(path.strip_prefix(b"/dev/")?).ok()?;
            let (device, _) = self.blocks.get_key_value(device)?;
            Some(device.as_str())
        };
        for mount in mounts {
            let device = match mount.number.starts_with(b"0:") {
                true => by_path(&mount.source),
                false => by_number.get(mount.number).copied(),
            };
            let Some(device) = device else { continue };
            let others = self
                .mounted
                .get_mut(device)
                .map(|mounted| &mut mounted.others);
            match others {
                Some(others) => *others = others.saturating_add(1),
                None => {
                    let first = Mounted {
                        first: mount,
                        others: 0,
                    };
                    self.mounted.insert(device, first);
                }
            }
        }
        self.swapped = swaps.iter().filter_map(|path| by_path(path)).collect();
    }

    fn holders(&self, device: &str) -> impl Iterator<Item = &'f str> + use<'f> {
        let holders = self.holders.get(device).cloned().unwrap_or_default();
        holders.into_iter()
    }

    fn kind(&self, device: &str) -> Kind<'f> {
        let block = self.blocks.get_key_value(device);
        block.map_or(Kind::Other, |(name, block)| block.kind(name))
    }

    fn udev(&self, device: &str) -> Option<Udev<'f>> {
        self.blocks.get(device)?.udev.map(Udev::new)
    }

    /// Group and name of a logical volume.
    fn volume_name(&self, device: &str) -> (Option<Label>, Option<Label>) {
        let udev = self.udev(device).unwrap_or_default();
        let split = self
            .blocks
            .get(device)
            .and_then(|block| lvm::split_dm_name(block.name()));
        let (vg, lv) = split.unzip();
        (
            udev.property("DM_VG_NAME").and_then(lvm::name).or(vg),
            udev.property("DM_LV_NAME").and_then(lvm::name).or(lv),
        )
    }

    /// What a device is called where it holds something: `part1`, `vg-a/lv-one`, `md7`.
    fn place_name(&self, device: &str) -> Option<Label> {
        match self.kind(device) {
            Kind::Partition(name) => Label::name(name.as_bytes()),
            Kind::Volume { .. } => match self.volume_name(device) {
                (Some(vg), Some(lv)) => Label::name(format!("{vg}/{lv}").as_bytes()),
                _ => Label::name(device.as_bytes()),
            },
            _ => {
                let name = self.blocks.get(device).map(Block::name).unwrap_or_default();
                Label::name(name).or_else(|| Label::name(device.as_bytes()))
            }
        }
    }

    /// The uses of one map.
    fn uses(&self, device: &'f str, block: &'f Block<'f>, wwid: &Wwid) -> Vec<Use> {
        let mut walk = Walk {
            graph: self,
            seen: BTreeSet::new(),
            groups: BTreeMap::new(),
            found: Vec::new(),
            unknown: None,
        };
        walk.visit(device, None, 0);
        walk.paths(block, wwid);
        walk.finish()
    }
}

/// What tells volume groups apart, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum GroupKey {
    Id(lvm::Uuid),
    Name(Label),
    Physical(lvm::Uuid),
    Unknown,
}

/// A volume group that has something of a map.
#[derive(Debug, Default)]
struct Group<'f> {
    name: Option<Label>,
    on: Option<Label>,
    /// Volumes by their UUIDs, with their names where they are what users see.
    volumes: BTreeMap<&'f [u8], Option<Label>>,
}

/// The way through everything that lies on a map.
struct Walk<'f, 'g> {
    graph: &'g Graph<'f>,
    seen: BTreeSet<&'f str>,
    groups: BTreeMap<GroupKey, Group<'f>>,
    found: Vec<Use>,
    /// What keeps it from being certain that there is nothing more.
    unknown: Option<Input>,
}

impl<'f> Walk<'f, '_> {
    /// Looks at a device and all that lies on it; whether anything was found. `on` is what the device is
    /// called, none for the map itself.
    fn visit(&mut self, device: &'f str, on: Option<&Label>, depth: usize) -> bool {
        if !self.seen.insert(device) {
            return true;
        }
        let before = self.found.len() + self.groups.len();
        let kind = self.graph.kind(device);
        let is_volume = matches!(kind, Kind::Volume { .. });
        let holders: Vec<&'f str> = self.graph.holders(device).collect();
        let mut explained = holders.len();

        if let Some(Mounted { first, others }) = self.graph.mounted.get(device) {
            explained += 1;
            // the kernel's mount points begin with a slash
            let at = Label::name(&first.at).or_else(|| Label::name(b"?"));
            self.found.extend(at.map(|at| Use::Mount {
                at,
                fs: Label::name(&first.fs),
                others: *others,
                on: on.cloned(),
            }));
        }
        if self.graph.swapped.contains(device) {
            explained += 1;
            self.found.push(Use::Swap { on: on.cloned() });
        }

        let udev = self.graph.udev(device);
        let fs = udev.and_then(|udev| udev.property("ID_FS_TYPE"));
        match udev {
            // what a guest has put on a volume is its own
            _ if is_volume => (),
            Some(udev) if fs == Some(b"LVM2_member") => self.physical_volume(udev, &holders, on),
            Some(_) => (),
            None if matches!(kind, Kind::Map(_) | Kind::Partition(_)) => {
                self.unknown.get_or_insert(Input::Udev);
            }
            None => (),
        }
        if matches!(kind, Kind::Map(_) | Kind::Partition(_)) {
            let uuid = self.graph.blocks.get(device).map(Block::uuid);
            let counts = self.graph.counts.as_ref();
            let count = counts.and_then(|counts| counts.get(uuid?).copied());
            let explained = u32::try_from(explained).unwrap_or(u32::MAX);
            match count {
                Some(count) if count > explained => self.found.push(Use::Open {
                    count: count - explained,
                    fs: fs.and_then(Label::name),
                    on: on.cloned(),
                }),
                Some(_) => (),
                None => {
                    self.unknown.get_or_insert(Input::OpenCounts);
                }
            }
        }

        let below = match &kind {
            Kind::Volume { vg, .. } => Some(vg),
            _ => None,
        };
        for holder in holders {
            self.holder(holder, on, below, depth);
        }
        self.found.len() + self.groups.len() > before
    }

    /// A physical volume of LVM, by its signature.
    fn physical_volume(&mut self, udev: Udev<'_>, holders: &[&'f str], on: Option<&Label>) {
        let graph = self.graph;
        let pv = udev.fs_uuid().and_then(lvm::Uuid::new);
        let active = holders.iter().find_map(|holder| match graph.kind(holder) {
            Kind::Volume { vg, .. } => Some(vg),
            _ => None,
        });
        let known = pv.as_ref();
        let name = known
            .and_then(|pv| graph.volume_groups.name_of(pv))
            .cloned();
        let id = active.or_else(|| graph.volume_groups.id_of(known?).cloned());
        let key = match (id, &name, known) {
            (Some(id), ..) => GroupKey::Id(id),
            (_, Some(name), _) => GroupKey::Name(name.clone()),
            _ if known.is_some_and(|pv| graph.volume_groups.is_free(pv)) => {
                self.found.push(Use::PhysicalVolume { on: on.cloned() });
                return;
            }
            (_, _, Some(pv)) => GroupKey::Physical(pv.clone()),
            _ => GroupKey::Unknown,
        };
        let group = self.groups.entry(key).or_default();
        group.name = group.name.take().or(name);
        group.on = group.on.take().or_else(|| on.cloned());
    }

    /// Something that lies on a device. `below` is the volume group of that, if it is a logical volume: parts
    /// of a volume lie on others of its group.
    fn holder(
        &mut self,
        holder: &'f str,
        on: Option<&Label>,
        below: Option<&lvm::Uuid>,
        depth: usize,
    ) {
        let graph = self.graph;
        let kind = graph.kind(holder);
        let place = graph.place_name(holder);
        let dev = Device::new(holder);
        if let Kind::Volume { vg, lv, hidden } = &kind {
            let (name, volume) = graph.volume_name(holder);
            let group = self.groups.entry(GroupKey::Id(vg.clone())).or_default();
            group.name = name.or(group.name.take());
            if below != Some(vg) {
                group.on = group.on.take().or_else(|| on.cloned());
            }
            let known = group.volumes.entry(lv).or_default();
            if !hidden {
                *known = known.take().or(volume).or_else(|| place.clone());
            }
        }
        if let (Kind::Array, Some(dev)) = (&kind, &dev) {
            self.found.push(Use::Md {
                dev: dev.clone(),
                on: on.cloned(),
            });
        }
        let used = depth < MAX_DEPTH && self.visit(holder, place.as_ref(), depth + 1);
        match (kind, place, dev) {
            (Kind::Volume { .. } | Kind::Array, ..) => (),
            _ if used => (),
            (Kind::Partition(_), Some(on), _) => self.found.push(Use::Partition { on }),
            (_, name, Some(dev)) => {
                let name = name.filter(|name| name.as_str() != dev.as_str());
                self.found.push(Use::Device {
                    dev,
                    name,
                    on: on.cloned(),
                });
            }
            // a name that no device has
            (_, _, None) => self.found.push(Use::Other),
        }
    }

    /// What uses the paths of the map.
    fn paths(&mut self, block: &'f Block<'f>, wwid: &Wwid) {
        let graph = self.graph;
        for path in &block.slaves {
            let Some(dev) = Device::new(path) else {
                continue;
            };
            let mut uses: Vec<Use> = Vec::new();
            for holder in graph.holders(path) {
                let (vg, by) = match graph.kind(holder) {
                    Kind::Map(map) if map == *wwid => continue,
                    Kind::Volume { .. } => (graph.volume_name(holder).0, None),
                    _ => (None, graph.place_name(holder)),
                };
                let dev = dev.clone();
                let used = Use::Path { dev, vg, by };
                if !uses.contains(&used) {
                    uses.push(used);
                }
            }
            self.found.append(&mut uses);
        }
    }

    /// All uses that were found, the most important first.
    fn finish(self) -> Vec<Use> {
        let mut by_name: Vec<Group<'f>> = Vec::new();
        for (key, mut group) in self.groups {
            if let GroupKey::Id(id) = &key {
                group.name = group
                    .name
                    .take()
                    .or_else(|| self.graph.volume_groups.name(id).cloned());
            }
            let same = |other: &&mut Group<'f>| other.name.is_some() && other.name == group.name;
            match by_name.iter_mut().find(same) {
                Some(other) => {
                    other.volumes.append(&mut group.volumes);
                    other.on = other.on.take().or(group.on);
                }
                None => by_name.push(group),
            }
        }
        let mut uses: Vec<Use> = by_name.into_iter().map(Group::into_use).collect();
        uses.extend(self.found);
        uses.sort_by_key(Use::rank);
        if let (true, Some(input)) = (uses.is_empty(), self.unknown) {
            uses.push(Use::NotKnown { input });
        }
        shorten(&mut uses);
        uses
    }
}

/// Leaves [`MAX_USES`], and the number of the others.
pub(super) fn shorten(uses: &mut Vec<Use>) {
    let more = uses.len().saturating_sub(MAX_USES);
    if more > 0 {
        uses.truncate(MAX_USES);
        let count = u32::try_from(more).unwrap_or(u32::MAX);
        uses.push(Use::More { count });
    }
}

impl Group<'_> {
    fn into_use(self) -> Use {
        let visible = self.volumes.values().flatten().count();
        let all = self.volumes.len();
        let active = if visible > 0 { visible } else { all };
        let mut volumes: Vec<Label> = self.volumes.into_values().flatten().collect();
        volumes.sort();
        volumes.truncate(MAX_VOLUMES);
        Use::VolumeGroup {
            vg: self.name,
            active: u32::try_from(active).unwrap_or(u32::MAX),
            volumes,
            on: self.on,
        }
    }
}
