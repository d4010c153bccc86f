//! Everything that may use a LUN, as the caller hands it in.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize};

use super::guests::{GuestUse, guest_uses};
use super::obstacles::{NodeState, Obstacle, obstacles, refusal};
use super::storages::{Reach, StorageUse, storage_uses};
use crate::cluster::expectations::Storage;
use crate::cluster::report::{KeptUses, Peers};
use crate::node::uses::NodeUses;
use crate::types::node_name::InvalidNodeName;
use crate::wire::scalar::Scalar;
use crate::{NodeName, Wwid};

/// Everything that may use a LUN. Each part may be left out.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Users<'a> {
    /// The storages by their IDs.
    #[serde(borrow)]
    pub storages: BTreeMap<String, Storage<'a>>,
    /// What is known of the uses on each node: those that matter to the caller, which may be all of the
    /// cluster.
    pub nodes: BTreeMap<String, NodeState>,
    /// What the other nodes have reported. Those that are offline are left out.
    #[serde(borrow)]
    pub peers: Peers<'a>,
    /// How LUNs are reached over iSCSI.
    pub reach: Reach,
    /// The configurations of guests by their IDs.
    #[serde(borrow)]
    pub guests: BTreeMap<String, BTreeMap<String, Scalar<'a>>>,
}

/// Why a LUN must not be taken away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// What is in the way, storages first.
    pub obstacles: Vec<Obstacle>,
    /// All of it in a sentence, without a stop at its end.
    pub text: String,
}

type Sorted = (
    BTreeMap<Wwid, Vec<StorageUse>>,
    BTreeMap<Wwid, BTreeSet<GuestUse>>,
    BTreeMap<NodeName, NodeState>,
);

impl Users<'_> {
    /// The uses of all LUNs that have any: storages, then guests, then nodes. Nodes of which nothing is known
    /// are left out.
    pub fn uses(&self) -> Result<BTreeMap<Wwid, Vec<Obstacle>>, InvalidNodeName> {
        self.uses_with(&mut KeptUses::default())
    }

    /// As [`uses`](Self::uses), for callers that ask again and again.
    pub(crate) fn uses_with(
        &self,
        kept: &mut KeptUses,
    ) -> Result<BTreeMap<Wwid, Vec<Obstacle>>, InvalidNodeName> {
        let (mut storages, mut guests, mut nodes) = self.sorted(kept)?;
        nodes.retain(|_, state| matches!(state, NodeState::Uses(_)));
        let of_nodes = nodes.values().flat_map(|state| match state {
            NodeState::Uses(uses) => uses.maps.keys().cloned().collect(),
            NodeState::Unreadable(_) | NodeState::Silent(_) => Vec::new(),
        });
        let mut wwids: BTreeSet<Wwid> = of_nodes.collect();
        wwids.extend(storages.keys().chain(guests.keys()).cloned());
        let uses = wwids.into_iter().map(|wwid| {
            let storages = storages.remove(&wwid).unwrap_or_default();
            let guests = guests.remove(&wwid).unwrap_or_default();
            let uses = obstacles(&wwid, storages, guests, &nodes);
            (wwid, uses)
        });
        Ok(uses.filter(|(_, uses)| !uses.is_empty()).collect())
    }

    /// Whether a LUN must not be taken away, and why. An ID that is not a WWID stands for no LUN.
    pub fn refusal(&self, id: &str) -> Result<Option<Refusal>, InvalidNodeName> {
        let Ok(wwid) = Wwid::new(id) else {
            return Ok(None);
        };
        let (mut storages, mut guests, nodes) = self.sorted(&mut KeptUses::default())?;
        let obstacles = obstacles(
            &wwid,
            storages.remove(&wwid).unwrap_or_default(),
            guests.remove(&wwid).unwrap_or_default(),
            &nodes,
        );
        let text = refusal(&wwid, &obstacles);
        Ok(text.map(|text| Refusal { obstacles, text }))
    }

    /// The storages and guests by the LUNs that they use, and the nodes.
    fn sorted(&self, kept: &mut KeptUses) -> Result<Sorted, InvalidNodeName> {
        let mut round = kept.round();
        let nodes = self.nodes.iter();
        let nodes = nodes.map(|(node, state)| Ok((NodeName::new(node)?, state.clone())));
        let mut nodes: BTreeMap<NodeName, NodeState> = nodes.collect::<Result<_, _>>()?;
        for (node, is_online) in self.peers.nodes() {
            if is_online && !nodes.contains_key(&node) {
                let state = NodeState::reported(&node, &self.peers, &mut round);
                nodes.insert(node, state);
            }
        }
        let known = nodes.iter().filter_map(|(node, state)| match state {
            NodeState::Uses(uses) => Some((node, uses.as_ref())),
            NodeState::Unreadable(_) | NodeState::Silent(_) => None,
        });
        let storages = storage_uses(&self.storages, &known.collect(), &self.reach);
        let guests = guest_uses(&self.guests, &self.storages);
        Ok((storages, guests, nodes))
    }
}

/// As `{ uses }` or `{ error }`.
impl<'de> Deserialize<'de> for NodeState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Form {
            #[serde(default)]
            uses: Option<NodeUses>,
            #[serde(default)]
            error: Option<String>,
        }

        let Form { uses, error } = Form::deserialize(deserializer)?;
        let nothing = || "nothing was read".to_owned();
        Ok(match (uses, error) {
            (_, Some(error)) => Self::Unreadable(error),
            (Some(uses), None) => Self::Uses(uses.into()),
            (None, None) => Self::Unreadable(nothing()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(users: &str, id: &str) -> Option<String> {
        let users: Users<'_> = serde_json::from_str(users).unwrap();
        users.refusal(id).unwrap().map(|refusal| refusal.text)
    }

    #[test]
    fn storages_guests_and_nodes() {
        let users = r#"{
            "storages": {"san": {"type": "multipath"}, "data": {"type": "lvm", "vgname": "vg-a"}},
            "guests": {"100": {"scsi0": "san:3600b"}},
            "nodes": {"pve1": {"uses": {"maps": {"3600a": [{"code": "volume-group", "vg": "vg-a", "active": 0}]}}},
                      "pve2": {"error": "no answer"}}
        }"#;
        let unknown = "whether node pve2 uses it is not known (no answer)";
        assert_eq!(
            text(users, "3600a"),
            Some(format!(
                "WWID '3600a' is used by storage 'data' (volume group vg-a) and node pve1 (LVM volume group vg-a, \
                 no logical volume is active); {unknown}"
            ))
        );
        assert_eq!(
            text(users, "3600b"),
            Some(format!("WWID '3600b' is used by guest 100; {unknown}"))
        );
        assert_eq!(text(users, "a/b"), None);
        let all: Users<'_> = serde_json::from_str(users).unwrap();
        let texts = all.uses().unwrap().into_iter().map(|(wwid, uses)| {
            let uses: Vec<String> = uses.iter().map(ToString::to_string).collect();
            format!("{wwid}: {}", uses.join(", "))
        });
        assert_eq!(
            texts.collect::<Vec<_>>(),
            [
                "3600a: storage 'data' (volume group vg-a), node pve1 (LVM volume group vg-a, no logical volume is \
                 active)",
                "3600b: guest 100"
            ]
        );
        assert_eq!(text("{}", "3600a"), None);
        let users: Users<'_> =
            serde_json::from_str(r#"{"nodes": {"a b": {"error": ""}}}"#).unwrap();
        assert!(users.refusal("3600a").is_err());
    }

    #[test]
    fn what_other_nodes_have_reported() {
        let users = r#"{
            "storages": {"data": {"type": "lvm", "vgname": "vg-a"}},
            "nodes": {"pve1": {"uses": {"maps": {}}}},
            "peers": {
                "uses": {"kv": {
                    "pve1": "{}",
                    "pve2": "{\"maps\":{\"3600a\":[{\"code\":\"volume-group\",\"vg\":\"vg-a\",\"active\":0}]},\"time\":1000}",
                    "pve3": "{\"maps\":{},\"time\":99}",
                    "pve6": "{\"maps\":{\"3600a\":[{\"code\":\"swap\"}]},\"time\":1000}"
                }},
                "health": {"kv": {
                    "pve3": "{\"maps\":{},\"time\":1000}",
                    "pve4": "{\"maps\":{\"3600b\":{\"state\":\"optimal\"}},\"time\":1000}"
                }},
                "members": {"pve1": {"online": 1}, "pve2": {"online": 1}, "pve3": {"online": 1}, "pve4": {"online": 1},
                            "pve5": {"online": 1}, "pve6": {"online": 0}},
                "now": 1000
            }
        }"#;
        let stale = "whether node pve3 uses it is not known (its report is out of date: it is 901 seconds old)";
        assert_eq!(
            text(users, "3600a"),
            Some(format!(
                "WWID '3600a' is used by storage 'data' (volume group vg-a) and node pve2 (LVM volume group vg-a, \
                 no logical volume is active); {stale}"
            ))
        );
        // pve4 is older and has a map, pve5 has never reported
        assert_eq!(
            text(users, "3600b"),
            Some(format!(
                "WWID '3600b' may be used: {stale} and whether node pve4 uses it is not known (it has a map, and \
                 pve-multipath is too old there to report uses)"
            ))
        );
        let all: Users<'_> = serde_json::from_str(users).unwrap();
        let wwids: Vec<String> = all.uses().unwrap().keys().map(Wwid::to_string).collect();
        assert_eq!(wwids, ["3600a"]);
        let silent = users.replace(
            r#""pve3": "{\"maps\":{},\"time\":1000}""#,
            r#""pve2": "{\"maps\":{},\"time\":819}""#,
        );
        assert!(
            text(&silent, "3600c")
                .unwrap()
                .contains("node pve2 uses it is not known (its report is out of date: it is 181")
        );
        // its maps are old, since multipathd does not answer, but the node reports
        let busy = silent.replace(
            r#"\"time\":819}""#,
            r#"\"time\":100,\"node\":{\"time\":990}}""#,
        );
        assert!(
            !text(&busy, "3600c").unwrap().contains("node pve2"),
            "{busy}"
        );
        let older = users.replace(r#""pve3": "{\"maps\":{},\"time\":99}","#, "");
        assert_eq!(text(&older, "3600c"), None);
    }
}
