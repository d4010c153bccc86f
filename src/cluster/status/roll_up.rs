//! From the nodes' reports to the matrix. The rules are those of the [module above](super).

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use super::inputs::{AggregateArgs, ByName, KnownExpectations, KvTexts, StatusArgs};
use super::matrix::{ApplyError, Cell, Matrix, NodeErrors, Row, Status};
use crate::cluster::disagreement::{Facts, disagreements};
use crate::cluster::report::{ApplyStatus, BadBroadcast, Broadcast, Entry, Freshness};
use crate::types::node_name::NodeNames;
use crate::wire::scalar::Scalar;
use crate::{Alias, CellState, NodeName, Note, Reason, Wwid};

/// Answers a request for the cluster's status.
pub fn status(args: &StatusArgs<'_>) -> Status {
    let members = args.members.as_ref().filter(|members| !members.is_empty());
    let is_online = |node: &str| match members {
        Some(members) => members.get(node).is_some_and(|presence| presence.0),
        None => true,
    };
    let now = args.now.as_int().unwrap_or(0);
    let read = |node: &NodeName, text| {
        let broadcast = Broadcast::decode_values(text, |key| args.continued(key, node.as_str()));
        let standing = match broadcast.as_ref().map(|broadcast| broadcast.freshness(now)) {
            _ if !is_online(node.as_str()) => Standing::Offline,
            Ok(Freshness::Stale { age }) => Standing::Stale { age },
            Ok(Freshness::Fresh) | Err(_) => Standing::Live,
        };
        Report {
            broadcast,
            standing,
        }
    };

    let none = KnownExpectations::default();
    let expectations = args.expectations.as_ref().unwrap_or(&none);
    let expected_on = |wwid: &Wwid| {
        let own = expectations
            .wwid_nodes
            .as_ref()
            .and_then(|own| own.get(wwid.as_str()));
        own.filter(|nodes| !nodes.0.is_empty())
            .unwrap_or(&expectations.nodes)
    };
    let allow_list = args.config.iter().flat_map(|config| config.allow_list());
    let allow_list = allow_list.map(|(wwid, alias)| {
        let expected = expected_on(&wwid);
        (wwid, alias, expected)
    });
    let (luns, report_errors) = roll_up(
        &texts(args.kv.as_ref()),
        &read,
        &is_online,
        allow_list.collect(),
        expectations.consumers.as_ref(),
    );
    let mut nodes: BTreeMap<NodeName, NodeErrors> = BTreeMap::new();
    for (node, error) in apply_errors(args.apply_kv.as_ref(), &is_online) {
        nodes.entry(node).or_default().apply = Some(error);
    }
    for (node, reason) in report_errors {
        nodes.entry(node).or_default().report_error = Some(reason);
    }
    Status { luns, nodes }
}

/// Rolls reports up, where the caller knows who is online and which reports are too old.
pub fn aggregate(args: &AggregateArgs<'_>) -> Matrix {
    let none = NodeNames::default();
    let is_online = |node: &str| args.is_online(node);
    let read = |node: &NodeName, text| Report {
        broadcast: Broadcast::decode_lenient(text),
        standing: match is_online(node.as_str()) {
            true => Standing::Live,
            false => Standing::Offline,
        },
    };
    let allow_list = args.allow_list().map(|(wwid, alias)| {
        let expected = args
            .expected
            .as_ref()
            .and_then(|expected| expected.get(wwid.as_str()));
        (wwid, alias, expected.unwrap_or(&none))
    });
    roll_up(
        &texts(args.kv.as_ref()),
        &read,
        &is_online,
        allow_list.collect(),
        args.used_by.as_ref(),
    )
    .0
}

/// What a node reports.
struct Report<'a> {
    broadcast: Result<Broadcast<'a>, BadBroadcast>,
    standing: Standing,
}

/// What became of a node's report.
struct Reporter {
    standing: Standing,
    content: Content,
}

/// What a report says of the LUNs that it does not name.
enum Content {
    /// The node has no map of them, but others.
    SomeMaps,
    /// The node has no maps at all.
    NoMaps,
    /// The report cannot be read: nothing.
    Unreadable(Reason),
}

/// Whether what a node reports counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Live,
    Offline,
    Stale { age: Option<i64> },
}

impl Standing {
    /// Why the node's report does not count.
    fn reason(self) -> Option<Reason> {
        match self {
            Self::Live => None,
            Self::Offline => Some(Reason::NodeOffline),
            Self::Stale { age } => Some(Reason::ReporterStale { age }),
        }
    }
}

/// The nodes' texts of one key. An empty text is a cleared key.
fn texts<'a>(kv: Option<&'a KvTexts<'_>>) -> BTreeMap<NodeName, &'a [u8]> {
    let texts = kv.into_iter().flatten().filter_map(|(name, text)| {
        let text = text.as_ref().filter(|text| !text.0.is_empty())?;
        Some((NodeName::new(name).ok()?, text.0.as_ref()))
    });
    texts.collect()
}

fn apply_errors(
    kv: Option<&KvTexts<'_>>,
    is_online: &dyn Fn(&str) -> bool,
) -> BTreeMap<NodeName, ApplyError> {
    let errors = kv.into_iter().flatten().filter_map(|(name, text)| {
        let status = ApplyStatus::decode(&text.as_ref()?.0)?;
        let node = NodeName::new(name)
            .ok()
            .filter(|node| is_online(node.as_str()))?;
        Some((
            node,
            ApplyError {
                apply_error: status.error,
                apply_time: status.time,
            },
        ))
    });
    errors.collect()
}

/// An allow-listed LUN: its identifier, its alias, and the nodes that should carry it.
type Allowed<'e> = (Wwid, Option<Alias>, &'e NodeNames<'e>);

/// Rolls up the nodes' `texts`, each of which `read` makes a report of, and tells which online nodes'
/// reports cannot be read. One report after the other: together they would take more memory than the
/// processor's caches have.
fn roll_up<'a>(
    texts: &BTreeMap<NodeName, &'a [u8]>,
    read: &dyn Fn(&NodeName, &'a [u8]) -> Report<'a>,
    is_online: &dyn Fn(&str) -> bool,
    allow_list: Vec<Allowed<'_>>,
    used_by: Option<&ByName<'_, Scalar<'_>>>,
) -> (Matrix, BTreeMap<NodeName, Reason>) {
    // The same few names again and again: they are looked at only once they are told apart.
    let expected = allow_list.iter().flat_map(|(_, _, names)| &names.0);
    let expected: HashSet<&str> = expected.map(AsRef::as_ref).collect();
    let expected = expected
        .into_iter()
        .filter_map(|name| NodeName::new(name).ok());
    let mut nodes: Vec<NodeName> = texts.keys().cloned().chain(expected).collect();
    nodes.sort_unstable();
    nodes.dedup();
    let positions: HashMap<&str, usize> = nodes.iter().map(NodeName::as_str).zip(0..).collect();

    let mut rows = Rows::default();
    let mut expected_by_wwid = Vec::with_capacity(allow_list.len());
    for (wwid, alias, expected) in allow_list {
        if let Some(row) = rows.row(wwid.as_str(), nodes.len()) {
            row.alias = alias;
        }
        expected_by_wwid.push((wwid, expected));
    }

    let mut reporters = BTreeMap::new();
    for (name, text) in texts {
        let Report {
            broadcast,
            standing,
        } = read(name, text);
        let (entries, content) = match broadcast {
            Ok(Broadcast { entries, .. }) if entries.is_empty() => (entries, Content::NoMaps),
            Ok(Broadcast { entries, .. }) => (entries, Content::SomeMaps),
            Err(error) => (Vec::new(), Content::Unreadable(error.reason())),
        };
        if let Some(&node) = positions.get(name.as_str()) {
            for (wwid, entry) in entries {
                rows.report(&wwid, node, standing, entry);
            }
        }
        reporters.insert(name.clone(), Reporter { standing, content });
    }
    rows.note_disagreements(texts, read);

    let by_default = expected_by_default(&reporters);
    for (wwid, expected) in expected_by_wwid {
        let some_node = |name: &Cow<'_, str>| positions.contains_key(name.as_ref());
        let expected = match expected.0.iter().any(some_node) {
            true => expected,
            false => &by_default,
        };
        if let Some(row) = rows.row(wwid.as_str(), 0) {
            row.expect(expected, &positions, |name| {
                absent(reporters.get(name), is_online(name))
            });
        }
    }

    let mut rows = rows.list;
    for row in &mut rows {
        // Rule 7. Nodes that do not count have `unknown` cells, the least severe state.
        let worst = row.cells.iter().map(|(_, cell)| cell.state).max();
        row.state = worst.unwrap_or(CellState::Unknown);
        let storage = used_by.and_then(|used_by| used_by.get(row.wwid.as_str()));
        row.used_by = storage.and_then(Scalar::as_text).map(Cow::into_owned);
    }
    rows.sort_unstable_by(|a, b| a.wwid.cmp(&b.wwid));
    let unreadable = reporters.into_iter().filter_map(|(name, reporter)| {
        let Content::Unreadable(reason) = reporter.content else {
            return None;
        };
        (reporter.standing != Standing::Offline).then_some((name, reason))
    });
    let unreadable = unreadable.collect();
    (Matrix { nodes, rows }, unreadable)
}

/// Rule 2: where an allow-listed LUN is expected of which nothing else is known. On the live nodes that
/// report a map, since a node without SAN should carry nothing; where no node reports any, on all that
/// report. A report that cannot be read may name any LUN, so that the node is among them.
fn expected_by_default(reporters: &BTreeMap<NodeName, Reporter>) -> NodeNames<'_> {
    let live = |wanted: fn(&Content) -> bool| {
        let live = reporters.iter().filter(move |(_, reporter)| {
            reporter.standing == Standing::Live && wanted(&reporter.content)
        });
        live.map(|(name, _)| Cow::Borrowed(name.as_str()))
    };
    let some_maps = |content: &Content| matches!(content, Content::SomeMaps);
    match live(some_maps).next() {
        Some(_) => NodeNames(live(|content| !matches!(content, Content::NoMaps)).collect()),
        None => NodeNames(live(|_| true).collect()),
    }
}

/// Rule 5: the cell of an expected node that did not name the LUN.
fn absent(reporter: Option<&Reporter>, online: bool) -> Cell {
    if !online {
        return Cell::bare(CellState::Unknown, vec![Reason::NodeOffline]);
    }
    let Some(reporter) = reporter else {
        return Cell::bare(CellState::Missing, vec![Reason::NoReport]);
    };
    if let Some(reason) = reporter.standing.reason() {
        return Cell::bare(CellState::Unknown, vec![reason]);
    }
    match &reporter.content {
        Content::SomeMaps | Content::NoMaps => {
            Cell::bare(CellState::Missing, vec![Reason::NotAssembled])
        }
        // What the report says is not known, which is not the same as that it says nothing.
        Content::Unreadable(reason) => Cell::bare(CellState::Unknown, vec![reason.clone()]),
    }
}

/// The rows that there are so far, found by WWID.
#[derive(Default)]
struct Rows<'a> {
    list: Vec<Row>,
    /// What the nodes that count say of the LUN of each row, and whether they differ.
    facts: Vec<(Facts<'a>, bool)>,
    by_wwid: HashMap<Wwid, usize>,
    /// The position to look at first. Nodes name the same LUNs in the same order, so that the row
    /// after the last one is mostly right and spares the search.
    next: usize,
}

impl<'a> Rows<'a> {
    /// The position of a WWID's row, which is made with room for `cells` if there is none. None if
    /// the text is no WWID.
    fn position(&mut self, wwid: &str, cells: usize) -> Option<usize> {
        let guess = self.list.get(self.next);
        let position = if guess.is_some_and(|row| row.wwid.as_str() == wwid) {
            self.next
        } else if let Some(&position) = self.by_wwid.get(wwid) {
            position
        } else {
            let wwid = Wwid::new(wwid).ok()?;
            self.list.push(Row::new(wwid.clone(), cells));
            self.facts.push((Facts::default(), false));
            self.by_wwid.insert(wwid, self.list.len() - 1);
            self.list.len() - 1
        };
        self.next = position + 1;
        Some(position)
    }

    /// Rules 3 and 4: a node named a LUN.
    fn report(&mut self, wwid: &str, node: usize, standing: Standing, entry: Entry<'a>) {
        // No room in advance: what else a peer names may be anything, and a lot of it.
        let Some(position) = self.position(wwid, 0) else {
            return;
        };
        let (Some(row), Some((known, differ))) =
            (self.list.get_mut(position), self.facts.get_mut(position))
        else {
            return;
        };
        if let Some(reason) = standing.reason() {
            row.put(node, Cell::bare(CellState::Unknown, vec![reason]));
            return;
        }
        row.size = row.size.or(entry.size);
        let (cell, facts) = live_cell(entry);
        row.put(node, cell);
        *differ |= known.merge(facts);
    }

    /// Says in what the nodes disagree, where they do. That takes another look at the reports, which
    /// is spared where all agree.
    fn note_disagreements(
        &mut self,
        texts: &BTreeMap<NodeName, &'a [u8]>,
        read: &dyn Fn(&NodeName, &'a [u8]) -> Report<'a>,
    ) {
        let differing = self.list.iter().zip(&self.facts);
        let differing = differing.filter(|(_, (_, differ))| *differ);
        let mut said: HashMap<&str, Vec<(&NodeName, Facts<'_>)>> = differing
            .map(|(row, _)| (row.wwid.as_str(), Vec::new()))
            .collect();
        if said.is_empty() {
            return;
        }
        for (name, text) in texts {
            let report = read(name, text);
            let broadcast = report.broadcast.ok();
            let broadcast = broadcast.filter(|_| report.standing == Standing::Live);
            for (wwid, entry) in broadcast
                .into_iter()
                .flat_map(|broadcast| broadcast.entries)
            {
                if let Some(nodes) = said.get_mut(wwid.as_ref()) {
                    nodes.push((name, live_cell(entry).1));
                }
            }
        }
        let notes: Vec<(usize, _)> = (0..)
            .zip(&self.list)
            .filter_map(|(position, row)| {
                let nodes = said.get(row.wwid.as_str())?;
                Some((position, disagreements(nodes)))
            })
            .collect();
        for (position, notes) in notes {
            if let Some(row) = self.list.get_mut(position) {
                row.notes = notes;
            }
        }
    }

    /// The row of a WWID, which is made with room for `cells` if there is none.
    fn row(&mut self, wwid: &str, cells: usize) -> Option<&mut Row> {
        let position = self.position(wwid, cells)?;
        self.list.get_mut(position)
    }
}

impl Row {
    fn new(wwid: Wwid, cells: usize) -> Self {
        Self {
            wwid,
            alias: None,
            used_by: None,
            size: None,
            state: CellState::Unknown,
            notes: Vec::new(),
            cells: Vec::with_capacity(cells),
        }
    }

    /// Takes the cell of a node, the last one so far.
    fn put(&mut self, node: usize, cell: Cell) {
        // A name that occurs twice in one report: the later one counts.
        if self.cells.last().is_some_and(|(last, _)| *last == node) {
            self.cells.pop();
        }
        self.cells.push((node, cell));
    }

    /// Rule 5: these nodes should carry the LUN.
    fn expect(
        &mut self,
        expected: &NodeNames<'_>,
        positions: &HashMap<&str, usize>,
        absent: impl Fn(&str) -> Cell,
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
            if known
                .binary_search_by_key(&node, |(node, _)| *node)
                .is_err()
            {
                self.cells.push((node, absent(name)));
            }
        }
        if self.cells.len() > reported {
            self.cells.sort_unstable_by_key(|(node, _)| *node);
            // A list may name a node twice.
            self.cells.dedup_by_key(|(node, _)| *node);
        }
    }
}

/// The cell of a node whose report counts, and what others should say as well.
fn live_cell(entry: Entry<'_>) -> (Cell, Facts<'_>) {
    let reasons = match entry.state {
        CellState::Optimal => Vec::new(),
        _ if entry.reasons.is_empty() => derived_reason(&entry).into_iter().collect(),
        _ => entry.reasons,
    };
    let cell = Cell {
        state: entry.state,
        paths_active: entry.paths_active,
        paths_total: entry.paths_total,
        paths_expected: entry.paths_expected,
        transport: entry.transport,
        reasons: reasons.into(),
        notes: entry.notes.into_iter().map(Note::bare).collect(),
    };
    let facts = Facts {
        size: entry.size,
        name: entry.name,
        transport: entry.transport,
        paths: entry.paths_total,
        write_protected: entry.write_protected,
    };
    (cell, facts)
}

/// What follows from the state and the numbers where a peer gives no reasons, as older versions do.
/// Numbers that contradict the state are not repeated.
fn derived_reason(entry: &Entry<'_>) -> Option<Reason> {
    let count = match (entry.paths_active, entry.paths_total) {
        (Some(active), Some(total)) => Some(total.saturating_sub(active)),
        _ => None,
    };
    Some(match entry.state {
        CellState::Optimal => return None,
        CellState::Unknown => Reason::UnknownState,
        CellState::Missing => Reason::NotAssembled,
        CellState::Failed if entry.paths_total == Some(0) => Reason::NoPaths,
        CellState::Failed => Reason::AllPathsFailed {
            count: count.filter(|_| entry.paths_active == Some(0)),
        },
        CellState::Degraded => Reason::PathFailed {
            count: count.filter(|count| *count > 0),
            devs: Vec::new(),
        },
    })
}
