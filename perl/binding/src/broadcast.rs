#[perlmod::package(name = "PVE::RS::Multipath::Broadcast", lib = "pve_multipath_perl")]
pub mod pve_rs_multipath_broadcast {
    //! What a node tells its peers.

    use std::collections::BTreeMap;

    use anyhow::Error;
    use pve_multipath::Wwid;
    use pve_multipath::broadcast::{self, Action, LastSent, MapHealth, Summary};
    use pve_multipath::scalar::Scalar;
    use serde::{Deserialize, Serialize};

    use crate::types::Bytes;

    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub struct HealthArgs<'a> {
        #[serde(borrow, default)]
        maps: Option<Vec<MapHealth<'a>>>,
        #[serde(borrow)]
        now: Scalar<'a>,
        #[serde(borrow, default)]
        last_text: Option<&'a [u8]>,
        #[serde(borrow, default)]
        last_time: Scalar<'a>,
    }

    #[derive(Serialize)]
    #[serde(tag = "action", rename_all = "kebab-case")]
    pub enum Decision {
        Send { text: Bytes<'static> },
        Skip,
        Clear,
    }

    /// Summaries of maps by WWID.
    #[export]
    pub fn summarize(maps: Option<Vec<MapHealth>>) -> BTreeMap<Wwid, Summary> {
        broadcast::summarize(maps.iter().flatten().filter_map(MapHealth::summary))
    }

    /// Whether to send the health of the maps, and which text.
    #[export]
    pub fn health(args: HealthArgs) -> Result<Decision, Error> {
        let maps = summarize(args.maps);
        let last = args.last_time.as_int().map(|time| LastSent {
            text: args.last_text,
            time,
        });
        let action = broadcast::health(&maps, args.now.as_int().unwrap_or(0), last)?;
        Ok(match action {
            Action::Send(text) => Decision::Send { text: text.into() },
            Action::Skip => Decision::Skip,
            Action::Clear => Decision::Clear,
        })
    }

    /// The text that tells of a failure to apply the configuration; none clears the key.
    #[export]
    pub fn apply_status(error: Option<Scalar>, now: Scalar) -> Option<Bytes<'static>> {
        let error = error.as_ref().and_then(Scalar::as_text);
        broadcast::apply_status(error.as_deref(), now.as_int().unwrap_or(0)).map(Bytes::from)
    }

    /// Age in seconds beyond which a report does not count any more.
    #[export]
    pub fn stale_seconds() -> i64 {
        broadcast::STALE_SECONDS
    }
}
