//! The configuration as the hash that Perl's callers know.
//!
//! They may change it and hand it back: numbers may have become texts, and sections may have come or
//! gone. `ids` and `order` are those of PVE::SectionConfig.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::document::{Config, Item, Section};
use super::{Properties, Value, ValueError};
use crate::wire::byte_string::ByteString;

/// The properties of the sections by ID. An undefined section has none.
type Ids<'a> = HashMap<ByteString<'a>, Option<Properties<'a>>>;

/// The positions of the sections by ID. A section without one is new.
type Order<'a> = Option<HashMap<ByteString<'a>, Value<'a>>>;

/// The hash.
#[derive(Default, Deserialize)]
#[serde(expecting = "a configuration")]
pub(super) struct Hash<'a> {
    #[serde(borrow)]
    ids: Ids<'a>,
    #[serde(borrow, default)]
    order: Order<'a>,
    #[serde(borrow, default)]
    digest: Value<'a>,
    #[serde(borrow, default)]
    kept: Kept<'a>,
}

/// What was not understood. Its form is our own.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Kept<'a> {
    /// Lines between sections, each with the position of the section before them or 0.
    #[serde(borrow, skip_serializing_if = "Vec::is_empty")]
    blocks: Vec<(i64, Vec<ByteString<'a>>)>,
    /// Lines of sections by ID.
    #[serde(borrow, skip_serializing_if = "BTreeMap::is_empty")]
    lines: BTreeMap<ByteString<'a>, Vec<ByteString<'a>>>,
    /// Properties and lines of earlier sections with the same ID.
    #[serde(borrow, skip_serializing_if = "BTreeMap::is_empty")]
    replaced: BTreeMap<ByteString<'a>, Vec<(Properties<'a>, Vec<ByteString<'a>>)>>,
}

impl<'a> Kept<'a> {
    fn of(config: &Config<'a>) -> Self {
        let mut kept = Self::default();
        let mut last = 0;
        for item in &config.items {
            match item {
                Item::Lines(lines) => kept.blocks.push((last, lines.clone())),
                Item::Section(section) => {
                    last = section.position.unwrap_or(last);
                    let id = || section.id.clone();
                    if !section.lines.is_empty() {
                        kept.lines.insert(id(), section.lines.clone());
                    }
                    if !section.replaced.is_empty() {
                        let replaced = section.replaced.iter();
                        let replaced = replaced.map(|s| (s.properties.clone(), s.lines.clone()));
                        kept.replaced.insert(id(), replaced.collect());
                    }
                }
            }
        }
        kept
    }

    fn is_empty(&self) -> bool {
        self.blocks.is_empty() && self.lines.is_empty() && self.replaced.is_empty()
    }
}

impl<'a> From<Hash<'a>> for Config<'a> {
    fn from(hash: Hash<'a>) -> Self {
        let mut kept = hash.kept;
        let order = hash.order.unwrap_or_default();
        let sections = hash.ids.into_iter().map(|(id, properties)| {
            // Perl compares positions as numbers
            let place = order.get(&id).and_then(Value::as_f64);
            let replaced = kept.replaced.remove(&id).unwrap_or_default().into_iter();
            let replaced = replaced.map(|(properties, lines)| Section {
                id: id.clone(),
                position: None,
                properties,
                lines,
                replaced: Vec::new(),
            });
            let section = Section {
                position: place.map(to_whole),
                properties: properties.unwrap_or_default(),
                lines: kept.lines.remove(&id).unwrap_or_default(),
                replaced: replaced.collect(),
                id,
            };
            (place, section)
        });
        let mut sections: Vec<_> = sections.collect();
        let sort_key = |place: Option<f64>| place.unwrap_or(f64::INFINITY);
        sections.sort_unstable_by(|(a, one), (b, other)| {
            let by_place = sort_key(*a).total_cmp(&sort_key(*b));
            let is_new = one.position.is_none().cmp(&other.position.is_none());
            is_new.then(by_place).then_with(|| one.id.cmp(&other.id))
        });

        let mut blocks = kept.blocks.into_iter().peekable();
        let mut items = Vec::with_capacity(sections.len());
        for (_, section) in sections {
            let is_before = |(after, _): &(i64, _)| section.position.is_none_or(|at| *after < at);
            while let Some((_, lines)) = blocks.next_if(is_before) {
                items.push(Item::Lines(lines));
            }
            items.push(Item::Section(section));
        }
        items.extend(blocks.map(|(_, lines)| Item::Lines(lines)));
        Self {
            items,
            digest: hash.digest,
            errors: Vec::new(),
        }
    }
}

impl Serialize for Config<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Hash<'c, 'a> {
            #[serde(serialize_with = "ids")]
            ids: &'c Config<'a>,
            #[serde(serialize_with = "order")]
            order: &'c Config<'a>,
            digest: &'c Value<'a>,
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            errors: &'c [ValueError],
            #[serde(skip_serializing_if = "Kept::is_empty")]
            kept: Kept<'a>,
        }

        fn ids<S: Serializer>(config: &Config<'_>, serializer: S) -> Result<S::Ok, S::Error> {
            let sections = config.sections();
            serializer.collect_map(sections.map(|section| (&section.id, &section.properties)))
        }

        fn order<S: Serializer>(config: &Config<'_>, serializer: S) -> Result<S::Ok, S::Error> {
            let sections = config.sections();
            serializer
                .collect_map(sections.filter_map(|section| Some((&section.id, section.position?))))
        }

        let hash = Hash {
            ids: self,
            order: self,
            digest: &self.digest,
            errors: &self.errors,
            kept: Kept::of(self),
        };
        hash.serialize(serializer)
    }
}

/// Reads the sections alone, which need not be there either. The cluster's status needs no more, and
/// takes what it gets.
pub(crate) fn sections<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Config<'a>>, D::Error> {
    #[derive(Default, Deserialize)]
    #[serde(default, expecting = "a configuration")]
    struct Sections<'a> {
        #[serde(borrow)]
        ids: Option<Ids<'a>>,
        #[serde(borrow)]
        order: Order<'a>,
    }

    let sections = Option::<Sections<'_>>::deserialize(deserializer)?;
    Ok(sections.map(|Sections { ids, order }| {
        let ids = ids.unwrap_or_default();
        Config::from(Hash {
            ids,
            order,
            ..Hash::default()
        })
    }))
}

/// Cuts off a fraction.
#[expect(clippy::cast_possible_truncation, reason = "saturates")]
fn to_whole(position: f64) -> i64 {
    position.floor() as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::write;

    fn config(json: &str) -> Config<'_> {
        serde_json::from_str(json).unwrap()
    }

    fn written(config: &Config<'_>) -> String {
        let text = write(config)
            .map(|written| written.text)
            .unwrap_or_default();
        String::from_utf8_lossy(&text).into_owned()
    }

    #[test]
    fn odd_positions() {
        let text = r#"{
            "ids": {
                "text": {"type": "wwid"}, "negative": {"type": "wwid"}, "new-b": {"type": "wwid"},
                "word": {"type": "wwid"}, "fraction": {"type": "wwid"}, "new-a": {"type": "wwid"},
                "list": {"type": "wwid"}, "nothing": {"type": "wwid"}
            },
            "order": {
                "negative": -1, "list": [], "word": "x", "text": "10", "fraction": 9.5,
                "nothing": null, "gone": 99
            }
        }"#;
        let config = config(text);
        let ids: Vec<_> = config.sections().map(|s| s.id().as_str()).collect();
        let new = ["new-a", "new-b", "nothing"];
        let sorted = ["negative", "list", "word", "fraction", "text"];
        assert_eq!(ids, [&sorted[..], &new].concat());
        let order = write(&config).map(|written| written.order).ok();
        assert_eq!(
            order,
            Some((11..).zip(new).map(|(at, id)| (id.into(), at)).collect())
        );
        for (id, position) in [("negative", -1), ("list", 0), ("word", 0), ("fraction", 9)] {
            assert_eq!(
                config.section(id).and_then(Section::position),
                Some(position)
            );
        }
    }

    #[test]
    fn there_and_back() {
        let text = "stray\n\nwwid: a\n\talias x\n\nwwid: b\n\nfrob: c\n\tx\n\ndefaults: defaults\n\tx y\n\n\
            wwid: defaults\n\nwwid: a\n\tbogus\n\nstray\n\n";
        let parsed = super::super::parse("multipath.cfg", text.as_bytes()).config;
        let json = serde_json::to_string(&parsed).unwrap_or_default();
        let mut again = config(&json);
        again.errors.clone_from(&parsed.errors);
        assert_eq!(written(&again), written(&parsed));
        for (section, parsed) in again.sections().zip(parsed.sections()) {
            assert_eq!(section.replaced(), parsed.replaced());
            assert_eq!(section.position(), parsed.position());
        }
        // the place of a block is that between sections, whatever becomes of them
        again.remove("a");
        let json = serde_json::to_string(&again).unwrap_or_default();
        let mut again = config(&json);
        again.insert(Section::new(
            "c".into(),
            crate::config::knobs::SectionType::Wwid,
        ));
        let wanted = "stray\n\nwwid: b\n\nfrob: c\n\tx\n\nwwid: defaults\n\nstray\n\nwwid: c\n\n";
        assert_eq!(written(&again), wanted);
        again.remove("defaults");
        assert!(written(&again).ends_with("defaults: defaults\n\tx y\n\n"));
    }
}
