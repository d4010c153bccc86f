//! The result: rows of cells.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde::ser::{SerializeMap, SerializeStruct};
use serde::{Serialize, Serializer};

use crate::cluster::disagreement::Disagreement;
use crate::cluster::report::Entry;
use crate::{Alias, CellState, NodeName, Note, Reason, Wwid};

/// The answer to a request for the cluster's status.
#[derive(Debug, Serialize)]
pub struct Status {
    /// The matrix, a row for each LUN.
    pub luns: Matrix,
    /// The online nodes with which something is wrong beside the states of their LUNs.
    pub nodes: BTreeMap<NodeName, NodeErrors>,
}

impl Status {
    /// The status as one JSON text, the same that its `Serialize` gives.
    ///
    /// Almost all of the text are cells, and most nodes say the same of a LUN: their text is written once
    /// and copied, as are the names of the nodes.
    pub fn to_json(&self) -> Vec<u8> {
        let Matrix { nodes, rows } = &self.luns;
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
            let nodes = Cells {
                nodes: &[],
                cells: &[],
            };
            write_json(&mut text, &Lun { nodes, ..lun });
            text.truncate(text.len() - b"}}".len());
            written.clear();
            for (node, entry) in lun.nodes.cells {
                text.extend_from_slice(names.get(*node).map_or(&[], Vec::as_slice));
                let start = text.len();
                let mut like = written.iter().rev().take(4);
                let like = like.find(|(like, _)| Arc::ptr_eq(like, entry)).cloned();
                match like {
                    Some((_, cell)) => text.extend_from_within(cell),
                    None => {
                        write_json(&mut text, &Cell(entry));
                        written.push((entry, start..text.len()));
                    }
                }
                text.push(b',');
            }
            text.truncate(text.len() - usize::from(!written.is_empty()));
            text.extend_from_slice(b"}}");
        }
        text.extend_from_slice(b"],\"nodes\":");
        write_json(&mut text, &self.nodes);
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

/// LUNs by node, sorted by WWID. Serialized as the list of its [`Lun`]s.
#[derive(Debug, Default)]
pub struct Matrix {
    /// All nodes that occur, sorted; cells refer to them by position.
    pub(super) nodes: Vec<NodeName>,
    pub(super) rows: Vec<Row>,
}

#[derive(Debug)]
pub(super) struct Row {
    pub(super) wwid: Arc<Wwid>,
    pub(super) alias: Option<Alias>,
    pub(super) used_by: Option<String>,
    pub(super) size: Option<u64>,
    pub(super) state: CellState,
    pub(super) notes: Vec<Disagreement>,
    /// Cells by position of their node, sorted.
    pub(super) cells: Vec<(usize, Arc<Entry>)>,
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
    /// The storage that uses it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_by: Option<&'m str>,
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
    cells: &'m [(usize, Arc<Entry>)],
}

/// A LUN on a node, as far as the matrix shows it: what the nodes should agree in is not repeated.
struct Cell<'m>(&'m Entry);

impl Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entry = self.0;
        let numbers = [
            ("paths-active", entry.paths_active),
            ("paths-total", entry.paths_total),
            ("paths-expected", entry.paths_expected),
        ];
        // The length is that of most cells, and lets a hash be made in one go.
        let mut cell = serializer.serialize_struct("Cell", 5)?;
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
            size: row.size,
            cluster_state: row.state,
            notes: &row.notes,
            nodes: Cells {
                nodes: &self.nodes,
                cells: &row.cells,
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
        self.cells
            .iter()
            .filter_map(move |(node, entry)| Some((nodes.get(*node)?, entry.as_ref())))
    }

    /// The cell of one node.
    pub fn get(&self, node: &str) -> Option<&'m Entry> {
        self.iter()
            .find(|(name, _)| name.as_str() == node)
            .map(|(_, entry)| entry)
    }
}

impl Serialize for Cells<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // The length lets a hash be made in one go; `collect_map` would not know it.
        let mut map = serializer.serialize_map(Some(self.cells.len()))?;
        for (node, entry) in self.iter() {
            map.serialize_entry(node, &Cell(entry))?;
        }
        map.end()
    }
}
