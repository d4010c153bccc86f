//! The state of the cluster and of a node as text for Prometheus and others.
//!
//! Names follow Prometheus's conventions. States are numbers by [`severity`], so that an alert compares
//! with zero. Names of LUNs and maps are gauges of value 1, since the type `info` does not exist in
//! Prometheus's own format. The series of a node and those of the cluster have no name in common, so they
//! may be in two files for one collector.

use std::fmt::{Display, Write};

use serde::Deserialize;

use crate::cluster::report::Entry;
use crate::cluster::status::{Lun, Status, StatusCause};
use crate::cluster::uses::first_storage;
use crate::node::maps::Map;
use crate::node::ports::PortName;
use crate::{CellState, NodeName};

const STATES: &str = "-1 unknown, 0 optimal, 1 degraded, 2 missing, 3 failed";

/// A text format. No text with counters is valid in both: OpenMetrics names a counter's family without the
/// suffix `_total` of its samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Version 0.0.4 of Prometheus's format, which the textfile collector of the node exporter reads.
    Prometheus,
    /// OpenMetrics 1.0, which ends with `# EOF`.
    OpenMetrics,
}

/// The state as a number: -1 `unknown`, 0 `optimal`, 1 `degraded`, 2 `missing`, 3 `failed`.
pub fn severity(state: CellState) -> i8 {
    match state {
        CellState::Unknown => -1,
        CellState::Optimal => 0,
        CellState::Degraded => 1,
        CellState::Missing => 2,
        CellState::Failed => 3,
    }
}

/// The series of the cluster's status.
pub fn of_cluster(status: &Status, format: Format) -> String {
    let mut text = Text::new(format);
    text.cluster(status);
    text.end()
}

/// The series of a node: its maps, or none if its multipathd did not answer.
pub fn of_node(node: &NodeName, maps: Option<&[Map]>, format: Format) -> String {
    let mut text = Text::new(format);
    let help = "Whether the node's multipathd answers with maps.";
    text.gauge("multipathd_up", "", help);
    let up = u8::from(maps.is_some());
    text.sample("multipathd_up", &[("node", node.as_str())], up);
    text.maps(node, maps.unwrap_or_default());
    text.end()
}

/// Prefix of all names.
const PREFIX: &str = "pve_multipath_";

struct Text {
    format: Format,
    text: String,
}

impl Text {
    fn new(format: Format) -> Text {
        let text = String::new();
        Text { format, text }
    }

    fn end(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }

    /// The metadata of a family, which comes before its samples. `unit` is the suffix of its name, empty for
    /// a number without a unit.
    fn family(&mut self, name: &str, kind: &str, unit: &str, help: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "# HELP {PREFIX}{name} {help}");
        let _ = writeln!(self.text, "# TYPE {PREFIX}{name} {kind}");
        if self.format == Format::OpenMetrics && !unit.is_empty() {
            let _ = writeln!(self.text, "# UNIT {PREFIX}{name} {unit}");
        }
    }

    fn gauge(&mut self, name: &str, unit: &str, help: &str) {
        self.family(name, "gauge", unit, help);
    }

    /// The name of the family's samples is returned.
    fn counter(&mut self, name: &str, unit: &str, help: &str) -> String {
        let samples = format!("{name}_total");
        let family = match self.format {
            Format::Prometheus => &samples,
            Format::OpenMetrics => name,
        };
        self.family(family, "counter", unit, help);
        samples
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let text = &mut self.text;
        let _ = write!(text, "{PREFIX}{name}");
        for (position, (label, value)) in labels.iter().enumerate() {
            text.push(if position == 0 { '{' } else { ',' });
            let _ = write!(text, "{label}=\"");
            for c in value.chars() {
                match c {
                    '\\' => text.push_str("\\\\"),
                    '"' => text.push_str("\\\""),
                    '\n' => text.push_str("\\n"),
                    c => text.push(c),
                }
            }
            text.push('"');
        }
        if !labels.is_empty() {
            text.push('}');
        }
        let _ = writeln!(text, " {value}");
    }

    fn cluster(&mut self, status: &Status) {
        self.gauge("lun_info", "", "Names of a LUN.");
        for lun in status.luns.luns() {
            let alias = lun.alias.map(|alias| ("alias", alias.as_str()));
            // without a storage, 'used-by' says what nodes have found
            let named = lun.used_by.filter(|_| lun.uses.is_empty());
            let storage = first_storage(lun.uses).or(named);
            let storage = storage.map(|storage| ("storage", storage));
            let labels = [("wwid", lun.wwid.as_str())]
                .into_iter()
                .chain(alias)
                .chain(storage);
            self.sample("lun_info", &labels.collect::<Vec<_>>(), 1);
        }
        let state = format!("Worst state of a LUN on any node that counts: {STATES}.");
        self.luns(status, "lun_state", "", &state, |lun| {
            Some(severity(lun.cluster_state))
        });
        self.luns(status, "lun_size_bytes", "bytes", "Size of a LUN.", |lun| {
            lun.size
        });
        self.luns(
            status,
            "lun_disagreements",
            "",
            "In how many properties the nodes disagree.",
            |lun| Some(lun.notes.len()),
        );

        let state = format!("State of a LUN on a node: {STATES}.");
        self.cells(status, "node_lun_state", &state, |cell| {
            Some(severity(cell.state))
        });
        self.cells(
            status,
            "node_lun_paths",
            "Paths of a LUN on a node.",
            |cell| cell.paths_total,
        );
        let help = "Active paths of a LUN on a node.";
        self.cells(status, "node_lun_paths_active", help, |cell| {
            cell.paths_active
        });
        let help = "Paths that a LUN should have on a node.";
        self.cells(status, "node_lun_paths_expected", help, |cell| {
            cell.paths_expected
        });

        let name = "node_apply_failure_timestamp_seconds";
        let help = "When a node could not apply the configuration; absent where it could.";
        self.gauge(name, "seconds", help);
        for (node, errors) in &status.nodes {
            if let Some(error) = &errors.apply {
                let time = error.apply_time.unwrap_or(0);
                self.sample(name, &[("node", node.as_str())], time);
            }
        }
        let name = "node_report_unreadable";
        let help = "Whether the report of a node cannot be read; absent where it can.";
        self.gauge(name, "", help);
        for (node, errors) in &status.nodes {
            if errors.report_error.is_some() {
                self.sample(name, &[("node", node.as_str())], 1);
            }
        }
        let help = "Paths that are lost with a port; absent while no port is lost.";
        self.causes(status, "cause_paths", help, |cause| cause.paths);
        let help = "LUNs that lost paths with a port; absent while no port is lost.";
        self.causes(status, "cause_luns", help, |cause| cause.luns);
    }

    /// A gauge with a sample for each port that broke.
    fn causes<V: Display>(
        &mut self,
        status: &Status,
        name: &str,
        help: &str,
        value: impl Fn(&StatusCause) -> V,
    ) {
        self.gauge(name, "", help);
        for cause in &status.causes {
            let host = cause.host.map(|host| host.to_string());
            let array = cause.array.as_ref();
            let labels = [
                ("node", cause.node.as_ref().map(NodeName::as_str)),
                ("initiator", cause.initiator.as_ref().map(PortName::as_str)),
                ("host", host.as_deref()),
                ("target", cause.target.as_ref().map(PortName::as_str)),
                (
                    "vendor",
                    array.and_then(|array| Some(array.vendor.as_ref()?.as_str())),
                ),
                (
                    "product",
                    array.and_then(|array| Some(array.product.as_ref()?.as_str())),
                ),
            ];
            let known = labels
                .into_iter()
                .filter_map(|(label, value)| Some((label, value?)));
            self.sample(name, &known.collect::<Vec<_>>(), value(cause));
        }
    }

    /// A gauge with a sample for each LUN for which `value` returns one.
    fn luns<V: Display>(
        &mut self,
        status: &Status,
        name: &str,
        unit: &str,
        help: &str,
        value: impl Fn(&Lun<'_>) -> Option<V>,
    ) {
        self.gauge(name, unit, help);
        for lun in status.luns.luns() {
            if let Some(value) = value(&lun) {
                self.sample(name, &[("wwid", lun.wwid.as_str())], value);
            }
        }
    }

    /// A gauge with a sample for each LUN and node for which `value` returns one.
    fn cells<V: Display>(
        &mut self,
        status: &Status,
        name: &str,
        help: &str,
        value: impl Fn(&Entry) -> Option<V>,
    ) {
        self.gauge(name, "", help);
        for lun in status.luns.luns() {
            for (node, cell) in lun.nodes.iter() {
                if let Some(value) = value(cell) {
                    let labels = [("node", node.as_str()), ("wwid", lun.wwid.as_str())];
                    self.sample(name, &labels, value);
                }
            }
        }
    }

    fn maps(&mut self, node: &NodeName, maps: &[Map]) {
        let node = node.as_str();
        let help = "Names of a map of this node, and of the array behind it.";
        self.gauge("map_info", "", help);
        for map in maps {
            let mut labels = vec![
                ("node", node),
                ("wwid", map.wwid.as_str()),
                ("name", map.name.as_str()),
                ("device", map.sysfs.as_str()),
            ];
            labels.extend(map.vendor.as_deref().map(|vendor| ("vendor", vendor)));
            labels.extend(map.product.as_deref().map(|product| ("product", product)));
            self.sample("map_info", &labels, 1);
        }
        let state = format!("Health of a map of this node: {STATES}.");
        type Value<'v> = &'v dyn Fn(&Map) -> Option<u64>;
        let number = |number: Option<u32>| number.map(u64::from);
        let health = |map: &Map| u64::try_from(severity(map.health.into())).ok();
        let gauges: [(&str, &str, &str, Value<'_>); 6] = [
            ("map_state", "", &state, &health),
            ("map_paths", "", "Paths of a map.", &|map| {
                u64::try_from(map.paths_total).ok()
            }),
            ("map_paths_active", "", "Active paths of a map.", &|map| {
                u64::try_from(map.paths_active).ok()
            }),
            (
                "map_paths_expected",
                "",
                "Paths that a map should have.",
                &|map| number(map.paths_expected),
            ),
            ("map_size_bytes", "bytes", "Size of a map.", &|map| map.size),
            (
                "map_write_protected",
                "",
                "Whether a map is read-only.",
                &|map| map.write_protected.map(u64::from),
            ),
        ];
        let counters: [(&str, &str, &str, Value<'_>); 5] = [
            (
                "map_path_faults",
                "",
                "Path failures since multipathd knows the map.",
                &|map| number(map.path_faults),
            ),
            (
                "map_group_switches",
                "",
                "Switches of the path group.",
                &|map| number(map.group_switches),
            ),
            ("map_loads", "", "Loads of the map's table.", &|map| {
                number(map.map_loads)
            }),
            (
                "map_queueing_seconds",
                "seconds",
                "Time that I/O was queued for lack of a path.",
                &|map| number(map.queue_seconds),
            ),
            (
                "map_queueing_timeouts",
                "",
                "How often queueing ended by its time-out.",
                &|map| number(map.queue_timeouts),
            ),
        ];
        let samples = |text: &mut Text, name: &str, value: Value<'_>| {
            for map in maps {
                if let Some(value) = value(map) {
                    let labels = [("node", node), ("wwid", map.wwid.as_str())];
                    text.sample(name, &labels, value);
                }
            }
        };
        for (name, unit, help, value) in gauges {
            self.gauge(name, unit, help);
            samples(self, name, value);
        }
        for (name, unit, help, value) in counters {
            let name = self.counter(name, unit, help);
            samples(self, &name, value);
        }
        let help = "Whether device-mapper uses a path.";
        self.gauge("path_active", "", help);
        for map in maps {
            for path in map.paths() {
                let wwid = map.wwid.as_str();
                let labels = [
                    ("node", node),
                    ("wwid", wwid),
                    ("device", path.dev.as_str()),
                ];
                self.sample("path_active", &labels, u8::from(path.is_active()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::status::{StatusArgs, status};

    #[test]
    fn only_storages_are_named() {
        let args = r#"{
            "now": 1000, "expectations": {"consumers": {"3600c": "san"}},
            "kv": {"pve1": "{\"maps\":{\"3600a\":{},\"3600b\":{},\"3600c\":{}},\"time\":1000}"},
            "users": {
                "storages": {"data": {"type": "lvm", "vgname": "vg-a"}},
                "peers": {"now": 1000, "uses": {"kv": {"pve1": "{\"maps\":{\"3600a\":[{\"code\":\"volume-group\",\"vg\":\"vg-a\",\"active\":0}],\"3600b\":[{\"code\":\"swap\"}]},\"time\":1000}"}}}
            }
        }"#;
        let args: StatusArgs<'_> = serde_json::from_str(args).unwrap();
        let status = status(&args);
        let used_by: Vec<_> = status.luns.luns().map(|lun| lun.used_by).collect();
        assert_eq!(used_by, [Some("data"), Some("swap on pve1"), Some("san")]);
        let text = of_cluster(&status, Format::Prometheus);
        let samples: Vec<&str> = { text.lines() }
            .filter(|line| line.starts_with("pve_multipath_lun_info{"))
            .collect();
        assert_eq!(
            samples,
            [
                r#"pve_multipath_lun_info{wwid="3600a",storage="data"} 1"#,
                r#"pve_multipath_lun_info{wwid="3600b"} 1"#,
                r#"pve_multipath_lun_info{wwid="3600c",storage="san"} 1"#,
            ]
        );
    }

    #[test]
    fn both_formats_have_the_same_samples() {
        let args = r#"{
            "now": 1000, "config": {"ids": {"3600a": {"type": "wwid", "alias": "san-a"}}},
            "kv": {"pve1": "{\"maps\":{\"3600a\":{\"state\":\"degraded\",\"paths-active\":1,\"paths-total\":2,\"size\":1024}},\"time\":1000}",
                "pve2": "{\"format\":9}",
                "pve3": "{\"maps\":{\"3600a\":{\"causes\":[0]},\"3600b\":{\"causes\":[0,1]},\"3600c\":{\"causes\":[1]}},\"time\":1000,\"causes\":[{\"initiator\":\"0x2101\",\"host\":1,\"array\":{\"vendor\":\"a\\\"b\",\"product\":\"c\\\\\\n\"},\"paths\":8},{\"target\":\"0x50a1\",\"paths\":3}]}"},
            "apply-kv": {"pve1": "{\"error\":\"no\",\"time\":990}"}
        }"#;

        let args: StatusArgs<'_> = serde_json::from_str(args).unwrap_or_default();
        let reply =
            br#"{"maps": [{"uuid": "3600a", "name": "a\"b\\\nc", "sysfs": "dm-0", "path_faults": 3,
            "total_q_time": 7, "path_groups": [{"paths": [{"dev": "sda", "dm_st": "active"}]}]}]}"#;
        let maps = crate::node::maps::parse(reply)
            .map(|parsed| parsed.maps)
            .unwrap_or_default();
        let node = NodeName::new("pve1").unwrap();
        let text = |format| {
            let cluster = of_cluster(&status(&args), format);
            let cluster = cluster.trim_end_matches("# EOF\n").to_owned();
            cluster + &of_node(&node, Some(&maps), format)
        };
        let (old, text) = (text(Format::Prometheus), text(Format::OpenMetrics));
        let samples = |text: &str| -> Vec<String> {
            let lines = text.lines().filter(|line| !line.starts_with('#'));
            lines.map(str::to_owned).collect()
        };
        assert_eq!(samples(&old), samples(&text));
        assert!(old.contains("# TYPE pve_multipath_map_path_faults_total counter\n"));
        assert!(!old.contains("# UNIT") && !old.contains("# EOF"), "{old}");

        for line in [
            "# TYPE pve_multipath_lun_info gauge",
            r#"pve_multipath_lun_info{wwid="3600a",alias="san-a"} 1"#,
            r#"pve_multipath_lun_state{wwid="3600a"} 1"#,
            "# UNIT pve_multipath_lun_size_bytes bytes",
            r#"pve_multipath_lun_size_bytes{wwid="3600a"} 1024"#,
            r#"pve_multipath_node_lun_state{node="pve1",wwid="3600a"} 1"#,
            r#"pve_multipath_node_lun_paths_active{node="pve1",wwid="3600a"} 1"#,
            r#"pve_multipath_node_apply_failure_timestamp_seconds{node="pve1"} 990"#,
            "# TYPE pve_multipath_node_report_unreadable gauge",
            r#"pve_multipath_node_report_unreadable{node="pve2"} 1"#,
            r#"pve_multipath_node_lun_state{node="pve2",wwid="3600a"} -1"#,
            "# TYPE pve_multipath_cause_paths gauge",
            r#"pve_multipath_cause_paths{node="pve3",initiator="0x2101",host="1",vendor="a\"b",product="c\\"} 8"#,
            r#"pve_multipath_cause_paths{target="0x50a1"} 3"#,
            r#"pve_multipath_cause_luns{node="pve3",initiator="0x2101",host="1",vendor="a\"b",product="c\\"} 2"#,
            r#"pve_multipath_cause_luns{target="0x50a1"} 2"#,
            r#"pve_multipath_multipathd_up{node="pve1"} 1"#,
            r#"pve_multipath_map_info{node="pve1",wwid="3600a",name="a\"b\\\nc",device="dm-0"} 1"#,
            "# TYPE pve_multipath_map_path_faults counter",
            r#"pve_multipath_map_path_faults_total{node="pve1",wwid="3600a"} 3"#,
            "# UNIT pve_multipath_map_queueing_seconds seconds",
            r#"pve_multipath_map_queueing_seconds_total{node="pve1",wwid="3600a"} 7"#,
            r#"pve_multipath_path_active{node="pve1",wwid="3600a",device="sda"} 1"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(text.ends_with("\n# EOF\n"));
        let of_pve2 = r#"failure_timestamp_seconds{node="pve2"}"#;
        let of_pve1 = r#"unreadable{node="pve1"}"#;
        assert!(!text.contains(of_pve2) && !text.contains(of_pve1), "{text}");

        let silent = of_node(&node, None, Format::Prometheus);
        assert!(silent.contains("pve_multipath_multipathd_up{node=\"pve1\"} 0\n"));
        assert!(!silent.contains("map_info{"));
    }
}
