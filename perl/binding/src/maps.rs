#[perlmod::package(name = "PVE::RS::Multipath::Maps", lib = "pve_multipath_perl")]
pub mod pve_rs_multipath_maps {
    //! The maps of one node.

    use anyhow::Error;
    use pve_multipath::node::maps::{self, DaemonState, Map, ReplyError, WantedDevices};
    use serde::Serialize;

    use crate::types::{NodeMaps, Reply};

    /// Maps, and warnings for an administrator.
    #[derive(Serialize)]
    pub struct Maps {
        maps: Vec<Map>,
        warnings: Vec<String>,
    }

    impl Maps {
        fn new(maps: Vec<Map>, warnings: Vec<String>) -> Self {
            // With a line feed, so that perl's `warn` does not add where it was called.
            let warnings = warnings.into_iter().map(|text| text + "\n").collect();
            Self { maps, warnings }
        }
    }

    /// The devices to look up, or why there are no maps, and whether asking again may help.
    #[derive(Default, Serialize)]
    #[serde(rename_all = "kebab-case")]
    pub struct Read {
        devices: WantedDevices,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
        try_again: u8,
    }

    impl From<Result<WantedDevices, ReplyError>> for Read {
        fn from(read: Result<WantedDevices, ReplyError>) -> Self {
            match read {
                Ok(devices) => Self {
                    devices,
                    ..Self::default()
                },
                Err(error) => Self {
                    try_again: error.is_transient().into(),
                    error: Some(format!("{error}\n")),
                    ..Self::default()
                },
            }
        }
    }

    /// Parses the text of `multipathd show maps json`.
    #[export]
    pub fn parse_maps_json(json: &[u8]) -> Result<Maps, Error> {
        let list = maps::parse(json)?;
        let warnings = list.warnings();
        Ok(Maps::new(list.maps, warnings))
    }

    /// Reads the outcome of `multipathd show maps json`, completed by what else is known.
    #[export]
    pub fn parse_reply(args: NodeMaps<'_>) -> Result<Maps, Error> {
        let read = args.read()?;
        Ok(Maps::new(read.maps, read.warnings))
    }

    /// The block devices to look up in sysfs, or why there are no maps.
    #[export]
    pub fn read(reply: Reply) -> Read {
        maps::wanted_devices(&reply.into()).into()
    }

    /// The state of the daemon, from the outcome of `multipathd show daemon`.
    #[export]
    pub fn daemon_state(reply: Reply) -> DaemonState {
        maps::daemon_state(&reply.into())
    }
}
