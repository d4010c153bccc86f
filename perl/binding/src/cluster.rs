#[perlmod::package(name = "PVE::RS::Multipath::Cluster", lib = "pve_multipath_perl")]
pub mod pve_rs_multipath_cluster {
    //! The cluster's matrix of health.

    use std::collections::BTreeMap;

    use anyhow::Error;
    use pve_multipath::cluster::expectations::{self, Expectations, Storage};
    use pve_multipath::cluster::status::{self, AggregateArgs, Matrix, Status, StatusArgs};
    use pve_multipath::wire::byte_string::ByteString;
    use pve_multipath::{NodeName, NodeSet, Wwid};

    use crate::types::Bytes;

    /// The answer to a request for the cluster's status, as data.
    #[export]
    pub fn status(args: StatusArgs) -> Status {
        status::status(&args)
    }

    /// The answer to a request for the cluster's status, as JSON.
    #[export]
    pub fn status_json(args: StatusArgs) -> Bytes<'static> {
        status::status(&args).to_json().into()
    }

    /// The roll-up alone, where the caller knows who is online.
    #[export]
    pub fn aggregate(args: AggregateArgs) -> Matrix {
        status::aggregate(&args)
    }

    /// Which nodes should carry which LUN, from the storages' configuration.
    #[export]
    pub fn storage_expectations(
        ids: Option<BTreeMap<String, Storage>>,
        nodelist: Option<NodeSet>,
    ) -> Expectations {
        expectations::storage_expectations(&ids.unwrap_or_default(), &nodelist.unwrap_or_default())
    }

    /// Whether a node should carry one of these LUNs.
    #[export]
    pub fn expects_any(
        ids: Option<BTreeMap<String, Storage>>,
        nodelist: Option<NodeSet>,
        node: &str,
        wwids: Vec<ByteString>,
    ) -> Result<bool, Error> {
        let expectations = storage_expectations(ids, nodelist);
        let wwids = wwids
            .iter()
            .filter_map(|wwid| Wwid::new(wwid.as_str()).ok());
        let wwids: Vec<Wwid> = wwids.collect();
        Ok(expectations.expect_any(&NodeName::new(node)?, &wwids))
    }
}
