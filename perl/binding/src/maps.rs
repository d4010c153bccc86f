#[perlmod::package(name = "PVE::RS::Multipath::Maps", lib = "pve_multipath_perl")]
pub mod pve_rs_multipath_maps {
    //! The maps of one node.

    use anyhow::Error;
    use pve_multipath::config::Config;
    use pve_multipath::maps::{self, BlockDevices, Devices, Map, Parsed};
    use pve_multipath::paths::{self, Configured, Memory};
    use serde::{Deserialize, Serialize};

    use crate::types::Reply;

    /// The outcome of `multipathd show maps json` with what else is known of the maps: what sysfs
    /// says, the node's memory of paths, the cluster's configuration. What could not be read is
    /// undefined.
    #[derive(Deserialize)]
    pub struct MapsArgs<'a> {
        #[serde(borrow)]
        reply: Reply<'a>,
        #[serde(default)]
        block: Option<BlockDevices>,
        #[serde(borrow, default)]
        memory: Option<&'a [u8]>,
        #[serde(borrow, default)]
        config: Option<Config<'a>>,
    }

    /// Maps, and what a person should be told beside them.
    #[derive(Serialize)]
    pub struct Maps<'a> {
        maps: Vec<Map<'a>>,
        warnings: Vec<String>,
    }

    impl<'a> From<Parsed<'a>> for Maps<'a> {
        fn from(parsed: Parsed<'a>) -> Self {
            // With a line feed, so that perl's `warn` does not add where it was called.
            let warnings = parsed
                .warnings()
                .into_iter()
                .map(|text| text + "\n")
                .collect();
            Self {
                maps: parsed.maps,
                warnings,
            }
        }
    }

    /// Either the maps, or why there are none and whether asking again may help.
    #[derive(Serialize)]
    #[serde(untagged)]
    pub enum Answer<'a> {
        Maps(Maps<'a>),
        Error { error: String, transient: u8 },
    }

    /// Parses the text of `multipathd show maps json`.
    #[export]
    pub fn parse_maps_json(json: &[u8]) -> Result<Maps<'_>, Error> {
        Ok(maps::parse(json)?.into())
    }

    /// Reads the outcome of `multipathd show maps json`, completed by what else is known.
    #[export]
    pub fn parse_reply(args: MapsArgs<'_>) -> Answer<'_> {
        let mut parsed = match maps::parse_reply(&args.reply.into(), args.block.as_ref()) {
            Ok(parsed) => parsed,
            Err(error) => {
                return Answer::Error {
                    error: error.to_string(),
                    transient: error.is_transient().into(),
                };
            }
        };
        let configured = args.config.as_ref().map(Configured::of);
        let memory = args.memory.map(Memory::parse).transpose();
        paths::expect(
            &mut parsed.maps,
            configured.as_ref(),
            memory.as_ref().ok().and_then(Option::as_ref),
        );
        let mut maps = Maps::from(parsed);
        if let Err(error) = memory {
            maps.warnings.push(format!(
                "the numbers of paths in paths.json cannot be read: {error}\n"
            ));
        }
        Answer::Maps(maps)
    }

    /// The block devices of which sysfs should be asked.
    #[export]
    pub fn devices(reply: Reply) -> Devices {
        maps::devices(&reply.into())
    }

    /// Whether the outcome of `multipathd show daemon` says that it runs.
    #[export]
    pub fn is_running_reply(reply: Reply) -> u8 {
        maps::daemon_is_running(&reply.into()).into()
    }
}
