//! What a node tells its peers, through the key-value store of pmxcfs.
//!
//! Each node publishes the health of its maps under the key `multipath`, and whether it could
//! apply the configuration under `multipath-apply`. [`health`] and [`apply_status`] make these
//! texts, [`Broadcast::decode_values`] and [`ApplyStatus::decode`] read those of peers, which are
//! never trusted. A report that is too long for one value has more of them, under
//! [`continuation_keys`].
//!
//! [`Broadcast`] is a report, and [`Entry`] what it says of one map, for senders and receivers alike. A field
//! that a version does not know is ignored, one that it does not send is none.
//!
//! Under `multipath-uses` and `multipath-candidates`, a node tells what uses its LUNs and which it sees beside
//! the allow-list ([`UsesReporter`], [`Texts`]). Older versions send neither.

mod apply;
mod broadcast;
mod candidates;
mod entry;
mod packed;
mod parts;
mod peers;
mod reader;
mod scan;
mod send;
mod uses;

pub use apply::{ApplyStatus, apply_status};
pub use broadcast::{
    BadBroadcast, Broadcast, Freshness, MAX_ABSENT, MAX_MAPS, REFRESH_SECONDS, STALE_SECONDS,
};
pub use candidates::{CANDIDATES_KEY, candidates};
pub use entry::{Entry, MapData, entries};
pub use packed::{KEY, MAX_UNPACKED_LEN, MAX_VALUE_LEN, MAX_VALUES, continuation_keys};
pub use parts::{CauseSet, Context, NamedEntry, NodeInfo, Software};
pub(crate) use peers::nodes;
pub use peers::{
    KvTexts, Members, NoReport, Peers, Presence, SLOW_REFRESH_SECONDS, SLOW_STALE_SECONDS, Texts,
};
pub use reader::Reader;
pub(crate) use send::is_recent;
pub use send::{KvWrite, LastSent, TooLarge, health};
pub(crate) use uses::UsesRound;
pub use uses::{KeptUses, USES_KEY, UsesReporter};
