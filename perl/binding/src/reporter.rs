#[perlmod::package(name = "PVE::RS::Multipath::Reporter", lib = "pve_multipath_perl")]
pub mod pve_rs_multipath_reporter {
    //! The passes of a node's daemon: an object that a process keeps from one pass to the next.

    use std::sync::{Mutex, MutexGuard, PoisonError};

    use anyhow::Error;
    use perlmod::Value;
    use pve_multipath::node::maps::SysfsFacts;
    use pve_multipath::node::plan::Certainty;
    use pve_multipath::pass::{self, Facts};
    use serde::{Deserialize, Serialize};

    use crate::broadcast::pve_rs_multipath_broadcast::{Known, Write, writes};
    use crate::maps::pve_rs_multipath_maps::Read;
    use crate::types::{Bytes, File, Reply, content};

    perlmod::declare_magic!(Box<Reporter> : &Reporter as "PVE::RS::Multipath::Reporter");

    pub struct Reporter(Mutex<pass::Reporter>);

    impl Reporter {
        fn get(&self) -> MutexGuard<'_, pass::Reporter> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    #[derive(Deserialize)]
    pub struct ReportArgs<'a> {
        sysfs: SysfsFacts,
        /// The text of `multipath.cfg`; undefined if it could not be read.
        #[serde(borrow, default)]
        config: Option<&'a [u8]>,
        #[serde(default)]
        certainty: Certainty,
        /// `paths.json`; undefined if there is none.
        #[serde(borrow, default)]
        memory: Option<File<'a>>,
        #[serde(borrow)]
        known: Known<'a>,
    }

    #[derive(Serialize)]
    #[serde(rename_all = "kebab-case")]
    pub struct Outcome {
        values: Vec<Write>,
        has_learned: u8,
        warnings: Vec<String>,
    }

    /// A reporter that has not read anything yet.
    #[export(raw_return)]
    pub fn new(#[raw] class: Value) -> Result<Value, Error> {
        let reporter = Box::new(Reporter(Mutex::default()));
        Ok(perlmod::instantiate_magic!(&class, MAGIC => reporter))
    }

    /// Reads the outcome of `multipathd show maps json`.
    #[export]
    pub fn read(#[try_from_ref] this: &Reporter, reply: Reply) -> Read {
        this.get().read(&reply.into()).cloned().into()
    }

    /// Reports the maps that were read last.
    #[export]
    pub fn report(#[try_from_ref] this: &Reporter, args: ReportArgs) -> Outcome {
        let outcome = this.get().report(&Facts {
            sysfs: args.sysfs,
            config: args.config,
            config_is: args.certainty,
            memory: content(args.memory),
            last: args.known.last(),
            now: args.known.now(),
        });
        let warnings = outcome.warnings.into_iter();
        Outcome {
            values: writes(outcome.values),
            has_learned: outcome.has_learned.into(),
            warnings: warnings.map(|text| text + "\n").collect(),
        }
    }

    /// The new text of `paths.json` from its present content; nothing if it does not change.
    #[export]
    pub fn remember(
        #[try_from_ref] this: &Reporter,
        memory: Option<File>,
    ) -> Result<Option<Bytes<'static>>, Error> {
        let text = this.get().remember(&content(memory))?;
        Ok(text.map(Bytes::from))
    }
}
