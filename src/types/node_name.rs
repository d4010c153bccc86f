//! Names of the cluster's nodes.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Serialize, Serializer};

use super::words::checked_text;
use crate::wire::scalar::Scalar;

/// Longest node name in bytes: one label of a DNS name.
pub const MAX_LEN: usize = 63;

/// Name of a node as Proxmox VE allows it: letters, digits and inner hyphens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(Box<str>);

/// A text that is not a node name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a node name: letters, digits and inner hyphens, at most {MAX_LEN} bytes")]
pub struct InvalidNodeName(String);

impl NodeName {
    /// The node name of this text.
    ///
    /// # Errors
    ///
    /// The text is not a node name.
    pub fn new(text: &str) -> Result<Self, InvalidNodeName> {
        let valid = !text.is_empty()
            && text.len() <= MAX_LEN
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !text.starts_with('-')
            && !text.ends_with('-');
        if valid {
            Ok(Self(text.into()))
        } else {
            Err(InvalidNodeName(text.into()))
        }
    }
}

checked_text!(NodeName);

/// A set of nodes.
///
/// Serialized as in Perl, `{ NODE => 1 }`. Read from each of the forms that occur in Proxmox VE: such a
/// hash, a list, or a text of names separated by comma, semicolon, NUL or blanks. Invalid names are
/// left out, and so are names in a hash whose value is defined and false.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeSet(pub BTreeSet<NodeName>);

impl NodeSet {
    /// The nodes of these names. Invalid names are left out.
    pub fn from_names<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        names
            .into_iter()
            .filter_map(|name| NodeName::new(name).ok())
            .collect()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The nodes that both sets have.
    pub fn intersection(&self, other: &Self) -> Self {
        self.0.intersection(&other.0).cloned().collect()
    }
}

impl FromIterator<NodeName> for NodeSet {
    fn from_iter<I: IntoIterator<Item = NodeName>>(names: I) -> Self {
        Self(names.into_iter().collect())
    }
}

impl Serialize for NodeSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|name| (name, 1)))
    }
}

impl<'de> Deserialize<'de> for NodeSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = NodeNames::deserialize(deserializer)?;
        Ok(Self::from_names(names.0.iter().map(AsRef::as_ref)))
    }
}

/// Texts that should be node names, in one of the forms of a [`NodeSet`], unchecked.
///
/// A request for the cluster's status repeats the same few names for each of a thousand LUNs, so it
/// checks each name once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeNames<'a>(pub Vec<Cow<'a, str>>);

impl<'de: 'a, 'a> Deserialize<'de> for NodeNames<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeNamesVisitor).map(Self)
    }
}

struct NodeNamesVisitor;

impl<'de> Visitor<'de> for NodeNamesVisitor {
    type Value = Vec<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nodes as a hash, a list or a text")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        let names = text.split([',', ';', ' ', '\t', '\n', '\r', '\0']);
        Ok(names.map(|name| Cow::Owned(name.to_owned())).collect())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(vec![Cow::Owned(number.to_string())])
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(vec![Cow::Owned(number.to_string())])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut names = Vec::new();
        while let Some(name) = seq.next_element::<Scalar<'de>>()? {
            names.extend(name.into_text());
        }
        Ok(names)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut names = Vec::with_capacity(map.size_hint().unwrap_or(0).min(1024));
        while let Some((name, value)) = map.next_entry::<Scalar<'de>, Scalar<'de>>()? {
            if value == Scalar::Null || value.is_true() {
                names.extend(name.into_text());
            }
        }
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dns_labels() {
        for text in ["pve1", "PVE-a-1", "0", &"n".repeat(MAX_LEN)] {
            assert!(NodeName::new(text).is_ok(), "{text:?}");
        }
        for text in [
            "",
            "-a",
            "a-",
            "a.b",
            "a b",
            "a\n",
            "ä",
            "../a",
            &"n".repeat(64),
        ] {
            assert!(NodeName::new(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn sets_come_in_several_forms() {
        let wanted = NodeSet::from_names(["pve1", "pve2"]);
        for json in [
            r#"{"pve2": 1, "pve1": null, "../x": 1, "pve3": 0, "pve4": ""}"#,
            r#"["pve1", "pve2", "pve1", [], null]"#,
            r#""pve1,pve2""#,
            r#"" pve2; pve1 ,""#,
        ] {
            let read: Result<NodeSet, _> = serde_json::from_str(json);
            assert_eq!(read.ok().as_ref(), Some(&wanted), "{json}");
        }
        assert_eq!(
            serde_json::to_string(&wanted).ok().as_deref(),
            Some(r#"{"pve1":1,"pve2":1}"#)
        );
        assert_eq!(
            serde_json::from_str::<NodeSet>("null").ok(),
            Some(NodeSet::default())
        );
    }
}
