//! States in which a map serves no I/O, or soon will not, although its paths are active.

use super::{Map, Path};
use crate::{Note, NoteCode};

impl<'a> Map<'a> {
    /// Notes on a suspended map, on paths that are all marginal, and on paths that device-mapper
    /// uses although the checker finds all of them unusable.
    ///
    /// The health goes by device-mapper's path states alone, which these notes leave as they are.
    pub(super) fn device_state_notes(&self) -> Vec<Note<'a>> {
        let mut notes = Vec::new();
        if self.dm_state == "suspend" {
            notes.push(Note::bare(NoteCode::Suspended));
        }
        let count = self.active().count();
        if count > 0 && self.active().all(Path::is_marginal) {
            notes.push(Note::of_paths(NoteCode::AllPathsMarginal, count));
        }
        if count > 0 && self.active().all(Path::is_unusable) {
            notes.push(Note::of_paths(NoteCode::AllCheckersFaulty, count));
        }
        notes
    }
}

impl Path<'_> {
    fn is_marginal(&self) -> bool {
        self.marginal_state.as_deref() == Some("marginal")
    }

    /// Whether the checker has found the path unusable. A check that is still running or that is
    /// delayed has not found anything.
    fn is_unusable(&self) -> bool {
        let unusable = ["faulty", "shaky", "i/o timeout", "disconnected"];
        let state = self.check_state.as_deref();
        state.is_some_and(|state| unusable.contains(&state))
    }
}

#[cfg(test)]
mod tests {
    /// The notes on a map in this device-mapper state whose paths have these: device-mapper's state,
    /// the checker's and the marginal state.
    fn notes(dm_state: &str, paths: &[[&str; 3]]) -> Vec<(&'static str, Option<u32>)> {
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
        let maps = crate::node::maps::parse(text.as_bytes()).map(|parsed| parsed.maps);
        let maps = maps.unwrap_or_else(|err| unreachable!("{err}"));
        let notes = maps.iter().flat_map(|map| &map.notes);
        notes.map(|note| (note.code.as_str(), note.count)).collect()
    }

    #[test]
    fn what_stops_io_while_all_paths_are_active() {
        let good = ["active", "ready", "normal"];
        let marginal = ["active", "ready", "marginal"];
        let faulty = ["active", "faulty", "normal"];
        let failed = ["failed", "faulty", "normal"];
        let (suspended, all_marginal, all_faulty) =
            ("suspended", "all-paths-marginal", "all-checkers-faulty");
        assert_eq!(notes("active", &[good, good]), []);
        assert_eq!(notes("undef", &[good]), []);
        assert_eq!(notes("suspend", &[good, good]), [(suspended, None)]);
        assert_eq!(notes("suspend", &[]), [(suspended, None)]);

        assert_eq!(notes("active", &[marginal]), [(all_marginal, Some(1))]);
        assert_eq!(notes("active", &[marginal; 2]), [(all_marginal, Some(2))]);
        assert_eq!(notes("active", &[marginal, good]), []);
        // A failed path carries no I/O, so it does not count.
        assert_eq!(
            notes("active", &[marginal, failed]),
            [(all_marginal, Some(1))]
        );
        assert_eq!(notes("active", &[["failed", "faulty", "marginal"]]), []);

        assert_eq!(notes("active", &[faulty; 2]), [(all_faulty, Some(2))]);
        assert_eq!(notes("active", &[faulty, failed]), [(all_faulty, Some(1))]);
        assert_eq!(notes("active", &[faulty, good]), []);
        assert_eq!(notes("active", &[failed; 2]), []);
        assert_eq!(
            notes("suspend", &[["active", "faulty", "marginal"]]),
            [
                (suspended, None),
                (all_marginal, Some(1)),
                (all_faulty, Some(1))
            ]
        );
    }

    #[test]
    fn what_the_checker_says() {
        for (check, unusable) in [
            ("faulty", true),
            ("shaky", true),
            ("i/o timeout", true),
            ("disconnected", true),
            ("ready", false),
            ("ghost", false),
            ("i/o pending", false),
            ("delayed", false),
            ("undef", false),
            ("from the future", false),
        ] {
            let found = !notes("active", &[["active", check, "normal"]]).is_empty();
            assert_eq!(found, unusable, "{check}");
        }
    }
}
