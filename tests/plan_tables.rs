//! What is planned for a node, by tables that were worked out by hand: fixtures/plan.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeMap;

use pve_multipath::config::{self, Config};
use pve_multipath::node::maps;
use pve_multipath::node::plan::{
    Certainty, Cluster, Content, Devices, Disk, DropIn, DropInStep, Mapped, Node, Others, Plan,
    Question, Usage, WwidAction, WwidStep, plan,
};

/// Calls the code with the columns of each row.
fn rows(name: &str, least: usize, mut code: impl FnMut(&[&str])) {
    let path = format!("{}/fixtures/plan/{name}", env!("CARGO_MANIFEST_DIR"));
    let table = std::fs::read_to_string(path).unwrap();
    let rows: Vec<&str> = table
        .lines()
        .map(str::trim)
        .filter(|row| !row.is_empty() && !row.starts_with('#'))
        .collect();
    assert!(rows.len() >= least, "only {} rows", rows.len());
    for row in rows {
        println!("{row}");
        let columns: Vec<&str> = row.split('|').map(str::trim).collect();
        code(&columns);
    }
}

/// `word` as the value of an enumeration.
fn value<T: serde::de::DeserializeOwned>(word: &str) -> T {
    serde_json::from_value(word.into()).unwrap()
}

/// The name of such a value.
fn name(value: impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).unwrap();
    value.as_str().unwrap().to_owned()
}

/// The items of a list; `-` is an empty one.
fn items<'a>(list: &'a str, separator: &str) -> Vec<&'a str> {
    let items = list.split(separator).map(str::trim);
    items.filter(|item| *item != "-").collect()
}

/// The text of a configuration from its short form.
fn configuration(short: &str) -> String {
    let section = |item: &str| {
        if item == "polling" {
            return "defaults: defaults\n\tpolling-interval 10\n\n".to_owned();
        }
        let (item, retry) = match item.split_once('/') {
            Some((item, retry)) => (item, format!("\tno-path-retry {retry}\n")),
            None => (item, String::new()),
        };
        let (lun, alias) = match item.split_once('=') {
            Some((lun, alias)) => (lun, format!("\talias {alias}\n")),
            None => (item, String::new()),
        };
        format!("wwid: 3600{lun}\n{alias}{retry}\n")
    };
    items(short, ",").into_iter().map(section).collect()
}

fn overrides(word: &str) -> &'static str {
    match word {
        "-" => "",
        "good" => "devices {\n\tdevice {\n\t\tvendor A\n\t\tproduct B\n\t}\n}\n",
        "better" => {
            "devices {\n\tdevice {\n\t\tvendor A\n\t\tproduct B\n\t}\n}\n\
             blacklist {\n\tdevnode \"^vd\"\n}\n"
        }
        "half" => "devices {\n\tdevice {\n\t\tven",
        "bad" => "defaults {\n\tpolling_interval 0\n}\n",
        other => panic!("{other}"),
    }
}

fn parsed(text: &str) -> Config<'_> {
    config::parse("multipath.cfg", text.as_bytes()).config
}

/// The drop-ins of a node on which this configuration was applied.
fn applied(text: &str, overrides: &str) -> BTreeMap<DropIn, Vec<u8>> {
    let config = parsed(text);
    let cluster = Cluster::settled(&config, overrides.as_bytes());
    let steps = plan(&cluster, &Node::default()).drop_ins;
    let file = |step: DropInStep| Some((step.file, step.text?));
    steps.into_iter().filter_map(file).collect()
}

fn with(files: &BTreeMap<DropIn, Vec<u8>>) -> Node<'_> {
    Node {
        drop_ins: files
            .iter()
            .map(|(file, text)| (*file, Content::Text(text)))
            .collect(),
        ..Node::default()
    }
}

#[test]
fn drop_ins_while_files_are_being_saved() {
    rows("drop-ins.txt", 40, |columns| {
        let [before, read, certainty, expected] = *columns else {
            panic!("{columns:?}")
        };
        let pair = |column: &'_ str| -> [String; 2] {
            let words = column.split_whitespace().map(str::to_owned);
            words.collect::<Vec<_>>().try_into().unwrap()
        };
        let [before, before_overrides] = pair(before);
        let [read, read_overrides] = pair(read);
        let [config_is, overrides_are] = pair(certainty);

        let files = applied(&configuration(&before), overrides(&before_overrides));
        let text = configuration(&read);
        let config = parsed(&text);
        let cluster = Cluster {
            config: &config,
            overrides: overrides(&read_overrides).as_bytes(),
            config_is: value(&config_is),
            overrides_are: value(&overrides_are),
        };
        let node = Node {
            wwids: Content::Text(b"/3600a/\n/3600b/\n/3600c/\n"),
            ..with(&files)
        };
        let plan = plan(&cluster, &node);
        let step = |step: &DropInStep| {
            let file = step.file.file_name().strip_prefix("pve-").unwrap();
            let file = file.strip_suffix(".conf").unwrap();
            format!("{file} {} {}", name(step.action), name(step.reason))
        };
        let steps: Vec<String> = plan.drop_ins.iter().map(step).collect();
        assert_eq!(steps, items(expected, ","));
        assert_eq!(plan.unconfirmed, expected.contains("unconfirmed"));
        assert_eq!(plan.errors.is_empty(), !expected.contains("refused"));
        assert_eq!(
            plan.reconfigure,
            expected.contains("write") || expected.contains("remove")
        );
    });
}

/// Devices from `NAME:UUID`, with line feeds as in sysfs.
fn mapped(column: &str) -> BTreeMap<String, Mapped> {
    let devices = items(column, " ")
        .into_iter()
        .filter(|item| !item.is_empty());
    let device = |(number, item): (usize, &str)| {
        let (name, uuid) = item.split_once(':').unwrap();
        let mapped = Mapped {
            name: format!("{name}\n"),
            uuid: format!("{uuid}\n"),
            slaves: Vec::new(),
        };
        (format!("dm-{number}"), mapped)
    };
    devices.enumerate().map(device).collect()
}

#[test]
fn aliases_that_devices_have() {
    rows("aliases.txt", 21, |columns| {
        let [before, cluster, devices, expected, left] = *columns else {
            panic!("{columns:?}")
        };
        let files = applied(&configuration(before), "");
        let mut node = with(&files);
        node.devices.mapped = mapped(devices);
        let text = configuration(cluster);
        let config = parsed(&text);
        let of_node = plan(&Cluster::settled(&config, b""), &node);

        let taken = of_node.taken_aliases.iter().map(|taken| {
            let lun = taken.wwid.as_str().strip_prefix("3600").unwrap();
            format!("{lun} {} {}", taken.device, name(taken.reason))
        });
        assert_eq!(taken.collect::<Vec<_>>(), items(expected, ","));
        let to_see_to = items(expected, ",");
        let to_see_to = to_see_to.iter().filter(|item| item.contains("other"));
        assert_eq!(of_node.errors.len(), to_see_to.count());

        // the drop-in is that of a configuration with only these aliases
        let wanted = applied(&configuration(left), "").remove(&DropIn::Aliases);
        let step = of_node
            .drop_ins
            .iter()
            .find(|step| step.file == DropIn::Aliases);
        let present = files.get(&DropIn::Aliases);
        let becomes = match step {
            None => present.cloned(),
            Some(step) => step.text.clone(),
        };
        assert_eq!(becomes, wanted);

        // even if the file is not settled: what a device takes away goes at once
        let unsettled = Cluster {
            config_is: Certainty::Unsettled,
            ..Cluster::settled(&config, b"")
        };
        if before == cluster {
            assert_eq!(plan(&unsettled, &node), of_node);
        }
        // each LUN is still allow-listed
        assert_eq!(of_node.wwids.len(), items(cluster, ",").len());
    });
}

#[test]
fn the_error_for_an_alias_that_a_device_has() {
    let errors = |devices: &str| {
        let node = Node {
            devices: Devices {
                mapped: mapped(devices),
                disks: None,
            },
            ..Node::default()
        };
        let text = configuration("a=one");
        plan(&Cluster::settled(&parsed(&text), b""), &node).errors
    };
    assert_eq!(
        errors("root:LVM-y one:LVM-x"),
        [
            "'3600a' does not get its alias 'one' on this node, since dm-1 (LVM-x) has that name: \
             choose another alias"
        ]
    );
    assert_eq!(
        errors("one:"),
        [
            "'3600a' does not get its alias 'one' on this node, since dm-0 has that name: choose \
             another alias"
        ]
    );
    assert_eq!(
        errors("one:mpath-3600c"),
        [
            "'3600a' does not get its alias 'one' on this node, since the map of 3600c has that name: \
             give one of the two another alias"
        ]
    );
}

/// The plan for a row of sizes.txt.
fn plan_by_sizes(inputs: &str) -> Plan {
    let [a, b, others, open, on_node] = inputs
        .split_whitespace()
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    let disk = |size: &str, udev: Option<String>| Disk {
        size: format!("{size}\n"),
        udev,
    };
    let mut disks: BTreeMap<String, Disk> = [("sda", a), ("sdb", b)]
        .into_iter()
        .filter(|(_, size)| *size != "-")
        .map(|(name, size)| (name.to_owned(), disk(size, None)))
        .collect();
    for other in items(others, " ") {
        let [name, size, property] = other.split('/').collect::<Vec<_>>().try_into().unwrap();
        let udev = format!("S:disk/by-id/x\nI:1234\nE:ID_BUS=scsi\nE:{property}\nG:systemd\n");
        disks.insert(name.to_owned(), disk(size, Some(udev)));
    }
    let maps = [
        ("san-w", "mpath-3600w", &["sda", "sdb"][..]),
        ("pve-root", "LVM-x", &["sdz3"]),
    ];
    let mapped = maps.into_iter().enumerate().map(|(number, map)| {
        let (name, uuid, slaves) = map;
        let mapped = Mapped {
            name: format!("{name}\n"),
            uuid: format!("{uuid}\n"),
            slaves: slaves.iter().map(|slave| (*slave).to_owned()).collect(),
        };
        (format!("dm-{number}"), mapped)
    });
    let (first, second) = open.split_once('>').unwrap_or((open, open));
    let usage = |counts: &str| match counts {
        "-" => Usage::NotAsked,
        "?" => Usage::Unknown("no answer".to_owned()),
        counts => {
            let line = |(number, count): (usize, &str)| match number {
                0 => format!("{count}:mpath-3600w\n"),
                number => format!("{count}:part{number}-mpath-3600w\n"),
            };
            let lines: String = counts.split(',').enumerate().map(line).collect();
            Usage::Known(maps::in_use(format!("0:mpath-3600old\n{lines}").as_bytes()).unwrap())
        }
    };
    let (usage, usage_again) = (usage(first), usage(second));
    let config = match on_node {
        "dropped" | "foreign" => "wwid: 3600x\n",
        _ => "wwid: 3600w\n\nwwid: 3600x\n",
    };
    let wwids = match on_node {
        "foreign" | "missing" => "/3600x/\n/3600y/\n/3600old/\n",
        _ => "/3600w/\n/3600x/\n/3600y/\n/3600old/\n",
    };
    let files = applied(config, "");
    let node = Node {
        wwids: match on_node {
            "unreadable" => Content::Unreadable("Input/output error".to_owned()),
            _ => Content::Text(wwids.as_bytes()),
        },
        record: Content::Text(
            b"{\"version\": 1, \"wwids\": {\"3600old\": \"added\", \"3600w\": \"added\"}}",
        ),
        devices: Devices {
            mapped: mapped.collect(),
            disks: Some(disks),
        },
        usage,
        usage_again,
        reconfigure_due: true,
        ..with(&files)
    };
    plan(&Cluster::settled(&parsed(config), b""), &node)
}

#[test]
fn paths_of_different_sizes() {
    rows("sizes.txt", 30, |columns| {
        let [inputs, expected] = *columns else {
            panic!("{columns:?}")
        };
        let mut words = expected.split(' ');
        let waits = words.next().unwrap() == "wait";
        let shown: Vec<&str> = words.collect();

        let plan = plan_by_sizes(inputs);
        let uneven = plan.uneven.iter().flat_map(|map| {
            assert_eq!((map.wwid.as_str(), map.name.as_str()), ("3600w", "san-w"));
            let paths = map.paths.iter().map(|(dev, size)| format!("{dev}={size}"));
            let used = map.used.map(|used| if used { "used" } else { "unused" });
            paths.chain(used.map(str::to_owned)).collect::<Vec<_>>()
        });
        assert_eq!(uneven.collect::<Vec<_>>(), shown);
        assert_eq!(plan.held_back.is_some(), waits);
        // it stays due, and is the only thing to do
        assert!(plan.reconfigure);
        assert_eq!(plan.changes, !waits || inputs.contains("missing"));
        // and until it happens, nothing is removed
        let is_removed =
            |step: &WwidStep| step.action == WwidAction::Remove && step.wwid.as_str() == "3600old";
        assert_eq!(plan.wwids.iter().any(is_removed), !waits);

        let open = inputs.split_whitespace().nth(3).unwrap();
        assert_eq!(plan.questions.contains(&Question::Usage), open == "-");
        assert_eq!(
            plan.questions.contains(&Question::UsageAgain),
            open == "1>-"
        );
        let unknown = |err: &String| err.contains("it is unknown which maps are in use: no answer");
        assert_eq!(plan.errors.iter().any(unknown), open == "?");
    });
}

#[test]
fn the_reason_for_holding_back_a_reconfigure() {
    assert_eq!(
        plan_by_sizes("6291456 4194304 - 0 listed")
            .held_back
            .unwrap(),
        "multipathd is not told to read its configuration for now: it would remove maps that are not in \
         use, since their paths have different sizes: 'san-w' (WWID 3600w, bytes: sda 3221225472, sdb \
         2147483648); rescan these paths, or delete those that are dead"
    );
}

#[test]
fn luns_that_get_a_map_while_a_reconfigure_is_held_back() {
    let maps = |open: &str, others: &str| {
        let plan = plan_by_sizes(&format!("4096 2048 {others} {open} listed"));
        assert_eq!(plan.changes, open == "1" || !plan.maps_to_add.is_empty());
        plan.maps_to_add
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    // with a path, on the allow-lists of cluster and node, and without a map
    assert_eq!(maps("0", "sdc/2048/ID_SERIAL=3600x"), ["3600x"]);
    assert_eq!(maps("0", "sdc/2048/ID_SERIAL=3600w"), [""; 0]);
    assert_eq!(maps("0", "sdc/2048/ID_SERIAL=3600old"), [""; 0]);
    assert_eq!(maps("0", "sdc/2048/ID_SERIAL=3600y"), [""; 0]);
    assert_eq!(maps("0", "-"), [""; 0]);
    // otherwise the reconfigure makes it
    assert_eq!(maps("1", "sdc/2048/ID_SERIAL=3600x"), [""; 0]);
}

#[test]
fn sizes_are_only_compared_for_a_reconfigure() {
    let config = parsed("wwid: 3600w\n");
    let cluster = Cluster::settled(&config, b"");
    let mut node = Node::default();
    let first = plan(&cluster, &node);
    assert_eq!(first.questions, [Question::Disks, Question::Others].into());

    node.devices.disks = Some(BTreeMap::new());
    node.others = Others::Known(Vec::new());
    assert_eq!(plan(&cluster, &node).questions, [].into());

    let files = applied("wwid: 3600w\n", "");
    let in_line = Node {
        wwids: Content::Text(b"/3600w/\n"),
        ..with(&files)
    };
    let nothing = plan(&cluster, &in_line);
    assert_eq!((nothing.changes, nothing.questions), (false, [].into()));
}
