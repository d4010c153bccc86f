//! How long it takes to plan for a node, and how that grows with what there is.
//!
//! `make bench` runs it. Twice as much should take twice as long: a ratio of 2.0.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hint::black_box;

mod measure;

use measure::mean_time;
use pve_multipath::config::{self, Config};
use pve_multipath::node::maps::{self, InUse};
use pve_multipath::node::plan::{
    Certainty, Cluster, Content, Devices, Disk, DropIn, Mapped, Node, Record, Usage, diff, plan,
};

/// How many there are of what a case is about.
const COUNTS: [usize; 3] = [5_000, 10_000, 20_000];

/// A WWID that looks random.
fn wwid(number: usize) -> String {
    let number = u128::try_from(number).unwrap_or_default() + 1;
    let digits = number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    format!("3{digits:032x}")
}

/// A text of so many parts.
fn text(count: usize, part: impl Fn(usize, &str) -> String) -> String {
    (0..count).fold(String::new(), |mut text, number| {
        let _ = write!(text, "{}", part(number, &wwid(number)));
        text
    })
}

fn sections(count: usize) -> String {
    text(count, |number, wwid| {
        format!("wwid: {wwid}\n\talias san-{number}\n\n")
    })
}

fn entries(count: usize) -> String {
    text(count, |_, wwid| format!("/{wwid}/\n"))
}

fn record(count: usize) -> String {
    let entries = text(count, |number, wwid| {
        format!(
            "{}\"{wwid}\": \"added\"",
            if number > 0 { ", " } else { "" }
        )
    });
    format!("{{\"version\": 1, \"wwids\": {{{entries}}}}}")
}

/// A map with two paths for each LUN, called by an alias, which the LUN `shift` further on has.
fn devices(count: usize, shift: usize) -> Devices {
    let map = |number: usize| {
        let mapped = Mapped {
            name: format!("san-{}\n", number + shift),
            uuid: format!("mpath-{}\n", wwid(number)),
            slaves: vec![format!("sd{number}a"), format!("sd{number}b")],
        };
        (format!("dm-{number}"), mapped)
    };
    let disk = |number: usize| {
        let disk = |size: usize| Disk {
            size: format!("{size}\n"),
            udev: Some(format!("E:ID_BUS=scsi\nE:ID_SERIAL={}\n", wwid(number))),
        };
        [
            (format!("sd{number}a"), disk(2048)),
            (format!("sd{number}b"), disk(4096)),
        ]
    };
    Devices {
        mapped: (0..count).map(map).collect(),
        disks: Some((0..count).flat_map(disk).collect()),
    }
}

fn parsed(text: &str) -> Config<'_> {
    config::parse("multipath.cfg", text.as_bytes()).config
}

/// Prints a line with the time of the last count, and how it grew.
fn line(name: &str, run: impl Fn(usize) -> f64) {
    let [first, second, third] = COUNTS.map(run);
    println!(
        "{name:44} {:8.1} ms {:>16.1} {:>16.1}",
        third * 1000.0,
        second / first,
        third / second
    );
}

/// Plans for a cluster and a node.
fn line_of_plan(
    name: &str,
    config: impl Fn(usize) -> String,
    node: impl for<'a> Fn(&'a [String; 3], usize) -> Node<'a>,
    certainty: Certainty,
) {
    line(name, |count| {
        let text = config(count);
        let config = parsed(&text);
        let cluster = Cluster {
            config_is: certainty,
            ..Cluster::settled(&config, b"")
        };
        let files = plan(&Cluster::settled(&config, b""), &Node::default()).drop_ins;
        let aliases = files.into_iter().find(|step| step.file == DropIn::Aliases);
        let aliases = aliases.and_then(|step| step.text).unwrap_or_default();
        let texts = [
            entries(count),
            record(count),
            String::from_utf8(aliases).unwrap_or_default(),
        ];
        let node = node(&texts, count);
        mean_time(|| plan(black_box(&cluster), black_box(&node))).as_secs_f64()
    });
}

fn node(texts: &[String; 3], devices: Devices) -> Node<'_> {
    let [wwids, record, aliases] = texts;
    Node {
        drop_ins: BTreeMap::from([(DropIn::Aliases, Content::Text(aliases.as_bytes()))]),
        wwids: Content::Text(wwids.as_bytes()),
        record: Content::Text(record.as_bytes()),
        usage: Usage::Known(InUse::default()),
        devices,
        ..Node::default()
    }
}

fn in_line(texts: &[String; 3], _: usize) -> Node<'_> {
    node(texts, Devices::default())
}

fn main() {
    let [first, second, third] = COUNTS;
    println!("planning for a node: {third} of what is named");
    println!(
        "{:44} {:>11} {:>16} {:>16}",
        "",
        "",
        format!("{second} to {first}"),
        format!("{third} to {second}")
    );

    line_of_plan("LUNs in line", sections, in_line, Certainty::Settled);
    line_of_plan(
        "LUNs in line, not settled",
        sections,
        in_line,
        Certainty::Unsettled,
    );
    line_of_plan(
        "LUNs to add",
        sections,
        |_, _| Node::default(),
        Certainty::Settled,
    );
    line_of_plan(
        "LUNs to remove",
        |_| String::new(),
        in_line,
        Certainty::Settled,
    );
    line_of_plan(
        "LUNs to remove, lines that name them",
        |count| text(count, |_, wwid| format!("wwid {wwid}\n")),
        in_line,
        Certainty::Settled,
    );
    line_of_plan(
        "LUNs to remove, lines that name others",
        |count| {
            text(count, |number, _| {
                format!("wwid {}\n", wwid(number + third))
            })
        },
        in_line,
        Certainty::Settled,
    );
    line_of_plan(
        "LUNs to remove, properties that name others",
        |count| {
            let property = |number, _: &str| format!("\tnews {}\n", wwid(number + third));
            format!("wwid: 3600\n{}", text(count, property))
        },
        in_line,
        Certainty::Settled,
    );
    line_of_plan(
        "LUNs whose aliases other LUNs have",
        sections,
        |texts, count| node(texts, devices(count, 1)),
        Certainty::Settled,
    );
    line_of_plan(
        "LUNs with paths of different sizes",
        sections,
        |texts, count| Node {
            reconfigure_due: true,
            ..node(texts, devices(count, 0))
        },
        Certainty::Settled,
    );
    line_of_plan(
        "the same, and LUNs to add",
        |count| sections(2 * count),
        |texts, count| node(texts, devices(count, 0)),
        Certainty::Settled,
    );
    line("the record", |count| {
        let text = record(count);
        mean_time(|| Record::parse(text.as_bytes()).map(|record| record.to_text())).as_secs_f64()
    });
    line("maps in use", |count| {
        let text = text(count, |_, wwid| {
            format!("2:mpath-{wwid}\n1:part1-mpath-{wwid}\n")
        });
        mean_time(|| maps::in_use(text.as_bytes())).as_secs_f64()
    });
    line("difference of two drop-ins, half of it", |count| {
        let lines = |seed: usize| text(count / 4, |number, _| format!("{}\n", wwid(number + seed)));
        let (old, new) = (lines(0), lines(third));
        let diff = || diff(DropIn::Aliases, Some(old.as_bytes()), Some(new.as_bytes()));
        mean_time(diff).as_secs_f64()
    });
    line("reading multipath.cfg", |count| {
        let text = sections(count);
        mean_time(|| parsed(black_box(&text))).as_secs_f64()
    });
    line("problems of multipath.cfg", |count| {
        let text = sections(count);
        let config = parsed(&text);
        mean_time(|| config::problems(&config, None)).as_secs_f64()
    });
    line("problems of equal aliases", |count| {
        let text = text(count, |_, wwid| format!("wwid: {wwid}\n\talias one\n\n"));
        let config = parsed(&text);
        mean_time(|| config::problems(&config, None)).as_secs_f64()
    });
    line("writing multipath.cfg", |count| {
        let text = sections(count);
        let config = parsed(&text);
        mean_time(|| config::write(&config)).as_secs_f64()
    });
    line("writing lines that were not understood", |count| {
        let text = text(count, |_, wwid| {
            format!("wwid: {wwid}\n\tnews x\n\tbad\n\nnewer: {wwid}\n\tx y\n\n")
        });
        let config = parsed(&text);
        mean_time(|| config::write(&config)).as_secs_f64()
    });
    line("sections that replace others", |count| {
        let text = text(count, |number, _| {
            format!("wwid: {}\n\tbad\n\n", wwid(number % 10))
        });
        mean_time(|| config::write(&parsed(&text)).map(|written| written.text)).as_secs_f64()
    });
}
