//! Schema-less reading of Proxmox VE's section configurations.
//!
//! Good for files whose schema is somebody else's, such as `storage.cfg` in a recorded folder: it
//! knows the outer form, sections with properties, and no property's type.

use std::collections::BTreeMap;

use serde::Serialize;

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
/// Lines that start with `#` are comments. What is none of these is skipped. A property without a
/// value is a set flag, `1`. Of sections with one ID and of properties with one name, the last
/// counts.
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
        } else if line.starts_with([' ', '\t']) {
            if let Some(section) = current.as_ref().and_then(|id| sections.ids.get_mut(id)) {
                let line = line.trim();
                let (key, value) = line.split_once([' ', '\t']).unwrap_or((line, "1"));
                section.insert(key.to_owned(), value.trim_start().to_owned());
            }
        } else {
            current = header(line).map(|(kind, id)| {
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

fn header(line: &str) -> Option<(&str, &str)> {
    let (kind, id) = line.split_once(':')?;
    let id = id.trim();
    let word = |text: &str| !text.is_empty() && !text.contains(char::is_whitespace);
    (word(kind) && word(id)).then_some((kind, id))
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
