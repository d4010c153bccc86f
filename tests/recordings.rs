//! Every recorded reply of a real multipathd parses to what other tools said at the same moment, or
//! fails with an error that quotes the daemon.
//!
//! fixtures/multipathd/VERSION/RUN/STATE/ holds the unchanged replies. Expected values are what jq
//! reads in them (jq.tsv, made by tests/tools/summarise-with-jq), what the kernel's tables said at the
//! time (dmsetup.txt), and for replies that are not JSON, values that were written by hand.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use pve_multipath::node::maps::{self, DaemonState, Map, Reply, SysfsFacts, WantedDevices};
use pve_multipath::{Health, Transport};

/// States in which the kernel and the daemon disagree about a path, since one was recorded seconds after
/// the other. jq.tsv has what the daemon said.
const KERNEL_WAS_AHEAD: [&str; 11] = [
    "0.11.1/bad-config/e01-alias-space-rec",
    "0.11.1/fc/f02-link-down-4s",
    "0.11.1/fc/f05-all-links-down",
    "0.11.1/iscsi-alua/i08-back",
    "0.11.1/iscsi-alua/i10-portal2-lost-4s",
    "0.11.1/scsi-debug-many/s01-scsi-debug-alua",
    "0.11.1/virtio-scsi/08-one-offline-immediately",
    "0.11.1/virtio-scsi/10-reinstate-immediately",
    "0.11.1/virtio-scsi/15d-dm-fail-path",
    "0.11.1/virtio-scsi/27-alias-and-wwid-names",
    "0.9.4/virtio-scsi/27-alias-and-wwid-names",
];

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/multipathd")
}

/// The folders VERSION/RUN/STATE, sorted.
fn states() -> Vec<String> {
    fn below(dir: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        entries.filter(|path| path.is_dir()).collect()
    }
    let root = fixtures();
    let runs = below(&root).into_iter().flat_map(|version| below(&version));
    let states = runs.flat_map(|run| below(&run));
    let name = |path: PathBuf| {
        path.strip_prefix(&root)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned()
    };
    let mut states: Vec<_> = states.map(name).collect();
    states.sort();
    assert!(states.len() > 120, "only {} recordings found", states.len());
    states
}

/// The recorded outcome of `multipathd show NAME`.
struct Recording {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    exit_code: i32,
}

impl Recording {
    fn read(state: &str, name: &str) -> Self {
        let file = |ending| fs::read(fixtures().join(state).join(format!("{name}.{ending}")));
        let exit_code = String::from_utf8(file("rc").unwrap()).unwrap();
        Self {
            stdout: file("out").unwrap(),
            stderr: file("err").unwrap_or_default(),
            exit_code: exit_code.trim().parse().unwrap(),
        }
    }

    fn reply(&self) -> Reply<'_> {
        Reply {
            exit_code: Some(self.exit_code),
            stdout: &self.stdout,
            stderr: &self.stderr,
            timed_out: false,
        }
    }
}

#[test]
fn each_reply_parses_or_quotes_the_daemon() {
    for state in states() {
        let recording = Recording::read(&state, "show-maps-json");
        let parsed = maps::parse_reply(&recording.reply(), None);
        match state.as_str() {
            "0.9.4/virtio-scsi/01-daemon-not-running" => assert_eq!(
                parsed.unwrap_err().to_string(),
                "no answer from multipathd (exit code 1): is it running? \
                 ('systemctl status multipathd')"
            ),
            "0.11.1/virtio-scsi/01-daemon-not-running"
            | "0.11.1/virtio-scsi/35-daemon-stopped-maps-live" => assert_eq!(
                parsed.unwrap_err().to_string(),
                "no answer from multipathd (exit code 1) \
                 [ERROR: failed to connect to multipathd]: is it running? \
                 ('systemctl status multipathd')"
            ),
            _ => {
                let parsed = parsed.unwrap_or_else(|error| panic!("{state}: {error}"));
                assert_eq!(parsed.skipped, [], "{state}");
            }
        }
        let daemon = maps::daemon_state(&Recording::read(&state, "show-daemon").reply());
        let expected = match recording.exit_code {
            0 => DaemonState::Running,
            _ => DaemonState::Stopped,
        };
        assert_eq!(daemon, expected, "{state}");
    }
}

#[test]
fn maps_are_as_jq_reads_them() {
    let table = fs::read_to_string(fixtures().join("jq.tsv")).unwrap();
    let mut expected: BTreeMap<&str, Vec<Vec<String>>> = BTreeMap::new();
    for line in table.lines() {
        let (state, fields) = line.split_once('\t').unwrap();
        // jq's @tsv doubles backslashes.
        let fields = fields
            .split('\t')
            .map(|field| field.replace("\\\\", "\\"))
            .collect();
        expected.entry(state).or_default().push(fields);
    }
    let joined = |list: Vec<String>| list.join(",");
    let set = |text: &str, unset: &str| {
        if text == unset {
            None
        } else {
            Some(text.to_owned())
        }
    };
    for (state, expected) in &expected {
        let recording = Recording::read(state, "show-maps-json");
        let parsed = maps::parse(&recording.stdout).unwrap();
        assert!(parsed.repaired_lines.is_empty(), "{state}");
        assert_eq!(parsed.maps.len(), expected.len(), "{state}");
        for (map, fields) in parsed.maps.iter().zip(expected) {
            let [
                uuid,
                name,
                sysfs,
                total,
                active,
                groups,
                vend,
                queueing,
                faults,
                devs,
                pris,
            ] = fields.as_slice()
            else {
                panic!("{state}: {fields:?}");
            };
            let at = format!("{state} {uuid}");
            assert_eq!(map.wwid.as_str(), uuid, "{at}");
            assert_eq!((&*map.name, &*map.sysfs), (&**name, &**sysfs), "{at}");
            assert_eq!(map.paths_total.to_string(), *total, "{at}");
            assert_eq!(map.paths_active.to_string(), *active, "{at}");
            assert_eq!(map.path_groups.len().to_string(), *groups, "{at}");
            assert_eq!(
                map.vendor.as_deref().map(str::to_owned),
                set(vend, "##"),
                "{at}"
            );
            assert_eq!(
                map.queueing.as_deref().map(str::to_owned),
                set(queueing, "-"),
                "{at}"
            );
            assert_eq!(map.path_faults.unwrap().to_string(), *faults, "{at}");
            assert_eq!(
                joined(map.paths().map(|p| p.dev.to_string()).collect()),
                *devs,
                "{at}"
            );
            let priorities = map.paths().map(|p| p.priority.unwrap().to_string());
            assert_eq!(joined(priorities.collect()), *pris, "{at}");
        }
    }
    let with_maps = states()
        .into_iter()
        .filter(|state| expected.contains_key(state.as_str()));
    assert_eq!(with_maps.count(), expected.len());
}

#[test]
fn health_is_what_the_kernel_says() {
    let mut checked = 0;
    for state in states() {
        let recording = Recording::read(&state, "show-maps-json");
        if recording.exit_code != 0 || KERNEL_WAS_AHEAD.contains(&state.as_str()) {
            continue;
        }
        if state.starts_with("0.9.4/") && (state.contains("/08-") || state.contains("/15d-")) {
            continue; // The same two moments as in 0.11.1.
        }
        let dmsetup = fs::read(fixtures().join(&state).join("dmsetup.txt")).unwrap();
        let kernel = kernel_tables(&String::from_utf8_lossy(&dmsetup));
        let parsed = maps::parse(&recording.stdout).unwrap();
        if !parsed.repaired_lines.is_empty() {
            continue; // Two maps with one WWID each, see below.
        }
        let daemon: BTreeMap<_, _> = parsed
            .maps
            .iter()
            .map(|map| (map.wwid.to_string(), path_states(map)))
            .collect();
        assert_eq!(daemon, kernel, "{state}");
        for map in &parsed.maps {
            let paths = &kernel[map.wwid.as_str()];
            let active = paths.values().filter(|active| **active).count();
            let health = match (active, paths.len()) {
                (0, _) => Health::Failed,
                (active, total) if active == total => Health::Optimal,
                _ => Health::Degraded,
            };
            assert_eq!(map.health, health, "{state} {}", map.wwid);
            checked += 1;
        }
    }
    assert!(checked > 400, "only {checked} maps were compared");
}

fn path_states(map: &Map) -> BTreeMap<String, bool> {
    map.paths()
        .map(|p| (p.dev_number.as_ref().unwrap().to_string(), p.is_active()))
        .collect()
}

/// By WWID, the paths by device number and whether the kernel uses them, from the recorded output
/// of `dmsetup status` and `dmsetup info -c`.
fn kernel_tables(text: &str) -> BTreeMap<String, BTreeMap<String, bool>> {
    let mut section = "";
    let mut paths = BTreeMap::new();
    let mut wwids = BTreeMap::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("# dmsetup ") {
            section = name;
        } else if section == "status" {
            if let Some((name, status)) = line.split_once(": 0 ") {
                if let Some((_, status)) = status.split_once(" multipath ") {
                    paths.insert(name.to_owned(), kernel_paths(status));
                }
            }
        } else if let Some((name, wwid)) = line.split_once(' ').filter(|_| section == "info -c") {
            if let Some((_, wwid)) = wwid.split_once(" mpath-") {
                wwids.insert(name.to_owned(), wwid.trim().to_owned());
            }
        }
    }
    wwids
        .into_iter()
        .filter_map(|(name, wwid)| Some((wwid, paths.remove(&name)?)))
        .collect()
}

/// Reads the status of the kernel's multipath target (drivers/md/dm-mpath.c, multipath_status):
/// counted features, counted handler state, groups, next group, and per group its state, counted
/// selector state, paths, arguments per path, and per path device, state, fail count, arguments.
fn kernel_paths(status: &str) -> BTreeMap<String, bool> {
    let mut words = status.split_whitespace();
    fn number<'a>(words: &mut impl Iterator<Item = &'a str>) -> usize {
        words.next().unwrap().parse().unwrap()
    }
    fn skip_counted<'a>(words: &mut impl Iterator<Item = &'a str>) {
        for _ in 0..number(words) {
            words.next().unwrap();
        }
    }
    let mut paths = BTreeMap::new();
    skip_counted(&mut words);
    skip_counted(&mut words);
    let groups = number(&mut words);
    number(&mut words);
    for _ in 0..groups {
        words.next().unwrap();
        skip_counted(&mut words);
        let (count, arguments) = (number(&mut words), number(&mut words));
        for _ in 0..count {
            let device = words.next().unwrap().to_owned();
            paths.insert(device, words.next().unwrap() == "A");
            number(&mut words);
            for _ in 0..arguments {
                words.next().unwrap();
            }
        }
    }
    paths
}

/// The maps that the kernel has suspended (`s` in the states of `dmsetup info -c`) have a note.
/// No recorded map has only marginal paths, or active ones that are all faulty.
#[test]
fn suspended_maps_are_noted() {
    let mut suspended = 0;
    for state in states() {
        let recording = Recording::read(&state, "show-maps-json");
        let Ok(parsed) = maps::parse_reply(&recording.reply(), None) else {
            continue;
        };
        let dmsetup = fs::read(fixtures().join(&state).join("dmsetup.txt")).unwrap();
        let dmsetup = String::from_utf8_lossy(&dmsetup).into_owned();
        let columns = dmsetup.lines().map(|line| line.split_whitespace());
        let kernel = columns.filter_map(|mut columns| {
            let stat = columns.nth(3)?;
            let is_suspended = stat.len() == 4 && stat.starts_with("L-s");
            is_suspended.then(|| columns.last().map(|uuid| uuid.replace("mpath-", "")))?
        });
        let kernel: Vec<String> = kernel.collect();
        let noted = |code: &str| {
            let maps = parsed.maps.iter();
            let maps = maps.filter(|map| map.notes.iter().any(|note| note.code.as_str() == code));
            maps.map(|map| map.wwid.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(noted("suspended"), kernel, "{state}");
        for code in ["all-paths-marginal", "all-checkers-faulty"] {
            assert!(noted(code).is_empty(), "{state}: {code}");
        }
        suspended += kernel.len();
    }
    assert_eq!(suspended, 2, "one in each version");
}

/// Aliases that multipathd prints without escaping. It then counts one LUN as two maps.
#[test]
fn replies_that_are_not_json_are_repaired() {
    // State, repaired lines, and per map its name, active paths and paths.
    type Case = (
        &'static str,
        &'static [usize],
        &'static [(&'static str, usize, usize)],
    );
    let cases: [Case; 3] = [
        ("backslash-quote", &[5], &[("a\\", 2, 2), ("mpathb", 2, 2)]),
        (
            "doubled-quote",
            &[5, 91],
            &[("a\"q", 0, 0), ("mpathb", 2, 2), ("a\\x22q", 0, 2)],
        ),
        (
            "latin1",
            &[5, 91],
            &[("l\u{fc}n", 0, 0), ("mpathb", 2, 2), ("l\\xfcn", 0, 2)],
        ),
    ];
    for (name, lines, expected) in cases {
        let state = format!("0.11.1/bad-config/e01-alias-{name}-rec");
        let recording = Recording::read(&state, "show-maps-json");
        let parsed = maps::parse(&recording.stdout).unwrap();
        assert_eq!(parsed.repaired_lines, lines, "{name}");
        let found: Vec<_> = parsed
            .maps
            .iter()
            .map(|map| (&*map.name, map.paths_active, map.paths_total))
            .collect();
        assert_eq!(found, expected, "{name}");
        let warnings = parsed.warnings();
        assert_eq!(warnings.len(), 1, "{name}: {warnings:?}");
        assert!(
            warnings[0].starts_with("multipathd maps JSON: line 5"),
            "{}",
            warnings[0]
        );

        // A truncated one is an error that says where it ends.
        let truncated = &recording.stdout[..recording.stdout.len() - 20];
        let error = maps::parse(truncated).unwrap_err().to_string();
        assert!(
            error.starts_with("could not parse multipathd maps JSON: "),
            "{error}"
        );
        let lines = truncated.iter().filter(|&&byte| byte == b'\n').count() + 1;
        assert!(
            error.contains(&format!("EOF while parsing an object at line {lines} ")),
            "{error}"
        );
    }
}

/// sysfs as it was recorded: links of paths, sizes and holders of maps.
fn block_devices(state: &str) -> SysfsFacts {
    let mut block = SysfsFacts::default();
    let read = |name| fs::read_to_string(fixtures().join(state).join(name)).unwrap();
    for line in read("sys-block-sd.txt").lines() {
        let (path, rest) = line.split_once(" -> ").unwrap();
        let link = rest.split(' ').next().unwrap();
        block
            .links
            .insert(path.trim_start_matches("/sys/block/").into(), link.into());
    }
    for line in read("sys-block-dm.txt").lines() {
        let field = |name: &str| line.split(name).nth(1).unwrap_or_default();
        let dev = line
            .split(' ')
            .next()
            .unwrap()
            .trim_start_matches("/sys/block/");
        let size = field(" size=").split(' ').next().unwrap();
        let holders = field("holders=[").split(']').next().unwrap();
        block.sizes.insert(dev.into(), format!("{size}\n"));
        let holders = holders.split_whitespace().map(str::to_owned).collect();
        block.holders.insert(dev.into(), holders);
    }
    block
}

#[test]
fn sysfs_tells_transport_size_and_use() {
    // State, WWID, transport, size in bytes, used: from sys-block-*.txt, sectors times 512.
    let cases = [
        (
            "0.11.1/virtio-scsi/07-in-use-lvm",
            "35000c50000000a01",
            None,
            67_108_864,
            0,
        ),
        (
            "0.11.1/virtio-scsi/07-in-use-lvm",
            "35000c50000000d01",
            None,
            167_772_160,
            1,
        ),
        (
            "0.11.1/virtio-scsi/07-in-use-lvm",
            "35000c50000000f01",
            Some(Transport::Sas),
            50_331_648,
            0,
        ),
        (
            "0.11.1/iscsi-alua/i01-alua-healthy",
            "360014051111222033334444555500000",
            Some(Transport::Iscsi),
            67_108_864,
            0,
        ),
        (
            "0.11.1/fc/f01-fc-healthy",
            "360014059999222233334444555500000",
            Some(Transport::Fc),
            67_108_864,
            0,
        ),
    ];
    for (state, wwid, transport, size, used) in cases {
        let recording = Recording::read(state, "show-maps-json");
        let block = block_devices(state);
        let parsed = maps::parse_reply(&recording.reply(), Some(&block)).unwrap();
        let map = parsed
            .maps
            .iter()
            .find(|map| map.wwid.as_str() == wwid)
            .unwrap();
        assert_eq!(map.transport, transport, "{state} {wwid}");
        assert_eq!(map.size, Some(size), "{state} {wwid}");
        assert_eq!(map.used, Some(used), "{state} {wwid}");
        assert_eq!(
            map.path,
            Some(format!("/dev/disk/by-id/dm-uuid-mpath-{wwid}")),
            "{state}"
        );
    }
    let recording = Recording::read("0.11.1/fc/f01-fc-healthy", "show-maps-json");
    let devices = maps::wanted_devices(&recording.reply()).unwrap();
    let names = |list: &[pve_multipath::types::reason::Device]| -> Vec<String> {
        list.iter().map(|dev| dev.as_str().to_owned()).collect()
    };
    let WantedDevices {
        paths,
        maps,
        holders,
    } = &devices;
    assert_eq!(holders, maps);
    assert_eq!(
        (names(paths), names(maps)),
        (vec!["sda".into(), "sdb".into()], vec!["dm-0".into()])
    );
}
