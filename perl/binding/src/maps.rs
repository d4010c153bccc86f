#[perlmod::package(name = "PVE::RS::Multipath::Maps", lib = "pve_multipath_perl")]
pub mod pve_rs_multipath_maps {
    //! The maps of one node.

    use anyhow::Error;
    use pve_multipath::maps::{self, BlockDevices, Devices, Map, Parsed};
    use serde::Serialize;

    use crate::types::Reply;

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

    /// Reads the outcome of `multipathd show maps json`, completed by what sysfs says.
    #[export]
    pub fn parse_reply(reply: Reply<'_>, block: Option<BlockDevices>) -> Answer<'_> {
        match maps::parse_reply(&reply.into(), block.as_ref()) {
            Ok(parsed) => Answer::Maps(parsed.into()),
            Err(error) => Answer::Error {
                error: error.to_string(),
                transient: error.is_transient().into(),
            },
        }
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
