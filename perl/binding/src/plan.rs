#[perlmod::package(name = "PVE::RS::Multipath::Plan", lib = "pve_multipath_perl")]
pub mod pve_rs_multipath_plan {
    //! What applying the configuration on a node would do.

    use std::collections::BTreeMap;

    use anyhow::Error;
    use pve_multipath::Wwid;
    use pve_multipath::config::{self, Config, Value};
    use pve_multipath::node::maps;
    use pve_multipath::node::plan::{
        self, Certainty, Cluster, Content, Devices, DropIn, Node, Others, Plan, Progress, Reading,
        Record, Usage,
    };
    use pve_multipath::wire::byte_string::ByteString;
    use pve_multipath::wire::scalar::Scalar;
    use serde::{Deserialize, Serialize};

    use crate::types::{self, ConfFile, File, content};

    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub struct NodeArgs<'a> {
        #[serde(borrow)]
        drop_ins: BTreeMap<DropIn, Option<File<'a>>>,
        #[serde(borrow)]
        wwids: Option<File<'a>>,
        #[serde(borrow)]
        record: Option<File<'a>>,
        #[serde(default)]
        devices: Devices,
        #[serde(borrow, default)]
        open_counts: Option<File<'a>>,
        #[serde(borrow, default)]
        open_counts_again: Option<File<'a>>,
        /// The files that are not ours, or why they cannot be read.
        #[serde(borrow, default)]
        others: Option<Vec<ConfFile<'a>>>,
        #[serde(default)]
        others_error: Option<String>,
        #[serde(borrow, default)]
        tools_version: Value<'a>,
        #[serde(borrow, default)]
        reconfigure_due: Scalar<'a>,
    }

    /// How certain the cluster's files are.
    #[derive(Default, Deserialize)]
    #[serde(default)]
    pub struct Certainties {
        config: Certainty,
        overrides: Certainty,
    }

    impl Certainties {
        fn cluster<'a>(self, config: &'a Config<'a>, overrides: &'a [u8]) -> Cluster<'a> {
            Cluster {
                config,
                overrides,
                config_is: self.config,
                overrides_are: self.overrides,
            }
        }
    }

    /// What was read of a file, and what can be concluded from it.
    #[derive(Serialize)]
    pub struct Read {
        reading: Reading,
        certainty: Certainty,
    }

    fn node<'a>(args: NodeArgs<'a>, others: Option<&'a Vec<ConfFile<'_>>>) -> Node<'a> {
        let drop_ins = args.drop_ins.into_iter();
        Node {
            drop_ins: drop_ins.map(|(name, file)| (name, content(file))).collect(),
            wwids: content(args.wwids),
            record: content(args.record),
            devices: args.devices,
            usage: usage(content(args.open_counts)),
            usage_again: usage(content(args.open_counts_again)),
            others: match (args.others_error, others) {
                (Some(err), _) => Others::Unknown(err),
                (None, None) => Others::NotAsked,
                (None, Some(files)) => {
                    Others::Known(files.iter().map(ConfFile::borrowed).collect())
                }
            },
            // one that is not understood is not known
            version: types::tools_version(&args.tools_version).unwrap_or_default(),
            reconfigure_due: args.reconfigure_due.is_true(),
        }
    }

    /// Which maps are in use, by what dmsetup has answered.
    fn usage(counts: Content<'_>) -> Usage {
        match counts {
            Content::Absent => Usage::NotAsked,
            Content::Unreadable(err) => Usage::Unknown(err),
            Content::Text(text) => match maps::in_use(text) {
                Ok(used) => Usage::Known(used),
                Err(err) => Usage::Unknown(err.to_string()),
            },
        }
    }

    /// The steps for a configuration as Perl has it.
    #[export]
    pub fn plan(
        config: Config,
        overrides: &[u8],
        certainties: Certainties,
        mut args: NodeArgs,
    ) -> Plan {
        let others = args.others.take();
        plan::plan(
            &certainties.cluster(&config, overrides),
            &node(args, others.as_ref()),
        )
    }

    /// The steps for the text of a configuration.
    #[export]
    pub fn plan_text(
        raw: &[u8],
        overrides: &[u8],
        certainties: Certainties,
        mut args: NodeArgs,
    ) -> Plan {
        let others = args.others.take();
        let config = config::parse("multipath.cfg", raw).config;
        plan::plan(
            &certainties.cluster(&config, overrides),
            &node(args, others.as_ref()),
        )
    }

    /// The reading of a file, from the one before it if there was one, at a time in seconds of a clock
    /// that only goes forward.
    #[export]
    pub fn reading(text: &[u8], previous: Option<Reading>, now: f64) -> Read {
        let reading = Reading::new(text, previous, now);
        let certainty = reading.certainty();
        Read { reading, certainty }
    }

    /// The names of the drop-ins.
    #[export]
    pub fn drop_ins() -> [DropIn; 3] {
        DropIn::ALL
    }

    /// The difference between two contents of a drop-in.
    #[export]
    pub fn diff(file: DropIn, old: Option<&[u8]>, new: Option<&[u8]>) -> Option<String> {
        plan::diff(file, old, new)
    }

    /// The text of the record with changes: how far the adding of a WWID has got, nothing if it is
    /// to be dropped. An empty record has none.
    #[export]
    pub fn record(
        text: Option<&[u8]>,
        changes: BTreeMap<ByteString, Option<Progress>>,
    ) -> Result<Option<String>, Error> {
        let mut record = text.map(Record::parse).transpose()?.unwrap_or_default();
        for (wwid, progress) in changes {
            let wwid = Wwid::new(wwid.as_str())?;
            match progress {
                Some(progress) => record.wwids.insert(wwid, progress),
                None => record.wwids.remove(&wwid),
            };
        }
        Ok(record.to_text())
    }
}
