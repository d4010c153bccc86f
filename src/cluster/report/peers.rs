//! Reports under keys that older versions do not have, read without a memory.

use std::collections::BTreeMap;

use serde::Deserialize;
use thiserror::Error;

use super::broadcast::{BadBroadcast, REFRESH_SECONDS};
use super::packed;
use crate::node::uses::BadUses;
use crate::wire::scalar::Scalar;

/// Seconds after which an unchanged report under such a key is sent again.
pub const SLOW_REFRESH_SECONDS: i64 = 300;

/// Age in seconds beyond which it does not count any more.
pub const SLOW_STALE_SECONDS: i64 = 3 * SLOW_REFRESH_SECONDS;

/// What the nodes have under one key, and under those on which long reports go on.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Texts<'a> {
    /// The values of the key by node.
    #[serde(borrow)]
    pub kv: BTreeMap<String, Option<&'a [u8]>>,
    /// Those of the [continuation keys](super::continuation_keys), by key and node.
    #[serde(borrow)]
    pub continued: BTreeMap<String, BTreeMap<String, Option<&'a [u8]>>>,
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
    /// What a node has sent under the key, read by `parse`, if it counts at `now`, in seconds since the epoch.
    pub(super) fn read<T>(
        &self,
        key: &'static str,
        node: &str,
        now: i64,
        parse: impl Fn(&str) -> Result<T, NoReport>,
    ) -> Result<T, NoReport> {
        let first = self.kv.get(node).copied().flatten();
        let first = first.filter(|text| !text.is_empty());
        let continued = |key: &str| self.continued.get(key)?.get(node).copied().flatten();
        let (text, time) = packed::text(key, first.ok_or(NoReport::Never)?, continued)?;
        let age = time.map(|time| now.saturating_sub(time));
        let counts = |age| (-REFRESH_SECONDS..=SLOW_STALE_SECONDS).contains(&age);
        match age.is_some_and(counts) {
            true => parse(&text),
            false => Err(NoReport::Stale(age)),
        }
    }
}
