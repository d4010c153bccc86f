#[perlmod::package(name = "PVE::RS::Multipath::Maps", lib = "pve_multipath_perl")]
pub mod pve_rs_multipath_maps {
    //! The maps of one node.

    use anyhow::Error;
    use pve_multipath::node::maps::{self, DaemonState, Devices, Map, Parsed};
    use serde::Serialize;

    use crate::types::{NodeMaps, Reply};

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

    /// Parses the text of `multipathd show maps json`.
    #[export]
    pub fn parse_maps_json(json: &[u8]) -> Result<Maps<'_>, Error> {
        Ok(maps::parse(json)?.into())
    }

    /// Reads the outcome of `multipathd show maps json`, completed by what else is known.
    #[export]
    pub fn parse_reply(args: NodeMaps<'_>) -> Result<Maps<'_>, Error> {
        Ok(args.read()?.into())
    }

    /// Whether that outcome is an error and asking again may help.
    #[export]
    pub fn may_try_again(reply: Reply) -> u8 {
        let error = maps::parse_reply(&reply.into(), None).err();
        error.is_some_and(|error| error.is_transient()).into()
    }

    /// The block devices of which sysfs should be asked.
    #[export]
    pub fn devices(reply: Reply) -> Devices {
        maps::devices(&reply.into())
    }

    /// What the outcome of `multipathd show daemon` tells of the daemon.
    #[export]
    pub fn daemon_state(reply: Reply) -> DaemonState {
        maps::daemon_state(&reply.into())
    }
}
