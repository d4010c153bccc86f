//! Types that the test packages share.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Serialize, Serializer};

/// Whatever is offered, and how it is offered.
#[derive(Debug, PartialEq)]
#[allow(dead_code)]
pub(crate) enum Any {
    Bool(bool),
    Integer(i64),
    Unsigned(u64),
    Float(f64),
    Text(String),
    Borrowed(String),
    Bytes(Vec<u8>),
    None,
    Unit,
    List(Vec<Any>),
    Map(Vec<(Any, Any)>),
}

impl<'de> Deserialize<'de> for Any {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyVisitor;

        impl<'de> Visitor<'de> for AnyVisitor {
            type Value = Any;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }

            fn visit_bool<E>(self, v: bool) -> Result<Any, E> {
                Ok(Any::Bool(v))
            }

            fn visit_i64<E>(self, v: i64) -> Result<Any, E> {
                Ok(Any::Integer(v))
            }

            fn visit_u64<E>(self, v: u64) -> Result<Any, E> {
                Ok(Any::Unsigned(v))
            }

            fn visit_f64<E>(self, v: f64) -> Result<Any, E> {
                Ok(Any::Float(v))
            }

            fn visit_str<E>(self, v: &str) -> Result<Any, E> {
                Ok(Any::Text(v.to_owned()))
            }

            fn visit_borrowed_str<E>(self, v: &'de str) -> Result<Any, E> {
                Ok(Any::Borrowed(v.to_owned()))
            }

            fn visit_bytes<E>(self, v: &[u8]) -> Result<Any, E> {
                Ok(Any::Bytes(v.to_owned()))
            }

            fn visit_none<E>(self) -> Result<Any, E> {
                Ok(Any::None)
            }

            fn visit_unit<E>(self) -> Result<Any, E> {
                Ok(Any::Unit)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Any, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Any::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Any, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                // The order of a hash is perl's secret.
                entries.sort_by_key(|(key, _)| format!("{key:?}"));
                Ok(Any::Map(entries))
            }
        }

        deserializer.deserialize_any(AnyVisitor)
    }
}

/// A string of bytes.
#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BytesVisitor;

        impl Visitor<'_> for BytesVisitor {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: de::Error>(self, v: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(v.to_owned()))
            }
        }

        deserializer.deserialize_byte_buf(BytesVisitor)
    }
}

/// Lists in lists.
#[derive(serde::Deserialize, serde::Serialize)]
#[serde(transparent)]
pub(crate) struct Recursive(Vec<Recursive>);

impl Recursive {
    /// So many lists in each other.
    pub(crate) fn new(depth: usize) -> Self {
        let mut all = Self(Vec::new());
        for _ in 1..depth {
            all = Self(vec![all]);
        }
        all
    }

    pub(crate) fn depth(&self) -> usize {
        1 + self.0.first().map_or(0, Self::depth)
    }
}
