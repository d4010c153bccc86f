//! Why LUNs are missing: what the nodes report, and what a node has itself. Each case is told apart.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};

use pve_multipath::cluster::doctor::{Facts, Here, findings};
use pve_multipath::cluster::report::{Broadcast, LastSent};
use pve_multipath::cluster::status::StatusArgs;
use pve_multipath::config::{self, AllowList};
use pve_multipath::multipath_conf::blacklisted::{File, Rules};
use pve_multipath::node::Content;
use pve_multipath::node::boot::BootRisk;
use pve_multipath::node::candidates::listing::Listing;
use pve_multipath::node::candidates::{Disk, Inputs, Mapped, Sources, VolumeGroups};
use pve_multipath::node::maps::Reply;
use pve_multipath::pass;
use pve_multipath::types::absence::Absence;
use pve_multipath::types::label::Label;
use pve_multipath::{NodeName, Wwid};

fn allow_list() -> AllowList {
    let config = config::parse(
        "multipath.cfg",
        b"wwid: 3600a\n\nwwid: 3600b\n\nwwid: 3600c\n",
    )
    .config;
    config::allow_list(&config)
}

fn facts<'a>() -> Facts<'a> {
    Facts {
        node: NodeName::new("pve1").unwrap(),
        allow_list: allow_list(),
        lun: None,
        here: None,
        status: None,
        unread: Vec::new(),
    }
}

/// A node that sees 3600a and 3600b. 3600a has a map.
fn here<'a>() -> Here<'a> {
    let text = b"sda|8:0|ok|active|scsi:fcp|3600a\nsdb|8:16|ok|undef|scsi:fcp|3600b\n";
    let reply = Reply {
        exit_code: Some(0),
        stdout: text,
        ..Reply::default()
    };
    let disk = |dev: &'static str| Disk {
        dev: Some(dev.as_bytes()),
        size: Some(b"2048\n"),
        ..Disk::default()
    };
    let map = Mapped {
        name: Some(b"3600a\n"),
        uuid: Some(b"mpath-3600a\n"),
    };
    Here {
        daemon: Some(Reply {
            exit_code: Some(0),
            stdout: b"pid 1189 idle\n",
            ..Reply::default()
        }),
        inputs: Inputs {
            listing: Some(Listing::of_reply(&reply).unwrap()),
            disks: [
                ("sda".into(), disk("8:0\n")),
                ("sdb".into(), disk("8:16\n")),
            ]
            .into(),
            mapped: [("dm-0".into(), map)].into(),
            allow_list: BTreeSet::new(),
            aliases: BTreeMap::new(),
            rules: Rules::default(),
            mountinfo: b"",
            swaps: b"",
            volume_groups: VolumeGroups::default(),
        },
        unread: Vec::new(),
        wwids_file: Content::Text(b"/3600a/\n/3600b/\n/3600c/\n"),
        pending: false,
        errors: Vec::new(),
        drift: Vec::new(),
        boot: None,
    }
}

/// Severity, node, LUNs, code.
fn told(facts: &Facts<'_>) -> Vec<String> {
    let findings = serde_json::to_value(findings(facts)).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or("-").to_owned();
    let findings = findings.as_array().unwrap().iter();
    let told = findings.map(|found| {
        let luns = found["luns"].as_array().into_iter().flatten();
        let luns: Vec<String> = luns.map(text).collect();
        let head = [&found["severity"], &found["node"], &found["code"]].map(text);
        [head.as_slice(), &luns].concat().join(" ")
    });
    told.collect()
}

fn told_of(here: Here<'_>) -> Vec<String> {
    told(&Facts {
        here: Some(here),
        ..facts()
    })
}

#[test]
fn what_a_node_has_itself() {
    let of_luns = [
        "error pve1 not-visible 3600c",
        "error pve1 unexplained 3600b",
    ];
    assert_eq!(told_of(here()), of_luns);

    let daemon = |exit_code, timed_out| {
        let daemon = Reply {
            exit_code,
            timed_out,
            ..Reply::default()
        };
        let mut here = here();
        here.daemon = Some(daemon);
        here.unread.push("multipathd's list of paths".to_owned());
        told_of(here)
    };
    // what multipathd should have done is not told
    let down = |code: &str| vec![format!("error pve1 {code}"), of_luns[0].to_owned()];
    assert_eq!(daemon(Some(127), false), down("not-installed"));
    assert_eq!(daemon(Some(1), false), down("daemon-stopped"));
    assert_eq!(daemon(None, true), down("daemon-silent"));

    let mut here_not_applied = here();
    here_not_applied.pending = true;
    here_not_applied.errors.push("an alias is taken".to_owned());
    here_not_applied
        .drift
        .push("defaults: a is b, not c".to_owned());
    // 3600b has no map
    let alias = "3600b: alias is not set, not san-b";
    here_not_applied.drift.push(alias.to_owned());
    let root: BTreeSet<Wwid> = [Wwid::new("3600a").unwrap()].into();
    here_not_applied.boot = Some((root.clone(), BootRisk::NoHook));
    let found = told_of(here_not_applied);
    let expected = [
        "error pve1 not-applicable",
        "warning pve1 not-applied",
        "warning pve1 drift",
        of_luns[0],
        of_luns[1],
        "warning pve1 no-boot-package 3600a",
    ];
    assert_eq!(found, expected);
    let mut here_outdated = here();
    let file = Label::name(b"/etc/multipath/wwids").unwrap();
    here_outdated.boot = Some((root, BootRisk::Changed { file }));
    assert_eq!(
        told_of(here_outdated)[2],
        "warning pve1 initramfs-outdated 3600a"
    );

    let one = |lun: &str| Facts {
        here: Some(here()),
        lun: Some(Wwid::new(lun).unwrap()),
        ..facts()
    };
    assert_eq!(told(&one("3600b")), [of_luns[1]]);
    assert_eq!(told(&one("3600a")), [""; 0]);
    assert_eq!(told(&one("3600d")), ["error - not-allow-listed 3600d"]);
}

#[test]
fn nothing_is_said_of_disks_that_are_not_known() {
    let mut here = here();
    here.inputs.listing = None;
    assert!(here.inputs.disks.values().all(|disk| disk.udev.is_none()));
    here.unread
        .push("multipathd's list of paths is not available".to_owned());
    assert_eq!(told_of(here), ["warning pve1 not-read"]);
}

/// pve1 is well; pve2 has one map, and could not apply; pve3 is stale, since its multipathd is stopped, pve4 unreadable, pve5 newer, pve6 has
/// sent nothing, pve7 is offline. 3600c is expected on pve8 alone, which has sent nothing either.
const STATUS: &str = r#"{
    "now": 1000,
    "kv": {
        "pve1": "{\"maps\":{\"3600a\":{\"state\":\"optimal\"},\"3600b\":{\"state\":\"optimal\"}},\"time\":990}",
        "pve2": "{\"maps\":{\"3600a\":{\"state\":\"degraded\"}},\"node\":{\"multipathd\":\"running\",\"drift\":[\"x is a, not b\"]},\"absent\":{\"3600b\":{\"code\":\"not-visible\"},\"3600a\":{\"code\":\"native-nvme\"}},\"time\":990}",
        "pve3": "{\"maps\":{\"3600a\":{\"state\":\"optimal\"}},\"node\":{\"multipathd\":\"stopped\"},\"time\":100}",
        "pve4": "{\"maps\":",
        "pve5": "{\"format\":9,\"time\":990}"
    },
    "apply-kv": { "pve2": "{\"error\":\"no space\",\"time\":900}" },
    "members": {
        "pve1": 1, "pve2": 1, "pve3": 1, "pve4": 1, "pve5": 1, "pve6": 1, "pve7": 0
    },
    "expectations": {
        "wwid-nodes": { "3600c": { "pve8": 1 } },
        "nodes": { "pve1": 1, "pve2": 1, "pve3": 1, "pve4": 1, "pve5": 1 }
    },
    "config": { "ids": {
        "3600a": { "type": "wwid" }, "3600b": { "type": "wwid" }, "3600c": { "type": "wwid" }
    } }
}"#;

fn of_cluster<'a>() -> Facts<'a> {
    Facts {
        status: Some(serde_json::from_str(STATUS).unwrap()),
        ..facts()
    }
}

#[test]
fn what_the_nodes_report() {
    let found = told(&of_cluster());
    let expected = [
        "error pve2 apply-failed",
        "warning pve2 drift",
        "error pve2 not-visible 3600b",
        "error pve3 daemon-stopped",
        "error pve3 reporter-stale",
        "error pve4 bad-broadcast",
        "error pve5 bad-broadcast",
        "warning pve6 no-report",
        "warning pve7 node-offline",
        "warning pve8 node-offline",
    ];
    assert_eq!(found, expected);
    let one = Facts {
        lun: Some(Wwid::new("3600c").unwrap()),
        ..of_cluster()
    };
    assert_eq!(
        told(&one),
        [
            "error pve2 apply-failed",
            "error pve4 bad-broadcast",
            "error pve5 bad-broadcast",
            "warning pve8 node-offline"
        ]
    );
}

/// The node's own LUNs are those of its report, and of the storages as long as it has none.
#[test]
fn which_luns_a_node_should_have() {
    let both = |change: fn(&mut StatusArgs<'_>)| {
        let mut facts = Facts {
            here: Some(here()),
            ..of_cluster()
        };
        change(facts.status.as_mut().unwrap());
        let found = told(&facts).into_iter();
        found
            .filter(|told| told.contains(" pve1 "))
            .collect::<Vec<_>>()
    };
    assert_eq!(both(|_| ()), ["error pve1 unexplained 3600b"]);
    let silent = both(|args| {
        args.kv.as_mut().unwrap().remove("pve1");
    });
    assert_eq!(
        silent,
        ["error pve1 no-report", "error pve1 unexplained 3600b"]
    );
}

#[test]
fn at_most_eight_luns_are_named() {
    let wwids = (0..300).map(|n| Wwid::new(&format!("3601{n:03}")).unwrap());
    let facts = Facts {
        allow_list: wwids.map(|wwid| (wwid, None)).collect(),
        here: Some(here()),
        ..facts()
    };
    let found = findings(&facts);
    let counts: Vec<_> = found
        .iter()
        .map(|found| (found.luns.len(), found.count))
        .collect();
    assert_eq!(counts, [(8, 300)]);
}

/// What a node reports of LUNs without a map: why, as soon as that was looked for, until they have one.
#[test]
fn a_pass_reports_why_luns_have_no_map() {
    let reply = |wwids: &[&str]| {
        let path = r#"{"paths": [{"dev": "sda", "dm_st": "active"}]}"#;
        let maps = wwids
            .iter()
            .map(|wwid| format!(r#"{{"uuid": "{wwid}", "path_groups": [{path}]}}"#));
        format!(r#"{{"maps": [{}]}}"#, maps.collect::<Vec<_>>().join(","))
    };
    let mut reporter = pass::Reporter::default();
    let mut last = String::new();
    let mut pass = |wwids: &[&str], now| {
        let reply = Reply {
            exit_code: Some(0),
            stdout: reply(wwids).leak().as_bytes(),
            ..Reply::default()
        };
        reporter.read(&reply).unwrap();
        let facts = pass::Facts {
            config: Some(b"wwid: 3600a\n\nwwid: 3600b\n\nwwid: 3600c\n"),
            now,
            last: Some(LastSent {
                text: Some(last.as_bytes()),
                time: 1000,
            }),
            ..pass::Facts::default()
        };
        let outcome = reporter.report(&facts);
        let here = here();
        if now == 1000 {
            reporter.explain(&here.inputs, &here.wwids_file);
        }
        let text = outcome.values[0].text.clone().unwrap();
        let absent = Broadcast::decode(text.as_bytes()).unwrap().absent;
        last = text;
        (outcome.has_absent, absent)
    };
    assert_eq!(pass(&["3600a"], 1000), (true, BTreeMap::new().into()));
    // 3600b is seen: it is not known why it has no map
    let lun = Wwid::new("3600c").unwrap();
    let absent: BTreeMap<_, _> = [(lun, Absence::NotVisible)].into();
    assert_eq!(pass(&["3600a"], 1010), (true, absent.into()));
    assert_eq!(
        pass(&["3600a", "3600c"], 1020),
        (true, BTreeMap::new().into())
    );
    assert_eq!(
        pass(&["3600a", "3600b", "3600c"], 1030),
        (false, BTreeMap::new().into())
    );
}

/// What multipathd answers may have only the LUNs with maps.
#[test]
fn aliases_of_luns_without_a_map() {
    let sources = Sources {
        files: vec![File {
            name: "/etc/multipath.conf",
            text: b"multipaths {\n\tmultipath {\n\t\twwid 3600b\n\t\talias san-x\n\t}\n}\n",
        }],
        ..Sources::default()
    };
    let (inputs, _) = sources.read();
    let mut here = here();
    here.inputs.aliases = inputs.aliases;
    let map = Mapped {
        name: Some(b"san-x\n"),
        uuid: Some(b""),
    };
    here.inputs.mapped.insert("dm-7".into(), map);
    assert_eq!(
        told_of(here),
        [
            "error pve1 not-visible 3600c",
            "error pve1 alias-taken 3600b"
        ]
    );
}
