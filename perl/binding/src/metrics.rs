#[perlmod::package(name = "PVE::RS::Multipath::Metrics", lib = "pve_multipath_perl")]
pub mod pve_rs_multipath_metrics {
    //! The state of the cluster and of a node as OpenMetrics text.

    use anyhow::Error;
    use pve_multipath::NodeName;
    use pve_multipath::cluster::{self, StatusArgs};
    use pve_multipath::scalar::Scalar;
    use serde::Deserialize;

    use crate::types::{Bytes, NodeMaps};

    #[derive(Deserialize)]
    pub struct MetricsArgs<'a> {
        /// What `status` takes.
        #[serde(borrow)]
        status: StatusArgs<'a>,
        /// Name of the node whose multipathd was asked.
        #[serde(borrow)]
        node: Scalar<'a>,
        /// What it answered; none if it could not be asked.
        #[serde(borrow, default)]
        maps: Option<NodeMaps<'a>>,
    }

    /// The text, with UTF-8.
    #[export]
    pub fn openmetrics(args: MetricsArgs) -> Result<Bytes<'static>, Error> {
        let status = cluster::status(&args.status);
        let node = NodeName::new(&args.node.as_text().unwrap_or_default())?;
        let maps = args.maps.and_then(|maps| maps.read().ok());
        let maps = maps.map(|parsed| parsed.maps);
        let text = pve_multipath::metrics::openmetrics(&status, Some((&node, maps.as_deref())));
        Ok(text.into())
    }
}
