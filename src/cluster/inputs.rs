//! What a caller hands in: plain data, of which the peers' part may be anything.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

use crate::expectations::Expectations;
use crate::scalar::Scalar;
use crate::{Alias, NodeSet, Wwid, wwid};

/// Arguments of [`status`](super::status).
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct StatusArgs<'a> {
    /// Texts of the key `multipath` by node.
    #[serde(borrow)]
    pub kv: Option<KvTexts<'a>>,
    /// Texts of the key `multipath-apply` by node.
    #[serde(borrow)]
    pub apply_kv: Option<KvTexts<'a>>,
    /// The cluster's members. None or empty on a standalone node, whose reporters all count as
    /// online.
    #[serde(borrow)]
    pub members: Option<BTreeMap<String, Option<Member<'a>>>>,
    /// The time, in seconds since the epoch.
    #[serde(borrow)]
    pub now: Scalar<'a>,
    /// Who should carry which LUN.
    pub expectations: Option<Expectations>,
    /// The cluster's multipath configuration.
    #[serde(borrow)]
    pub config: Option<Config<'a>>,
}

/// Raw texts of one key of the key-value store, by node name.
pub type KvTexts<'a> = BTreeMap<String, Option<RawText<'a>>>;

/// A member of the cluster, as pmxcfs describes it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Member<'a> {
    /// Whether the node is online.
    #[serde(borrow)]
    pub online: Scalar<'a>,
}

/// The parsed configuration, as far as it matters here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Config<'a> {
    /// The sections by their IDs.
    #[serde(borrow)]
    pub ids: BTreeMap<String, Section<'a>>,
}

/// A section of the configuration.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Section<'a> {
    /// Type of the section; those of type `wwid` are the allow-list.
    #[serde(borrow, rename = "type")]
    pub kind: Scalar<'a>,
    /// Alias of the LUN.
    #[serde(borrow)]
    pub alias: Scalar<'a>,
}

impl Config<'_> {
    /// The allow-listed WWIDs with their aliases. A section whose ID is no WWID is none of them.
    pub(super) fn allow_list(&self) -> impl Iterator<Item = (Wwid, Option<Alias>)> {
        let wwids = self.ids.iter().filter(|(id, section)| {
            section.kind.as_text().as_deref() == Some("wwid") && id.as_str() != "defaults"
        });
        wwids.filter_map(|(id, section)| Some((Wwid::new(id).ok()?, alias(&section.alias))))
    }
}

fn alias(scalar: &Scalar<'_>) -> Option<Alias> {
    Alias::new(&scalar.as_text()?).ok()
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
    pub aliases: Option<BTreeMap<String, Scalar<'a>>>,
    /// Storages that use a LUN, by WWID.
    #[serde(borrow)]
    pub used_by: Option<BTreeMap<String, Scalar<'a>>>,
    /// The nodes' reports as JSON.
    #[serde(borrow)]
    pub kv: Option<KvTexts<'a>>,
    /// The nodes that are online.
    pub online: Option<NodeSet>,
    /// By WWID, the nodes that should carry the LUN.
    pub expected: Option<BTreeMap<String, NodeSet>>,
}

impl AggregateArgs<'_> {
    pub(super) fn allow_list(&self) -> impl Iterator<Item = (Wwid, Option<Alias>)> {
        let wwids = self.allow_wwids.iter().flatten().filter_map(|wwid| {
            let wwid = wwid.as_text()?;
            wwid::check(&wwid)
                .is_ok()
                .then(|| Wwid::new(&wwid).ok())
                .flatten()
        });
        wwids.map(|wwid| {
            let given = self
                .aliases
                .as_ref()
                .and_then(|aliases| aliases.get(wwid.as_str()));
            let alias = given.and_then(alias);
            (wwid, alias)
        })
    }

    pub(super) fn used_by(&self) -> BTreeMap<String, String> {
        let text = |(wwid, storage): (&String, &Scalar<'_>)| {
            Some((wwid.clone(), storage.as_text()?.into_owned()))
        };
        self.used_by.iter().flatten().filter_map(text).collect()
    }
}

/// A text whose bytes are not to be trusted to be UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawText<'a>(pub Cow<'a, [u8]>);

impl<'de: 'a, 'a> Deserialize<'de> for RawText<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RawTextVisitor;

        impl<'de> Visitor<'de> for RawTextVisitor {
            type Value = RawText<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_borrowed_bytes<E>(self, text: &'de [u8]) -> Result<Self::Value, E> {
                Ok(RawText(Cow::Borrowed(text)))
            }

            fn visit_bytes<E>(self, text: &[u8]) -> Result<Self::Value, E> {
                Ok(RawText(Cow::Owned(text.to_owned())))
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                self.visit_borrowed_bytes(text.as_bytes())
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                self.visit_bytes(text.as_bytes())
            }

            fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
                Ok(RawText(Cow::Owned(number.to_string().into_bytes())))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
                Ok(RawText(Cow::Owned(number.to_string().into_bytes())))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
                Ok(RawText(Cow::Owned(number.to_string().into_bytes())))
            }
        }

        deserializer.deserialize_bytes(RawTextVisitor)
    }
}
