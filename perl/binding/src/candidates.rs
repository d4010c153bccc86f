#[perlmod::package(name = "PVE::RS::Multipath::Candidates", lib = "pve_multipath_perl")]
pub mod pve_rs_multipath_candidates {
    //! LUNs that a node sees and that are not on the allow-list.

    use std::collections::{BTreeMap, BTreeSet};

    use anyhow::Error;
    use pve_multipath::config::alias_template::{AliasTemplate, Lun};
    use pve_multipath::config::{self, Config, Value};
    use pve_multipath::multipath_conf::blacklisted;
    use pve_multipath::node::candidates::{
        self, Candidates, Disk, Mapped, Shown, Sources, VolumeGroups, identify, listing,
    };
    use pve_multipath::wire::byte_string::ByteString;
    use pve_multipath::wire::scalar::Scalar;
    use serde::{Deserialize, Serialize, Serializer};

    use crate::types::{self, Reply};

    /// A file with its name.
    #[derive(Deserialize)]
    pub struct File<'a> {
        #[serde(borrow)]
        name: ByteString<'a>,
        #[serde(borrow)]
        text: &'a [u8],
    }

    /// What was read of a node; what could not be read is undefined.
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub struct NodeArgs<'a> {
        #[serde(borrow, default)]
        listing: Option<Reply<'a>>,
        #[serde(borrow, default)]
        configuration: Option<Reply<'a>>,
        #[serde(borrow, default)]
        files: Vec<File<'a>>,
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

    impl NodeArgs<'_> {
        /// The candidates beside an allow-list, and what a person should be told.
        fn candidates(
            self,
            config: Option<&Config<'_>>,
        ) -> Result<(Candidates, Vec<String>), Error> {
            let files = self.files.iter();
            let files = files.map(|file| blacklisted::File {
                name: file.name.as_str(),
                text: file.text,
            });
            let allow_list = config.map(|config| config::luns(config).into_keys().collect());
            let (inputs, warnings) = Sources {
                listing: self.listing.map(Into::into),
                configuration: self.configuration.map(Into::into),
                files: files.collect(),
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
            }
            .read();
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

    /// Which LUNs are meant by these texts. Without a node, none is known to be seen.
    #[export]
    pub fn identify(node: Option<NodeArgs<'_>>, typed: Vec<String>) -> Result<Vec<Answer>, Error> {
        let node = node.map(|node| node.candidates(None)).transpose()?;
        let (found, _) = node.unwrap_or_default();
        let answer = |typed: &String| match identify::meant(typed, &found.candidates) {
            Ok(meant) => Answer::Meant(meant),
            Err(error) => Answer::NotFound {
                error: error.to_string(),
            },
        };
        Ok(typed.iter().map(answer).collect())
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
