//! What a node tells its peers, through the key-value store of pmxcfs.
//!
//! Each node publishes the health of its maps under the key `multipath`, and whether it could
//! apply the configuration under `multipath-apply`. [`health`] and [`apply_status`] make these
//! texts, [`Broadcast::decode_values`] and [`ApplyStatus::decode`] read those of peers, which are
//! never trusted. A report that is too long for one value has more of them, under
//! [`continuation_keys`].

mod decode;
mod packed;
mod scan;
mod send;
mod summary;

pub use decode::{ApplyStatus, BadBroadcast, Broadcast, Entry, Freshness, MAX_MAPS};
pub use packed::{MAX_UNPACKED_LEN, MAX_VALUES};
pub use send::{Action, LastSent, TooLarge, Value, apply_status, health};
pub use summary::{MapHealth, Summary, summarize};

/// Seconds after which an unchanged report is sent again.
pub const REFRESH_SECONDS: i64 = 60;

/// Age in seconds beyond which a report does not count any more: three refresh intervals.
pub const STALE_SECONDS: i64 = 3 * REFRESH_SECONDS;

/// Most bytes that pmxcfs takes as one value of its key-value store. More is dropped with nothing
/// but a warning, after PVE's own helper died at the same number of characters.
pub const MAX_VALUE_LEN: usize = 32_767;

/// The key under which a node publishes its health.
const KEY: &str = "multipath";

/// The key under which a node tells that it could not apply the configuration.
const APPLY_KEY: &str = "multipath-apply";

/// The keys that have to be read beside `multipath`, in their order, if these are the values there.
pub fn continuation_keys<'a>(first_values: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let values = first_values.into_iter().map(packed::values).max();
    (1..values.unwrap_or(1))
        .map(packed::continuation_key)
        .collect()
}
