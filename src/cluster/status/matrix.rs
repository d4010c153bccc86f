//! The result: rows of cells.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde::ser::{SerializeMap, SerializeStruct};
use serde::{Serialize, Serializer};

use super::causes::StatusCause;
use crate::cluster::disagreement::Disagreement;
use crate::cluster::report::{Context, Entry, NodeInfo, Software};
use crate::cluster::uses::Obstacle;
use crate::types::label::Label;
use crate::{Alias, CellState, NodeName, Note, Reason, Wwid};

/// The answer to a request for the cluster's status.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Status {
    /// The matrix, a row for each LUN.
    pub luns: Matrix,
    /// The online nodes with which something is wrong beside the states of their LUNs.
    pub nodes: BTreeMap<NodeName, NodeErrors>,
    /// The ports that broke, those that took away most paths first. Cells refer to them by position.
    pub causes: Vec<StatusCause>,
    /// What the nodes say of themselves.
    pub node_info: BTreeMap<NodeName, ReportedInfo>,
}

impl Status {
    /// The status as one JSON text, the same that its `Serialize` gives.
    ///
    /// Almost all of the text are cells, and most nodes say the same of a LUN: their text is written once
    /// and copied, as are the names of the nodes.
    pub fn to_json(&self) -> Vec<u8> {
        let Matrix { nodes, rows, .. } = &self.luns;
        let names: Vec<Vec<u8>> = nodes
            .iter()
            .map(|node| [&*json(node), b":"].concat())
            .collect();
        // Growing step by step would copy megabytes.
        let cells: usize = rows.iter().map(|row| row.cells.len()).sum();
        let mut text = Vec::with_capacity(128 * rows.len() + 128 * cells + 64);
        text.extend_from_slice(b"{\"luns\":[");
        // Where the texts of a LUN's cells are.
        let mut written: Vec<(&Arc<Entry>, Range<usize>)> = Vec::new();
        for (number, lun) in self.luns.luns().enumerate() {
            if number > 0 {
                text.push(b',');
            }
            // The nodes are the last field: what ends it is written after them.
            let empty = Cells {
                nodes: &[],
                cells: &[],
                causes: &[],
            };
            let nodes = lun.nodes;
            write_json(
                &mut text,
                &Lun {
                    nodes: empty,
                    ..lun
                },
            );
            text.truncate(text.len() - b"}}".len());
            written.clear();
            for cell in nodes.cells {
                text.extend_from_slice(names.get(cell.node).map_or(&[], Vec::as_slice));
                let start = text.len();
                let mut like = written.iter().rev().take(4);
                let like = like.find(|(like, _)| Arc::ptr_eq(like, &cell.entry));
                match like.map(|(_, place)| place.clone()) {
                    Some(place) => text.extend_from_within(place),
                    None => {
                        let shared = CellFields(&cell.entry, CellContext::default());
                        write_json(&mut text, &shared);
                        text.pop();
                        written.push((&cell.entry, start..text.len()));
                    }
                }
                // The state is there, so that more fields follow a comma.
                let context = nodes.context(cell);
                if let Some(since) = context.since {
                    text.extend_from_slice(b",\"since\":");
                    write_json(&mut text, &since);
                }
                if !context.causes.is_empty() {
                    text.extend_from_slice(b",\"causes\":");
                    write_json(&mut text, &context.causes);
                }
                text.extend_from_slice(b"},");
            }
            text.truncate(text.len() - usize::from(!written.is_empty()));
            text.extend_from_slice(b"}}");
        }
        text.extend_from_slice(b"],\"nodes\":");
        write_json(&mut text, &self.nodes);
        text.extend_from_slice(b",\"causes\":");
        write_json(&mut text, &self.causes);
        text.extend_from_slice(b",\"node-info\":");
        write_json(&mut text, &self.node_info);
        text.push(b'}');
        text
    }
}

/// Cannot fail: there are only texts, numbers and lists and maps by name of these.
fn write_json(text: &mut Vec<u8>, value: &impl Serialize) {
    let _ = serde_json::to_writer(text, value);
}

fn json(value: &impl Serialize) -> Vec<u8> {
    let mut text = Vec::new();
    write_json(&mut text, value);
    text
}

/// What is wrong with a node: at least one of these.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct NodeErrors {
    /// That it could not apply the configuration.
    #[serde(flatten)]
    pub apply: Option<ApplyError>,
    /// Why its report cannot be read. The LUNs that are expected on the node are `unknown` for the
    /// same reason; this also tells where none are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report_error: Option<Reason>,
}

/// Why a node could not apply the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ApplyError {
    /// What the node said.
    pub apply_error: String,
    /// When, in seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apply_time: Option<i64>,
}

/// What a node says of itself, and when it did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReportedInfo {
    /// Its software.
    #[serde(flatten)]
    pub software: Software,
    /// When the configuration was last applied, in seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied_time: Option<i64>,
    /// Digest of that configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied_digest: Option<Label>,
    /// What another file overrides, a sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drift: Vec<Label>,
    /// When the node has sent the report, in seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report_time: Option<i64>,
}

impl ReportedInfo {
    pub(super) fn new(node: &NodeInfo, report_time: Option<i64>) -> Self {
        let applied = node.applied.clone().unwrap_or_default();
        Self {
            software: node.software.clone(),
            applied_time: applied.time,
            applied_digest: applied.digest,
            drift: node.drift.clone(),
            report_time,
        }
    }
}

/// LUNs by node, sorted by WWID. Serialized as the list of its [`Lun`]s.
#[derive(Debug, Default)]
pub struct Matrix {
    /// All nodes that occur, sorted; cells refer to them by position.
    pub(super) nodes: Vec<NodeName>,
    pub(super) rows: Vec<Row>,
    /// By node and by position among the causes of its report, the position among all nodes' causes.
    pub(super) causes: Vec<Vec<Option<usize>>>,
}

#[derive(Debug)]
pub(super) struct Row {
    pub(super) wwid: Arc<Wwid>,
    pub(super) alias: Option<Alias>,
    pub(super) used_by: Option<String>,
    pub(super) uses: Vec<Obstacle>,
    pub(super) size: Option<u64>,
    pub(super) state: CellState,
    pub(super) notes: Vec<Disagreement>,
    /// Sorted by node.
    pub(super) cells: Vec<RowCell>,
}

#[derive(Clone, Debug)]
pub(super) struct RowCell {
    /// Position of the node.
    pub(super) node: usize,
    pub(super) entry: Arc<Entry>,
    pub(super) context: Context,
}

/// One LUN over all nodes.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Lun<'m> {
    /// Identifier of the LUN.
    pub wwid: &'m Wwid,
    /// Its alias.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<&'m Alias>,
    /// The storage that uses it, else what nodes have found: `VG data on pve1, pve2`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_by: Option<&'m str>,
    /// What uses it, storages first; nothing if the caller has not asked for it.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub uses: &'m [Obstacle],
    /// Size in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The worst state of any node that counts.
    pub cluster_state: CellState,
    /// In what the nodes disagree.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub notes: &'m [Disagreement],
    /// The nodes' own states.
    pub nodes: Cells<'m>,
}

/// The cells of one LUN by node.
#[derive(Clone, Copy, Debug)]
pub struct Cells<'m> {
    nodes: &'m [NodeName],
    cells: &'m [RowCell],
    causes: &'m [Vec<Option<usize>>],
}

/// When the state of a cell began, and the positions of its causes among all nodes' causes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CellContext {
    /// In seconds since the epoch.
    pub since: Option<i64>,
    /// Sorted.
    pub causes: Vec<usize>,
}

/// A LUN on a node, as far as the matrix shows it: what the nodes should agree in is not repeated.
struct CellFields<'m>(&'m Entry, CellContext);

impl Serialize for CellFields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(entry, context) = self;
        let numbers = [
            ("paths-active", entry.paths_active),
            ("paths-total", entry.paths_total),
            ("paths-expected", entry.paths_expected),
        ];
        // The length is that of most cells, and lets a hash be made in one go.
        let mut cell = serializer.serialize_struct("Cell", 6)?;
        cell.serialize_field("state", &entry.state)?;
        for (name, number) in numbers {
            if let Some(number) = number {
                cell.serialize_field(name, &number)?;
            }
        }
        if let Some(transport) = entry.transport {
            cell.serialize_field("transport", &transport)?;
        }
        if !entry.reasons.is_empty() {
            cell.serialize_field("reasons", &entry.reasons)?;
        }
        if !entry.notes.is_empty() {
            let notes: Vec<_> = entry.notes.iter().copied().map(Note::bare).collect();
            cell.serialize_field("notes", &notes)?;
        }
        if let Some(since) = context.since {
            cell.serialize_field("since", &since)?;
        }
        if !context.causes.is_empty() {
            cell.serialize_field("causes", &context.causes)?;
        }
        cell.end()
    }
}

impl Matrix {
    /// The LUNs, sorted by WWID.
    pub fn luns(&self) -> impl ExactSizeIterator<Item = Lun<'_>> {
        self.rows.iter().map(|row| Lun {
            wwid: &row.wwid,
            alias: row.alias.as_ref(),
            used_by: row.used_by.as_deref(),
            uses: &row.uses,
            size: row.size,
            cluster_state: row.state,
            notes: &row.notes,
            nodes: Cells {
                nodes: &self.nodes,
                cells: &row.cells,
                causes: &self.causes,
            },
        })
    }
}

impl Serialize for Matrix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.luns())
    }
}

impl<'m> Cells<'m> {
    /// The cells with their nodes, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'m NodeName, &'m Entry)> {
        let nodes = self.nodes;
        let cells = self.cells.iter();
        cells.filter_map(move |cell| Some((nodes.get(cell.node)?, cell.entry.as_ref())))
    }

    /// The cell of one node.
    pub fn get(&self, node: &str) -> Option<&'m Entry> {
        self.iter()
            .find(|(name, _)| name.as_str() == node)
            .map(|(_, entry)| entry)
    }

    fn context(&self, cell: &RowCell) -> CellContext {
        let Context { since, causes } = cell.context;
        let known = self.causes.get(cell.node);
        let causes = causes.iter().filter_map(|number| *known?.get(number)?);
        let mut causes: Vec<usize> = causes.collect();
        causes.sort_unstable();
        causes.dedup();
        CellContext { since, causes }
    }
}

impl Serialize for Cells<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // The length lets a hash be made in one go; `collect_map` would not know it.
        let mut map = serializer.serialize_map(Some(self.cells.len()))?;
        for cell in self.cells {
            if let Some(node) = self.nodes.get(cell.node) {
                map.serialize_entry(node, &CellFields(&cell.entry, self.context(cell)))?;
            }
        }
        map.end()
    }
}
