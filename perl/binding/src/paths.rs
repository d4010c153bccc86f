#[perlmod::package(name = "PVE::RS::Multipath::Paths", lib = "pve_multipath_perl")]
pub mod pve_rs_multipath_paths {
    //! How many paths each LUN should have on a node.

    use anyhow::Error;
    use pve_multipath::Wwid;
    use pve_multipath::config::Config;
    use pve_multipath::node::paths::{self, Configured, Memory};
    use pve_multipath::wire::scalar::Scalar;
    use serde::Deserialize;

    use crate::types::Bytes;

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
