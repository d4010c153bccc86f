//! The ports that broke, as the status tells them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::matrix::{Row, RowCell};
use crate::NodeName;
use crate::cluster::causes::{BrokenPort, causes};
use crate::node::causes::{Array, Cause};
use crate::node::ports::{Initiator, PortName};

/// Most nodes that a text names.
const MAX_NAMED: usize = 4;

/// A port that broke.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct StatusCause {
    /// `initiator-port` or `target-port`.
    pub code: &'static str,
    /// A sentence.
    pub text: String,
    /// The node whose port it is, of an initiator's port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeName>,
    /// Name of an initiator's port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initiator: Option<PortName>,
    /// Number of the SCSI host of an initiator's port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<u32>,
    /// Name of a target's port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<PortName>,
    /// The array.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub array: Option<Array>,
    /// Number of paths that were lost on all nodes.
    pub paths: u64,
    /// Number of LUNs that lost paths on any node.
    pub luns: usize,
    /// By node, what was lost there.
    pub nodes: BTreeMap<NodeName, NodeLoss>,
}

/// What one node lost with a port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NodeLoss {
    /// Number of paths.
    pub paths: u32,
    /// Number of LUNs.
    pub luns: usize,
}

/// What the LUNs of a cause have left, as far as they have the same.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    Nothing,
    /// So many active paths, and so many that there should be.
    Paths(u32, u32),
    Various,
}

impl Left {
    fn add(&mut self, cell: &RowCell) {
        let entry = &cell.entry;
        let all = entry.paths_expected.max(entry.paths_total);
        let here = entry.paths_active.zip(all);
        let here = here.map_or(Self::Various, |(active, all)| Self::Paths(active, all));
        match self {
            Self::Nothing => *self = here,
            same if *same == here => {}
            _ => *self = Self::Various,
        }
    }
}

/// The causes of the cluster, and the position of each node's causes among them, by node and position in its
/// report. `reported` has the causes of the nodes whose reports count, by the nodes' positions; `with_maps` of
/// these have maps.
///
/// A cause that no LUN of the report refers to is not one.
pub(super) fn of_rows(
    rows: &[Row],
    nodes: &[NodeName],
    reported: &BTreeMap<usize, &[Cause]>,
    with_maps: usize,
) -> (Vec<StatusCause>, Vec<Vec<Option<usize>>>) {
    let mut positions: Vec<Vec<Option<usize>>> = nodes
        .iter()
        .enumerate()
        .map(|(node, _)| vec![None; reported.get(&node).map_or(0, |causes| causes.len())])
        .collect();
    if reported.values().all(|causes| causes.is_empty()) {
        return (Vec::new(), positions);
    }
    let cells = rows.iter().flat_map(|row| &row.cells);
    let used: BTreeSet<(usize, usize)> = cells
        .flat_map(|cell| cell.context.causes.iter().map(|number| (cell.node, number)))
        .collect();

    // By node the causes that LUNs refer to, and their positions in the report.
    let known: Vec<(&NodeName, usize, Vec<usize>, Vec<Cause>)> = reported
        .iter()
        .filter_map(|(node, causes)| {
            let used = |number: &usize| used.contains(&(*node, *number));
            let numbers: Vec<usize> = (0..causes.len()).filter(used).collect();
            let causes = numbers.iter().filter_map(|number| causes.get(*number));
            let causes = causes.cloned().collect();
            Some((nodes.get(*node)?, *node, numbers, causes))
        })
        .collect();
    let found = causes(
        known
            .iter()
            .map(|(name, _, _, causes)| (*name, causes.as_slice())),
    );
    for (position, cause) in found.iter().enumerate() {
        for (name, node, numbers, _) in &known {
            let lost = cause.nodes.get(*name).map(|lost| lost.causes.as_slice());
            for number in lost.unwrap_or_default() {
                let number = numbers.get(*number).copied().unwrap_or(usize::MAX);
                let place = positions
                    .get_mut(*node)
                    .and_then(|node| node.get_mut(number));
                place.into_iter().for_each(|place| *place = Some(position));
            }
        }
    }

    let mut luns = vec![(0, Left::Nothing, BTreeMap::<usize, usize>::new()); found.len()];
    for row in rows {
        let mut of_row = BTreeSet::new();
        for cell in &row.cells {
            let known = positions.get(cell.node);
            let causes = cell.context.causes.iter();
            let causes: BTreeSet<usize> =
                causes.filter_map(|number| *known?.get(number)?).collect();
            for position in causes {
                if let Some((luns, left, nodes)) = luns.get_mut(position) {
                    *luns += usize::from(of_row.insert(position));
                    *nodes.entry(cell.node).or_default() += 1;
                    left.add(cell);
                }
            }
        }
    }
    let causes = found
        .into_iter()
        .zip(luns)
        .map(|(cause, (luns, left, of_nodes))| {
            let paths = cause.paths();
            let (code, node, initiator, host, target) = match &cause.port {
                BrokenPort::Initiator(node, port) => {
                    ("initiator-port", Some(node), port.name(), port.host(), None)
                }
                BrokenPort::Target(port) => ("target-port", None, None, None, Some(port)),
            };
            let text = text(&cause.port, &cause.nodes, with_maps, luns, paths, left);
            let of_nodes = of_nodes.into_iter().filter_map(|(node, luns)| {
                let name = nodes.get(node)?;
                let paths = cause.nodes.get(name)?.paths;
                Some((name.clone(), NodeLoss { paths, luns }))
            });
            StatusCause {
                code,
                text,
                node: node.cloned(),
                initiator: initiator.cloned(),
                host,
                target: target.cloned(),
                array: cause.array.clone(),
                paths,
                luns,
                nodes: of_nodes.collect(),
            }
        });
    (causes.collect(), positions)
}

/// What happened, in a sentence. `all` is the number of nodes that have maps.
fn text<T>(
    port: &BrokenPort,
    nodes: &BTreeMap<NodeName, T>,
    all: usize,
    luns: usize,
    paths: u64,
    left: Left,
) -> String {
    let noun = if luns == 1 { "LUN" } else { "LUNs" };
    let have = if luns == 1 { "has" } else { "have" };
    let on_one = match left {
        Left::Paths(active, all) => format!("{luns} {noun} {have} {active} of {all} paths"),
        Left::Nothing | Left::Various => format!("{luns} {noun} lost {paths} paths"),
    };
    let names: Vec<&str> = nodes.keys().map(NodeName::as_str).collect();
    match (port, names.as_slice()) {
        (BrokenPort::Initiator(node, port), _) => {
            format!("{node}: {} lost all its paths: {on_one}", name(port))
        }
        (BrokenPort::Target(port), [node]) => {
            format!("{node}: target port {port} is lost: {on_one}")
        }
        (BrokenPort::Target(port), nodes) => {
            let count = nodes.len();
            let which = match count {
                _ if count == all => format!("all {count} nodes"),
                0..=MAX_NAMED => nodes.join(", "),
                _ => format!("{count} of {all} nodes"),
            };
            format!("target port {port} is lost on {which}: {luns} {noun}")
        }
    }
}

fn name(port: &Initiator) -> String {
    match (port.name(), port.host()) {
        (Some(name), None) => format!("initiator port {name}"),
        _ => port.to_string(),
    }
}
