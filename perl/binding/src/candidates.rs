#[perlmod::package(name = "PVE::RS::Multipath::Candidates", lib = "pve_multipath_perl")]
pub mod pve_rs_multipath_candidates {
    //! LUNs that a node sees and that are not on the allow-list.

    use std::collections::{BTreeMap, BTreeSet};

    use anyhow::Error;
    use pve_multipath::cluster::candidates::{
        ClusterCandidates, candidates as candidates_of_cluster,
    };
    use pve_multipath::cluster::report::{self, Peers};
    use pve_multipath::config::alias_template::{AliasTemplate, Lun};
    use pve_multipath::config::{self, Config, Value};
    use pve_multipath::node::candidates::{
        self, Candidates, Disk, Inputs, Mapped, ReportedList, Shown, Sources, VolumeGroups,
        identify, listing,
    };
    use pve_multipath::wire::byte_string::ByteString;
    use pve_multipath::wire::scalar::Scalar;
    use pve_multipath::{NodeName, cluster};
    use serde::{Deserialize, Serialize, Serializer};

    use crate::broadcast::pve_rs_multipath_broadcast::{Known, Write, writes};
    use crate::types::{self, ConfFile, Reply};

    /// What was read of a node; what could not be read is undefined.
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub struct NodeArgs<'a> {
        #[serde(borrow, default)]
        listing: Option<Reply<'a>>,
        #[serde(borrow, default)]
        configuration: Option<Reply<'a>>,
        #[serde(borrow, default)]
        files: Vec<ConfFile<'a>>,
        #[serde(borrow, default)]
        tools_version: Value<'a>,
        #[serde(borrow)]
        disks: BTreeMap<ByteString<'a>, Disk<'a>>,
        #[serde(borrow)]
        mapped: BTreeMap<ByteString<'a>, Mapped<'a>>,
        #[serde(borrow, default)]
        mounts: Option<&'a [u8]>,
        #[serde(borrow, default)]
        swaps: Option<&'a [u8]>,
        #[serde(borrow, default)]
        lvm_hints: Option<&'a [u8]>,
        #[serde(borrow, default)]
        lvm_backup: Vec<&'a [u8]>,
    }

    impl<'a> NodeArgs<'a> {
        /// What is known of the node's disks, and what a person should be told.
        pub fn read(self, config: Option<&Config<'_>>) -> Result<(Inputs<'a>, Vec<String>), Error> {
            let allow_list = config.map(|config| config::luns(config).into_keys().collect());
            let sources = Sources {
                listing: self.listing.map(Into::into),
                configuration: self.configuration.map(Into::into),
                files: self.files.iter().map(ConfFile::borrowed).collect(),
                version: types::tools_version(&self.tools_version)?,
                disks: self.disks,
                mapped: self.mapped,
                allow_list: allow_list.unwrap_or_default(),
                mountinfo: self.mounts.unwrap_or_default(),
                swaps: self.swaps.unwrap_or_default(),
                volume_groups: VolumeGroups::new(
                    self.lvm_hints.unwrap_or_default(),
                    self.lvm_backup,
                ),
            };
            Ok(sources.read())
        }

        /// The candidates beside an allow-list, and what a person should be told.
        fn candidates(
            self,
            config: Option<&Config<'_>>,
        ) -> Result<(Candidates, Vec<String>), Error> {
            let (inputs, warnings) = self.read(config)?;
            Ok((candidates::candidates(&inputs), warnings))
        }
    }

    /// Candidates, and what a person should be told beside them.
    pub struct Listed {
        found: Candidates,
        warnings: Vec<String>,
    }

    impl Serialize for Listed {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            #[derive(Serialize)]
            struct Form<'c> {
                candidates: Vec<Shown<'c>>,
                omitted: usize,
                warnings: &'c [String],
            }

            let form = Form {
                candidates: self.found.shown(),
                omitted: self.found.omitted,
                warnings: &self.warnings,
            };
            form.serialize(serializer)
        }
    }

    /// The LUN that is meant, or why there is none.
    #[derive(Serialize)]
    #[serde(untagged)]
    pub enum Answer {
        Meant(identify::Meant),
        NotFound { error: String },
    }

    /// Which LUNs are meant, and of which nodes it is not known what they see.
    #[derive(Serialize)]
    pub struct Identified {
        answers: Vec<Answer>,
        unknown: BTreeMap<NodeName, String>,
    }

    /// The candidates of the cluster, and what a person should be told beside them.
    #[derive(Serialize)]
    pub struct OfCluster {
        #[serde(flatten)]
        found: ClusterCandidates,
        warnings: Vec<String>,
    }

    /// What is known of a LUN that is to have an alias.
    #[derive(Deserialize)]
    pub struct LunArgs<'a> {
        #[serde(borrow)]
        wwid: ByteString<'a>,
        #[serde(borrow, default)]
        serial: Value<'a>,
        #[serde(borrow, default)]
        size: Scalar<'a>,
    }

    /// Arguments of multipathd for the list of its paths.
    #[export]
    pub fn command() -> Vec<&'static str> {
        listing::COMMAND.to_vec()
    }

    /// The candidates of a node.
    #[export]
    pub fn of_node(node: NodeArgs<'_>, config: Option<Config<'_>>) -> Result<Listed, Error> {
        let (found, warnings) = node.candidates(config.as_ref())?;
        // With a line feed, so that perl's `warn` does not add where it was called.
        let warnings = warnings.into_iter().map(|warning| warning + "\n").collect();
        Ok(Listed { found, warnings })
    }

    /// The candidates of the cluster beside its allow-list: of this node, if its facts are handed in, and of
    /// the others what they have reported.
    #[export]
    pub fn of_cluster(
        nodename: Option<&str>,
        node: Option<NodeArgs<'_>>,
        peers: Peers<'_>,
        config: Option<Config<'_>>,
    ) -> Result<OfCluster, Error> {
        let (mut known, mut warnings) = (BTreeMap::new(), Vec::new());
        if let (Some(name), Some(node)) = (nodename, node) {
            let (found, told) = node.candidates(config.as_ref())?;
            known.insert(NodeName::new(name)?, ReportedList::from(&found));
            warnings = told;
        }
        let allow_list = config.map(|config| config::luns(&config).into_keys().collect());
        let found = candidates_of_cluster(known, &peers, &allow_list.unwrap_or_default());
        let warnings = warnings.into_iter().map(|warning| warning + "\n").collect();
        Ok(OfCluster { found, warnings })
    }

    /// What to write in which order to publish the candidates of a node; nothing if the peers know.
    #[export]
    pub fn publish(
        node: NodeArgs<'_>,
        config: Option<Config<'_>>,
        known: Known<'_>,
    ) -> Result<Vec<Write>, Error> {
        let (found, _) = node.candidates(config.as_ref())?;
        let list = ReportedList::from(&found);
        Ok(writes(report::candidates(list, known.now(), known.last())?))
    }

    /// Which LUNs are meant by these texts, and the nodes of which it is not known what they see, with the
    /// reason. Without the facts of this node, it is not known what it sees.
    #[export]
    pub fn identify(
        nodename: Option<&str>,
        node: Option<NodeArgs<'_>>,
        peers: Peers<'_>,
        typed: Vec<String>,
    ) -> Result<Identified, Error> {
        let node = node.map(|node| node.candidates(None)).transpose()?;
        let (found, _) = node.unwrap_or_default();
        let nodename = nodename.map(NodeName::new).transpose()?;
        let (answers, unknown) =
            cluster::candidates::identify(&typed, &found.candidates, nodename.as_ref(), &peers);
        let answer = |answer: Result<_, identify::NotFound>| match answer {
            Ok(meant) => Answer::Meant(meant),
            Err(error) => Answer::NotFound {
                error: error.to_string(),
            },
        };
        let answers = answers.into_iter().map(answer).collect();
        Ok(Identified { answers, unknown })
    }

    /// The aliases that a template gives to LUNs.
    #[export]
    pub fn aliases(
        template: &str,
        luns: Vec<LunArgs<'_>>,
        taken: Vec<String>,
    ) -> Result<Vec<String>, Error> {
        let serials: Vec<_> = luns.iter().map(|lun| lun.serial.to_text()).collect();
        let luns = luns.iter().zip(&serials).map(|(lun, serial)| Lun {
            wwid: lun.wwid.as_str(),
            serial: serial.as_deref(),
            size: lun.size.as_int().and_then(|size| u64::try_from(size).ok()),
        });
        let luns: Vec<_> = luns.collect();
        let taken: BTreeSet<String> = taken.into_iter().collect();
        Ok(AliasTemplate::new(template)?.aliases(&luns, &taken)?)
    }
}
