//! Why a LUN must not be taken away.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::guests::GuestUse;
use super::storages::{How, StorageUse};
use crate::cluster::report::{NoReport, Peers, UsesRound};
use crate::node::uses::{Described, Input, NodeUses, Usage, Use};
use crate::{NodeName, Wwid};

/// What is known of the uses on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeState {
    /// These are.
    Uses(Arc<NodeUses>),
    /// Nothing, and why: an unreadable report, for example.
    Unreadable(String),
    /// It has never sent a report of uses, as older versions do not. It has maps of these LUNs.
    Silent(BTreeSet<Wwid>),
}

impl NodeState {
    /// What a node's reports tell. One that has not sent any of uses has told its maps nevertheless.
    pub(super) fn reported(node: &NodeName, peers: &Peers<'_>, round: &mut UsesRound<'_>) -> Self {
        let uses = round.read(node, &peers.uses, peers.now());
        let node = node.as_str();
        match uses {
            // uses are sent again after minutes, so they may be those of a node that has fallen silent
            Ok(uses) => match peers.health(node) {
                Err(error @ NoReport::Stale(_)) => Self::Unreadable(error.to_string()),
                _ => Self::Uses(uses),
            },
            Err(NoReport::Never) => match peers.maps(node) {
                Ok(maps) => Self::Silent(maps),
                Err(NoReport::Never) => Self::Silent(BTreeSet::new()),
                Err(error) => Self::Unreadable(error.to_string()),
            },
            Err(error) => Self::Unreadable(error.to_string()),
        }
    }
}

/// Something that uses a LUN, or may.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Obstacle {
    /// A storage.
    Storage(StorageUse),
    /// A guest.
    Guest(GuestUse),
    /// A node has found uses.
    Node {
        /// The node.
        node: NodeName,
        /// At most [`MAX_USES`](crate::node::uses::MAX_USES) and a [`Use::More`].
        uses: Vec<Use>,
    },
    /// Whether a node uses it is not known.
    NotKnown {
        /// The node.
        node: NodeName,
        /// Why not.
        why: String,
    },
}

/// Everything that speaks against taking a LUN away: storages, then guests, then nodes.
///
/// A node of which nothing is known counts as one that uses the LUN. One that is not among `nodes` is not
/// asked: whoever calls this decides which nodes matter.
pub fn obstacles(
    wwid: &Wwid,
    storages: Vec<StorageUse>,
    guests: impl IntoIterator<Item = GuestUse>,
    nodes: &BTreeMap<NodeName, NodeState>,
) -> Vec<Obstacle> {
    let mut found: Vec<Obstacle> = storages.into_iter().map(Obstacle::Storage).collect();
    found.extend(guests.into_iter().map(Obstacle::Guest));
    for (node, state) in nodes {
        let node = node.clone();
        match state {
            NodeState::Uses(uses) => match uses.of(wwid.as_str()) {
                Usage::Unused => (),
                Usage::Used(uses) => found.push(Obstacle::Node {
                    node,
                    uses: uses.to_vec(),
                }),
                Usage::NotKnown(input, err) => {
                    let why = not_read(input, err);
                    found.push(Obstacle::NotKnown { node, why });
                }
            },
            NodeState::Unreadable(why) => {
                let why = why.clone();
                found.push(Obstacle::NotKnown { node, why });
            }
            NodeState::Silent(maps) if maps.contains(wwid) => {
                let why =
                    "it has a map, and pve-multipath is too old there to report uses".to_owned();
                found.push(Obstacle::NotKnown { node, why });
            }
            NodeState::Silent(_) => {}
        }
    }
    found
}

fn not_read(input: Input, err: Option<&str>) -> String {
    let what = input.describe();
    match err.filter(|err| !err.is_empty()) {
        Some(err) => format!("{what} could not be read: {err}"),
        None => format!("{what} could not be read"),
    }
}

/// The sentence that refuses to take a LUN away, without a stop at its end; none if nothing is in the way.
pub fn refusal(wwid: &Wwid, obstacles: &[Obstacle]) -> Option<String> {
    let is_known = |obstacle: &&Obstacle| !matches!(obstacle, Obstacle::NotKnown { .. });
    let (known, unknown): (Vec<&Obstacle>, Vec<&Obstacle>) = obstacles.iter().partition(is_known);
    let texts = |obstacles: &[&Obstacle]| {
        let texts: Vec<String> = obstacles.iter().map(ToString::to_string).collect();
        match texts.split_last() {
            Some((last, [])) => last.clone(),
            Some((last, first)) => format!("{} and {last}", first.join(", ")),
            None => String::new(),
        }
    };
    match (known.is_empty(), unknown.is_empty()) {
        (true, true) => None,
        (false, true) => Some(format!("WWID '{wwid}' is used by {}", texts(&known))),
        (true, false) => Some(format!("WWID '{wwid}' may be used: {}", texts(&unknown))),
        (false, false) => Some(format!(
            "WWID '{wwid}' is used by {}; {}",
            texts(&known),
            texts(&unknown)
        )),
    }
}

/// The first storage that uses a LUN, by its ID.
pub fn first_storage(obstacles: &[Obstacle]) -> Option<&str> {
    obstacles.iter().find_map(|obstacle| match obstacle {
        Obstacle::Storage(used) => Some(used.storage.as_str()),
        _ => None,
    })
}

/// What uses a LUN, in a few words: the first storage by its ID, else what nodes have found, such as
/// `VG data on pve1, pve2`. Nodes that have found something else first are left out.
pub fn summary(obstacles: &[Obstacle]) -> Option<String> {
    let storage = first_storage(obstacles).map(str::to_owned);
    let found = || {
        obstacles.iter().filter_map(|obstacle| match obstacle {
            Obstacle::Node { node, uses } => Some((uses.first()?.short(), node.as_str())),
            _ => None,
        })
    };
    storage.or_else(|| {
        let (first, _) = found().next()?;
        let nodes: Vec<&str> = found()
            .filter(|(used, _)| *used == first)
            .map(|(_, node)| node)
            .collect();
        Some(format!("{first} on {}", nodes.join(", ")))
    })
}

/// As it goes on after "is used by"; of what is not known, a clause.
impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Storage(StorageUse { storage, how }) => {
                write!(f, "storage '{storage}'")?;
                match how {
                    How::Base => Ok(()),
                    How::VolumeGroup { vg, .. } => write!(f, " (volume group {vg})"),
                    How::Direct { target } => write!(f, " (target {target})"),
                }
            }
            Self::Guest(GuestUse { guest, .. }) => write!(f, "guest {guest}"),
            Self::Node { node, uses } => {
                let uses: Vec<String> = uses.iter().map(ToString::to_string).collect();
                write!(f, "node {node} ({})", uses.join("; "))
            }
            Self::NotKnown { node, why } => {
                write!(f, "whether node {node} uses it is not known ({why})")
            }
        }
    }
}

/// As its sentence, with its facts.
impl Serialize for Obstacle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "kebab-case")]
        struct Form<'o> {
            text: String,
            #[serde(flatten)]
            storage: Option<&'o StorageUse>,
            #[serde(flatten)]
            guest: Option<&'o GuestUse>,
            #[serde(skip_serializing_if = "Option::is_none")]
            node: Option<&'o NodeName>,
            #[serde(skip_serializing_if = "Option::is_none")]
            uses: Option<Vec<Described<'o>>>,
            #[serde(skip_serializing_if = "Option::is_none")]
            not_known: Option<&'o str>,
        }

        let mut form = Form {
            text: self.to_string(),
            storage: None,
            guest: None,
            node: None,
            uses: None,
            not_known: None,
        };
        match self {
            Self::Storage(storage) => form.storage = Some(storage),
            Self::Guest(guest) => form.guest = Some(guest),
            Self::Node { node, uses } => {
                form.node = Some(node);
                form.uses = Some(uses.iter().map(Described::from).collect());
            }
            Self::NotKnown { node, why } => {
                form.node = Some(node);
                form.not_known = Some(why);
            }
        }
        form.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NodeSet;
    use crate::types::label::Label;

    fn text(nodes: &[(&str, NodeState)], others: bool) -> String {
        let wwid = Wwid::new("3600a").unwrap();
        let storage = |name: &str, how| StorageUse {
            storage: name.to_owned(),
            how,
        };
        let group = How::VolumeGroup {
            vg: "data".to_owned(),
            nodes: NodeSet::from_names(["pve1"]),
        };
        let guest = GuestUse {
            guest: Label::name(b"100").unwrap(),
            storage: "san".to_owned(),
        };
        let (storages, guests) = match others {
            true => (
                vec![storage("vg", How::Base), storage("s", group)],
                Some(guest),
            ),
            false => (vec![], None),
        };
        let nodes = nodes.iter().cloned();
        let nodes = nodes.map(|(node, state)| (NodeName::new(node).unwrap(), state));
        let found = obstacles(&wwid, storages, guests, &nodes.collect());
        refusal(&wwid, &found).unwrap_or_default()
    }

    fn uses(json: &str) -> NodeState {
        NodeState::Uses(NodeUses::from_json(json.as_bytes()).unwrap().into())
    }

    #[test]
    fn everything_that_is_in_the_way_is_named() {
        let group = uses(
            r#"{"maps": {"3600a": [{"code": "volume-group", "vg": "b", "active": 0}, {"code": "swap"}]}}"#,
        );
        let free = uses(r#"{"maps": {"3600b": [{"code": "swap"}]}}"#);
        let unread = uses(
            r#"{"maps": {"3600a": [{"code": "not-known", "input": "open-counts"}]}, "unread": {"open-counts": "no dm"}}"#,
        );
        let torn = NodeState::Unreadable("its report cannot be read".to_owned());
        assert_eq!(text(&[], false), "");
        assert_eq!(text(&[("pve1", free.clone())], false), "");
        assert_eq!(
            text(&[("pve1", group.clone()), ("pve2", free)], false),
            "WWID '3600a' is used by node pve1 (LVM volume group b, no logical volume is active; swap space)"
        );
        assert_eq!(
            text(&[("pve1", unread.clone()), ("pve2", torn)], false),
            "WWID '3600a' may be used: whether node pve1 uses it is not known (how often its devices are open \
             could not be read: no dm) and whether node pve2 uses it is not known (its report cannot be read)"
        );
        assert_eq!(
            text(&[("pve1", group), ("pve2", unread)], true),
            "WWID '3600a' is used by storage 'vg', storage 's' (volume group data), guest 100 and node pve1 \
             (LVM volume group b, no logical volume is active; swap space); whether node pve2 uses it is not known \
             (how often its devices are open could not be read: no dm)"
        );
    }

    #[test]
    fn as_data() {
        let how = How::Direct {
            target: "iqn.x".to_owned(),
        };
        let storage = "i".to_owned();
        let obstacle = Obstacle::Storage(StorageUse { storage, how });
        assert_eq!(
            serde_json::to_string(&obstacle).unwrap(),
            r#"{"text":"storage 'i' (target iqn.x)","storage":"i","how":"direct","target":"iqn.x"}"#
        );
        let node = NodeName::new("pve1").unwrap();
        let uses = vec![Use::Swap { on: None }];
        assert_eq!(
            serde_json::to_string(&Obstacle::Node { node, uses }).unwrap(),
            r#"{"text":"node pve1 (swap space)","node":"pve1","uses":[{"code":"swap","text":"swap space"}]}"#
        );
    }

    #[test]
    fn in_a_few_words() {
        let node = |name: &str, json: &str| {
            let json = format!(r#"{{"maps":{{"3600a":[{json}]}}}}"#);
            let uses = NodeUses::from_json(json.as_bytes()).unwrap();
            let node = NodeName::new(name).unwrap();
            Obstacle::Node {
                node,
                uses: uses.maps.into_values().next().unwrap(),
            }
        };
        let group = r#"{"code":"volume-group","vg":"data","active":1},{"code":"swap"}"#;
        let not_known = Obstacle::NotKnown {
            node: NodeName::new("pve0").unwrap(),
            why: String::new(),
        };
        let mut found = vec![
            not_known.clone(),
            node("pve1", group),
            node("pve2", r#"{"code":"swap"}"#),
            node("pve3", group),
        ];
        assert_eq!(summary(&found).as_deref(), Some("VG data on pve1, pve3"));
        let how = How::Base;
        found.push(Obstacle::Storage(StorageUse {
            storage: "san".to_owned(),
            how,
        }));
        assert_eq!(summary(&found).as_deref(), Some("san"));
        assert_eq!(summary(&[not_known]), None);
    }
}
