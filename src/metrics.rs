//! The state of the cluster and of a node as OpenMetrics text, for Prometheus and others.
//!
//! Names follow Prometheus's conventions. States are numbers by [`severity`], so that an alert compares
//! with zero. The format is OpenMetrics 1.0, which ends with `# EOF`. Names of LUNs and maps are gauges
//! of value 1: the type `info` does not exist in Prometheus's older text format, which the textfile
//! collector of the node exporter reads.

use std::fmt::{Display, Write};

use crate::cluster::report::Entry;
use crate::cluster::status::{Lun, Status};
use crate::node::maps::Map;
use crate::{CellState, NodeName};

const STATES: &str = "-1 unknown, 0 optimal, 1 degraded, 2 missing, 3 failed";

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

/// The series of the cluster's status and, if `node` is given, those of the node: its maps, or none if its
/// multipathd did not answer.
pub fn openmetrics(status: &Status, node: Option<(&NodeName, Option<&[Map]>)>) -> String {
    let mut text = Text(String::new());
    text.cluster(status);
    if let Some((node, maps)) = node {
        text.family(
            "multipathd_up",
            "gauge",
            "",
            "Whether the node's multipathd answers with maps.",
        );
        let up = u8::from(maps.is_some());
        text.sample("multipathd_up", &[("node", node.as_str())], up);
        text.maps(node, maps.unwrap_or_default());
    }
    text.0.push_str("# EOF\n");
    text.0
}

/// Prefix of all names.
const PREFIX: &str = "pve_multipath_";

struct Text(String);

impl Text {
    /// The metadata of a family, which comes before its samples. `unit` is the suffix of its name, empty for
    /// a number without a unit.
    fn family(&mut self, name: &str, kind: &str, unit: &str, help: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "# TYPE {PREFIX}{name} {kind}");
        if !unit.is_empty() {
            let _ = writeln!(self.0, "# UNIT {PREFIX}{name} {unit}");
        }
        let _ = writeln!(self.0, "# HELP {PREFIX}{name} {help}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let _ = write!(self.0, "{PREFIX}{name}");
        for (position, (label, value)) in labels.iter().enumerate() {
            self.0.push(if position == 0 { '{' } else { ',' });
            let _ = write!(self.0, "{label}=\"");
            for c in value.chars() {
                match c {
                    '\\' => self.0.push_str("\\\\"),
                    '"' => self.0.push_str("\\\""),
                    '\n' => self.0.push_str("\\n"),
                    c => self.0.push(c),
                }
            }
            self.0.push('"');
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }

    fn cluster(&mut self, status: &Status) {
        self.family("lun_info", "gauge", "", "Names of a LUN.");
        for lun in status.luns.luns() {
            let alias = lun.alias.map(|alias| ("alias", alias.as_str()));
            let storage = lun.used_by.map(|storage| ("storage", storage));
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
        self.family(name, "gauge", "seconds", help);
        for (node, errors) in &status.nodes {
            if let Some(error) = &errors.apply {
                let time = error.apply_time.unwrap_or(0);
                self.sample(name, &[("node", node.as_str())], time);
            }
        }
        let name = "node_report_unreadable";
        let help = "Whether the report of a node cannot be read; absent where it can.";
        self.family(name, "gauge", "", help);
        for (node, errors) in &status.nodes {
            if errors.report_error.is_some() {
                self.sample(name, &[("node", node.as_str())], 1);
            }
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
        self.family(name, "gauge", unit, help);
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
        self.family(name, "gauge", "", help);
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
        self.family(
            "map_info",
            "gauge",
            "",
            "Names of a map of this node, and of the array behind it.",
        );
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
        // The samples of a counter have a suffix that the name of its family lacks.
        for (kind, suffix, families) in [
            ("gauge", "", &gauges[..]),
            ("counter", "_total", &counters[..]),
        ] {
            for (name, unit, help, value) in families {
                self.family(name, kind, unit, help);
                let name = format!("{name}{suffix}");
                for map in maps {
                    if let Some(value) = value(map) {
                        let labels = [("node", node), ("wwid", map.wwid.as_str())];
                        self.sample(&name, &labels, value);
                    }
                }
            }
        }
        let help = "Whether device-mapper uses a path.";
        self.family("path_active", "gauge", "", help);
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
    fn the_text_is_valid_openmetrics() {
        let args = r#"{
            "now": 1000, "config": {"ids": {"3600a": {"type": "wwid", "alias": "san-a"}}},
            "kv": {"pve1": "{\"maps\":{\"3600a\":{\"state\":\"degraded\",\"paths-active\":1,\"paths-total\":2,\"size\":1024}},\"time\":1000}",
                "pve2": "{\"format\":9}"},
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
        let text = openmetrics(&status(&args), Some((&node, Some(&maps))));
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

        let silent = openmetrics(&status(&args), Some((&node, None)));
        assert!(silent.contains("pve_multipath_multipathd_up{node=\"pve1\"} 0\n"));
        assert!(!silent.contains("map_info{"));
    }
}
