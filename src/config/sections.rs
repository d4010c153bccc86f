//! Reads section configurations of Proxmox VE without a schema.
//!
//! For files of other packages, such as `storage.cfg` in a recorded folder: it knows sections and
//! properties, but no property's type.

use std::collections::BTreeMap;

use serde::Serialize;

use super::parse::{header_of, property_of};

/// A section configuration, as Perl's callers know it: `{ ids, order }`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sections {
    /// The properties of each section by its ID, `type` among them.
    pub ids: BTreeMap<String, BTreeMap<String, String>>,
    /// Position of each section in the file, from 1, by its ID.
    pub order: BTreeMap<String, u32>,
}

/// Reads a section configuration.
///
/// A section is a line `TYPE: ID` and the indented lines `key value` below it, up to an empty line.
/// Lines that start with `#` are comments, and other lines are skipped. A property without a value is a
/// flag that is set, `1`. If an ID or a property occurs twice, the last one counts.
pub fn parse(text: &str) -> Sections {
    let mut sections = Sections::default();
    let mut current: Option<String> = None;
    let mut position = 0;
    for line in text.lines() {
        if line.starts_with('#') {
            continue;
        }
        if line.trim().is_empty() {
            current = None;
        } else if let Some((key, value)) = property_of(line) {
            let section = current.as_ref().and_then(|id| sections.ids.get_mut(id));
            if let Some(section) = section {
                section.insert(key.to_owned(), value.unwrap_or("1").to_owned());
            }
        } else {
            current = header_of(line).map(|(kind, id)| {
                position += 1;
                let section = BTreeMap::from([("type".to_owned(), kind.to_owned())]);
                sections.ids.insert(id.to_owned(), section);
                sections.order.insert(id.to_owned(), position);
                id.to_owned()
            });
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storage_configuration() {
        let text = "# comment\ndir: local\n\tpath /var/lib/vz\n\tcontent iso,backup\n\n\
            multipath: san\n\tnodes pve1,pve2\n  disable\nnonsense\n\tlost 1\n\nlvm: vg\n\tbase san:3600\n";
        let sections = parse(text);
        assert_eq!(sections.order.get("local"), Some(&1));
        assert_eq!(sections.order.get("vg"), Some(&3));
        let get = |id: &str, key: &str| Some(sections.ids.get(id)?.get(key)?.as_str());
        assert_eq!(get("local", "content"), Some("iso,backup"));
        assert_eq!(get("san", "type"), Some("multipath"));
        assert_eq!(get("san", "disable"), Some("1"));
        assert_eq!(get("san", "lost"), None);
        assert_eq!(get("vg", "base"), Some("san:3600"));
    }
}
