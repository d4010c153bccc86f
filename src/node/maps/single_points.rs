//! What all paths of a map depend on.

use std::borrow::Cow;

use super::{Map, Path};
use crate::{Note, NoteCode};

impl<'a> Map<'a> {
    /// What the active paths of a map with several paths all run through. Where the data of one of
    /// them does not say it, nothing is said.
    pub(super) fn single_points_of_failure(&self) -> Vec<Note<'a>> {
        if self.paths_total < 2 {
            return Vec::new();
        }
        // A port is told by its WWPN; two ports of one adapter may have one PCI address.
        let hba = self.common(|path| path.host_wwpn.as_ref()).or_else(|| {
            match self.active().all(|path| path.host_wwpn.is_none()) {
                true => self.common(|path| path.host_adapter.as_ref()),
                false => None,
            }
        });
        let points = [
            (NoteCode::SingleHba, hba),
            (
                NoteCode::SingleTargetPort,
                self.common(|path| path.target_wwpn.as_ref()),
            ),
            (
                NoteCode::SingleTarget,
                self.common(|path| path.target_wwnn.as_ref()),
            ),
        ];
        let notes = points.into_iter();
        notes
            .filter_map(|(code, through)| Some(Note::through(code, through?)))
            .collect()
    }

    /// The value that all active paths have.
    fn common(
        &self,
        of: impl for<'p> Fn(&'p Path<'a>) -> Option<&'p Cow<'a, str>>,
    ) -> Option<Cow<'a, str>> {
        let first = of(self.active().next()?)?;
        let same = self.active().all(|path| of(path) == Some(first));
        same.then(|| first.clone())
    }
}

#[cfg(test)]
mod tests {
    /// The notes on a map whose paths have these: device-mapper's state, HBA's port, HBA, target's
    /// port and target.
    fn notes(paths: &[[&str; 5]]) -> Vec<(&'static str, String)> {
        let path = |[state, host_wwpn, adapter, wwpn, wwnn]: &[&str; 5]| {
            format!(
                r#"{{"dev": "sda", "dm_st": "{state}", "host_wwpn": "{host_wwpn}", "host_adapter":
                "{adapter}", "target_wwpn": "{wwpn}", "target_wwnn": "{wwnn}"}}"#
            )
        };
        let paths: Vec<_> = paths.iter().map(path).collect();
        let text = format!(
            r#"{{"maps": [{{"uuid": "a", "path_groups": [{{"paths": [{}]}}]}}]}}"#,
            paths.join(",")
        );
        let maps = crate::node::maps::parse(text.as_bytes()).map(|parsed| parsed.maps);
        let maps = maps.unwrap_or_else(|err| unreachable!("{err}"));
        let notes = maps.iter().flat_map(|map| &map.notes);
        notes
            .map(|note| {
                (
                    note.code.as_str(),
                    note.through.as_deref().unwrap_or_default().to_owned(),
                )
            })
            .collect()
    }

    #[test]
    fn what_all_active_paths_run_through() {
        let none = "[undef]";
        assert_eq!(notes(&[]), []);
        assert_eq!(
            notes(&[["active", "0x1", "0000:01:00.0", "0xa", "0xn"]]),
            []
        );
        // Two ports of one adapter, two ports of one array.
        let two = [
            ["active", "0x1", "0000:01:00.0", "0xa", "0xn"],
            ["active", "0x2", "0000:01:00.0", "0xb", "0xn"],
        ];
        assert_eq!(notes(&two), [("single-target", "0xn".into())]);
        // What failed does not count, what is unknown could be anything.
        let [first, _] = two;
        let failed = [first, ["failed", "0x2", "0000:02:00.0", "0xb", "0xm"]];
        let all = [
            ("single-hba", "0x1".to_owned()),
            ("single-target-port", "0xa".into()),
            ("single-target", "0xn".into()),
        ];
        assert_eq!(notes(&failed), all);
        assert_eq!(notes(&[first, ["active", none, none, none, none]]), []);
        assert_eq!(notes(&[["failed", "0x1", "x", "0xa", "0xn"]; 2]), []);
        // iSCSI: the initiator's address and the target's name.
        let iscsi = [
            [
                "active",
                none,
                "192.0.2.1",
                none,
                "iqn.2003-01.org.example:a",
            ],
            [
                "active",
                none,
                "192.0.2.1",
                none,
                "iqn.2003-01.org.example:b",
            ],
        ];
        assert_eq!(notes(&iscsi), [("single-hba", "192.0.2.1".into())]);
    }
}
