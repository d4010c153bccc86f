//! What is planned for a node, case by case.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeMap;

use pve_multipath::Wwid;
use pve_multipath::config::{self, Config};
use pve_multipath::node::maps::InUse;
use pve_multipath::node::plan::{
    self, Certainty, Cluster, Content, DropIn, DropInAction, Node, Plan, Question, Usage,
    WwidAction, diff,
};
use pve_multipath::types::tools_version::ToolsVersion;

const W: &str = "3600a";

fn name(value: impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).unwrap();
    value.as_str().unwrap().to_owned()
}

fn configuration(text: &str) -> Config<'_> {
    config::parse("multipath.cfg", text.as_bytes()).config
}

fn unreadable<'a>() -> Content<'a> {
    Content::Unreadable("Input/output error".to_owned())
}

/// The plan for files that are known to be saved.
fn plan(config: &Config<'_>, overrides: &[u8], node: &Node<'_>) -> Plan {
    plan::plan(&Cluster::settled(config, overrides), node)
}

#[test]
fn the_table_of_the_wwids_file() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/plan/wwids.txt");
    let table = std::fs::read_to_string(path).unwrap();
    let mut rows = 0;
    for row in table.lines() {
        let row = row.trim();
        if row.is_empty() || row.starts_with('#') {
            continue;
        }
        rows += 1;
        let (inputs, expected) = row.split_once('|').unwrap();
        let [cluster, file, record, used] = inputs
            .split_whitespace()
            .collect::<Vec<_>>()
            .try_into()
            .unwrap();

        let (cluster, certainty) = cluster.split_once('/').unwrap_or((cluster, "settled"));
        let config = match cluster {
            "listed" => configuration("wwid: 3600a\n"),
            "unlisted" => configuration("wwid: 3600other\n"),
            other => panic!("{other}"),
        };
        let cluster = Cluster {
            config_is: match certainty {
                "settled" => Certainty::Settled,
                "unsettled" => Certainty::Unsettled,
                "torn" => Certainty::Torn,
                other => panic!("{other}"),
            },
            ..Cluster::settled(&config, b"")
        };
        let wwids = match file {
            "empty" => "# Valid WWIDs:\n/3600other/\n",
            "plain" => "/3600other/\n/3600a/\n",
            "junk" => "/3600other/\n/3600a/ junk\n",
            "crlf" => "/3600other/\n/3600a/\r\n",
            "twice" => "/3600a/\n/3600other/\n/3600a/\n",
            "unfinished" => "/3600other/",
            _ => "",
        };
        let wwids = match file {
            "absent" => Content::Absent,
            "unreadable" => unreadable(),
            _ => Content::Text(wwids.as_bytes()),
        };
        let text = match record {
            "-" => "{\"version\": 1, \"wwids\": {\"3600third\": \"added\"}}".to_owned(),
            "corrupt" => "{\"version\": 1, \"wwids\": {\"3600a\": \"add".to_owned(),
            progress => format!("{{\"version\": 1, \"wwids\": {{\"3600a\": \"{progress}\"}}}}"),
        };
        let content = match record {
            "absent" => Content::Absent,
            "unreadable" => unreadable(),
            _ => Content::Text(text.as_bytes()),
        };
        let usage = match used {
            "no" => Usage::Known(InUse::default()),
            "yes" => Usage::Known(InUse {
                open: [Wwid::new(W).unwrap()].into(),
                held: [Wwid::new(W).unwrap()].into(),
            }),
            "?" => Usage::NotAsked,
            other => panic!("{other}"),
        };
        let could_read = !matches!(wwids, Content::Unreadable(_))
            && !text.ends_with("add")
            && record != "unreadable"
            && file != "unfinished";
        let node = Node {
            wwids,
            record: content,
            usage,
            ..Node::default()
        };

        let plan = plan::plan(&cluster, &node);
        let step = plan.wwids.iter().find(|step| step.wwid.as_str() == W);
        let step = step.map_or("-".to_owned(), |step| {
            format!("{} {}", name(step.action), name(step.reason))
        });
        assert_eq!(step, expected.trim(), "{row}");
        let told = plan.errors.is_empty() == (could_read || expected.contains("drop gone"));
        assert!(told, "{row}: {:?}", plan.errors);
        // the record of '-' has another WWID that is not listed; the drop-ins are not there yet
        let unconfirmed = match certainty {
            "settled" => false,
            "torn" => true,
            _ => record == "-" || expected.contains("unconfirmed"),
        };
        assert_eq!(plan.unconfirmed, unconfirmed, "{row}");
        let asked = plan.questions.contains(&Question::Usage);
        assert_eq!(asked, expected.contains("use-unknown"), "{row}");
    }
    assert!(rows >= 54, "only {rows} rows were read");
}

/// A node on which everything is as the configuration says.
fn applied(config: &Config<'_>, overrides: &str) -> BTreeMap<DropIn, Vec<u8>> {
    let plan = plan(config, overrides.as_bytes(), &Node::default());
    plan.drop_ins
        .into_iter()
        .filter_map(|step| Some((step.file, step.text?)))
        .collect()
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

fn drop_ins(plan: &Plan) -> Vec<String> {
    let step = |step: &plan::DropInStep| {
        assert_eq!(step.text.is_some(), step.action == DropInAction::Write);
        format!(
            "{} {} {}",
            step.file.file_name(),
            name(step.action),
            name(step.reason)
        )
    };
    plan.drop_ins.iter().map(step).collect()
}

const OVERRIDES: &str = "devices {\n\tdevice {\n\t\tvendor A\n\t\tproduct B\n\t}\n}\n";

#[test]
fn no_steps_without_a_configuration() {
    for (config, overrides) in [("", ""), ("# nothing\n\n", " \n\n")] {
        let plan = plan(
            &configuration(config),
            overrides.as_bytes(),
            &Node::default(),
        );
        assert_eq!(plan, Plan::default());
    }
}

#[test]
fn drop_ins_of_a_configuration() {
    for (text, overrides, expected) in [
        ("wwid: 3600a\n", "", &["pve-defaults.conf write absent"][..]),
        (
            "defaults: defaults\n",
            "",
            &["pve-defaults.conf write absent"],
        ),
        (
            "",
            OVERRIDES,
            &[
                "pve-defaults.conf write absent",
                "pve-overrides.conf write absent",
            ],
        ),
        (
            "wwid: 3600a\n\talias one\n",
            "",
            &[
                "pve-defaults.conf write absent",
                "pve-aliases.conf write absent",
            ],
        ),
    ] {
        let config = configuration(text);
        let first = plan(&config, overrides.as_bytes(), &Node::default());
        assert!(first.configured && first.reconfigure);
        assert_eq!(drop_ins(&first), expected, "{text}{overrides}");

        // and once they are there, nothing more
        let files = applied(&config, overrides);
        let second = plan(&config, overrides.as_bytes(), &with(&files));
        assert_eq!(drop_ins(&second), Vec::<String>::new());
    }
}

#[test]
fn only_managed_drop_ins_are_removed() {
    let config = configuration("wwid: 3600a\n\talias one\n");
    let files = applied(&config, OVERRIDES);
    let nothing = configuration("");
    let all = plan(&nothing, b"", &with(&files));
    assert_eq!(
        drop_ins(&all),
        [
            "pve-defaults.conf remove no-content",
            "pve-overrides.conf remove no-content",
            "pve-aliases.conf remove no-content",
        ]
    );
    assert!(!all.configured && all.reconfigure && all.errors.is_empty());

    let mut files = files;
    files.insert(DropIn::Overrides, b"# by hand\ndefaults {\n}\n".to_vec());
    let mut node = with(&files);
    node.drop_ins.insert(DropIn::Aliases, unreadable());
    let some = plan(&nothing, b"", &node);
    assert_eq!(
        drop_ins(&some),
        [
            "pve-defaults.conf remove no-content",
            "pve-overrides.conf keep not-ours",
            "pve-aliases.conf keep unreadable",
        ]
    );
    assert_eq!(
        some.errors,
        ["pve-aliases.conf is not removed: Input/output error"]
    );
}

#[test]
fn drop_ins_that_differ_or_cannot_be_read_are_written() {
    let config = configuration("wwid: 3600a\n\talias one\n");
    let files = applied(&configuration("wwid: 3600a\n\talias two\n"), "");
    let mut node = with(&files);
    node.drop_ins.insert(DropIn::Defaults, unreadable());
    let plan = plan(&config, b"", &node);
    assert_eq!(
        drop_ins(&plan),
        [
            "pve-defaults.conf write unreadable",
            "pve-aliases.conf write differs",
        ]
    );
    let step = &plan.drop_ins[1];
    let old = files.get(&DropIn::Aliases).map(Vec::as_slice);
    let diff = diff(step.file, old, step.text.as_deref()).unwrap();
    assert!(
        diff.contains("\n-\t\talias two\n+\t\talias one\n"),
        "{diff}"
    );
}

#[test]
fn refused_overrides_do_not_replace_the_last_good_ones() {
    let config = configuration("");
    let files = applied(&config, OVERRIDES);
    let harmful = b"defaults {\n\tpolling_interval 0\n}\n";
    let plan = plan(&config, harmful, &with(&files));
    assert_eq!(drop_ins(&plan), ["pve-overrides.conf keep refused"]);
    assert!(!plan.reconfigure);
    let [error] = &plan.errors[..] else {
        panic!("{:?}", plan.errors)
    };
    assert!(error.starts_with("the overrides are not applied: line 2: a polling_interval of 0"));
}

#[test]
fn the_installed_version_decides_what_is_rendered() {
    let config = configuration("wwid: 3600a\n\trr-min-io-rq 2\n");
    let text = |version| {
        let node = Node {
            version,
            ..Node::default()
        };
        let plan = plan(&config, b"", &node);
        let aliases = plan
            .drop_ins
            .iter()
            .find(|step| step.file == DropIn::Aliases);
        aliases.map_or(String::new(), |step| {
            String::from_utf8(step.text.clone().unwrap()).unwrap()
        })
    };
    assert!(text(None).contains("rr_min_io_rq"));
    assert!(text(Some(ToolsVersion::new(0, 9, 4))).contains("rr_min_io_rq"));
    assert!(!text(Some(ToolsVersion::new(0, 15, 1))).contains("rr_min_io_rq"));
}

#[test]
fn a_missed_reconfigure_is_made_up_for() {
    let node = Node {
        reconfigure_due: true,
        ..Node::default()
    };
    let plan = plan(&configuration(""), b"", &node);
    assert!(plan.reconfigure && plan.changes);
}

#[test]
fn wwids_in_lines_that_are_not_understood_are_not_removed() {
    let record = b"{\"version\": 1, \"wwids\": {\"3600a\": \"added\", \"3600b\": \"added\"}}";
    for text in [
        "wwid 3600a\n",
        "newer: 3600a\n\tx y\n",
        "wwid: 3600c\n\talias c\nwwid 3600a\n",
    ] {
        let node = Node {
            wwids: Content::Text(b"/3600a/\n/3600b/\n/3600c/\n"),
            record: Content::Text(record),
            usage: Usage::Known(InUse::default()),
            ..Node::default()
        };
        let plan = plan(&configuration(text), b"", &node);
        let steps: Vec<_> = plan
            .wwids
            .iter()
            .map(|step| (step.wwid.as_str(), step.action, name(step.reason)))
            .collect();
        assert_eq!(
            steps,
            [
                ("3600a", WwidAction::Keep, "not-understood".to_owned()),
                ("3600b", WwidAction::Remove, "no-longer-listed".to_owned()),
            ],
            "{text}"
        );
    }
}
