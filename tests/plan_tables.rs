//! What is planned for a node, by tables that were worked out by hand: fixtures/plan.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeMap;

use pve_multipath::config::{self, Config};
use pve_multipath::plan::{Cluster, Content, DropIn, DropInStep, Node, plan};

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
