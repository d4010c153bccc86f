//! What a caller hands in: plain data, of which the peers' part may be anything.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

use crate::cluster::report::Members;
pub use crate::cluster::report::{KvTexts, Presence};
use crate::cluster::uses::Users;
use crate::config::{self, Config};
use crate::types::node_name::NodeNames;
use crate::wire::byte_string::ByteString;
pub use crate::wire::raw_text::RawText;
use crate::wire::scalar::Scalar;
use crate::{Alias, NodeSet, Wwid};

/// Arguments of [`status`](super::status).
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct StatusArgs<'a> {
    /// Texts of the key `multipath` by node.
    #[serde(borrow)]
    pub kv: Option<KvTexts<'a>>,
    /// Texts of the keys that long reports go on under, by key and by node, see
    /// [`continuation_keys`](crate::cluster::report::continuation_keys).
    #[serde(borrow)]
    pub kv_continued: Option<BTreeMap<String, KvTexts<'a>>>,
    /// Texts of the key `multipath-apply` by node.
    #[serde(borrow)]
    pub apply_kv: Option<KvTexts<'a>>,
    /// The cluster's members. None or empty on a standalone node, whose reporters all count as
    /// online.
    pub members: Members,
    /// The time, in seconds since the epoch.
    #[serde(borrow)]
    pub now: Scalar<'a>,
    /// Who should carry which LUN.
    #[serde(borrow)]
    pub expectations: Option<KnownExpectations<'a>>,
    /// What may use LUNs, if the status should have it.
    #[serde(borrow)]
    pub users: Option<Users<'a>>,
    /// The cluster's multipath configuration.
    #[serde(borrow, deserialize_with = "config::sections_of_hash")]
    pub config: Option<Config<'a>>,
}

/// Something for each of many names, which are looked up and never listed.
pub type ByName<'a, T> = HashMap<ByteString<'a>, T>;

impl StatusArgs<'_> {
    /// The text that a node has under a key of a continued report.
    pub(crate) fn continued(&self, key: &str, node: &str) -> Option<&[u8]> {
        let text = self.kv_continued.as_ref()?.get(key)?.get(node)?;
        text.as_ref().map(|text| text.0.as_ref())
    }
}

/// Who should carry which LUN, as far as it matters here: a part of
/// [`Expectations`](crate::cluster::expectations::Expectations).
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct KnownExpectations<'a> {
    /// By WWID, the storage that uses the LUN.
    #[serde(borrow)]
    pub consumers: Option<ByName<'a, Scalar<'a>>>,
    /// By WWID, the nodes that should carry the LUN because a storage there uses it.
    #[serde(borrow)]
    pub wwid_nodes: Option<ByName<'a, NodeNames<'a>>>,
    /// The nodes that should carry every allow-listed LUN of which no more is known.
    #[serde(borrow)]
    pub nodes: NodeNames<'a>,
}

impl<'a> KnownExpectations<'a> {
    /// The nodes that are given for a LUN: its own, else those of all LUNs. May be none.
    pub(crate) fn nodes_of(&self, wwid: &Wwid) -> &NodeNames<'a> {
        let own = self.wwid_nodes.as_ref();
        let own = own.and_then(|own| own.get(wwid.as_str()));
        own.filter(|nodes| !nodes.0.is_empty())
            .unwrap_or(&self.nodes)
    }
}

/// Arguments of [`aggregate`](super::aggregate).
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct AggregateArgs<'a> {
    /// The allow-listed WWIDs.
    #[serde(borrow)]
    pub allow_wwids: Option<Vec<Scalar<'a>>>,
    /// Aliases by WWID.
    #[serde(borrow)]
    pub aliases: Option<ByName<'a, Scalar<'a>>>,
    /// Storages that use a LUN, by WWID.
    #[serde(borrow)]
    pub used_by: Option<ByName<'a, Scalar<'a>>>,
    /// The nodes' reports as JSON.
    #[serde(borrow)]
    pub kv: Option<KvTexts<'a>>,
    /// The nodes that are online.
    pub online: Option<Online>,
    /// By WWID, the nodes that should carry the LUN.
    #[serde(borrow)]
    pub expected: Option<ByName<'a, NodeNames<'a>>>,
}

impl AggregateArgs<'_> {
    pub(super) fn allow_list(&self) -> impl Iterator<Item = (Wwid, Option<Alias>)> {
        let wwids = self.allow_wwids.iter().flatten();
        let wwids = wwids.filter_map(|wwid| Wwid::new(&wwid.as_text()?).ok());
        wwids.map(|wwid| {
            let given = self
                .aliases
                .as_ref()
                .and_then(|aliases| aliases.get(wwid.as_str()));
            let alias = given.and_then(|alias| Alias::new(&alias.as_text()?).ok());
            (wwid, alias)
        })
    }

    /// Whether the node is one of those that are online.
    pub(super) fn is_online(&self, node: &str) -> bool {
        match &self.online {
            Some(Online::ByName(nodes)) => nodes.get(node).is_some_and(|presence| presence.0),
            Some(Online::Set(nodes)) => nodes.0.contains(node),
            None => false,
        }
    }
}

/// The nodes that are online: a hash of truth values or members, or any form of a [`NodeSet`].
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Online {
    /// By name, whether the node is online.
    ByName(BTreeMap<String, Presence>),
    /// Those that are.
    Set(NodeSet),
}
