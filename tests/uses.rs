//! What uses the maps of a node: recorded nodes, and stacks of devices that were put together by hand.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use pve_multipath::cluster::report::{KvTexts, LastSent, NoReport, Texts, USES_KEY, UsesReporter};
use pve_multipath::node::uses::{Block, Detail, Facts, Input, NodeUses, Usage, Use, node_uses};
use pve_multipath::wire::byte_string::ByteString;
use pve_multipath::wire::raw_text::RawText;

/// The files of a recorded node, in which a test may change something.
struct Recorded {
    base: PathBuf,
    files: BTreeMap<String, Vec<u8>>,
}

impl Recorded {
    fn new(folder: &str) -> Self {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/replay");
        let base = fixtures.join(folder).join("nodes/pve");
        let mut recorded = Self {
            base,
            files: BTreeMap::new(),
        };
        for folder in ["sys/block", "run", "proc", "etc/lvm", "dmsetup"] {
            recorded.read(folder);
        }
        recorded
    }

    /// Reads a folder. A link of sysfs leads to a folder, which is read as if it stood there.
    fn read(&mut self, name: &str) {
        let Ok(entries) = fs::read_dir(self.base.join(name)) else {
            return;
        };
        for entry in entries {
            let name = format!("{name}/{}", entry.unwrap().file_name().to_string_lossy());
            let path = self.base.join(&name);
            match path.is_dir() {
                true => self.read(&name),
                false => drop(self.files.insert(name, fs::read(path).unwrap())),
            }
        }
    }

    fn text(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).map(Vec::as_slice)
    }

    fn below<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        let files = self.files.iter();
        files.filter_map(move |(name, text)| Some((name.strip_prefix(folder)?, text.as_slice())))
    }

    fn facts(&self) -> Facts<'_> {
        let mut blocks: BTreeMap<String, Block<'_>> = BTreeMap::new();
        for (name, text) in self.below("sys/block/") {
            let (device, attribute) = name.split_once('/').unwrap();
            let block = blocks.entry(device.to_owned()).or_default();
            match attribute {
                "dm/name" => block.name = Some(text),
                "dm/uuid" => block.uuid = Some(text),
                "dev" => {
                    let number = String::from_utf8_lossy(text);
                    block.dev = Some(text);
                    block.udev = self.text(&format!("run/udev/data/b{}", number.trim_end()));
                }
                _ => block
                    .slaves
                    .extend(attribute.strip_prefix("slaves/").map(str::to_owned)),
            }
        }
        blocks.retain(|_, block| block.uuid.is_some() || !block.slaves.is_empty());
        Facts {
            blocks,
            open_counts: self.text("dmsetup/info.out"),
            mounts: self.text("proc/self/mountinfo"),
            swaps: self.text("proc/swaps"),
            lvm_hints: self.text("run/lvm/hints"),
            lvm_backup: self
                .below("etc/lvm/backup/")
                .map(|(_, text)| text)
                .collect(),
            errors: BTreeMap::new(),
        }
    }

    /// The uses as `ending of the WWID: phrase; phrase`.
    fn uses(&self) -> Vec<String> {
        phrases(&node_uses(&self.facts()))
    }
}

fn phrases(uses: &NodeUses) -> Vec<String> {
    let maps = uses.maps.iter().map(|(wwid, uses)| {
        let uses: Vec<_> = uses.iter().map(ToString::to_string).collect();
        let wwid = wwid.as_str();
        format!("{}: {}", &wwid[wwid.len() - 3..], uses.join("; "))
    });
    maps.collect()
}

/// By STATE.txt of the recording: a: VG vg-a, 2 active LVs; b: VG vg-b, its LV inactive; c: MBR, VG vg-c on
/// san-c-part1, active LV; d and e: VG vg-de, two active LVs, one on both; f: ext4 mounted; h: md array; i: opened
/// by a process; j: unused; k: PV without a VG.
const CONSUMERS: [&str; 10] = [
    "a00: LVM volume group vg-a with 2 active logical volumes (lv-one, vm-100-disk-0)",
    "b01: LVM volume group vg-b, no logical volume is active",
    "c02: LVM volume group vg-c on part1 with 1 active logical volume (lv0)",
    "d03: LVM volume group vg-de with 2 active logical volumes (lv-big, lv-d)",
    "e04: LVM volume group vg-de with 1 active logical volume (lv-big)",
    "f05: ext4 mounted at /mnt/f",
    "f07: member of the md array md7",
    "f08: opened once by a process or another program",
    "f09: ",
    "f0a: LVM physical volume that belongs to no group",
];

#[test]
fn consumers_of_all_kinds() {
    let recorded = Recorded::new("consumers");
    assert_eq!(recorded.uses(), CONSUMERS);
    let uses = node_uses(&recorded.facts());
    assert!(uses.unread.is_empty());
    assert_eq!(uses.of("35000c50000000f09"), Usage::Unused);
    assert_eq!(uses.of("35000c50000000fff"), Usage::Unused);
    assert!(matches!(uses.of("35000c50000000f0a"), Usage::Used(_)));
}

/// The paths of a, b and f are lost, which nothing that was read depends on. LVM's backups were not recorded.
#[test]
fn all_paths_lost() {
    assert_eq!(Recorded::new("all-paths-lost").uses(), CONSUMERS);
}

#[test]
fn names_come_from_hints_or_backups() {
    let mut recorded = Recorded::new("consumers");
    // Without a hint, whether k belongs to a group is not known; b is in a backup.
    recorded.files.remove("run/lvm/hints");
    let mut wanted = CONSUMERS.map(str::to_owned);
    let unknown = "LVM volume group whose name is not known, no logical volume is active";
    wanted[9] = format!("f0a: {unknown}");
    assert_eq!(recorded.uses(), wanted);
    recorded
        .files
        .retain(|name, _| !name.starts_with("etc/lvm"));
    wanted[1] = format!("b01: {unknown}");
    assert_eq!(recorded.uses(), wanted);
    // Without udev's names of volumes, device-mapper's are split.
    for name in ["11", "12", "13", "14", "15"] {
        recorded.files.remove(&format!("run/udev/data/b252:{name}"));
    }
    assert_eq!(recorded.uses(), wanted);
}

#[test]
fn what_cannot_be_read_is_not_unused() {
    let of = |remove: &[&str], wwid: &str| {
        let mut recorded = Recorded::new("consumers");
        for name in remove {
            assert!(recorded.files.remove(*name).is_some(), "{name}");
        }
        let uses = node_uses(&recorded.facts());
        let unread: Vec<Input> = uses.unread.keys().copied().collect();
        let state = match uses.of(wwid) {
            Usage::Unused => "unused".to_owned(),
            Usage::Used(uses) => uses[0].to_string(),
            Usage::NotKnown(input, _) => format!("not known: {input:?}"),
        };
        (state, unread)
    };
    let (free, open) = ("35000c50000000f09", "35000c50000000f08");
    // j has nothing above it, and whether it is open is not known
    let (state, unread) = of(&["dmsetup/info.out"], free);
    assert_eq!(
        (state.as_str(), unread),
        ("not known: OpenCounts", vec![Input::OpenCounts])
    );
    assert_eq!(of(&["dmsetup/info.out"], open).0, "not known: OpenCounts");
    // whether it is a physical volume is not known
    assert_eq!(of(&["run/udev/data/b252:9"], free).0, "not known: Udev");
    // a mount that is not known is something that has the device open
    let (state, unread) = of(&["proc/self/mountinfo"], "35000c50000000f05");
    assert_eq!(
        state,
        "opened once by a process or another program (content: ext4)"
    );
    assert_eq!(unread, [Input::Mounts]);
    assert_eq!(
        of(&["proc/swaps"], free),
        ("unused".to_owned(), vec![Input::Swaps])
    );

    let mut recorded = Recorded::new("consumers");
    recorded
        .files
        .insert("proc/self/mountinfo".to_owned(), b"garbage\n".to_vec());
    recorded
        .files
        .insert("dmsetup/info.out".to_owned(), b"garbage\n".to_vec());
    let uses = node_uses(&recorded.facts());
    assert_eq!(
        uses.unread.into_values().collect::<Vec<_>>(),
        [
            "line 1 of the answer of 'dmsetup info' has no number and UUID",
            "line 1 is not what the kernel writes"
        ]
    );

    // nothing is known of any LUN where sysfs cannot be read
    let facts = Facts {
        errors: BTreeMap::from([(Input::Sysfs, "Permission denied".to_owned())]),
        ..Facts::default()
    };
    let uses = node_uses(&facts);
    let wanted = Usage::NotKnown(Input::Sysfs, Some("Permission denied"));
    assert_eq!(uses.of(free), wanted);
    assert_eq!(
        NodeUses::from_json(uses.to_json(Detail::Full, None).as_bytes())
            .unwrap()
            .of(free),
        wanted
    );
}

/// Devices by hand.
#[derive(Default)]
struct Stack {
    blocks: Vec<(String, String, String, Vec<String>, String)>,
    counts: String,
    mounts: String,
    swaps: String,
}

const HEADING: &str = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";

impl Stack {
    /// A device on others, open so many times, with what udev says.
    fn device(mut self, device: &str, uuid: &str, slaves: &str, open: u32, udev: &str) -> Self {
        if !uuid.is_empty() {
            self.counts.push_str(&format!("{open}:{uuid}\n"));
        }
        let slaves = slaves.split(' ').map(str::to_owned).collect();
        let name = format!("name--of-{device}");
        self.blocks.push((
            device.to_owned(),
            name,
            uuid.to_owned(),
            slaves,
            udev.to_owned(),
        ));
        self
    }

    fn uses(&self) -> NodeUses {
        let swaps = format!("{HEADING}{}", self.swaps);
        let numbers: Vec<String> = self
            .blocks
            .iter()
            .map(|(device, ..)| number(device))
            .collect();
        let blocks = self.blocks.iter().zip(&numbers);
        let blocks = blocks.map(|((device, name, uuid, slaves, udev), number)| {
            let is_mapped = !uuid.is_empty();
            let block = Block {
                name: is_mapped.then_some(name.as_bytes()),
                uuid: is_mapped.then_some(uuid.as_bytes()),
                dev: Some(number.as_bytes()),
                slaves: slaves.clone(),
                udev: Some(udev.as_bytes()),
            };
            (device.clone(), block)
        });
        node_uses(&Facts {
            blocks: blocks.collect(),
            open_counts: Some(self.counts.as_bytes()),
            mounts: Some(self.mounts.as_bytes()),
            swaps: Some(swaps.as_bytes()),
            ..Facts::default()
        })
    }
}

fn number(device: &str) -> String {
    format!(
        "252:{}\n",
        device.trim_start_matches(|c: char| c.is_ascii_alphabetic() || c == '-')
    )
}

const MAP: &str = "mpath-3600a";
const VG: &str = "W0zSGx8PD599BX9Zb13cceyG3xet9reP";

fn volume(digit: char, suffix: &str) -> String {
    format!("LVM-{VG}{}{suffix}", digit.to_string().repeat(32))
}

fn phrase(stack: &Stack) -> String {
    let uses = stack.uses();
    assert!(uses.unread.is_empty());
    phrases(&uses).join("\n")
}

/// The LV active on one path is from candidates/02: map mpathb has sdh and sdu, vg--held-lv0 has sdh.
#[test]
fn a_group_on_a_single_path() {
    let vg = "E:DM_VG_NAME=vg-held\nE:DM_LV_NAME=lv0\n";
    for slave in ["sdh", "sdh1"] {
        let stack = Stack::default()
            .device("dm-2", MAP, "sdh sdu", 0, "")
            .device("dm-0", &volume('a', ""), slave, 0, vg)
            .device("dm-1", &volume('b', ""), slave, 0, vg);
        let wanted = "00a: volume group vg-held uses its path sdh instead of the map";
        assert_eq!(phrase(&stack), wanted);
    }
    let stack = Stack::default()
        .device("dm-2", MAP, "nvme0n1 nvme1n1", 0, "")
        .device("md7", "", "nvme1n1p3", 0, "");
    assert_eq!(
        phrase(&stack),
        "00a: md7 uses its path nvme1n1 instead of the map"
    );
}

#[test]
fn a_thin_pool() {
    // vm-1 on the pool's data, which is on the map; parts that are not reported do not count
    let lv = |name: &str| format!("E:DM_VG_NAME=vg\nE:DM_LV_NAME={name}\n");
    let stack = Stack::default()
        .device("dm-0", MAP, "sda sdb", 2, "E:ID_FS_TYPE=LVM2_member\n")
        .device("dm-1", &volume('1', "-tmeta"), "dm-0", 1, &lv("pool_tmeta"))
        .device("dm-2", &volume('2', "-tdata"), "dm-0", 1, &lv("pool_tdata"))
        .device("dm-3", &volume('3', "-tpool"), "dm-1 dm-2", 2, &lv("pool"))
        .device("dm-4", &volume('3', ""), "dm-3", 0, &lv("pool"))
        .device("dm-5", &volume('4', ""), "dm-3", 1, &lv("vm-1"));
    let wanted = "00a: LVM volume group vg with 2 active logical volumes (pool, vm-1)";
    assert_eq!(phrase(&stack), wanted);
}

#[test]
fn partitions_and_what_is_on_them() {
    let mut stack = Stack::default()
        .device("dm-0", MAP, "sda sdb", 4, "E:ID_PART_TABLE_TYPE=gpt\n")
        .device("dm-1", &format!("part1-{MAP}"), "dm-0", 0, "")
        .device(
            "dm-2",
            &format!("part2-{MAP}"),
            "dm-0",
            1,
            "E:ID_FS_TYPE=zfs_member\n",
        )
        .device("dm-3", &format!("part3-{MAP}"), "dm-0", 1, "")
        .device("dm-4", &format!("part4-{MAP}"), "dm-0", 1, "");
    stack.swaps =
        "/dev/dm-3                               partition\t8388604\t\t0\t\t-2\n".to_owned();
    // btrfs has no device number of its own
    stack.mounts = "30 1 0:45 / /data rw - btrfs /dev/mapper/name--of-dm-4 rw\n\
        31 1 0:45 /sub /sub rw - btrfs /dev/mapper/name--of-dm-4 rw\n"
        .to_owned();
    assert_eq!(
        phrase(&stack),
        "00a: swap space on part3; btrfs on part4 mounted at /data and in another place; \
         part2 is opened once by a process or another program (content: zfs_member); partition part1"
    );
}

#[test]
fn other_devices_in_between() {
    let mut stack = Stack::default()
        .device("dm-0", MAP, "sda", 1, "E:ID_FS_TYPE=crypto_LUKS\n")
        .device("dm-1", "CRYPT-LUKS2-x", "dm-0", 1, "")
        .device("dm-2", "mpath-3600b", "sdb", 1, "")
        .device("bcache0", "", "dm-2", 0, "");
    stack.mounts = "30 1 252:1 / /secret\\012x rw - ext4 /dev/mapper/x rw\n".to_owned();
    assert_eq!(
        phrase(&stack),
        "00a: ext4 on name--of-dm-1 mounted at /secret\\x{a}x\n00b: block device bcache0 lies on it"
    );
    // LVM on md on a map
    let stack = Stack::default()
        .device("dm-0", MAP, "sda", 1, "E:ID_FS_TYPE=linux_raid_member\n")
        .device("md7", "", "dm-0", 1, "E:ID_FS_TYPE=LVM2_member\n")
        .device(
            "dm-1",
            &volume('1', ""),
            "md7",
            0,
            "E:DM_VG_NAME=vg\nE:DM_LV_NAME=lv\n",
        );
    assert_eq!(
        phrase(&stack),
        "00a: LVM volume group vg on md7 with 1 active logical volume (lv); member of the md array md7"
    );
}

#[test]
fn what_a_guest_writes_is_not_a_use() {
    let stack = Stack::default()
        .device("dm-0", MAP, "sda", 1, "E:ID_FS_TYPE=LVM2_member\n")
        .device(
            "dm-1",
            &volume('1', ""),
            "dm-0",
            1,
            "E:DM_VG_NAME=vg\nE:DM_LV_NAME=vm-1\nE:ID_FS_TYPE=LVM2_member\nE:ID_FS_UUID=AN26GJ\n",
        );
    assert_eq!(
        phrase(&stack),
        "00a: LVM volume group vg with 1 active logical volume (vm-1)"
    );
}

#[test]
fn at_most_eight_and_then_a_number() {
    let mut stack = Stack::default().device("dm-0", MAP, "sda", 12, "");
    for part in 1..=12 {
        let uuid = format!("part{part}-{MAP}");
        stack = stack.device(&format!("dm-{part}"), &uuid, "dm-0", 0, "");
    }
    let uses = stack.uses();
    let uses = uses.maps.values().next().unwrap();
    assert_eq!(uses.len(), 9);
    assert_eq!(uses[8], Use::More { count: 4 });
}

#[test]
fn devices_in_a_circle_or_a_tower() {
    let stack = Stack::default()
        .device("dm-0", MAP, "dm-1", 1, "")
        .device("dm-1", "x", "dm-0", 1, "");
    // What is in a circle leads to nothing else, so that is all that can be said.
    assert!(matches!(
        stack.uses().of("3600a"),
        Usage::Used(_) | Usage::Unused
    ));
    let mut stack = Stack::default().device("dm-0", MAP, "sda", 1, "");
    for level in 1..5_000 {
        let below = format!("dm-{}", level - 1);
        stack = stack.device(&format!("dm-{level}"), "x", &below, 1, "");
    }
    assert!(matches!(
        stack.uses().of("3600a"),
        Usage::Used([Use::Device { .. }])
    ));
}

// --- the text for peers ---

#[test]
fn a_report_comes_back() {
    let uses = node_uses(&Recorded::new("consumers").facts());
    let text = uses.to_json(Detail::Full, None);
    assert_eq!(
        text.split(r#","35000c50000000c02""#).next().unwrap(),
        r#"{"maps":{"35000c50000000a00":[{"code":"volume-group","vg":"vg-a","active":2,"volumes":["lv-one","vm-100-disk-0"]}],"35000c50000000b01":[{"code":"volume-group","vg":"vg-b","active":0}]"#
    );
    let mut read = NodeUses::from_json(text.as_bytes()).unwrap();
    read.maps
        .insert("35000c50000000f09".parse().unwrap(), vec![]);
    assert_eq!(read, uses);

    let read = NodeUses::from_json(uses.to_json(Detail::WithoutVolumes, None).as_bytes()).unwrap();
    assert_eq!(
        phrases(&read)[0],
        "a00: LVM volume group vg-a with 2 active logical volumes"
    );
    let read = NodeUses::from_json(uses.to_json(Detail::Counts, None).as_bytes()).unwrap();
    assert_eq!(
        phrases(&read)[0],
        "a00: 1 use, left out of the node's report, which would be too long"
    );
    assert_eq!(read.maps.len(), 9);
}

#[test]
fn reports_of_peers_may_be_anything() {
    let read = |text: &str| NodeUses::from_json(text.as_bytes());
    for text in [
        "",
        "[]",
        "{}",
        r#"{"maps":[]}"#,
        r#"{"maps":{}}x"#,
        "{\"maps\":{\"\u{0}\":1}}",
    ] {
        assert!(read(text).is_err(), "{text}");
    }
    let uses = read(
        r#"{"maps":{"3600a":[{"code":"volume-group","volumes":7},3,{"code":"new"}],"3600b":{},"../x":[],
            "3600c":[{"code":"not-known","input":"udev"}]},
            "unread":{"swaps":"a\nb","new":7}}"#,
    );
    let uses = uses.unwrap();
    assert_eq!(
        uses.of("3600a"),
        Usage::Used(&[Use::Other, Use::Other, Use::Other])
    );
    assert_eq!(uses.of("3600b"), Usage::Used(&[Use::Other]));
    assert_eq!(uses.of("3600c"), Usage::NotKnown(Input::Udev, None));
    assert_eq!(uses.of("3600d"), Usage::Unused);
    assert_eq!(uses.maps.len(), 3);
    assert_eq!(uses.unread[&Input::Swaps], "a\\x{a}b");

    let many: Vec<String> = (0..100).map(|_| r#"{"code":"swap"}"#.to_owned()).collect();
    let uses = read(&format!(r#"{{"maps":{{"3600a":[{}]}}}}"#, many.join(","))).unwrap();
    assert_eq!(uses.maps["3600a"].len(), 9);
    let maps: Vec<String> = (0..20_000).map(|n| format!(r#""{n}":[]"#)).collect();
    assert!(read(&format!(r#"{{"maps":{{{}}}}}"#, maps.join(","))).is_err());
}

/// 2,000 LUNs with a volume group each: their WWIDs differ in eight digits, as those of one array do.
fn many_uses() -> NodeUses {
    let mut state: u64 = 1;
    let mut random = move |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let maps = (0..2_000).map(|number| {
        let wwid = format!("360014051111222133334444{:08x}", random(1 << 32));
        let vms: Vec<String> = (0..3)
            .map(|_| format!(r#""vm-{}-disk-{}""#, 100 + random(9_900), random(3)))
            .collect();
        format!(
            r#""{wwid}":[{{"code":"volume-group","vg":"vg-san-{number:04}","active":{},"volumes":[{}]}}]"#,
            3 + random(9),
            vms.join(",")
        )
    });
    let maps: Vec<String> = maps.collect();
    NodeUses::from_json(format!(r#"{{"maps":{{{}}}}}"#, maps.join(",")).as_bytes()).unwrap()
}

/// The values that a node with these uses writes first.
fn written(uses: NodeUses) -> Vec<(String, String)> {
    let values = UsesReporter::default().report(uses, 1000, None).unwrap();
    let values = values
        .into_iter()
        .map(|value| (value.key, value.text.unwrap()));
    values.collect()
}

/// What peers read 5 seconds later.
fn received(values: &[(String, String)]) -> Result<NodeUses, NoReport> {
    let mut texts = Texts::default();
    for (key, text) in values {
        let by_node = match key == USES_KEY {
            true => &mut texts.kv,
            false => texts.continued.entry(key.clone()).or_default(),
        };
        by_node.insert("pve1".to_owned(), Some(RawText(text.as_bytes().into())));
    }
    texts.uses(&pve_multipath::NodeName::new("pve1").unwrap(), 1005)
}

#[test]
fn two_thousand_maps_take_two_values() {
    let uses = many_uses();
    assert_eq!(uses.maps.len(), 2_000);
    let values = written(uses.clone());
    let keys: Vec<&str> = values.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["multipath-uses-1", "multipath-uses"]);
    assert!(values.iter().all(|(_, text)| text.len() <= 32_767));
    assert_eq!(received(&values), Ok(uses));
}

#[test]
fn less_is_told_where_a_report_would_be_too_long() {
    let mut uses = many_uses();
    let (first, _) = uses.maps.first_key_value().unwrap();
    let first = first.clone();
    // Names that do not compress.
    let long = |uses: &mut NodeUses, names: usize| {
        for (number, list) in uses.maps.values_mut().enumerate() {
            let name = |n: usize| {
                let n = (number * 7 + n + 1) as u128;
                let noise = n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
                format!(r#""{:032x}""#, noise ^ (noise >> 37))
            };
            let names: Vec<String> = (0..names).map(name).collect();
            let vg = names.get(1).map_or("null", String::as_str);
            *list = NodeUses::from_json(
                format!(
                    r#"{{"maps":{{"a":[{{"code":"volume-group","vg":{vg},"active":3,"volumes":[{}]}}]}}}}"#,
                    names.join(",")
                )
                .as_bytes(),
            )
            .unwrap()
            .maps
            .remove("a")
            .unwrap();
        }
    };
    long(&mut uses, 1);
    let read = received(&written(uses.clone())).unwrap();
    let none = "LVM volume group whose name is not known with 3 active logical volumes";
    assert_eq!(read.maps[&first][0].to_string(), none);
    assert_eq!(read.maps.len(), 2_000);

    long(&mut uses, 3);
    let read = received(&written(uses)).unwrap();
    assert_eq!(read.maps[&first], [Use::Counted { count: 1 }]);
    assert_eq!(read.maps.len(), 2_000);
}

#[test]
fn a_report_is_sent_when_it_changes_once_a_minute_and_again() {
    let uses = |list: &str| {
        NodeUses::from_json(format!(r#"{{"maps":{{"3600a":[{list}]}}}}"#).as_bytes()).unwrap()
    };
    let group = r#"{"code":"volume-group","vg":"a","active":0}"#;
    let open = r#"{"code":"open","count":1}"#;
    let both = format!("{group},{open}");
    let text = |list: &str, time: i64| format!(r#"{{"maps":{{"3600a":[{list}]}},"time":{time}}}"#);
    let mut reporter = UsesReporter::default();
    let mut last: Option<(String, i64)> = None;
    let mut pass = |list: &str, now: i64| {
        let known = last.as_ref().map(|(text, time)| LastSent {
            text: Some(text.as_bytes()),
            time: *time,
        });
        let mut writes = reporter.report(uses(list), now, known).unwrap();
        let sent = writes.pop().map(|write| write.text.unwrap());
        if let Some(text) = &sent {
            last = Some((text.clone(), now));
        }
        sent
    };
    assert_eq!(pass(&both, 1000), Some(text(&both, 1000)));
    assert_eq!(pass(&both, 1060), None);
    assert_eq!(pass(group, 1120), Some(text(group, 1120)));
    // A change within a minute waits, and what is open for one look is not told.
    let swap = r#"{"code":"swap"}"#;
    assert_eq!(pass(swap, 1150), None);
    assert_eq!(pass(swap, 1180), Some(text(swap, 1180)));
    assert_eq!(pass(&format!("{swap},{open}"), 1240), None);
    assert_eq!(pass(swap, 1300), None);
    assert_eq!(pass(&format!("{swap},{open}"), 1360), None);
    let again = format!(r#"{swap},{{"code":"open","count":2}}"#);
    assert_eq!(pass(&again, 1420), Some(text(&again, 1420)));
    // Nothing has changed for five minutes.
    assert_eq!(pass(&again, 1719), None);
    assert_eq!(pass(&again, 1720), Some(text(&again, 1720)));
}

#[test]
fn what_peers_have_sent_is_never_empty_for_being_unreadable() {
    let values = written(many_uses());
    let [(_, second), (_, first)] = values.as_slice() else {
        panic!("they are two");
    };
    fn value(text: Option<&str>) -> KvTexts<'_> {
        let text = text.map(|text| RawText(text.as_bytes().into()));
        BTreeMap::from([("pve1".to_owned(), text)])
    }
    let read = |first: Option<&str>, second: Option<&str>, now: i64| {
        let continued = BTreeMap::from([("multipath-uses-1".to_owned(), value(second))]);
        let texts = Texts {
            kv: value(first),
            continued,
        };
        texts
            .uses(&pve_multipath::NodeName::new("pve1").unwrap(), now)
            .map_err(|error| error.to_string())
    };
    let (first, second) = (Some(first.as_str()), Some(second.as_str()));
    assert_eq!(read(first, second, 1900).unwrap().maps.len(), 2_000);
    let none = Some(r#"{"maps":{},"time":1000}"#);
    assert_eq!(read(none, None, 1000), Ok(NodeUses::default()));
    let stale = |age| format!("its report is out of date: it is {age} seconds old");
    let unreadable = |why: &str| format!("its report cannot be read: {why}");
    for (first, second, now, error) in [
        (first, second, 1901, stale(901)),
        (none, None, 939, stale(-61)),
        (
            Some(r#"{"maps":{}}"#),
            None,
            1000,
            "its report is out of date".to_owned(),
        ),
        (first, None, 1000, unreadable("part 2 of 2 is missing")),
        (
            first,
            Some("eJw="),
            1000,
            unreadable("its parts do not belong together"),
        ),
        (
            Some(r#"{"format":3,"time":1000}"#),
            None,
            1000,
            unreadable("made by a newer version (format 3)"),
        ),
        (Some("[]"), None, 1000, unreadable("not a JSON object")),
        (
            Some(r#"{"time":1000}"#),
            None,
            1000,
            unreadable("the uses are not in the form of a report: no object 'maps'"),
        ),
        (
            None,
            second,
            1000,
            "it has sent no such report: pve-multipath is older there, or not installed".to_owned(),
        ),
    ] {
        assert_eq!(read(first, second, now), Err(error));
    }
}

// --- any bytes ---

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        place in 0usize..1_000,
        bytes in proptest::collection::vec(any::<u8>(), 0..40),
        at in any::<prop::sample::Index>(),
        whole in any::<bool>(),
    ) {
        let mut recorded = Recorded::new("consumers");
        let names: Vec<String> = recorded.files.keys().cloned().collect();
        let text = recorded.files.get_mut(&names[place % names.len()]).unwrap();
        match whole || text.is_empty() {
            true => *text = bytes,
            false => {
                let at = at.index(text.len());
                let end = text.len().min(at + 7);
                text.splice(at..end, bytes);
            }
        }
        let uses = node_uses(&recorded.facts());
        for (wwid, list) in &uses.maps {
            prop_assert!(list.len() <= 9);
            for used in list {
                let shown = format!("{used} {}", used.short());
                prop_assert!(!shown.chars().any(char::is_control), "{wwid}: {shown:?}");
            }
        }
        let text = uses.to_json(Detail::Full, None);
        let mut read = NodeUses::from_json(text.as_bytes()).unwrap();
        for wwid in uses.maps.keys() {
            read.maps.entry(wwid.clone()).or_default();
        }
        prop_assert_eq!(read, uses);
    }

    #[test]
    fn no_report_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60), at in any::<prop::sample::Index>()) {
        let mut text = node_uses(&Recorded::new("consumers").facts()).to_json(Detail::Full, None).into_bytes();
        let at = at.index(text.len());
        text.splice(at..at, ByteString::from_bytes(&bytes).to_bytes().unwrap().into_owned());
        if let Ok(uses) = NodeUses::from_json(&text) {
            for used in uses.maps.values().flatten() {
                prop_assert!(!used.to_string().chars().any(char::is_control));
            }
        }
    }
}
