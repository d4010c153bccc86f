//! The paths of a LUN with their ends, also of those that are gone.

use crate::node::causes::KnownPath;
use crate::node::maps::Map;
use crate::node::ports::{Ends, Initiator};

/// The paths of a map, which have these ends in the order of [`Map::paths`], and those that it had and should
/// still have.
///
/// `remembered` has the ends of all paths that it had. Of a lost path, not all may be known any more: iSCSI's
/// have no address once their session is lost. Then it is one of those that the others leave.
pub fn known_paths(map: &Map, ends: Vec<Ends>, remembered: &[Ends]) -> Vec<KnownPath> {
    let mut left: Vec<&Ends> = remembered.iter().collect();
    let take = |left: &mut Vec<&Ends>, is_it: &dyn Fn(&Ends) -> bool| {
        let position = left.iter().position(|ends| is_it(ends))?;
        Some(left.remove(position).clone())
    };
    let mut paths = Vec::with_capacity(ends.len());
    for (path, ends) in map.paths().zip(ends) {
        take(&mut left, &|known| *known == ends);
        paths.push(KnownPath {
            ends,
            is_lost: !path.is_active(),
        });
    }
    for path in paths.iter_mut().filter(|path| path.is_lost) {
        if !remembered.contains(&path.ends) {
            if let Some(ends) = take(&mut left, &|known| may_be(&path.ends, known)) {
                path.ends = ends;
            }
        }
    }
    let expected = map.paths_expected.and_then(|n| usize::try_from(n).ok());
    let gone = expected.unwrap_or(0).saturating_sub(map.paths_total);
    paths.extend(left.into_iter().take(gone).map(|ends| KnownPath {
        ends: ends.clone(),
        is_lost: true,
    }));
    paths
}

/// Whether a path of which these ends are known may have those.
fn may_be(ends: &Ends, known: &Ends) -> bool {
    let initiator = match &ends.initiator {
        named @ Some(Initiator::Named { .. }) => *named == known.initiator,
        Some(Initiator::Host(_)) | None => true,
    };
    initiator && (ends.target.is_none() || ends.target == known.target)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::maps::{ExpectedPaths, parse};
    use crate::node::ports::PortName;

    fn ends(text: &str) -> Ends {
        let (initiator, target) = text.split_once('-').unwrap();
        let host = initiator.strip_prefix("host");
        let host = host.and_then(|number| number.parse().ok());
        let name = PortName::new(initiator).filter(|_| host.is_none());
        Ends {
            initiator: Initiator::new(name, host),
            target: PortName::new(target),
        }
    }

    /// The paths of a map of which so many are expected: `h1-t1` or `h1-t1!`, if lost.
    fn paths(present: &str, expected: u32, remembered: &str) -> String {
        let present: Vec<&str> = present.split_whitespace().collect();
        let path = |text: &&str| {
            let state = if text.ends_with('!') {
                "failed"
            } else {
                "active"
            };
            format!(r#"{{"dev": "sda", "dm_st": "{state}"}}"#)
        };
        let list: Vec<_> = present.iter().map(path).collect();
        let list = list.join(",");
        let reply =
            format!(r#"{{"maps": [{{"uuid": "a", "path_groups": [{{"paths": [{list}]}}]}}]}}"#);
        let mut map = parse(reply.as_bytes()).unwrap().maps.remove(0);
        map.expect(ExpectedPaths::Remembered(expected));
        let given = present.iter().map(|path| ends(path.trim_end_matches('!')));
        let remembered: Vec<_> = remembered.split_whitespace().map(ends).collect();
        let known = known_paths(&map, given.collect(), &remembered);
        let name = |path: &KnownPath| {
            let initiator = path.ends.initiator.as_ref().map(ToString::to_string);
            let target = path.ends.target.as_ref().map(ToString::to_string);
            let mark = if path.is_lost { "!" } else { "" };
            format!(
                "{}-{}{mark}",
                initiator.unwrap_or_default(),
                target.unwrap_or_default()
            )
        };
        known.iter().map(name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn paths_worked_out_by_hand() {
        let four = "h1-t1 h1-t2 h2-t1 h2-t2";
        for (present, expected, remembered, wanted) in [
            // Failed, then gone, are the same.
            (
                "h1-t1! h1-t2! h2-t1 h2-t2",
                4,
                four,
                "h1-t1! h1-t2! h2-t1 h2-t2",
            ),
            ("h1-t1! h2-t1 h2-t2", 4, four, "h1-t1! h2-t1 h2-t2 h1-t2!"),
            ("h2-t1 h2-t2", 4, four, "h2-t1 h2-t2 h1-t1! h1-t2!"),
            // An iSCSI path whose session is lost, and paths of which nothing is known.
            ("host7-t1! h2-t2", 2, "h1-t1 h2-t2", "h1-t1! h2-t2"),
            ("-! h2-t2", 2, "h1-t1 h2-t2", "h1-t1! h2-t2"),
            ("-! h2-t2", 2, "", "-! h2-t2"),
            // Not more than are missing, and none where it is not known how many should be there.
            ("h2-t1 h2-t2", 3, four, "h2-t1 h2-t2 h1-t1!"),
            ("h2-t1 h2-t2", 2, four, "h2-t1 h2-t2"),
            // Two paths between the same ports.
            ("h1-t1", 2, "h1-t1 h1-t1", "h1-t1 h1-t1!"),
            ("h1-t1 h1-t1!", 2, "h1-t1 h1-t1", "h1-t1 h1-t1!"),
            // A lost path of a port that was not there before.
            ("h9-t9! h2-t2", 3, "h1-t1 h2-t2", "h9-t9! h2-t2 h1-t1!"),
        ] {
            assert_eq!(paths(present, expected, remembered), wanted, "{present}");
        }
    }
}
