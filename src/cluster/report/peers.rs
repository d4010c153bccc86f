//! Reports under keys that older versions do not have, read without a memory.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use thiserror::Error;

use super::broadcast::{BadBroadcast, Broadcast, Freshness, REFRESH_SECONDS};
use super::packed;
use crate::node::uses::BadUses;
use crate::wire::raw_text::RawText;
use crate::wire::scalar::Scalar;
use crate::{NodeName, Wwid};

/// Seconds after which an unchanged report under such a key is sent again.
pub const SLOW_REFRESH_SECONDS: i64 = 300;

/// Age in seconds beyond which it does not count any more.
pub const SLOW_STALE_SECONDS: i64 = 3 * SLOW_REFRESH_SECONDS;

/// Raw texts of one key of the key-value store, by node name.
pub type KvTexts<'a> = BTreeMap<String, Option<RawText<'a>>>;

/// What the nodes have under one key, and under those on which long reports go on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Texts<'a> {
    /// The values of the key by node.
    #[serde(borrow)]
    pub kv: KvTexts<'a>,
    /// Those of the [continuation keys](super::continuation_keys), by key and node.
    #[serde(borrow)]
    pub continued: BTreeMap<String, KvTexts<'a>>,
}

/// What the nodes have reported. Parts that the caller does not need may be left out.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Peers<'a> {
    /// Under `multipath`.
    #[serde(borrow)]
    pub health: Texts<'a>,
    /// Under `multipath-uses`.
    #[serde(borrow)]
    pub uses: Texts<'a>,
    /// Under `multipath-candidates`.
    #[serde(borrow)]
    pub candidates: Texts<'a>,
    /// The cluster's members.
    pub members: Members,
    /// The time, in seconds since the epoch.
    #[serde(borrow)]
    pub now: Scalar<'a>,
}

impl Peers<'_> {
    /// The nodes, and whether each is online.
    pub fn nodes(&self) -> BTreeMap<NodeName, bool> {
        let reporters = [&self.health, &self.uses, &self.candidates].into_iter();
        nodes(&self.members, reporters.flat_map(|texts| texts.kv.keys()))
    }

    /// The time, in seconds since the epoch.
    pub fn now(&self) -> i64 {
        self.now.as_int().unwrap_or(0)
    }

    /// The report on the health of a node's maps, if it counts.
    pub fn health(&self, node: &str) -> Result<Broadcast, NoReport> {
        let broadcast = self.last_health(node)?;
        match Freshness::of(broadcast.sent(), self.now()) {
            Freshness::Fresh => Ok(broadcast),
            Freshness::Stale { age } => Err(NoReport::Stale(age)),
        }
    }

    /// The LUNs that a node has or had maps of, also if its report is out of date.
    pub fn maps(&self, node: &str) -> Result<BTreeSet<Wwid>, NoReport> {
        let broadcast = self.last_health(node)?;
        let wwids = broadcast.entries.iter().map(|entry| entry.wwid.as_ref());
        Ok(wwids.cloned().collect())
    }

    fn last_health(&self, node: &str) -> Result<Broadcast, NoReport> {
        let text = self.health.value(node).ok_or(NoReport::Never)?;
        let continued = |key: &str| self.health.continued(key, node);
        Ok(Broadcast::decode_values(text, continued)?)
    }
}

/// Why nothing is known from a node's report.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NoReport {
    /// The node has sent none.
    #[error("it has sent no such report: pve-multipath is older there, or not installed")]
    Never,
    /// It was sent too long ago, or in the future, or without a time.
    #[error("its report is out of date{}", age(.0))]
    Stale(Option<i64>),
    /// Its values are not those of a report.
    #[error("its report cannot be read: {0}")]
    Broken(#[from] BadBroadcast),
    /// It is not one of uses.
    #[error("its report cannot be read: {0}")]
    Uses(#[from] BadUses),
    /// It is not one of candidates.
    #[error("its report cannot be read: it has no list of candidates")]
    NoCandidates,
}

fn age(age: &Option<i64>) -> String {
    age.map_or_else(String::new, |age| format!(": it is {age} seconds old"))
}

/// The members of the cluster by name; none, or an empty list, on a standalone node, whose reporters all count
/// as online.
pub type Members = Option<BTreeMap<String, Presence>>;

/// The nodes, and whether each is online.
pub(crate) fn nodes<'n>(
    members: &Members,
    reporters: impl Iterator<Item = &'n String>,
) -> BTreeMap<NodeName, bool> {
    let valid = |(name, is_online): (&String, bool)| Some((NodeName::new(name).ok()?, is_online));
    let members = members.iter().flatten();
    let members = members.filter_map(|(name, presence)| valid((name, presence.0)));
    let members: BTreeMap<_, _> = members.collect();
    match members.is_empty() {
        true => reporters.filter_map(|name| valid((name, true))).collect(),
        false => members,
    }
}

/// Whether a node is online: a truth value, or a member as pmxcfs describes it, `{ online, ... }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presence(pub bool);

impl<'de> Deserialize<'de> for Presence {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Member<'a> {
            #[serde(borrow, default)]
            online: Scalar<'a>,
        }

        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form<'a> {
            #[serde(borrow)]
            Member(Member<'a>),
            Flag(Scalar<'a>),
        }

        Ok(Self(match Form::deserialize(deserializer)? {
            Form::Member(member) => member.online.is_true(),
            Form::Flag(flag) => flag.is_true() && flag != Scalar::Nested,
        }))
    }
}

impl Texts<'_> {
    fn value(&self, node: &str) -> Option<&[u8]> {
        text_of(&self.kv, node).filter(|text| !text.is_empty())
    }

    fn continued(&self, key: &str, node: &str) -> Option<&[u8]> {
        text_of(self.continued.get(key)?, node)
    }

    /// What a node has sent under the key, read by `parse`, if it counts at `now`, in seconds since the epoch.
    pub(super) fn read<T>(
        &self,
        key: &'static str,
        node: &str,
        now: i64,
        parse: impl FnOnce(&str) -> Result<T, NoReport>,
    ) -> Result<T, NoReport> {
        let first = self.value(node).ok_or(NoReport::Never)?;
        let (text, time) = packed::text(key, first, |key| self.continued(key, node))?;
        let age = time.map(|time| now.saturating_sub(time));
        let counts = |age| (-REFRESH_SECONDS..=SLOW_STALE_SECONDS).contains(&age);
        match age.is_some_and(counts) {
            true => parse(&text),
            false => Err(NoReport::Stale(age)),
        }
    }
}

fn text_of<'t>(texts: &'t KvTexts<'_>, node: &str) -> Option<&'t [u8]> {
    let text = texts.get(node)?.as_ref();
    text.map(|text| text.0.as_ref())
}
