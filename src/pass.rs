//! A pass of a node's daemon: from multipathd's reply to what the node publishes and remembers.
//!
//! A daemon passes every ten seconds, and most of the time nothing has changed. [`Reporter`] keeps
//! what it has read, and reads a text again only if its bytes differ.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::cluster::report::{
    self, Broadcast, Context, Entry, KEY, KvWrite, LastSent, MAX_ABSENT, NamedEntry, NodeInfo,
    Software, is_recent,
};
use crate::config;
use crate::node::Content;
use crate::node::absent::absent;
use crate::node::applied::AppliedFile;
use crate::node::candidates;
use crate::node::causes::{Array, Cause, causes};
use crate::node::maps::{
    DaemonState, Map, MapList, Reply, ReplyError, SysfsFacts, WantedDevices, parse,
};
use crate::node::paths::{
    Configured, Learning, Memory, MemoryError, active_paths, expect_paths, known_paths,
};
use crate::node::plan::Certainty;
use crate::node::ports::{Ends, PortFacts, PortName};
use crate::types::absence::Absence;
use crate::types::label::Label;
use crate::{Health, VERSION, Wwid};

/// What a pass depends on beside multipathd's reply.
#[derive(Clone, Debug, Default)]
pub struct Facts<'a> {
    /// Why multipathd has not answered, if so. Unless it is not installed, the maps of the last pass stay.
    pub silent: Option<DaemonState>,
    /// The devices that [`Reporter::read`] asked for.
    pub sysfs: SysfsFacts,
    /// The ports of the node.
    pub ports: PortFacts,
    /// The version of multipath-tools, if that is installed.
    pub tools_version: Option<&'a str>,
    /// `applied.json`, what the node has applied last.
    pub applied: Option<&'a [u8]>,
    /// The text of `multipath.cfg`; none if it could not be read.
    pub config: Option<&'a [u8]>,
    /// How certain it is that this is the whole file. Unless it is settled, no LUN counts as removed
    /// from the allow-list.
    pub config_is: Certainty,
    /// `paths.json`, the numbers of paths that the node remembers.
    pub memory: Content<'a>,
    /// What was published last; none if that is unknown.
    pub last: Option<LastSent<'a>>,
    /// The time, in seconds since the epoch.
    pub now: i64,
}

/// What a pass results in.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Outcome {
    /// The values to write to the key-value store, in this order; empty if the peers know already.
    pub values: Vec<KvWrite>,
    /// Whether the node has learned numbers of paths, see [`Reporter::remember`].
    pub has_learned: bool,
    /// Whether allow-listed LUNs have no map, see [`Reporter::explain`].
    pub has_absent: bool,
    /// Warnings for an administrator, one sentence each.
    pub warnings: Vec<String>,
}

/// Reports the health of a node's maps, pass after pass.
///
/// ```
/// use pve_multipath::node::maps::Reply;
/// use pve_multipath::pass::{Facts, Reporter};
///
/// let reply = br#"{"maps": [{"uuid": "3600a", "path_groups": [{"paths": [
///     {"dev": "sda", "dm_st": "active"}, {"dev": "sdb", "dm_st": "failed"}
/// ]}]}]}"#;
/// let reply = Reply { exit_code: Some(0), stdout: reply, ..Reply::default() };
///
/// let mut reporter = Reporter::default();
/// let wanted = reporter.read(&reply)?;
/// assert_eq!(wanted.paths.len(), 2);
/// let outcome = reporter.report(&Facts { now: 1_780_000_000, ..Facts::default() });
/// assert_eq!(outcome.values[0].key, "multipath");
/// # Ok::<(), pve_multipath::node::maps::ReplyError>(())
/// ```
#[derive(Debug, Default)]
pub struct Reporter {
    /// The reply that was read last.
    reply: Vec<u8>,
    wanted: WantedDevices,
    /// The maps of the reply, until they have been reported.
    list: Option<MapList>,
    inputs: Inputs,
    /// What the last pass reported; before the first one, what the process before this one did.
    report: Broadcast,
    /// Whether there was any of that, so that what it does not have is new.
    has_report: bool,
    /// What else followed from the reply and the inputs.
    maps: ReadMaps,
    /// The report that was published last, and the first value of its text.
    published: Option<(Vec<u8>, Broadcast)>,
    /// Why LUNs had no maps when that was last looked for.
    absences: BTreeMap<Wwid, Absence>,
    learning: Learning,
    /// Whether another look at the same maps learns nothing more.
    has_learned_all: bool,
    /// The time of the last pass, and whether its configuration was settled.
    now: i64,
    is_settled: bool,
}

/// The inputs of the last pass, and what they were read into.
#[derive(Debug, Default)]
struct Inputs {
    sysfs: SysfsFacts,
    ports: PortFacts,
    config: Option<Vec<u8>>,
    configured: Option<Configured>,
    /// None before the first pass.
    memory: Option<MemoryFile>,
}

#[derive(Debug)]
struct MemoryFile {
    /// None if the file does not exist or cannot be read.
    text: Option<Vec<u8>>,
    /// What it says. Without an error, a file that does not exist says nothing.
    memory: Result<Memory, MemoryError>,
}

#[derive(Debug, Default)]
struct ReadMaps {
    /// The numbers of active paths.
    active: BTreeMap<Wwid, u32>,
    /// The ends of active paths, and whether these are all paths that the LUN should have.
    ends: BTreeMap<Wwid, (Vec<Ends>, bool)>,
    warnings: Vec<String>,
}

impl Reporter {
    /// Reads the outcome of `multipathd show maps json`. Returns the devices whose
    /// [facts](Facts::sysfs) the next [report](Self::report) needs.
    ///
    /// # Errors
    ///
    /// The reply gives no maps. What was read before stays, but should not be reported: the maps are
    /// unknown.
    pub fn read(&mut self, reply: &Reply<'_>) -> Result<&WantedDevices, ReplyError> {
        let text = reply.text()?;
        if self.reply != text {
            let list = parse(text)?;
            self.reply = text.to_vec();
            self.wanted = WantedDevices::of_report(&list.maps);
            self.list = Some(list);
        }
        Ok(&self.wanted)
    }

    /// Goes on from what the node has published before this process was started: `value` gives the text under a
    /// key. What cannot be read is as good as nothing.
    pub fn resume<'v>(&mut self, value: impl Fn(&str) -> Option<&'v [u8]>) {
        let first = value(KEY).unwrap_or_default();
        if let Ok(report) = Broadcast::decode_values(first, value) {
            (self.report, self.has_report) = (report, true);
        }
    }

    /// Reports the maps that were read last. Without any, the report is that of a node without maps.
    pub fn report(&mut self, facts: &Facts<'_>) -> Outcome {
        let mut outcome = Outcome::default();
        let is_known = matches!(facts.silent, None | Some(DaemonState::NotInstalled));
        if is_known {
            let is_settled = facts.config_is.is_settled();
            if self.inputs.update(facts) || self.list.is_some() {
                self.derive_maps(facts.now);
                self.has_learned_all = false;
            }
            self.has_learned_all &= is_settled == self.is_settled;
            self.report.time = Some(facts.now);
            outcome.warnings.clone_from(&self.maps.warnings);
            (self.now, self.is_settled) = (facts.now, is_settled);
            match self.learn() {
                Ok(has_learned) => outcome.has_learned = has_learned,
                Err(error) => {
                    let learning = "cannot remember how many paths the LUNs have";
                    let warnings = [error.to_string(), format!("{learning}: {error}")];
                    outcome.warnings.extend(warnings);
                }
            }
        }
        let absent: Vec<&Wwid> = self.absent().collect();
        outcome.has_absent = is_known && !absent.is_empty();
        let absent = absent.into_iter().filter_map(|wwid| {
            let absence = self.absences.get(wwid)?;
            Some((wwid.clone(), absence.clone()))
        });
        let absent: BTreeMap<Wwid, Absence> = absent.take(MAX_ABSENT).collect();
        if *self.report.absent != absent {
            self.report.absent = Arc::new(absent);
        }
        let node = self.node(facts);
        if self.report.node.as_deref() != Some(&node) {
            self.report.node = Some(Arc::new(node));
        }
        if !self.is_published(facts) {
            match self.report.writes(facts.last) {
                Ok(values) => {
                    let first = values.iter().find(|value| value.key == KEY);
                    let text = first.and_then(|value| value.text.as_deref());
                    let text = text.unwrap_or_default().as_bytes().to_vec();
                    self.published = Some((text, self.report.clone()));
                    outcome.values = values;
                }
                Err(error) => outcome.warnings.push(format!(
                    "cannot publish the health of multipath maps: {error}"
                )),
            }
        }
        outcome
    }

    /// Looks for the reasons why LUNs have no maps, which the next [report](Self::report) tells. It may take a
    /// while: once a minute is enough, and only if [`Outcome::has_absent`].
    pub fn explain(&mut self, inputs: &candidates::Inputs<'_>, wwids_file: &Content<'_>) {
        let absences = absent(self.absent(), inputs, wwids_file).into_iter();
        self.absences = absences
            .filter_map(|(wwid, absence)| Some((wwid, absence?)))
            .collect();
    }

    /// The allow-listed LUNs without a map.
    fn absent(&self) -> impl Iterator<Item = &Wwid> {
        let entries = &self.report.entries;
        let configured = self.inputs.configured.iter();
        configured.flat_map(Configured::luns).filter(|wwid| {
            entries
                .binary_search_by(|map| (*map.wwid).cmp(wwid))
                .is_err()
        })
    }

    /// What the node says of itself.
    fn node(&self, facts: &Facts<'_>) -> NodeInfo {
        let applied = facts
            .applied
            .and_then(AppliedFile::parse)
            .unwrap_or_default();
        let memory = self.inputs.memory.as_ref();
        let memory = memory.and_then(|file| file.memory.as_ref().ok());
        let remembers = memory.and_then(|memory| u32::try_from(memory.len()).ok());
        let state = facts.silent.unwrap_or(DaemonState::Running);
        let is_silent = matches!(state, DaemonState::Stopped | DaemonState::NoAnswer);
        NodeInfo {
            software: Software {
                version: Label::name(VERSION.as_bytes()),
                multipath_tools: facts
                    .tools_version
                    .and_then(|text| Label::name(text.as_bytes())),
                multipathd: Some(state),
            },
            time: is_silent.then_some(facts.now),
            applied: applied.applied,
            drift: applied.drift,
            remembers: remembers.filter(|count| *count > 0),
        }
    }

    /// The new text of `paths.json` with what the last pass has learned, given its present content, which
    /// the caller has locked; none if it does not change.
    ///
    /// Another process may have changed the file since the last pass read it.
    ///
    /// # Errors
    ///
    /// The file cannot be read or understood, and must stay as it is.
    pub fn remember(&self, content: &Content<'_>) -> Result<Option<String>, MemoryError> {
        let before = Memory::read(content)?;
        let mut memory = before.clone();
        let _ = self.observe(&mut memory);
        Ok((memory != before).then(|| memory.to_json()))
    }

    fn derive_maps(&mut self, now: i64) {
        // The reply was parsed before, or there was none.
        let list = self.list.take().or_else(|| parse(&self.reply).ok());
        let mut list = list.unwrap_or_default();
        self.inputs.sysfs.complete(&mut list.maps);
        let configured = self.inputs.configured.as_ref();
        let memory = self.inputs.memory.as_ref();
        let memory = memory.and_then(|file| file.memory.as_ref().ok());
        expect_paths(&mut list.maps, configured, memory);

        let ends = |map: &Map| {
            let (ports, links) = (&self.inputs.ports, &self.inputs.sysfs.links);
            map.paths().map(|path| ports.ends(path, links)).collect()
        };
        let ends: Vec<Vec<Ends>> = list.maps.iter().map(ends).collect();
        let active = list.maps.iter().zip(&ends).map(|(map, ends)| {
            let active = map.paths().zip(ends).filter(|(path, _)| path.is_active());
            let known = active.filter(|(_, ends)| **ends != Ends::default());
            let known = known.map(|(_, ends)| ends.clone()).collect();
            (map.wwid.clone(), (known, map.health == Health::Optimal))
        });
        let active = active.collect();
        let known = list.maps.iter().zip(ends).map(|(map, ends)| {
            let remembered = memory.map(|memory| memory.ends(&map.wwid));
            let known = known_paths(map, ends, remembered.unwrap_or_default());
            (&map.wwid, known)
        });
        let known: Vec<_> = known.collect();
        let found = causes(known.iter().map(|(wwid, paths)| (*wwid, paths.as_slice())));

        let entries = list.maps.iter();
        let entries = report::entries(entries.map(|map| (map.wwid.clone(), Entry::from(map))));
        let entries: Arc<[NamedEntry]> = entries
            .into_iter()
            .map(|(wwid, entry)| {
                let mut context = Context {
                    since: self.since(&wwid, &entry, now),
                    ..Context::default()
                };
                for (position, (_, luns)) in found.iter().enumerate() {
                    if luns.contains(&wwid) {
                        context.causes.insert(position);
                    }
                }
                NamedEntry {
                    wwid: Arc::new(wwid),
                    entry: Arc::new(entry),
                    context,
                }
            })
            .collect();
        let causes = found.into_iter().map(|(cause, luns)| Cause {
            array: array(&list.maps, &luns),
            ..cause
        });
        let causes = causes.collect();
        self.maps = ReadMaps {
            active: active_paths(&list.maps),
            ends: active,
            warnings: list.warnings(),
        };
        self.has_report = true;
        // What is the same is kept, which makes it cheap to compare.
        if self.report.entries != entries {
            self.report.entries = entries;
        }
        if self.report.causes != causes {
            self.report.causes = causes;
        }
    }

    /// When the state of a map began, as far as it is known.
    fn since(&self, wwid: &Wwid, entry: &Entry, now: i64) -> Option<i64> {
        let before = &self.report.entries;
        let before = before
            .binary_search_by(|map| (*map.wwid).cmp(wwid))
            .ok()
            .and_then(|position| before.get(position));
        match before {
            Some(map) if map.entry.state == entry.state => map.context.since,
            None if !self.has_report => None,
            Some(_) | None => Some(now),
        }
    }

    /// Learns from the active paths. Returns whether the memory changes, or why it is unknown.
    fn learn(&mut self) -> Result<bool, MemoryError> {
        let Some(MemoryFile { memory, .. }) = &self.inputs.memory else {
            return Ok(false);
        };
        if self.has_learned_all {
            return Ok(false);
        }
        let before = memory.as_ref().map_err(Clone::clone)?;
        let mut memory = before.clone();
        let learning = self.observe(&mut memory);
        let has_learned = memory != *before;
        self.has_learned_all = !has_learned && learning.is_at_rest();
        self.learning = learning;
        Ok(has_learned)
    }

    fn observe(&self, memory: &mut Memory) -> Learning {
        let configured = self.inputs.configured.as_ref();
        let configured = configured.filter(|_| self.is_settled);
        let learning = &self.learning;
        let learning = learning.observe(memory, &self.maps.active, configured, self.now);
        for (wwid, (ends, is_whole)) in &self.maps.ends {
            memory.learn_ends(wwid, ends, *is_whole);
        }
        learning
    }

    /// Whether the last value that was sent says the same and is recent. Times do not count.
    fn is_published(&self, facts: &Facts<'_>) -> bool {
        let Some((text, published)) = &self.published else {
            return false;
        };
        let timeless = |report: &Broadcast| report.node.as_deref().map(NodeInfo::timeless);
        let report = &self.report;
        facts.last.is_some_and(|last| {
            last.text == Some(text)
                && is_recent(last.time, facts.now)
                && published.entries == report.entries
                && published.causes == report.causes
                && published.absent == report.absent
                && timeless(published) == timeless(report)
        })
    }
}

/// What the arrays behind these LUNs have in common.
fn array(maps: &[Map], luns: &BTreeSet<&Wwid>) -> Option<Array> {
    let label = |text: &Option<String>| {
        text.as_deref()
            .and_then(|text| Label::text(text.as_bytes()))
    };
    let mut arrays = maps
        .iter()
        .filter(|map| luns.contains(&map.wwid))
        .map(|map| {
            let mut wwnns = map.paths().map(|path| path.target_wwnn.as_deref());
            let wwnn = wwnns.next().flatten();
            let wwnn = wwnn.filter(|_| wwnns.all(|other| other == wwnn));
            Array {
                vendor: label(&map.vendor),
                product: label(&map.product),
                wwnn: wwnn.and_then(PortName::new),
            }
        });
    let mut array = arrays.next()?;
    for other in arrays {
        array.vendor = array
            .vendor
            .filter(|text| Some(text) == other.vendor.as_ref());
        array.product = array
            .product
            .filter(|text| Some(text) == other.product.as_ref());
        array.wwnn = array.wwnn.filter(|name| Some(name) == other.wwnn.as_ref());
    }
    Some(array).filter(|array| *array != Array::default())
}

impl Inputs {
    /// Reads what is not the same as before. Returns whether anything is not.
    fn update(&mut self, facts: &Facts<'_>) -> bool {
        let mut is_changed = false;
        if self.sysfs != facts.sysfs {
            self.sysfs = facts.sysfs.clone();
            is_changed = true;
        }
        if self.ports != facts.ports {
            self.ports = facts.ports.clone();
            is_changed = true;
        }
        if self.config.as_deref() != facts.config {
            self.config = facts.config.map(<[u8]>::to_vec);
            let parsed = facts
                .config
                .map(|text| config::parse("multipath.cfg", text));
            self.configured = parsed.map(|parsed| Configured::of(&parsed.config));
            is_changed = true;
        }
        let file = self.memory.as_ref();
        if !file.is_some_and(|file| file.is(&facts.memory)) {
            let memory = Memory::read(&facts.memory);
            is_changed |= file.is_none_or(|file| file.memory != memory);
            let text = match facts.memory {
                Content::Text(text) => Some(text.to_vec()),
                Content::Absent | Content::Unreadable(_) => None,
            };
            self.memory = Some(MemoryFile { text, memory });
        }
        is_changed
    }
}

impl MemoryFile {
    /// Whether the file has this content.
    fn is(&self, content: &Content<'_>) -> bool {
        match content {
            Content::Absent => self.text.is_none() && self.memory.is_ok(),
            Content::Text(text) => self.text.as_deref() == Some(text),
            Content::Unreadable(_) => self.memory == Memory::read(content),
        }
    }
}
