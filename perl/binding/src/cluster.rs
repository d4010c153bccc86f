#[perlmod::package(name = "PVE::RS::Multipath::Cluster", lib = "pve_multipath_perl")]
pub mod pve_rs_multipath_cluster {
    //! The cluster's matrix of health.

    use std::collections::BTreeMap;
    use std::sync::{Mutex, PoisonError};

    use anyhow::Error;
    use perlmod::Value;
    use pve_multipath::cluster::expectations::{self, Expectations, Storage};
    use pve_multipath::cluster::report::Reader;
    use pve_multipath::cluster::status::{self, AggregateArgs, Matrix, Status, StatusArgs};
    use pve_multipath::metrics::{self, Format};
    use pve_multipath::wire::byte_string::ByteString;
    use pve_multipath::{NodeName, NodeSet, Wwid};

    use crate::types::Bytes;

    perlmod::declare_magic!(Box<Reports> : &Reports as "PVE::RS::Multipath::Cluster");

    /// The reports of the last call, so that those that did not change are not decoded again.
    pub struct Reports(Mutex<Reader>);

    impl Reports {
        fn status(&self, args: &StatusArgs) -> Status {
            let mut reader = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            status::status_with(args, &mut reader)
        }
    }

    /// For a process that asks for the status several times: what it remembers.
    #[export(raw_return)]
    pub fn new(#[raw] class: Value) -> Result<Value, Error> {
        let reports = Box::new(Reports(Mutex::default()));
        Ok(perlmod::instantiate_magic!(&class, MAGIC => reports))
    }

    /// The answer to a request for the cluster's status, as data.
    #[export]
    pub fn status(#[try_from_ref] this: &Reports, args: StatusArgs) -> Status {
        this.status(&args)
    }

    /// The answer to a request for the cluster's status, as JSON.
    #[export]
    pub fn status_json(#[try_from_ref] this: &Reports, args: StatusArgs) -> Bytes<'static> {
        this.status(&args).to_json().into()
    }

    /// The cluster's status as text for Prometheus and others.
    #[export]
    pub fn metrics(
        #[try_from_ref] this: &Reports,
        args: StatusArgs,
        format: Format,
    ) -> Bytes<'static> {
        metrics::of_cluster(&this.status(&args), format).into()
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
