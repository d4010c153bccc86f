#[perlmod::package(name = "PVE::RS::Multipath::Metrics", lib = "pve_multipath_perl")]
pub mod pve_rs_multipath_metrics {
    //! The state of the cluster and of a node as OpenMetrics text.

    use anyhow::Error;
    use pve_multipath::NodeName;
    use pve_multipath::cluster::status::{self, StatusArgs};
    use pve_multipath::wire::scalar::Scalar;
    use serde::Deserialize;

    use crate::types::{Bytes, NodeMaps};

    #[derive(Deserialize)]
    pub struct MetricsArgs<'a> {
        /// What `status` takes.
        #[serde(borrow)]
        status: StatusArgs<'a>,
        /// Name of the node whose multipathd was asked; none for the cluster alone.
        #[serde(borrow, default)]
        node: Option<Scalar<'a>>,
        /// What it answered; none if it could not be asked.
        #[serde(borrow, default)]
        maps: Option<NodeMaps<'a>>,
    }

    /// The text, with UTF-8.
    #[export]
    pub fn openmetrics(args: MetricsArgs) -> Result<Bytes<'static>, Error> {
        let status = status::status(&args.status);
        let name = |node: Scalar| NodeName::new(&node.as_text().unwrap_or_default());
        let node = args.node.map(name).transpose()?;
        let maps = args.maps.and_then(|maps| maps.read().ok());
        let maps = maps.map(|parsed| parsed.maps);
        let node = node.as_ref().map(|node| (node, maps.as_deref()));
        let text = pve_multipath::metrics::openmetrics(&status, node);
        Ok(text.into())
    }
}
