//! The properties of a section.

use serde::de::{Deserialize, Deserializer};
use serde::{Serialize, Serializer};

use super::Value;
use super::value::pairs;
use crate::config::knobs::SectionType;
use crate::wire::byte_string::ByteString;

/// A section: its properties by name, `type` among them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Section<'a> {
    /// Sorted by name. A section has a handful, which are found in a row faster than in a tree.
    properties: Vec<(ByteString<'a>, Value<'a>)>,
}

impl<'a> Section<'a> {
    /// A section of this type without properties.
    pub fn new(kind: SectionType) -> Self {
        let mut properties = Vec::with_capacity(6); // few have more
        properties.push(("type".into(), Value::Text(kind.as_str().into())));
        Self { properties }
    }

    /// Its type, if that is a known one.
    pub fn kind(&self) -> Option<SectionType> {
        SectionType::from_name(&self.get("type")?.to_text()?)
    }

    /// A property that is set.
    pub fn get(&self, name: &str) -> Option<&Value<'a>> {
        self.iter()
            .find(|(known, _)| known.as_str() == name)
            .map(|(_, value)| value)
            .filter(|value| !value.is_undefined())
    }

    /// Sets a property.
    pub fn set(&mut self, name: ByteString<'a>, value: Value<'a>) {
        match self
            .properties
            .binary_search_by(|(known, _)| known.cmp(&name))
        {
            Ok(position) => {
                if let Some((_, old)) = self.properties.get_mut(position) {
                    *old = value;
                }
            }
            Err(position) => self.properties.insert(position, (name, value)),
        }
    }

    /// Takes a property away.
    pub fn remove(&mut self, name: &str) {
        self.properties.retain(|(known, _)| known.as_str() != name);
    }

    /// The properties by name, those included that are not set.
    pub fn iter(&self) -> impl Iterator<Item = &(ByteString<'a>, Value<'a>)> {
        self.properties.iter()
    }
}

impl<'a> FromIterator<(ByteString<'a>, Value<'a>)> for Section<'a> {
    /// Of several properties of one name, the last counts.
    fn from_iter<I: IntoIterator<Item = (ByteString<'a>, Value<'a>)>>(properties: I) -> Self {
        let mut properties: Vec<_> = properties.into_iter().collect();
        properties.sort_by(|(a, _), (b, _)| a.cmp(b)); // stable
        properties.dedup_by(|later, earlier| {
            let same = later.0 == earlier.0;
            if same {
                std::mem::swap(later, earlier);
            }
            same
        });
        Self { properties }
    }
}

impl Serialize for Section<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(name, value)| (name, value)))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Section<'a> {
    /// An undefined section is one without a type.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        pairs(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(properties: &[(&'static str, &'static str)]) -> Section<'static> {
        let value = |text: &&'static str| Value::Text((*text).into());
        let properties = properties.iter();
        properties
            .map(|(name, text)| ((*name).into(), value(text)))
            .collect()
    }

    #[test]
    fn however_it_is_made() {
        let mut set = Section::new(SectionType::Wwid);
        for (name, text) in [("failback", "5"), ("alias", "a"), ("failback", "manual")] {
            set.set(name.into(), Value::Text(text.into()));
        }
        let wanted = section(&[("alias", "a"), ("failback", "manual"), ("type", "wwid")]);
        assert_eq!(set, wanted);
        let shuffled = [
            ("type", "wwid"),
            ("failback", "5"),
            ("alias", "a"),
            ("failback", "manual"),
        ];
        assert_eq!(section(&shuffled), wanted);

        set.remove("failback");
        set.remove("failback");
        assert_eq!(set, section(&[("alias", "a"), ("type", "wwid")]));
        assert_eq!(set.get("failback"), None);
        assert_eq!(set.kind(), Some(SectionType::Wwid));
    }
}
