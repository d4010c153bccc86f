//! The parts of a report beside what its maps have in common on most nodes.

use std::sync::Arc;

use serde::de::{MapAccess, SeqAccess};
use serde::{Serialize, Serializer};

use super::entry::Entry;
use super::packed::seconds;
use crate::Wwid;
use crate::node::applied::{Applied, MAX_DRIFTS};
use crate::node::causes::MAX_CAUSES;
use crate::node::maps::DaemonState;
use crate::types::label::Label;
use crate::wire::lenient::{Lenient, Parts, fields, list, skip};
use crate::wire::scalar::Scalar;

/// A map of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedEntry {
    /// The LUN.
    pub wwid: Arc<Wwid>,
    /// What the node says of it. Nodes that send the same text share one.
    pub entry: Arc<Entry>,
    /// When and why.
    pub context: Context,
}

/// When a map's state began, and the ports that explain lost paths. It differs from node to node where the
/// rest does not.
///
/// Serialized as `{ since, causes }`, without what is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Context {
    /// When the present state began, in seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
    /// The causes of lost paths among those of the report.
    #[serde(skip_serializing_if = "CauseSet::is_empty")]
    pub causes: CauseSet,
}

impl Context {
    /// Reads a field. Returns whether it is one of these; the value of another one is not taken.
    pub(super) fn read<'de, A>(&mut self, name: &str, from: &mut A) -> Result<bool, A::Error>
    where
        A: MapAccess<'de>,
    {
        match name {
            "since" => self.since = seconds(&from.next_value()?),
            "causes" => {
                let Lenient(causes) = from.next_value()?;
                self.causes = causes.unwrap_or_default();
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Some of a report's causes, by their position. Serialized as the list of the positions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CauseSet(u64);

impl CauseSet {
    /// Adds the cause at this position. There are no more than [`MAX_CAUSES`].
    pub fn insert(&mut self, position: usize) {
        if position < MAX_CAUSES {
            self.0 |= 1 << position;
        }
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.0 == 0
    }

    /// The positions, sorted.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..MAX_CAUSES).filter(move |position| self.0 & (1 << position) != 0)
    }
}

impl Serialize for CauseSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Parts<'de> for CauseSet {
    fn from_list<A: SeqAccess<'de>>(mut list: A) -> Result<Option<Self>, A::Error> {
        let mut causes = Self::default();
        while let Some(position) = list.next_element::<Scalar<'_>>()? {
            let position = position.as_int().and_then(|n| usize::try_from(n).ok());
            position.into_iter().for_each(|n| causes.insert(n));
        }
        Ok(Some(causes))
    }
}

/// The software of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Software {
    /// Version of this software.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Label>,
    /// Version of multipath-tools; none if it is not installed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multipath_tools: Option<Label>,
    /// Whether multipathd answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multipathd: Option<DaemonState>,
}

/// What a node says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct NodeInfo {
    /// Its software.
    #[serde(flatten)]
    pub software: Software,
    /// When the report was sent, in seconds since the epoch, if its maps are older: multipathd did not
    /// answer since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<i64>,
    /// What the node has applied last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied: Option<Applied>,
    /// What another file overrides, a sentence each; at most [`MAX_DRIFTS`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drift: Vec<Label>,
    /// Of how many LUNs the node remembers paths, if it does of any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remembers: Option<u32>,
}

impl NodeInfo {
    /// The same without times, which alone are not worth a report.
    pub(crate) fn timeless(&self) -> Self {
        let mut node = self.clone();
        node.time = None;
        if let Some(applied) = &mut node.applied {
            applied.time = None;
        }
        node
    }
}

impl<'de> Parts<'de> for NodeInfo {
    fn from_object<A: MapAccess<'de>>(object: A) -> Result<Option<Self>, A::Error> {
        let mut node = Self::default();
        fields(object, |name, from| {
            let software = &mut node.software;
            match name {
                "version" => Lenient(software.version) = from.next_value()?,
                "multipath-tools" => Lenient(software.multipath_tools) = from.next_value()?,
                "multipathd" => {
                    let state = from.next_value::<Scalar<'_>>()?;
                    software.multipathd = state.as_str().and_then(DaemonState::from_name);
                }
                "time" => node.time = seconds(&from.next_value()?),
                "applied" => Lenient(node.applied) = from.next_value()?,
                "drift" => node.drift = list::<_, MAX_DRIFTS, _>(from)?,
                "remembers" => {
                    let number = from.next_value::<Scalar<'_>>()?.as_int();
                    let number = number.and_then(|number| u32::try_from(number).ok());
                    node.remembers = number.filter(|number| *number > 0);
                }
                _ => skip(from)?,
            }
            Ok(())
        })?;
        Ok(Some(node))
    }
}
