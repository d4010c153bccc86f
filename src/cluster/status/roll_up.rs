//! From the nodes' reports to the matrix. The rules are those of the [module above](super).

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::causes::{StatusCause, of_rows};
use super::inputs::{AggregateArgs, ByName, KnownExpectations, KvTexts, StatusArgs};
use super::matrix::{ApplyError, Matrix, NodeErrors, ReportedInfo, Row, RowCell, Status};
use crate::cluster::disagreement::disagreements;
use crate::cluster::report::{ApplyStatus, BadBroadcast, Broadcast, Context, Entry, Reader};
use crate::cluster::uses::summary;
use crate::config;
use crate::types::absence::Absence;
use crate::types::node_name::NodeNames;
use crate::wire::scalar::Scalar;
use crate::{Alias, CellState, NodeName, Reason, Wwid};

/// Answers a request for the cluster's status.
pub fn status(args: &StatusArgs<'_>) -> Status {
    status_with(args, &mut Reader::default())
}

/// As [`status`], for callers that ask again and again and keep the reader from call to call: reports
/// that did not change since the last call are not decoded again.
pub fn status_with(args: &StatusArgs<'_>, reader: &mut Reader) -> Status {
    let members = args.members.as_ref().filter(|members| !members.is_empty());
    let is_online = |node: &str| match members {
        Some(members) => members.get(node).is_some_and(|presence| presence.0),
        None => true,
    };
    let now = args.now.as_int().unwrap_or(0);
    let mut round = reader.round();
    let reports = texts(args.kv.as_ref()).map(|(node, text)| {
        let continuation = |key: &str| args.continued(key, node.as_str());
        let broadcast = round.read(&node, text, continuation);
        let excluded = match &broadcast {
            _ if !is_online(node.as_str()) => Some(Reason::NodeOffline),
            Ok(broadcast) => broadcast.is_outdated(now),
            Err(_) => None,
        };
        (node, Report::new(broadcast, excluded))
    });

    let none = KnownExpectations::default();
    let expectations = args.expectations.as_ref().unwrap_or(&none);
    let allow_list = args.config.iter().flat_map(config::allow_list);
    let allow_list = allow_list.map(|(wwid, alias)| {
        let expected = expectations.nodes_of(&wwid);
        (wwid, alias, expected)
    });
    let reports: BTreeMap<NodeName, Report> = reports.collect();
    let node_info = reports.iter().filter_map(|(name, report)| {
        let report = report.broadcast.as_ref().ok()?;
        let info = ReportedInfo::new(report.node.as_ref()?, report.sent());
        Some((name.clone(), info))
    });
    let node_info = node_info.collect();
    let RolledUp {
        mut luns,
        unreadable: report_errors,
        causes,
    } = roll_up(
        reports,
        &is_online,
        allow_list.collect(),
        expectations.consumers.as_ref(),
    );
    // the names of nodes that the caller knows itself are the only thing that may be wrong with it
    let users = args.users.as_ref();
    let uses = users.and_then(|users| users.uses_with(reader.uses()).ok());
    let mut uses = uses.unwrap_or_default();
    for row in &mut luns.rows {
        row.uses = uses.remove(row.wwid.as_ref()).unwrap_or_default();
        row.used_by = row.used_by.take().or_else(|| summary(&row.uses));
    }
    let mut nodes: BTreeMap<NodeName, NodeErrors> = BTreeMap::new();
    for (node, error) in apply_errors(args.apply_kv.as_ref(), &is_online) {
        nodes.entry(node).or_default().apply = Some(error);
    }
    for (node, reason) in report_errors {
        nodes.entry(node).or_default().report_error = Some(reason);
    }
    Status {
        luns,
        nodes,
        causes,
        node_info,
    }
}

/// Rolls reports up, where the caller knows who is online and which reports are too old.
pub fn aggregate(args: &AggregateArgs<'_>) -> Matrix {
    let none = NodeNames::default();
    let is_online = |node: &str| args.is_online(node);
    let reports = texts(args.kv.as_ref()).map(|(node, text)| {
        let excluded = (!is_online(node.as_str())).then_some(Reason::NodeOffline);
        let report = Report::new(Broadcast::decode_lenient(text), excluded);
        (node, report)
    });
    let allow_list = args.allow_list().map(|(wwid, alias)| {
        let expected = args.expected.as_ref();
        let expected = expected.and_then(|expected| expected.get(wwid.as_str()));
        (wwid, alias, expected.unwrap_or(&none))
    });
    roll_up(
        reports.collect(),
        &is_online,
        allow_list.collect(),
        args.used_by.as_ref(),
    )
    .luns
}

/// What a node reports.
struct Report {
    /// Why the report does not count, if so.
    excluded: Option<Reason>,
    /// The report; an error if it cannot be read and may name any LUN.
    broadcast: Result<Broadcast, Reason>,
}

impl Report {
    fn new(broadcast: Result<Broadcast, BadBroadcast>, excluded: Option<Reason>) -> Self {
        Self {
            excluded,
            broadcast: broadcast.map_err(|error| error.reason()),
        }
    }

    /// The node's cells for LUNs where it is expected and that it does not name. Rule 5.
    fn absent(&self) -> Entry {
        match (&self.excluded, &self.broadcast) {
            (Some(reason), _) => unknown(reason.clone()),
            (None, Ok(_)) => Entry::bare(CellState::Missing, vec![Reason::NotAssembled]),
            // What the report says is not known, which is not the same as that it says nothing.
            (None, Err(reason)) => unknown(reason.clone()),
        }
    }
}

fn unknown(reason: Reason) -> Entry {
    Entry::bare(CellState::Unknown, vec![reason])
}

/// The nodes' texts of one key. An empty text is a cleared key.
fn texts<'a>(kv: Option<&'a KvTexts<'_>>) -> impl Iterator<Item = (NodeName, &'a [u8])> {
    kv.into_iter().flatten().filter_map(|(name, text)| {
        let text = text.as_ref().filter(|text| !text.0.is_empty())?;
        Some((NodeName::new(name).ok()?, text.0.as_ref()))
    })
}

fn apply_errors(
    kv: Option<&KvTexts<'_>>,
    is_online: &dyn Fn(&str) -> bool,
) -> Vec<(NodeName, ApplyError)> {
    let online = texts(kv).filter(|(node, _)| is_online(node.as_str()));
    let errors = online.filter_map(|(node, text)| {
        let status = ApplyStatus::decode(text)?;
        let error = ApplyError {
            apply_error: status.error,
            apply_time: status.time,
        };
        Some((node, error))
    });
    errors.collect()
}

/// An allow-listed LUN: its identifier, its alias, and the nodes that should carry it.
type Allowed<'e> = (Wwid, Option<Alias>, &'e NodeNames<'e>);

/// The result of a roll-up.
struct RolledUp {
    luns: Matrix,
    /// The online nodes whose reports cannot be read.
    unreadable: BTreeMap<NodeName, Reason>,
    causes: Vec<StatusCause>,
}

/// Rolls the nodes' reports up.
fn roll_up(
    reports: BTreeMap<NodeName, Report>,
    is_online: &dyn Fn(&str) -> bool,
    allow_list: Vec<Allowed<'_>>,
    used_by: Option<&ByName<'_, Scalar<'_>>>,
) -> RolledUp {
    // The same few lists with the same few names again and again: these are checked only once they
    // are told apart.
    let mut lists: HashSet<*const NodeNames<'_>> = HashSet::new();
    let expected = allow_list.iter().map(|(_, _, names)| *names);
    let expected = expected.filter(|names| lists.insert(std::ptr::from_ref(*names)));
    let expected: HashSet<&str> = expected
        .flat_map(|names| &names.0)
        .map(AsRef::as_ref)
        .collect();
    let expected = expected
        .into_iter()
        .filter_map(|name| NodeName::new(name).ok());
    let mut nodes: Vec<NodeName> = reports.keys().cloned().chain(expected).collect();
    nodes.sort_unstable();
    nodes.dedup();
    let positions: HashMap<&str, usize> = nodes.iter().map(NodeName::as_str).zip(0..).collect();
    // The cells of the nodes for LUNs that they do not name.
    let absent: Vec<Arc<Entry>> = nodes
        .iter()
        .map(|node| {
            Arc::new(match reports.get(node) {
                _ if !is_online(node.as_str()) => unknown(Reason::NodeOffline),
                Some(report) => report.absent(),
                None => Entry::bare(CellState::Missing, vec![Reason::NoReport]),
            })
        })
        .collect();

    let mut rows = Rows::default();
    let allow_list: Vec<_> = allow_list
        .into_iter()
        .map(|(wwid, alias, expected)| {
            let position = rows.position(&Arc::new(wwid), nodes.len());
            if let Some(row) = rows.list.get_mut(position) {
                row.alias = alias;
            }
            (position, expected)
        })
        .collect();
    for (name, report) in &reports {
        let (Some(&node), Ok(broadcast)) = (positions.get(name.as_str()), &report.broadcast) else {
            continue;
        };
        let excluded = report.excluded.as_ref().and_then(|_| absent.get(node));
        for map in broadcast.entries.iter() {
            // Rules 3 and 4. No room in advance: what else a peer names may be anything, and a lot of it.
            let position = rows.position(&map.wwid, 0);
            if let Some(row) = rows.list.get_mut(position) {
                let (entry, context) = match excluded {
                    Some(entry) => (entry, Context::default()),
                    None => (&map.entry, map.context),
                };
                row.put(RowCell {
                    node,
                    entry: Arc::clone(entry),
                    context,
                });
            }
        }
    }

    let by_default = expected_by_default(&reports);
    for (position, expected) in allow_list {
        let some_node = |name: &Cow<'_, str>| positions.contains_key(name.as_ref());
        let expected = match expected.0.iter().any(some_node) {
            true => expected,
            false => &by_default,
        };
        if let Some(row) = rows.list.get_mut(position) {
            row.expect(expected, &positions, &absent);
        }
    }
    for (name, report) in &reports {
        let (Some(&node), Ok(broadcast)) = (positions.get(name.as_str()), &report.broadcast) else {
            continue;
        };
        if report.excluded.is_none() {
            rows.explain(node, &broadcast.absent);
        }
    }

    let mut rows = rows.list;
    for row in &mut rows {
        row.conclude(&nodes);
        let storage = used_by.and_then(|used_by| used_by.get(row.wwid.as_str()));
        row.used_by = storage.and_then(Scalar::as_text).map(Cow::into_owned);
    }
    rows.sort_unstable_by(|a, b| a.wwid.cmp(&b.wwid));
    let live = reports
        .iter()
        .filter(|(_, report)| report.excluded.is_none());
    let reported = live.clone().filter_map(|(name, report)| {
        let broadcast = report.broadcast.as_ref().ok()?;
        Some((*positions.get(name.as_str())?, &*broadcast.causes))
    });
    let with_maps = live.clone().filter(|(_, report)| {
        let broadcast = report.broadcast.as_ref();
        broadcast.is_ok_and(|broadcast| !broadcast.entries.is_empty())
    });
    let (causes, cause_positions) = of_rows(&rows, &nodes, &reported.collect(), with_maps.count());
    let unreadable = live.filter_map(|(name, report)| {
        let reason = report.broadcast.as_ref().err()?;
        Some((name.clone(), reason.clone()))
    });
    let unreadable = unreadable.collect();
    let luns = Matrix {
        nodes,
        rows,
        causes: cause_positions,
    };
    RolledUp {
        luns,
        unreadable,
        causes,
    }
}

/// Rule 2: where an allow-listed LUN is expected of which nothing else is known. On the live nodes that
/// report a map or remember paths, since a node without SAN should carry nothing; where no node does, on all
/// that report. A report that cannot be read may name any LUN, so that the node is among them.
fn expected_by_default(reports: &BTreeMap<NodeName, Report>) -> NodeNames<'_> {
    let live = reports
        .iter()
        .filter(|(_, report)| report.excluded.is_none());
    let count = |(name, report): (_, &Report)| {
        let count = report.broadcast.as_ref().ok().map(|broadcast| {
            let node = broadcast.node.as_ref();
            let remembers = node.is_some_and(|node| node.remembers.is_some());
            broadcast.entries.len() + usize::from(remembers)
        });
        (name, count)
    };
    let live: Vec<(&NodeName, _)> = live.map(count).collect();
    let some_maps = live
        .iter()
        .any(|(_, maps)| maps.is_some_and(|maps| maps > 0));
    let expected = live
        .into_iter()
        .filter(|(_, maps)| !some_maps || *maps != Some(0));
    NodeNames(
        expected
            .map(|(name, _)| Cow::Borrowed(name.as_str()))
            .collect(),
    )
}

/// The rows that there are so far, found by WWID.
#[derive(Default)]
struct Rows {
    list: Vec<Row>,
    by_wwid: HashMap<Arc<Wwid>, usize>,
    /// The position to look at first. Nodes name the same LUNs in the same order, so that the row
    /// after the last one is mostly right and spares the search.
    next: usize,
}

impl Rows {
    /// The position of a WWID's row, which is made with room for `cells` if there is none.
    fn position(&mut self, wwid: &Arc<Wwid>, cells: usize) -> usize {
        let guess = self.list.get(self.next);
        let position = match guess.filter(|row| Arc::ptr_eq(&row.wwid, wwid) || row.wwid == *wwid) {
            Some(_) => self.next,
            None => *self.by_wwid.entry(Arc::clone(wwid)).or_insert_with(|| {
                self.list.push(Row::new(Arc::clone(wwid), cells));
                self.list.len() - 1
            }),
        };
        self.next = position + 1;
        position
    }

    /// Rule 5: why a node has no map of these LUNs, where it should have one.
    fn explain(&mut self, node: usize, absent: &BTreeMap<Wwid, Absence>) {
        for (wwid, absence) in absent {
            let row = self
                .by_wwid
                .get(wwid)
                .and_then(|&row| self.list.get_mut(row));
            let cells = row.map(|row| row.cells.iter_mut());
            let cell = cells.into_iter().flatten().find(|cell| cell.node == node);
            if let Some(cell) = cell.filter(|cell| cell.entry.state == CellState::Missing) {
                let reasons = vec![Reason::Absent(absence.clone())];
                cell.entry = Arc::new(Entry::bare(CellState::Missing, reasons));
            }
        }
    }
}

impl Row {
    fn new(wwid: Arc<Wwid>, cells: usize) -> Self {
        Self {
            wwid,
            alias: None,
            used_by: None,
            uses: Vec::new(),
            size: None,
            state: CellState::Unknown,
            notes: Vec::new(),
            cells: Vec::with_capacity(cells),
        }
    }

    /// Takes the cell of a node, the last one so far.
    fn put(&mut self, cell: RowCell) {
        // A name that occurs twice in one report: the later one counts.
        if self.cells.last().is_some_and(|last| last.node == cell.node) {
            self.cells.pop();
        }
        self.cells.push(cell);
    }

    /// Rule 5: these nodes should carry the LUN. `absent` has the cells of those that do not name it.
    fn expect(
        &mut self,
        expected: &NodeNames<'_>,
        positions: &HashMap<&str, usize>,
        absent: &[Arc<Entry>],
    ) {
        let reported = self.cells.len();
        if reported == positions.len() {
            return;
        }
        for name in &expected.0 {
            let Some(&node) = positions.get(name.as_ref()) else {
                continue;
            };
            let known = self.cells.get(..reported).unwrap_or_default();
            let known = known.binary_search_by_key(&node, |cell| cell.node);
            if let (Err(_), Some(entry)) = (known, absent.get(node)) {
                self.cells.push(RowCell {
                    node,
                    entry: Arc::clone(entry),
                    context: Context::default(),
                });
            }
        }
        if self.cells.len() > reported {
            self.cells.sort_unstable_by_key(|cell| cell.node);
            // A list may name a node twice.
            self.cells.dedup_by_key(|cell| cell.node);
        }
    }

    /// What follows from the cells. Those of nodes that do not count are `unknown`, the least severe
    /// state, and say nothing else. Rule 7.
    fn conclude(&mut self, nodes: &[NodeName]) {
        let worst = self.cells.iter().map(|cell| cell.entry.state).max();
        self.state = worst.unwrap_or(CellState::Unknown);
        self.size = self.cells.iter().find_map(|cell| cell.entry.size);
        let cells = self.cells.iter();
        let cells = cells.filter_map(|cell| Some((nodes.get(cell.node)?, cell.entry.as_ref())));
        self.notes = disagreements(cells);
    }
}
