#[perlmod::package(name = "PVE::RS::Multipath::Broadcast", lib = "pve_multipath_perl")]
pub mod pve_rs_multipath_broadcast {
    //! What a node tells its peers.

    use std::collections::BTreeMap;

    use anyhow::Error;
    use pve_multipath::Wwid;
    use pve_multipath::cluster::report::{self, Action, LastSent, MapHealth, Summary};
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
        fn now(&self) -> i64 {
            self.now.as_int().unwrap_or(0)
        }

        fn last(&self) -> Option<LastSent<'a>> {
            let time = self.last_time.as_int()?;
            Some(LastSent {
                text: self.last_text,
                time,
            })
        }
    }

    /// A value to write; one without a text is cleared.
    #[derive(Serialize)]
    pub struct Value {
        key: String,
        text: Option<Bytes<'static>>,
    }

    impl From<report::Value> for Value {
        fn from(value: report::Value) -> Self {
            Self {
                key: value.key,
                text: value.text.map(Bytes::from),
            }
        }
    }

    /// Summaries of maps by WWID.
    #[export]
    pub fn summarize(maps: Option<Vec<MapHealth>>) -> BTreeMap<Wwid, Summary> {
        report::summarize(maps.iter().flatten().filter_map(MapHealth::summary))
    }

    /// What to write in which order to publish the health of the maps; nothing if the peers know.
    #[export]
    pub fn health(maps: Option<Vec<MapHealth>>, known: Known) -> Result<Vec<Value>, Error> {
        report::health(&summarize(maps), known.now(), known.last())
            .map(values)
            .map_err(Error::from)
    }

    /// The keys that have to be read beside the first one, of which these are the values by node.
    #[export]
    pub fn continuation_keys(kv: BTreeMap<String, Option<&[u8]>>) -> Vec<String> {
        report::continuation_keys(kv.into_values().flatten())
    }

    /// What to write to tell how applying the configuration went; nothing if the peers know.
    #[export]
    pub fn apply_status(error: Scalar, known: Known) -> Vec<Value> {
        let error = error.as_text();
        values(report::apply_status(
            error.as_deref(),
            known.now(),
            known.last(),
        ))
    }

    fn values(action: Action) -> Vec<Value> {
        match action {
            Action::Send(values) => values.into_iter().map(Value::from).collect(),
            Action::Skip => Vec::new(),
        }
    }

    /// Age in seconds beyond which a report does not count any more.
    #[export]
    pub fn stale_seconds() -> i64 {
        report::STALE_SECONDS
    }
}
