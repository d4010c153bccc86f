//! What a node tells its peers, through the key-value store of pmxcfs.
//!
//! Each node publishes the health of its maps under the key `multipath`, and whether it could
//! apply the configuration under `multipath-apply`. [`health`] and [`apply_status`] make these
//! texts, [`Broadcast::decode`] and [`ApplyStatus::decode`] read those of peers, which are never
//! trusted.

mod decode;
mod scan;
mod send;
mod summary;

pub use decode::{ApplyStatus, BadBroadcast, Broadcast, Entry, Freshness};
pub use send::{Action, LastSent, TooLarge, apply_status, health};
pub use summary::{MapHealth, Summary, summarize};

/// Seconds after which an unchanged report is sent again.
pub const REFRESH_SECONDS: i64 = 60;

/// Age in seconds beyond which a report does not count any more: three refresh intervals.
pub const STALE_SECONDS: i64 = 3 * REFRESH_SECONDS;

/// Most bytes that pmxcfs takes as one value of its key-value store. More is dropped with nothing
/// but a warning, after PVE's own helper died at the same number of characters.
pub const MAX_VALUE_LEN: usize = 32_767;
