#[perlmod::package(name = "PVE::RS::Multipath::Broadcast", lib = "pve_multipath_perl")]
pub mod pve_rs_multipath_broadcast {
    //! What a node tells its peers.

    use std::collections::BTreeMap;

    use anyhow::Error;
    use pve_multipath::Wwid;
    use pve_multipath::cluster::report::{self, Entry, KvWrite, LastSent, MapData};
    use pve_multipath::wire::scalar::Scalar;
    use serde::{Deserialize, Serialize};

    use crate::types::Bytes;

    /// The time, and what the peers know.
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub struct Known<'a> {
        #[serde(borrow)]
        now: Scalar<'a>,
        #[serde(borrow, default)]
        last_text: Option<&'a [u8]>,
        #[serde(borrow, default)]
        last_time: Scalar<'a>,
    }

    impl<'a> Known<'a> {
        pub fn now(&self) -> i64 {
            self.now.as_int().unwrap_or(0)
        }

        pub fn last(&self) -> Option<LastSent<'a>> {
            let time = self.last_time.as_int()?;
            Some(LastSent {
                text: self.last_text,
                time,
            })
        }
    }

    /// A value to write; one without a text is cleared.
    #[derive(Serialize)]
    pub struct Write {
        key: String,
        text: Option<Bytes<'static>>,
    }

    pub fn writes(writes: Vec<KvWrite>) -> Vec<Write> {
        let write = |KvWrite { key, text }| Write {
            key,
            text: text.map(Bytes::from),
        };
        writes.into_iter().map(write).collect()
    }

    /// Summaries of maps by WWID.
    #[export]
    pub fn summarize(maps: Option<Vec<MapData>>) -> BTreeMap<Wwid, Entry> {
        let maps = maps.into_iter().flatten();
        report::entries(maps.filter_map(MapData::into_entry))
    }

    /// What to write in which order to publish the health of the maps; nothing if the peers know.
    #[export]
    pub fn health(maps: Option<Vec<MapData>>, known: Known) -> Result<Vec<Write>, Error> {
        let entries = summarize(maps);
        Ok(writes(report::health(&entries, known.now(), known.last())?))
    }

    /// The keys that have to be read beside this one, of which these are the values by node.
    #[export]
    pub fn continuation_keys(key: &str, kv: BTreeMap<String, Option<&[u8]>>) -> Vec<String> {
        report::continuation_keys(key, kv.into_values().flatten())
    }

    /// What to write to tell how applying the configuration went; nothing if the peers know.
    #[export]
    pub fn apply_status(error: Scalar, known: Known) -> Vec<Write> {
        let error = error.as_text();
        let (now, last) = (known.now(), known.last());
        writes(report::apply_status(error.as_deref(), now, last))
    }

    /// Age in seconds beyond which a report does not count any more.
    #[export]
    pub fn stale_seconds() -> i64 {
        report::STALE_SECONDS
    }
}
