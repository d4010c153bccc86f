#[perlmod::package(name = "PVE::RS::Multipath::Paths", lib = "pve_multipath_perl")]
pub mod pve_rs_multipath_paths {
    //! How many paths each LUN should have on a node.

    use anyhow::Error;
    use pve_multipath::Wwid;
    use pve_multipath::config::Config;
    use pve_multipath::node::paths::{self, Configured, Learning, MapPaths, Memory};
    use pve_multipath::wire::scalar::Scalar;
    use serde::{Deserialize, Serialize};

    use crate::types::Bytes;

    #[derive(Deserialize)]
    pub struct ObserveArgs<'a> {
        #[serde(borrow)]
        maps: Vec<MapPaths<'a>>,
        /// The text of the node's memory.
        memory: &'a [u8],
        /// What the last call gave.
        #[serde(borrow, default)]
        learning: Option<&'a [u8]>,
        #[serde(borrow, default)]
        config: Option<Config<'a>>,
        #[serde(borrow)]
        now: Scalar<'a>,
    }

    #[derive(Serialize)]
    pub struct Observed {
        /// The new text of the memory; undefined where it has not changed.
        memory: Option<Bytes<'static>>,
        /// For the next call.
        learning: Bytes<'static>,
    }

    #[derive(Deserialize)]
    pub struct AcceptArgs<'a> {
        memory: &'a [u8],
        #[serde(borrow, default)]
        config: Option<Config<'a>>,
        #[serde(borrow)]
        wwid: Scalar<'a>,
        #[serde(borrow)]
        paths: Scalar<'a>,
    }

    /// The text of a memory without any LUN.
    #[export]
    pub fn empty() -> Bytes<'static> {
        Memory::default().to_json().into()
    }

    /// Looks at a node's maps: remembers what has settled, forgets what is not wanted any more.
    #[export]
    pub fn observe(args: ObserveArgs) -> Result<Observed, Error> {
        let before = Memory::parse(args.memory)?;
        let mut memory = before.clone();
        let mut learning = Learning::parse(args.learning);
        let configured = args.config.as_ref().map(Configured::of);
        let present = paths::active_paths(&args.maps);
        let now = args.now.as_int().unwrap_or(0);
        learning.observe(&mut memory, &present, configured.as_ref(), now);
        Ok(Observed {
            memory: (memory != before).then(|| memory.to_json().into()),
            learning: learning.to_json().into(),
        })
    }

    /// The text of the memory with the present number of paths of a LUN, as an administrator accepts
    /// it.
    #[export]
    pub fn accept(args: AcceptArgs) -> Result<Bytes<'static>, Error> {
        let mut memory = Memory::parse(args.memory)?;
        let configured = args.config.as_ref().map(Configured::of);
        let wwid = Wwid::new(&args.wwid.as_text().unwrap_or_default())?;
        let paths = args
            .paths
            .as_int()
            .and_then(|paths| u32::try_from(paths).ok());
        paths::accept(&mut memory, configured.as_ref(), &wwid, paths.unwrap_or(0))?;
        Ok(memory.to_json().into())
    }
}
