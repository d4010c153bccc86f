//! The cluster's matrix of health, LUN by node.
//!
//! [`status`] answers a whole request: raw texts of the key-value store in, matrix out.
//! [`aggregate`] is the roll-up alone, for callers that know who is online. Both follow the same
//! rules:
//!
//! 1. There is a row for each allow-listed WWID and for each that any node's report names.
//! 2. An allow-listed LUN is expected on the nodes that are given for it; where none are, on every
//!    online node that reports at least one map; where no node does, on every online node that
//!    reports. Other LUNs are expected nowhere.
//! 3. A node that is offline, or whose report is stale, gives `unknown` for the LUNs that it named.
//! 4. An online node's state counts as it reported it, `unknown` where that is no known state.
//! 5. An expected node that is online and does not name the LUN is `missing`, also if it has not sent
//!    any report; one that is offline, or whose report is stale or cannot be read, is `unknown`.
//! 6. A node where the LUN is not expected is never `missing`, but what it reports counts.
//! 7. The LUN's state is the worst of the online nodes' states other than `unknown`.
//!
//! A report that cannot be read (garbage, torn, made by a newer version) may name any LUN, so by rule 2
//! its node is among those that report a map. [`NodeErrors`] tells of it even where there is no LUN.
//!
//! Beside the states, a LUN has notes where nodes whose reports count [disagree](Disagreement).

mod inputs;
mod matrix;
mod roll_up;

pub use crate::cluster::disagreement::Disagreement;
pub use inputs::{
    AggregateArgs, ByName, KnownExpectations, KvTexts, Online, Presence, RawText, StatusArgs,
};
pub use matrix::{ApplyError, Cells, Lun, Matrix, NodeErrors, Status};
pub use roll_up::{aggregate, status, status_with};
