//! Notes on a map: states in which it serves no I/O, or soon will not, although its paths are active,
//! and single points of failure.
//!
//! Notes leave the health alone, which goes by device-mapper's path states.

use super::{CheckerState, Map, MapState, MarginalState, Path};
use crate::{Note, NoteCode};

impl Map {
    /// Notes on a suspended map, on active paths that are all marginal, and on active paths that the
    /// checker found all unusable.
    pub(super) fn state_notes(&self) -> Vec<Note> {
        let mut notes = Vec::new();
        if self.dm_state == MapState::Suspended {
            notes.push(Note::bare(NoteCode::Suspended));
        }
        let count = self.active().count();
        let is_marginal = |path: &Path| path.marginal_state == Some(MarginalState::Marginal);
        if count > 0 && self.active().all(is_marginal) {
            notes.push(Note::of_paths(NoteCode::AllPathsMarginal, count));
        }
        let is_unusable = |path: &Path| {
            path.check_state
                .as_ref()
                .is_some_and(CheckerState::is_unusable)
        };
        if count > 0 && self.active().all(is_unusable) {
            notes.push(Note::of_paths(NoteCode::AllCheckersFaulty, count));
        }
        notes
    }

    /// What all active paths of a map with several paths run through. Where one of them does not
    /// tell, there is no note.
    pub(super) fn single_points_of_failure(&self) -> Vec<Note> {
        if self.paths_total < 2 {
            return Vec::new();
        }
        // An HBA's port is identified by its WWPN; two ports of an adapter may share a PCI address.
        let hba = self.common(|path| path.host_wwpn.as_deref()).or_else(|| {
            match self.active().all(|path| path.host_wwpn.is_none()) {
                true => self.common(|path| path.host_adapter.as_deref()),
                false => None,
            }
        });
        let points = [
            (NoteCode::SingleHba, hba),
            (
                NoteCode::SingleTargetPort,
                self.common(|path| path.target_wwpn.as_deref()),
            ),
            (
                NoteCode::SingleTarget,
                self.common(|path| path.target_wwnn.as_deref()),
            ),
        ];
        let notes = points.into_iter();
        notes
            .filter_map(|(code, through)| Some(Note::through(code, through?)))
            .collect()
    }

    /// The value that all active paths have.
    fn common(&self, of: impl Fn(&Path) -> Option<&str>) -> Option<&str> {
        let first = of(self.active().next()?)?;
        let mut active = self.active();
        active.all(|path| of(path) == Some(first)).then_some(first)
    }
}

#[cfg(test)]
mod tests {
    /// The notes on a map from a reply.
    fn notes_of(text: &str) -> Vec<crate::Note> {
        let list = crate::node::maps::parse(text.as_bytes());
        let maps = list.unwrap().maps;
        maps.into_iter().flat_map(|map| map.notes).collect()
    }

    /// The notes on a map in this device-mapper state whose paths have these: device-mapper's state,
    /// the checker's and the marginal state.
    fn state_notes(dm_state: &str, paths: &[[&str; 3]]) -> Vec<(&'static str, Option<u32>)> {
        let path = |[state, check, marginal]: &[&str; 3]| {
            format!(
                r#"{{"dev": "sda", "dm_st": "{state}", "chk_st": "{check}", "marginal_st": "{marginal}"}}"#
            )
        };
        let paths: Vec<_> = paths.iter().map(path).collect();
        let text = format!(
            r#"{{"maps": [{{"uuid": "a", "dm_st": "{dm_state}", "path_groups": [{{"paths": [{}]}}]}}]}}"#,
            paths.join(",")
        );
        let notes = notes_of(&text).into_iter();
        notes.map(|note| (note.code.as_str(), note.count)).collect()
    }

    #[test]
    fn states_that_stop_io_while_all_paths_are_active() {
        let good = ["active", "ready", "normal"];
        let marginal = ["active", "ready", "marginal"];
        let faulty = ["active", "faulty", "normal"];
        let failed = ["failed", "faulty", "normal"];
        let (suspended, all_marginal, all_faulty) =
            ("suspended", "all-paths-marginal", "all-checkers-faulty");
        assert_eq!(state_notes("active", &[good, good]), []);
        assert_eq!(state_notes("undef", &[good]), []);
        assert_eq!(state_notes("suspend", &[good, good]), [(suspended, None)]);
        assert_eq!(state_notes("suspend", &[]), [(suspended, None)]);

        assert_eq!(
            state_notes("active", &[marginal]),
            [(all_marginal, Some(1))]
        );
        assert_eq!(
            state_notes("active", &[marginal; 2]),
            [(all_marginal, Some(2))]
        );
        assert_eq!(state_notes("active", &[marginal, good]), []);
        // A failed path carries no I/O, so it does not count.
        assert_eq!(
            state_notes("active", &[marginal, failed]),
            [(all_marginal, Some(1))]
        );
        assert_eq!(
            state_notes("active", &[["failed", "faulty", "marginal"]]),
            []
        );

        assert_eq!(state_notes("active", &[faulty; 2]), [(all_faulty, Some(2))]);
        assert_eq!(
            state_notes("active", &[faulty, failed]),
            [(all_faulty, Some(1))]
        );
        assert_eq!(state_notes("active", &[faulty, good]), []);
        assert_eq!(state_notes("active", &[failed; 2]), []);
        assert_eq!(
            state_notes("suspend", &[["active", "faulty", "marginal"]]),
            [
                (suspended, None),
                (all_marginal, Some(1)),
                (all_faulty, Some(1))
            ]
        );
    }

    /// The notes on a map whose paths have these: device-mapper's state, HBA's port, HBA, target's
    /// port and target.
    fn single_points(paths: &[[&str; 5]]) -> Vec<(&'static str, String)> {
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
        let notes = notes_of(&text).into_iter();
        notes
            .map(|note| (note.code.as_str(), note.through.unwrap_or_default()))
            .collect()
    }

    #[test]
    fn single_points_of_failure_of_the_active_paths() {
        let none = "[undef]";
        assert_eq!(single_points(&[]), []);
        assert_eq!(
            single_points(&[["active", "0x1", "0000:01:00.0", "0xa", "0xn"]]),
            []
        );
        // Two ports of one adapter, two ports of one array.
        let two = [
            ["active", "0x1", "0000:01:00.0", "0xa", "0xn"],
            ["active", "0x2", "0000:01:00.0", "0xb", "0xn"],
        ];
        assert_eq!(single_points(&two), [("single-target", "0xn".into())]);
        // A failed path does not count; an unknown value could be any.
        let [first, _] = two;
        let failed = [first, ["failed", "0x2", "0000:02:00.0", "0xb", "0xm"]];
        let all = [
            ("single-hba", "0x1".to_owned()),
            ("single-target-port", "0xa".into()),
            ("single-target", "0xn".into()),
        ];
        assert_eq!(single_points(&failed), all);
        assert_eq!(
            single_points(&[first, ["active", none, none, none, none]]),
            []
        );
        assert_eq!(
            single_points(&[["failed", "0x1", "x", "0xa", "0xn"]; 2]),
            []
        );
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
        assert_eq!(single_points(&iscsi), [("single-hba", "192.0.2.1".into())]);
    }
}
