#[perlmod::package(name = "PVE::RS::Multipath::Uses", lib = "pve_multipath_perl")]
pub mod pve_rs_multipath_uses {
    //! Who uses a LUN.

    use std::collections::BTreeMap;
    use std::sync::{Mutex, PoisonError};

    use anyhow::Error;
    use perlmod::Value;
    use pve_multipath::Wwid;
    use pve_multipath::cluster::report::UsesReporter;
    use pve_multipath::cluster::uses::{Obstacle, Reach, Refusal, Users};
    use pve_multipath::node::uses::{self, Described, Facts, Input, NodeUses};
    use serde::{Serialize, Serializer};

    use crate::broadcast::pve_rs_multipath_broadcast::{Known, Write, writes};
    use crate::types::NodeMaps;

    perlmod::declare_magic!(Box<Reporter> : &Reporter as "PVE::RS::Multipath::Uses");

    /// What a daemon keeps from one look at the uses to the next.
    pub struct Reporter(Mutex<UsesReporter>);

    /// The uses of a node's LUNs with their phrases, and what could not be read.
    pub struct WithTexts(NodeUses);

    impl Serialize for WithTexts {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            #[derive(Serialize)]
            struct Form<'u> {
                maps: BTreeMap<&'u Wwid, Vec<Described<'u>>>,
                unread: &'u BTreeMap<Input, String>,
            }

            let maps = self.0.described();
            let unread = &self.0.unread;
            Form { maps, unread }.serialize(serializer)
        }
    }

    /// A reporter that has not looked yet.
    #[export(raw_return)]
    pub fn new(#[raw] class: Value) -> Result<Value, Error> {
        let reporter = Box::new(Reporter(Mutex::default()));
        Ok(perlmod::instantiate_magic!(&class, MAGIC => reporter))
    }

    /// What to write in which order to publish the uses of a node's LUNs; nothing if the peers know.
    #[export]
    pub fn publish(
        #[try_from_ref] this: &Reporter,
        facts: Facts<'_>,
        known: Known<'_>,
    ) -> Result<Vec<Write>, Error> {
        let mut reporter = this.0.lock().unwrap_or_else(PoisonError::into_inner);
        let uses = uses::node_uses(&facts);
        Ok(writes(reporter.report(uses, known.now(), known.last())?))
    }

    /// The uses of a node's LUNs.
    #[export]
    pub fn of_node(facts: Facts<'_>) -> WithTexts {
        WithTexts(uses::node_uses(&facts))
    }

    /// How LUNs are reached over iSCSI, from the outcome of `multipathd show maps json`.
    #[export]
    pub fn reach(args: NodeMaps<'_>) -> Result<Reach, Error> {
        Ok(Reach::of(&args.read()?.maps))
    }

    /// The uses of all LUNs by the storages, guests and nodes that are handed in.
    #[export]
    pub fn of_cluster(users: Users<'_>) -> Result<BTreeMap<Wwid, Vec<Obstacle>>, Error> {
        Ok(users.uses()?)
    }

    /// Why a LUN must not be taken away.
    #[export]
    pub fn refusal(wwid: &str, users: Users<'_>) -> Result<Option<Refusal>, Error> {
        Ok(users.refusal(wwid)?)
    }
}
