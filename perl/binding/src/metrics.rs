#[perlmod::package(name = "PVE::RS::Multipath::Metrics", lib = "pve_multipath_perl")]
pub mod pve_rs_multipath_metrics {
    //! The state of a node as text for Prometheus and others.

    use anyhow::Error;
    use pve_multipath::NodeName;
    use pve_multipath::metrics::{self, Format};

    use crate::types::{Bytes, NodeMaps};

    /// The series of a node, with what its multipathd answered; none if it could not be asked. The text has
    /// UTF-8.
    #[export]
    pub fn of_node(
        node: &str,
        maps: Option<NodeMaps>,
        format: Format,
    ) -> Result<Bytes<'static>, Error> {
        let maps = maps.and_then(|maps| maps.read().ok());
        let maps = maps.map(|parsed| parsed.maps);
        Ok(metrics::of_node(&NodeName::new(node)?, maps.as_deref(), format).into())
    }
}
