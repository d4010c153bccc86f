//! The cluster's matrix of health, LUN by node.
//!
//! [`status`] answers a whole request: the texts of the key-value store in, the matrix out;
//! [`status_with`] does not decode again what did not change since the last call. [`aggregate`] is the
//! roll-up alone, for callers that know which nodes are online.
//!
//! ```
//! use pve_multipath::cluster::status::{StatusArgs, status};
//! use pve_multipath::{CellState, Reason};
//!
//! let args: StatusArgs<'_> = serde_json::from_str(r#"{
//!     "kv": {
//!         "pve1": "{\"maps\":{\"3600a\":{\"state\":\"optimal\"}},\"time\":1000}",
//!         "pve2": "{\"maps\":{\"3600b\":{\"state\":\"optimal\"}},\"time\":1000}"
//!     },
//!     "members": { "pve1": { "online": 1 }, "pve2": { "online": 1 } },
//!     "now": 1010,
//!     "config": { "ids": { "3600a": { "type": "wwid", "alias": "san-a" } } }
//! }"#)?;
//! let status = status(&args);
//! let lun = status.luns.luns().next().ok_or("no LUN")?;
//! assert_eq!(lun.cluster_state, CellState::Missing);
//! let on_pve2 = lun.nodes.get("pve2").ok_or("no cell")?;
//! assert_eq!(on_pve2.reasons, [Reason::NotAssembled]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Both follow the same rules:
//!
//! 1. There is a row for each allow-listed WWID and for each that any node's report names.
//! 2. An allow-listed LUN is expected on the nodes that are given for it; where none are, on every
//!    online node that reports at least one map or remembers paths; where no node does, on every online
//!    node that reports. Other LUNs are expected nowhere.
//! 3. A node that is offline, or whose report is stale, gives `unknown` for the LUNs that it named. If its
//!    report is recent and only the maps are old, the reason is that multipathd does not answer.
//! 4. An online node's state counts as it reported it, `unknown` where that is not a known state.
//! 5. An expected node that is online and does not name the LUN is `missing`, also if it has not sent
//!    any report; one that is offline, or whose report is stale or cannot be read, is `unknown`.
//! 6. A node where the LUN is not expected is never `missing`, but what it reports counts.
//! 7. The LUN's state is the worst of the online nodes' states other than `unknown`.
//!
//! A report that cannot be read (garbage, torn, made by a newer version) may name any LUN, so by rule 2
//! its node is among those that report a map. [`NodeErrors`] has the reason even where there is no LUN.
//!
//! Beside the states, a LUN has notes where nodes whose reports count [disagree](Disagreement).

mod causes;
mod inputs;
mod matrix;
mod roll_up;

pub use crate::cluster::disagreement::Disagreement;
pub use causes::{NodeLoss, StatusCause};
pub use inputs::{
    AggregateArgs, ByName, KnownExpectations, KvTexts, Online, Presence, RawText, StatusArgs,
};
pub use matrix::{ApplyError, CellContext, Cells, Lun, Matrix, NodeErrors, ReportedInfo, Status};
pub use roll_up::{aggregate, status, status_with};
