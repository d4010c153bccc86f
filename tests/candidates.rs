//! LUNs that are not allow-listed, from the recordings in `fixtures/replay/candidates`, and hostile texts.
//!
//! What is expected was worked out by hand from what the recordings' STATE.txt says of each LUN.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proptest::collection::vec;
use proptest::prelude::*;
use pve_multipath::cluster::report::{self, CANDIDATES_KEY, LastSent, Peers, Texts};
use pve_multipath::multipath_conf::VERSIONS;
use pve_multipath::multipath_conf::blacklisted::{File, Rules};
use pve_multipath::node::Content;
use pve_multipath::node::absent::{absent, past_maps};
use pve_multipath::node::candidates::identify::{Seen, identify};
use pve_multipath::node::candidates::listing::Listing;
use pve_multipath::node::candidates::{
    Candidate, Candidates, Disk, Inputs, MAX_CANDIDATES, Mapped, Partition, ReportedList,
    VolumeGroups, candidates,
};
use pve_multipath::node::maps::Reply;
use pve_multipath::types::absence::Absence;
use pve_multipath::wire::byte_string::ByteString;
use pve_multipath::wire::raw_text::RawText;
use pve_multipath::{NodeName, Wwid, cluster};

fn leaked(path: impl AsRef<Path>) -> Option<&'static [u8]> {
    fs::read(path).ok().map(|bytes| &*bytes.leak())
}

fn names(path: impl AsRef<Path>) -> Vec<&'static str> {
    let entries = fs::read_dir(path).into_iter().flatten();
    entries
        .map(|entry| &*entry.unwrap().file_name().into_string().unwrap().leak())
        .collect()
}

fn strings(names: Vec<&'static str>) -> Vec<ByteString<'static>> {
    names.into_iter().map(ByteString::from).collect()
}

/// What the glue reads of a recorded node.
struct Node(PathBuf);

impl Node {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/replay/candidates/nodes");
        Self(folder.join(name))
    }

    fn udev(&self, number: Option<&[u8]>) -> Option<&'static [u8]> {
        let number = std::str::from_utf8(number?).unwrap().trim();
        leaked(self.0.join(format!("run/udev/data/b{number}")))
    }

    fn disk(&self, name: &'static str) -> Disk<'static> {
        let sys = self.0.join("sys/block");
        let link = fs::read_link(sys.join(name)).unwrap();
        let dir = sys.join(name);
        let read = |attribute: &str| leaked(dir.join(attribute));
        let dev = read("dev");
        let is_partition = |entry: &&'static str| dir.join(entry).join("partition").exists();
        let partition = |partition: &'static str| {
            let dev = read(&format!("{partition}/dev"));
            let facts = Partition {
                dev,
                holders: strings(names(dir.join(partition).join("holders"))),
                udev: self.udev(dev),
            };
            (ByteString::from(partition), facts)
        };
        Disk {
            link: Some(link.into_os_string().into_encoded_bytes().leak()),
            size: read("size"),
            dev,
            removable: read("removable"),
            kind: read("device/type"),
            state: read("device/state"),
            vendor: read("device/vendor"),
            model: read("device/model"),
            holders: strings(names(dir.join("holders"))),
            partitions: names(&dir)
                .into_iter()
                .filter(is_partition)
                .map(partition)
                .collect(),
            udev: self.udev(dev),
            ..Disk::default()
        }
    }

    fn inputs(&self) -> Inputs<'static> {
        let sys = self.0.join("sys/block");
        let (mapped, disks): (Vec<_>, Vec<_>) = names(&sys)
            .into_iter()
            .partition(|name| name.starts_with("dm-"));
        let map = |name: &'static str| {
            let map = Mapped {
                name: leaked(sys.join(name).join("dm/name")),
                uuid: leaked(sys.join(name).join("dm/uuid")),
            };
            (ByteString::from(name), map)
        };
        let reply = Reply {
            exit_code: Some(0),
            stdout: leaked(self.0.join("multipathd/show-paths-raw.out")).unwrap(),
            ..Reply::default()
        };
        let file = File {
            name: "/etc/multipath.conf",
            text: leaked(self.0.join("etc/multipath.conf")).unwrap(),
        };
        Inputs {
            listing: Some(Listing::of_reply(&reply).unwrap()),
            disks: disks
                .into_iter()
                .map(|name| (name.into(), self.disk(name)))
                .collect(),
            mapped: mapped.into_iter().map(map).collect(),
            aliases: BTreeMap::new(),
            allow_list: [Wwid::new("35000c50000000a00").unwrap()].into(),
            rules: Rules::new(None, &[file], VERSIONS[1]),
            mountinfo: b"",
            swaps: b"",
            volume_groups: VolumeGroups::default(),
        }
    }
}

/// The identifier, the number of paths, and what is said.
fn told(candidate: &Candidate) -> String {
    let udev = |wwid: &_| format!("({wwid})");
    let wwid = candidate.lun.wwid.as_ref().map(ToString::to_string);
    let wwid = wwid.or_else(|| candidate.lun.udev_wwid.as_ref().map(udev));
    let told = candidate.told().join("; ");
    let offered = if candidate.is_offered() { "+" } else { "-" };
    format!(
        "{offered} {} {} {told}",
        wwid.unwrap_or_default(),
        candidate.lun.paths
    )
    .trim_end()
    .to_owned()
}

fn all_told(candidates: &Candidates) -> Vec<String> {
    candidates.candidates.iter().map(told).collect()
}

#[test]
fn luns_of_a_node() {
    let found = candidates(&Node::new("pve1").inputs());
    let in_use = "in use outside multipath: held by";
    let by = "blacklisted by /etc/multipath.conf";
    assert_eq!(
        all_told(&found),
        [
            "+ 35000c50000000b01 2".to_owned(),
            "+ 35000c50000000c02 2 not empty: LVM physical volume".to_owned(),
            "+ 35000c50000000d03 2 not empty: file system ext4 'lunlabel'".to_owned(),
            "+ 35000c50000000f09 2 1 path is offline".to_owned(),
            "+ 35000c50000000f0a 2 2 paths are offline".to_owned(),
            "+ 35000c50000000f0c 2".to_owned(),
            "+ 35000c50000000f0d 2".to_owned(),
            format!(
                "- 35000c50000000f07 2 {in_use} logical volume 'vg-held/lv0'; LVM physical volume"
            ),
            format!("- 35000c50000000f08 2 {in_use} 'md7'; md member of array 'mplab:7'"),
            format!(
                "- (35000c50000000e04) 2 {by}:12 (property \"ID_PART_TABLE_TYPE\"); partition table dos; \
                 LVM physical volume on partition 1"
            ),
            format!("- (35000c50000000f05) 2 {by}:7 (wwid \"35000c50000000f05\")"),
            format!("- (35000c50000000f06) 2 {by}:8 (device vendor \"BADVEND\", product \".*\")"),
            format!("- (35000c50000000f0b) 2 {by}:6 (devnode \"^(sdl|sdy)$\")"),
            "- (QEMU_HARDDISK_SATA0) 1 local disk (SATA)".to_owned(),
            "-  1 CD or DVD drive".to_owned(),
        ]
    );
    assert_eq!(found.omitted, 0);

    let free = &found.candidates[0];
    let text = serde_json::to_value(free).unwrap();
    let expected = serde_json::json!({
        "wwid": "35000c50000000b01", "size": 67_108_864, "vendor": "LAB", "product": "VIRTUAL-b",
        "serial": "SERb", "protocol": "scsi:unspec", "paths": 2, "devs": ["sdb", "sdp"],
    });
    assert_eq!(text, expected);
    let blacklisted = serde_json::to_value(&found.candidates[10]).unwrap();
    let expected = serde_json::json!({
        "code": "blacklisted", "rule": "wwid \"35000c50000000f05\"",
        "place": { "file": "/etc/multipath.conf", "line": 7 },
    });
    assert_eq!(blacklisted["reason"], expected);
}

/// j and k were offline when multipathd was started: j with one of its paths, k with both. h has a map, of
/// which a logical volume uses one path.
#[test]
fn paths_without_a_wwid() {
    let found = candidates(&Node::new("pve2").inputs());
    let no_wwid = "multipathd has no WWID for it: the path is offline; once it is back, run \
        'multipathd reconfigure'; 1 path is offline";
    assert_eq!(
        all_told(&found),
        [
            "+ 35000c50000000b01 2".to_owned(),
            "+ 35000c50000000f09 1 only one path: perhaps a local disk".to_owned(),
            "- 35000c50000000f07 2 in use outside multipath: held by logical volume 'vg-held/lv0'; LVM \
             physical volume"
                .to_owned(),
            "- 35000c50000000f08 2 in use outside multipath: held by 'md7'; md member of array 'mplab:7'"
                .to_owned(),
            "- (35000c50000000f06) 2 blacklisted by /etc/multipath.conf:8 (device vendor \"BADVEND\", product \
             \".*\")"
                .to_owned(),
            format!("- (35000c50000000f09) 1 {no_wwid}"),
            format!("- (35000c50000000f0a) 1 {no_wwid}"),
            format!("- (35000c50000000f0a) 1 {no_wwid}"),
        ]
    );
    let devs: Vec<_> = found.candidates[5]
        .lun
        .devs
        .iter()
        .map(|dev| dev.as_str())
        .collect();
    assert_eq!(devs, ["sdj"]);
}

fn absent_of(node: &str, wwids_file: &Content<'_>, wanted: &[&str]) -> Vec<String> {
    let wanted: BTreeSet<Wwid> = wanted.iter().map(|wwid| Wwid::new(wwid).unwrap()).collect();
    let mut inputs = Node::new(node).inputs();
    let alias = ("35000c50000000b01".to_owned(), "vg--held-lv0".to_owned());
    inputs.aliases = [alias].into();
    let absent = absent(&wanted, &inputs, wwids_file);
    let line = |(wwid, absence): (&Wwid, &Option<Absence>)| match absence {
        Some(absence) => format!("{wwid} {absence}"),
        None => format!("{wwid} -"),
    };
    absent.iter().map(line).collect()
}

/// pve2: g (blacklisted by its vendor), i (an md array on one path) and k (both paths offline) were put into
/// the WWIDs file; `multipathd add map` made no map of any.
#[test]
fn why_luns_have_no_map() {
    let file = leaked("fixtures/replay/candidates/nodes/pve2/etc/multipath/wwids").unwrap();
    let luns = [
        "35000c50000000f06",
        "35000c50000000f08",
        "35000c50000000f0a",
    ];
    let others = [
        "35000c50000000b01",
        "35000c50000000f09",
        "3600a",
        "naa.5000c50000000b01",
    ];
    assert_eq!(
        absent_of(
            "pve2",
            &Content::Text(file),
            &[luns.as_slice(), others.as_slice()].concat()
        ),
        [
            "35000c50000000b01 not in /etc/multipath/wwids yet",
            "35000c50000000f06 blacklisted by /etc/multipath.conf:8 (device vendor \"BADVEND\", product \".*\")",
            "35000c50000000f08 multipathd cannot have its paths: sdi held by 'md7'",
            "35000c50000000f09 not in /etc/multipath/wwids yet",
            "35000c50000000f0a multipathd has no WWID for its paths, which are offline",
            "3600a no path to it: no disk of the node has its WWID",
            "naa.5000c50000000b01 multipathd's WWID of this LUN is '35000c50000000b01'",
        ]
    );
    // b is in the file, and the alias that multipathd's configuration gives it is that of the volume
    let file = Content::Text(b"/35000c50000000b01/\n/35000c50000000f09/\n");
    assert_eq!(
        absent_of("pve2", &file, &["35000c50000000b01", "35000c50000000f09"]),
        [
            "35000c50000000b01 its alias 'vg--held-lv0' is the name of another device \
             (LVM-nAa19PwVl8RE15pfQ4fmM8zcJjSZRu22nmZYE1Jgp7zKLeoZ2AyHsTh29NEce72n)",
            "35000c50000000f09 -",
        ]
    );
}

/// pve1: a logical volume uses a path of h. That alone does not keep multipathd from making the map.
#[test]
fn paths_that_are_offline_or_shared() {
    let file = Content::Text(b"/35000c50000000f07/\n/35000c50000000f0a/\n");
    let luns = [
        "35000c50000000f07",
        "35000c50000000f0a",
        "35000c50000000f0b",
    ];
    assert_eq!(
        absent_of("pve1", &file, &luns),
        [
            "35000c50000000f07 multipathd cannot have its paths: sdh held by logical volume 'vg-held/lv0'",
            "35000c50000000f0a all its 2 paths are offline",
            "35000c50000000f0b blacklisted by /etc/multipath.conf:6 (devnode \"^(sdl|sdy)$\")",
        ]
    );
}

#[test]
fn a_volume_that_uses_a_path_instead_of_the_map() {
    let past = past_maps(&Node::new("pve2").inputs());
    let told: Vec<_> = past
        .iter()
        .map(|(wwid, held)| format!("{wwid} {held:?}"))
        .collect();
    assert_eq!(
        told,
        [
            "35000c50000000f07 Held { devs: [Device(\"sdh\")], by: Label(\"held by logical volume \
          'vg-held/lv0'\"), group: Some(Label(\"vg-held\")) }"
        ]
    );
    assert!(past_maps(&Node::new("pve1").inputs()).is_empty());
}

#[test]
fn multipathd_does_not_answer() {
    let mut inputs = Node::new("pve1").inputs();
    inputs.listing = None;
    let found = candidates(&inputs);
    assert!(
        found
            .candidates
            .iter()
            .all(|candidate| !candidate.is_offered())
    );
    assert!(
        all_told(&found).contains(
            &"- (35000c50000000b01) 2 its WWID is not known, since multipathd does not answer"
                .to_owned()
        )
    );
}

#[test]
fn a_device_that_has_changed_since_is_not_taken_for_the_one_that_was_listed() {
    let mut inputs = Node::new("pve1").inputs();
    inputs.disks.get_mut("sdb").unwrap().dev = Some(b"65:200\n");
    let found = candidates(&inputs);
    let free = &found.candidates[0];
    assert_eq!((free.lun.paths, free.lun.devs[0].as_str()), (1, "sdp"));
    assert!(
        all_told(&found)
            .iter()
            .any(|told| told.starts_with("- (35000c50000000b01) 1"))
    );
}

#[test]
fn at_most_two_thousand_and_those_that_are_offered_first() {
    let mut inputs = Node::new("pve1").inputs();
    let (mut listed, mut disks) = (String::new(), BTreeMap::new());
    for number in 0..2_500 {
        let name = &*format!("sd{number}").leak();
        listed += &format!("{name}|8:{number}|ok|undef|scsi:fcp|3600a{number:04}\n");
        let disk = Disk {
            size: Some(if number < 1_000 { b"0\n" } else { b"2048\n" }),
            ..Disk::default()
        };
        disks.insert(ByteString::from(name), disk);
    }
    let reply = Reply {
        exit_code: Some(0),
        stdout: listed.as_bytes(),
        ..Reply::default()
    };
    inputs.listing = Some(Listing::of_reply(&reply).unwrap());
    inputs.disks = disks;
    let found = candidates(&inputs);
    assert_eq!(
        (found.candidates.len(), found.omitted),
        (MAX_CANDIDATES, 500)
    );
    assert!(found.candidates[1_499].is_offered());
    assert!(!found.candidates[1_500].is_offered());
}

#[test]
fn what_is_typed_is_found_among_them() {
    let found = candidates(&Node::new("pve1").inputs());
    let seen: Vec<Seen<'_>> = found.candidates.iter().map(Seen::from).collect();
    for typed in [
        "35000c50000000b01",
        "0x5000C50000000B01",
        "5000c500:00000b01",
        "/dev/sdb",
        "/dev/sdp",
        "/dev/disk/by-id/wwn-0x5000c50000000b01",
        "/dev/disk/by-path/pci-0000:00:03.0-scsi-0:0:1:0",
    ] {
        let found = identify(typed, &seen).unwrap();
        assert_eq!(found.wwid.as_str(), "35000c50000000b01", "{typed}");
    }
    assert!(identify("sdb", &seen).is_err());
}

// --- what nodes tell each other ---

/// The values that a node with this list writes, by key.
fn written(list: &ReportedList) -> BTreeMap<String, Vec<u8>> {
    let values = report::candidates(list.clone(), 1000, None).unwrap();
    let values = values.into_iter();
    values
        .map(|value| (value.key, value.text.unwrap().into_bytes()))
        .collect()
}

/// What a peer reads of these values at a time.
fn received(values: &BTreeMap<String, Vec<u8>>, now: i64) -> Result<ReportedList, String> {
    let mut texts = Texts::default();
    for (key, text) in values {
        let by_node = match key == CANDIDATES_KEY {
            true => &mut texts.kv,
            false => texts.continued.entry(key.clone()).or_default(),
        };
        by_node.insert("pve1".to_owned(), Some(RawText(text.into())));
    }
    let list = texts.candidates("pve1", now);
    list.map_err(|error| error.to_string())
}

#[test]
fn a_list_comes_back_as_it_was_sent() {
    let found = candidates(&Node::new("pve1").inputs());
    let list = ReportedList::from(&found);
    let read = received(&written(&list), 1900).unwrap();
    assert_eq!(read, list);
    assert_eq!(read.candidates.len(), found.candidates.len());
    let cd = read
        .candidates
        .iter()
        .find(|lun| lun.lun.devs[0].as_str() == "sr0");
    let cd = cd.unwrap();
    assert_eq!(cd.told[0].as_str(), "CD or DVD drive");
    let reason = cd.reason.as_ref().unwrap();
    assert_eq!((reason.code.as_str(), reason.harmless), ("cd", 0));
    let hidden = read
        .candidates
        .iter()
        .find(|lun| lun.lun.devs[0].as_str() == "sdf");
    let reason = hidden.unwrap().reason.clone().unwrap();
    assert_eq!((reason.code.as_str(), reason.harmless), ("blacklisted", 1));

    let stale = "its report is out of date: it is 901 seconds old";
    assert_eq!(received(&written(&list), 1901), Err(stale.to_owned()));
}

#[test]
fn a_list_is_sent_when_it_changes_and_every_five_minutes() {
    let list = |text: &str| ReportedList::from_json(text).unwrap();
    let one = list(r#"{"candidates":[{"wwid":"3600a","paths":2}]}"#);
    let two = list(r#"{"candidates":[{"wwid":"3600a","paths":3}]}"#);
    let text = |paths, time| {
        format!(
            r#"{{"candidates":[{{"wwid":"3600a","paths":{paths},"devs":[]}}],"omitted":0,"time":{time}}}"#
        )
    };
    let sent = text(2, 1000);
    let last = LastSent {
        text: Some(sent.as_bytes()),
        time: 1000,
    };
    for (list, now, wanted) in [
        (&one, 1299, None),
        (&one, 1300, Some(text(2, 1300))),
        (&two, 1010, Some(text(3, 1010))),
        (&one, 999, Some(text(2, 999))),
    ] {
        let values = report::candidates(list.clone(), now, Some(last)).unwrap();
        let texts: Vec<_> = values.into_iter().map(|value| value.text).collect();
        assert_eq!(texts, wanted.map(Some).into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn two_thousand_of_any_name_are_sent() {
    // Names of an array repeat, those of a hostile one do not.
    for (noise, all) in [(false, true), (true, false)] {
        let mut state: u64 = 1;
        let mut random = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            state >> 16
        };
        let luns = (0..2_500).map(|number| {
            let told: Vec<String> = (0..if noise { 10 } else { 1 })
                .map(|_| match noise {
                    true => format!(r#""{}""#, (0..30).map(|_| format!("{:012x}", random())).collect::<String>()),
                    false => r#""not empty: LVM physical volume""#.to_owned(),
                })
                .collect();
            format!(
                r#"{{"wwid":"360014051111222233334444{:08x}","size":1099511627776,"vendor":"PURE","product":"FlashArray","paths":4,"devs":["sd{number}"],"told":[{}]}}"#,
                random() & 0xffff_ffff,
                told.join(",")
            )
        });
        let luns: Vec<String> = luns.collect();
        let list = format!(r#"{{"candidates":[{}],"omitted":7}}"#, luns.join(","));
        let list = ReportedList::from_json(&list).unwrap();
        assert_eq!((list.candidates.len(), list.omitted), (2_000, 507));
        let values = written(&list);
        assert!(values.values().all(|text| text.len() <= 32_767));
        assert!(
            values.len() <= if noise { 16 } else { 3 },
            "{}",
            values.len()
        );
        let read = received(&values, 1000).unwrap();
        assert_eq!(read == list, all);
        assert!(read.candidates.len() >= 100);
        assert_eq!(read.candidates.len() + read.omitted, 2_507);
    }
}

#[test]
fn lists_of_peers_may_be_anything() {
    let read = |text: &str| {
        received(
            &BTreeMap::from([(CANDIDATES_KEY.to_owned(), text.into())]),
            1000,
        )
    };
    for (text, error) in [
        (r#"{"time":1000}"#, "it has no list of candidates"),
        (
            r#"{"candidates":{},"time":1000}"#,
            "it has no list of candidates",
        ),
        (
            r#"{"format":9,"candidates":[],"time":1000}"#,
            "made by a newer version (format 9)",
        ),
        ("[]", "not a JSON object"),
        (
            r#"{"format":2,"time":1000,"values":2,"sha1":"x","data":""}"#,
            "part 2 of 2 is missing",
        ),
    ] {
        assert_eq!(
            read(text),
            Err(format!("its report cannot be read: {error}")),
            "{text}"
        );
    }
    let never = "it has sent no such report: pve-multipath is older there, or not installed";
    assert_eq!(read(""), Err(never.to_owned()));
    let list = read(
        r#"{"candidates":[7,{"wwid":"../x","size":-1,"vendor":"a\u001b[2J","transport":"x","paths":"2","devs":["../a","sda"],
            "reason":{"code":["x"]},"told":["b\nc",7]}],"time":1000}"#,
    );
    let list = list.unwrap();
    assert_eq!((list.candidates.len(), list.omitted), (1, 1));
    let lun = serde_json::to_string(&list.candidates[0]).unwrap();
    assert_eq!(
        lun,
        r#"{"vendor":"a\\x{1b}[2J","paths":0,"devs":["sda"],"reason":{"code":"unknown","harmless":0},"told":["b\\x{a}c"]}"#
    );
}

// --- the cluster's ---

/// The cluster's candidates, a line each; what `pve1` sees is known, the others have reported.
fn of_cluster(here: &str, peers: &str, allowed: &[&str]) -> (Vec<String>, Vec<String>) {
    let here = ReportedList::from_json(here).unwrap();
    let known = BTreeMap::from([(NodeName::new("pve1").unwrap(), here)]);
    let allowed = allowed.iter().map(|wwid| Wwid::new(wwid).unwrap());
    let peers: Peers<'_> = serde_json::from_str(peers).unwrap();
    let found = cluster::candidates::candidates(known, &peers, &allowed.collect());
    let line = |found: &cluster::candidates::ClusterCandidate| {
        let nodes: Vec<&str> = found.nodes.keys().map(NodeName::as_str).collect();
        let told: Vec<&str> = found
            .reported
            .told
            .iter()
            .map(|told| told.as_str())
            .collect();
        format!(
            "{} {} {:?} {} [{}] {}",
            if found.offered == 1 { "+" } else { "-" },
            found.reported.lun.known_wwid().unwrap_or("?"),
            found.reported.lun.size,
            found.reported.lun.paths,
            nodes.join(" "),
            told.join("; "),
        )
    };
    let unknown = found
        .unknown
        .iter()
        .map(|(node, why)| format!("{node}: {why}"));
    (
        found.candidates.iter().map(line).collect(),
        unknown.collect(),
    )
}

const PEERS: &str = r#"{
    "candidates": {"kv": {
        "pve2": "{\"candidates\":[{\"wwid\":\"3600a\",\"size\":2048,\"paths\":1,\"told\":[\"only one path\"]},{\"wwid\":\"3600b\",\"paths\":2,\"reason\":{\"code\":\"in-use\",\"harmless\":0},\"told\":[\"in use by x\"]},{\"wwid\":\"3600c\",\"paths\":2},{\"wwid\":\"3600d\",\"paths\":2},{\"paths\":1,\"devs\":[\"sdzz\"],\"reason\":{\"code\":\"no-wwid\",\"harmless\":1}}],\"time\":1000}",
        "pve3": "{\"candidates\":[{\"udev-wwid\":\"3600c\",\"paths\":2,\"reason\":{\"code\":\"no-answer\",\"harmless\":1},\"told\":[\"no answer\"]}],\"time\":1000}",
        "pve4": "{\"format\":3}",
        "pve6": "{\"candidates\":[{\"wwid\":\"3600f\",\"paths\":2}],\"time\":1000}"
    }},
    "health": {"kv": {"pve5": "{\"maps\":{\"3600e\":{\"state\":\"optimal\"}},\"time\":1000}"}},
    "members": {"pve1": {"online": 1}, "pve2": {"online": 1}, "pve3": {"online": 1}, "pve4": {"online": 1},
                "pve5": {"online": 1}, "pve6": {"online": 0}},
    "now": 1000
}"#;

#[test]
fn one_line_for_a_lun_with_the_nodes_that_see_it() {
    let here =
        r#"{"candidates":[{"wwid":"3600a","size":4096,"paths":2},{"wwid":"3600b","paths":2}]}"#;
    let (luns, unknown) = of_cluster(here, PEERS, &["3600d"]);
    assert_eq!(
        luns,
        [
            "+ 3600a Some(2048) 1 [pve1 pve2] pve2: only one path",
            "+ 3600c None 2 [pve2 pve3] pve3: no answer",
            "- 3600b None 2 [pve1 pve2] pve2: in use by x",
            "- ? None 1 [pve2] ",
        ]
    );
    assert_eq!(
        unknown,
        [
            "pve4: its report cannot be read: made by a newer version (format 3)",
            "pve5: it has sent no such report: pve-multipath is older there, or not installed",
            "pve6: it is offline",
        ]
    );
    // without a cluster, all that have reported are there
    let (luns, unknown) = of_cluster(r#"{"candidates":[]}"#, r#"{"now": 1000}"#, &[]);
    assert_eq!((luns.len(), unknown.len()), (0, 0));
}

#[test]
fn what_is_typed_is_found_on_any_node() {
    let peers: Peers<'_> = serde_json::from_str(PEERS).unwrap();
    let here = candidates(&Node::new("pve1").inputs());
    let node = NodeName::new("pve1").unwrap();
    let typed = [
        "3600a",
        "3600B",
        "3600e",
        "3600c",
        "3600f",
        "/dev/sdb",
        "/dev/sdzz",
    ]
    .map(str::to_owned);
    let (answers, unknown) =
        cluster::candidates::identify(&typed, &here.candidates, Some(&node), &peers);
    let told = answers.into_iter().map(|answer| match answer {
        Ok(meant) => format!(
            "{} {:?} {:?} {:?} {:?}",
            meant.found.wwid, meant.found.how, meant.size, meant.refusal, meant.caution
        ),
        Err(error) => error.to_string(),
    });
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            "3600a Exact Some(2048) None None",
            r#"3600b Form None Some("pve2: in use by x") None"#,
            // pve5 has a map of it
            "3600e Exact None None None",
            "3600c Exact None None None",
            // pve6 is offline
            "3600f Unseen None None None",
            "35000c50000000b01 Device Some(67108864) None None",
            "'/dev/sdzz' is not a path of a LUN that this node sees: 'pvemultipath candidates --all' lists them",
        ]
    );
    assert_eq!(unknown.len(), 3);
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let words: Vec<&[u8]> = vec![
        b"sda",
        b"sdb",
        b"|",
        b"\n",
        b"8:0",
        b"8:16",
        b"ok",
        b"undef",
        b"scsi:fcp",
        b"3600a",
        b"E:",
        b"S:",
        b"=",
        b"ID_SERIAL",
        b"ID_WWN",
        b"ID_FS_TYPE",
        b"LVM2_member",
        b"zfs_member",
        b"\xff",
        b"\x1b",
        b"\0",
        b" ",
        b"0",
        b"1",
        b"5",
        b"-1",
        b"18446744073709551616",
        b"../devices/",
        b"/ata1/",
        b"\\040",
        b"- ",
    ];
    vec(prop::sample::select(words), 0..40).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// No input causes a panic, nothing that steers a terminal comes out, and no
    /// device is offered that multipathd has not listed.
    #[test]
    fn hostile_texts(
        listing in bytes(),
        attributes in vec(bytes(), 12),
        wwid in bytes(),
    ) {
        let text = [&b"sda|8:0|ok|undef|scsi:fcp|"[..], &wwid, b"\n", &listing].concat();
        let reply = Reply { exit_code: Some(0), stdout: &text, ..Reply::default() };
        let listing = Listing::of_reply(&reply).ok();
        let attribute = |number: usize| attributes.get(number).map(Vec::as_slice);
        let disk = || Disk {
            link: attribute(0), size: attribute(1), dev: attribute(2), hidden: attribute(3),
            removable: attribute(4), kind: attribute(5), state: attribute(6), vendor: attribute(7),
            model: attribute(8), serial: attribute(9), udev: attribute(10),
            holders: vec![ByteString::from_bytes(&attributes[11])],
            partitions: [(ByteString::from("sda1"), Partition {
                dev: attribute(2), udev: attribute(10), holders: Vec::new(),
            })].into(),
        };
        let listed: BTreeSet<String> = { listing.iter() }
            .flat_map(|listing| listing.paths.keys())
            .map(|device| device.as_str().to_owned())
            .collect();
        let inputs = Inputs {
            listing,
            disks: ["sda", "sdb", "sr0"].map(|name| (ByteString::from(name), disk())).into(),
            mapped: BTreeMap::new(),
            aliases: BTreeMap::new(),
            allow_list: BTreeSet::new(),
            rules: Rules::new(None, &[File { name: "f", text: &attributes[10] }], VERSIONS[1]),
            mountinfo: &attributes[0],
            swaps: &attributes[1],
            volume_groups: VolumeGroups::new(&attributes[2], [attributes[3].as_slice()]),
        };
        let found = candidates(&inputs);
        for candidate in &found.candidates {
            let text = serde_json::to_string(candidate).unwrap() + &candidate.told().concat();
            prop_assert!(!text.chars().any(char::is_control));
            if candidate.is_offered() {
                prop_assert!(candidate.lun.wwid.is_some());
                prop_assert!(candidate.lun.devs.iter().all(|dev| listed.contains(dev.as_str())));
            }
        }
    }

    /// What is found is one of the LUNs that are seen, or is said to be unseen.
    #[test]
    fn whatever_is_typed(typed in "[ -~]{0,40}|(0x|naa\\.|eui\\.|uuid\\.|/dev/|/dev/disk/by-id/)?[0-9a-fA-F:-]{0,40}|\\PC{0,20}") {
        let found = candidates(&Node::new("pve1").inputs());
        let seen: Vec<Seen<'_>> = found.candidates.iter().map(Seen::from).collect();
        if let Ok(found) = identify(&typed, &seen) {
            let is_seen = seen.iter().any(|lun| lun.wwid == found.wwid.as_str());
            let is_unseen = format!("{:?}", found.how) == "Unseen";
            prop_assert_eq!(is_seen, !is_unseen);
        }
    }
}
