//! A pass of a node's daemon: from multipathd's reply to what the node publishes and remembers.
//!
//! A daemon passes every ten seconds, and most of the time nothing has changed. [`Reporter`] keeps
//! what it has read, and reads a text again only if its bytes differ.

use std::collections::BTreeMap;

use crate::Wwid;
use crate::cluster::report::{self, Entry, KEY, KvWrite, LastSent, is_recent};
use crate::config;
use crate::node::Content;
use crate::node::maps::{MapList, Reply, ReplyError, SysfsFacts, WantedDevices, parse};
use crate::node::paths::{Configured, Learning, Memory, MemoryError, active_paths, expect_paths};
use crate::node::plan::Certainty;

/// What a pass depends on beside multipathd's reply.
#[derive(Clone, Debug, Default)]
pub struct Facts<'a> {
    /// The devices that [`Reporter::read`] asked for.
    pub sysfs: SysfsFacts,
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
    /// What followed from the reply and the inputs.
    maps: ReportedMaps,
    /// The first value of the report of these maps, at the time when it was last published.
    published: Option<Vec<u8>>,
    learning: Learning,
    /// The time of the last pass, and whether its configuration was settled.
    now: i64,
    is_settled: bool,
}

/// The inputs of the last pass, and what they were read into.
#[derive(Debug, Default)]
struct Inputs {
    sysfs: SysfsFacts,
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
struct ReportedMaps {
    entries: BTreeMap<Wwid, Entry>,
    /// The numbers of active paths.
    active: BTreeMap<Wwid, u32>,
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

    /// Reports the maps that were read last. Without any, the report is that of a node without maps.
    pub fn report(&mut self, facts: &Facts<'_>) -> Outcome {
        if self.inputs.update(facts) || self.list.is_some() {
            self.derive_maps();
        }
        let mut outcome = Outcome {
            warnings: self.maps.warnings.clone(),
            ..Outcome::default()
        };
        (self.now, self.is_settled) = (facts.now, facts.config_is.is_settled());
        match self.learn() {
            Ok(has_learned) => outcome.has_learned = has_learned,
            Err(error) => {
                let learning = "cannot remember how many paths the LUNs have";
                let warnings = [error.to_string(), format!("{learning}: {error}")];
                outcome.warnings.extend(warnings);
            }
        }
        if !self.is_published(facts) {
            match report::health(&self.maps.entries, facts.now, facts.last) {
                Ok(values) => {
                    let first = values.iter().find(|value| value.key == KEY);
                    let text = match first {
                        Some(value) => value.text.as_deref().map(str::as_bytes),
                        None => facts.last.and_then(|last| last.text),
                    };
                    self.published = text.map(<[u8]>::to_vec);
                    outcome.values = values;
                }
                Err(error) => outcome.warnings.push(format!(
                    "cannot publish the health of multipath maps: {error}"
                )),
            }
        }
        outcome
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

    fn derive_maps(&mut self) {
        // The reply was parsed before, or there was none.
        let list = self.list.take().or_else(|| parse(&self.reply).ok());
        let mut list = list.unwrap_or_default();
        self.inputs.sysfs.complete(&mut list.maps);
        let configured = self.inputs.configured.as_ref();
        let memory = self.inputs.memory.as_ref();
        let memory = memory.and_then(|file| file.memory.as_ref().ok());
        expect_paths(&mut list.maps, configured, memory);
        let entries = list.maps.iter();
        let entries = report::entries(entries.map(|map| (map.wwid.clone(), Entry::from(map))));
        if entries != self.maps.entries {
            self.published = None;
        }
        self.maps = ReportedMaps {
            entries,
            active: active_paths(&list.maps),
            warnings: list.warnings(),
        };
    }

    /// Learns from the active paths. Returns whether the memory changes, or why it is unknown.
    fn learn(&mut self) -> Result<bool, MemoryError> {
        let Some(MemoryFile { memory, .. }) = &self.inputs.memory else {
            return Ok(false);
        };
        let before = memory.as_ref().map_err(Clone::clone)?;
        let mut memory = before.clone();
        let learning = self.observe(&mut memory);
        let has_learned = memory != *before;
        self.learning = learning;
        Ok(has_learned)
    }

    fn observe(&self, memory: &mut Memory) -> Learning {
        let configured = self.inputs.configured.as_ref();
        let configured = configured.filter(|_| self.is_settled);
        let learning = &self.learning;
        learning.observe(memory, &self.maps.active, configured, self.now)
    }

    /// Whether the last value that was sent says the same and is recent, without making a report.
    fn is_published(&self, facts: &Facts<'_>) -> bool {
        facts.last.is_some_and(|last| {
            last.text.is_some()
                && last.text == self.published.as_deref()
                && is_recent(last.time, facts.now)
        })
    }
}

impl Inputs {
    /// Reads what is not the same as before. Returns whether anything is not.
    fn update(&mut self, facts: &Facts<'_>) -> bool {
        let mut is_changed = false;
        if self.sysfs != facts.sysfs {
            self.sysfs = facts.sysfs.clone();
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
