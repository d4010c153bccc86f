//! What multipathd does to its maps beside what a plan asks of it.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;

use pve_multipath::config;
use pve_multipath::multipath_conf::blacklisted::File;
use pve_multipath::node::plan::{
    Cluster, Content, Devices, Disk, Mapped, Node, Others, Plan, Question, plan,
};

const MAPS: [(&str, &str, &str); 4] = [
    ("mpatha", "mpath-3600a", "sda"),
    ("3600b", "mpath-3600b", "sdb"),
    ("old", "mpath-3600c", "sdc"),
    ("pve-root", "LVM-x", "sdz"),
];

fn node<'a>(wwids: &'a [u8], others: &[(&'a str, &'a str)]) -> Node<'a> {
    let maps = MAPS
        .iter()
        .enumerate()
        .map(|(number, (name, uuid, slave))| {
            let mapped = Mapped {
                name: format!("{name}\n"),
                uuid: format!("{uuid}\n"),
                slaves: vec![(*slave).to_owned()],
            };
            (format!("dm-{number}"), mapped)
        });
    let disk = |udev: &str| Disk {
        size: "2048\n".to_owned(),
        udev: Some(udev.to_owned()),
    };
    Node {
        wwids: Content::Text(wwids),
        devices: Devices {
            mapped: maps.collect(),
            disks: Some(BTreeMap::from([(
                "sdd".to_owned(),
                disk("E:ID_SERIAL=3600d\n"),
            )])),
        },
        others: Others::Known(
            others
                .iter()
                .map(|(name, text)| File {
                    name,
                    text: text.as_bytes(),
                })
                .collect(),
        ),
        ..Node::default()
    }
}

/// The plan for a configuration on a node with these entries in its WWIDs file, and these files of others.
fn planned(config: &str, wwids: &str, others: &[(&str, &str)]) -> Plan {
    let parsed = config::parse("multipath.cfg", config.as_bytes());
    plan(
        &Cluster::settled(&parsed.config, b""),
        &node(wwids.as_bytes(), others),
    )
}

fn renames(plan: &Plan) -> Vec<String> {
    let renames = plan.outlook.renames.iter();
    renames
        .map(|rename| format!("{} {} {}", rename.wwid, rename.from, rename.to))
        .collect()
}

const ALL: &str = "wwid: 3600a\n\nwwid: 3600b\n\nwwid: 3600c\n\talias old\n";
const LISTED: &str = "/3600a/\n/3600b/\n/3600c/\n";

#[test]
fn the_other_files_are_asked_for_before_a_reconfigure() {
    let parsed = config::parse("multipath.cfg", ALL.as_bytes());
    let cluster = Cluster::settled(&parsed.config, b"");
    let mut node = node(LISTED.as_bytes(), &[]);
    node.others = Others::NotAsked;
    assert!(plan(&cluster, &node).questions.contains(&Question::Others));
    node.others = Others::Unknown("Permission denied".to_owned());
    let errors = plan(&cluster, &node).errors;
    let wanted =
        "it is unknown what other files of multipathd's configuration set: Permission denied";
    assert!(errors.contains(&wanted.to_owned()), "{errors:?}");
}

#[test]
fn maps_are_renamed_to_the_alias_or_the_wwid() {
    let friendly = (
        "/etc/multipath.conf",
        "defaults {\n\tuser_friendly_names yes\n}\n",
    );
    // ours come after multipath.conf
    assert_eq!(
        renames(&planned(ALL, LISTED, &[friendly])),
        ["3600a mpatha 3600a"]
    );
    let with_alias = ALL.replace("wwid: 3600a\n", "wwid: 3600a\n\talias san-a\n");
    assert_eq!(
        renames(&planned(&with_alias, LISTED, &[friendly])),
        ["3600a mpatha san-a"]
    );

    // a later file wins, and then the name is multipathd's own
    let later = ("/etc/multipath/conf.d/zz.conf", friendly.1);
    assert_eq!(
        renames(&planned(ALL, LISTED, &[later])),
        Vec::<String>::new()
    );
    let overrides = (
        "/etc/multipath.conf",
        "overrides {\n\tuser_friendly_names yes\n}\n",
    );
    assert_eq!(
        renames(&planned(ALL, LISTED, &[overrides])),
        Vec::<String>::new()
    );

    // an alias of others for a LUN that has none of ours
    let others = "multipaths {\n\tmultipath {\n\t\twwid 3600b\n\t\talias theirs\n\t}\n}\n";
    let others = ("/etc/multipath.conf", others);
    assert_eq!(
        renames(&planned(ALL, LISTED, &[others])),
        ["3600a mpatha 3600a", "3600b 3600b theirs"]
    );
}

#[test]
fn maps_go_that_the_wwids_file_will_not_have() {
    let vanishing = |wwids, others: &[_]| {
        let plan = planned(ALL, wwids, others);
        let maps = plan.outlook.vanishing.iter();
        maps.map(|map| format!("{} {}", map.wwid, map.name))
            .collect::<Vec<_>>()
    };
    assert_eq!(vanishing(LISTED, &[]), Vec::<String>::new());
    // allow-listed, and so added
    assert_eq!(vanishing("/3600b/\n", &[]), Vec::<String>::new());
    let plan = planned("wwid: 3600b\n", "/3600b/\n/3600c/\n", &[]);
    let names: Vec<_> = plan
        .outlook
        .vanishing
        .iter()
        .map(|map| map.name.as_str())
        .collect();
    assert_eq!(names, ["mpatha"]);
    // whoever makes multipathd take all devices keeps the maps
    let greedy = (
        "/etc/multipath/conf.d/zz.conf",
        "defaults {\n\tfind_multipaths greedy\n}\n",
    );
    let plan = planned("wwid: 3600b\n", "/3600b/\n", &[greedy]);
    assert!(plan.outlook.vanishing.is_empty());
}

#[test]
fn values_that_files_of_others_win() {
    let overridden = |others: &[_]| {
        let plan = planned(
            "defaults: defaults\n\tno-path-retry 5\n\nwwid: 3600c\n\talias old\n",
            LISTED,
            others,
        );
        let drifts = plan.outlook.overridden.iter();
        drifts
            .map(|drift| (drift.knob, drift.found.clone()))
            .collect::<Vec<_>>()
    };
    let text = "defaults {\n\tno_path_retry queue\n}\n";
    assert_eq!(overridden(&[("/etc/multipath.conf", text)]), []);
    assert_eq!(overridden(&[("/etc/multipath/conf.d/a.conf", text)]), []);
    let found = Some("queue".to_owned());
    assert_eq!(
        overridden(&[("/etc/multipath/conf.d/zz.conf", text)]),
        [("no-path-retry", found)]
    );
}

#[test]
fn luns_that_a_blacklist_of_others_hides() {
    let hidden = |text: &str| {
        let config = format!("{ALL}\nwwid: 3600d\n\nwwid: 3600gone\n");
        let plan = planned(&config, LISTED, &[("/etc/multipath.conf", text)]);
        let hidden = plan.outlook.hidden.iter();
        let shown = hidden.map(|lun| {
            let place = lun.hit.place.as_ref().unwrap();
            format!("{} {place}", lun.wwid)
        });
        shown.collect::<Vec<_>>()
    };
    let of = |lines: &str| format!("# site\nblacklist {{\n{lines}\n}}\n");
    assert_eq!(
        hidden(&of("\twwid 3600a\n\twwid \"gone$\"")),
        [
            "3600a /etc/multipath.conf:3",
            "3600gone /etc/multipath.conf:4"
        ]
    );
    assert_eq!(
        hidden(&of("\tdevnode \"^sd[bd]$\"")),
        ["3600b /etc/multipath.conf:3", "3600d /etc/multipath.conf:3"]
    );
    let excepted = of("\twwid \".*\"") + "blacklist_exceptions {\n\twwid 3600[abcd]\n}\n";
    assert_eq!(hidden(&excepted), ["3600gone /etc/multipath.conf:3"]);
    // the kernel name of a path that is not there is not known
    assert_eq!(
        hidden(&of("\tdevnode \"!^sd[abcd]\"")),
        Vec::<String>::new()
    );
}
