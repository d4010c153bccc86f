//! The properties of a section.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::{Serialize, Serializer};

use super::Value;
use crate::wire::byte_string::ByteString;

/// The properties of a section, `type` among them, sorted by name.
///
/// A vector, since a section has only a handful: a search tree takes a tenth longer to read and write
/// a configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Properties<'a>(Vec<(ByteString<'a>, Value<'a>)>);

impl<'a> Properties<'a> {
    /// A property; [`Value::Undefined`] if Perl's hash has it without a value.
    pub fn get(&self, name: &str) -> Option<&Value<'a>> {
        let mut properties = self.0.iter();
        let (_, value) = properties.find(|(known, _)| known.as_str() == name)?;
        Some(value)
    }

    /// Sets a property, or replaces its value.
    pub(super) fn set(&mut self, name: ByteString<'a>, value: Value<'a>) {
        match self.0.binary_search_by(|(known, _)| known.cmp(&name)) {
            Ok(place) => {
                if let Some((_, old)) = self.0.get_mut(place) {
                    *old = value;
                }
            }
            Err(place) => self.0.insert(place, (name, value)),
        }
    }

    /// Removes a property.
    pub(super) fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| known.as_str() != name);
    }

    /// The properties by name.
    pub fn iter(&self) -> impl Iterator<Item = &(ByteString<'a>, Value<'a>)> {
        self.0.iter()
    }
}

impl Serialize for Properties<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Properties<'a> {
    /// If a name occurs twice, the last one counts.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PropertiesVisitor;

        impl<'de> Visitor<'de> for PropertiesVisitor {
            type Value = Properties<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a hash")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let size = map.size_hint().unwrap_or(0).min(16);
                let mut properties = Properties(Vec::with_capacity(size));
                while let Some((name, value)) = map.next_entry()? {
                    properties.set(name, value);
                }
                Ok(properties)
            }
        }

        deserializer.deserialize_map(PropertiesVisitor)
    }
}
