#[perlmod::package(name = "PVE::RS::Multipath::Reporter", lib = "pve_multipath_perl")]
pub mod pve_rs_multipath_reporter {
    //! The passes of a node's daemon: an object that a process keeps from one pass to the next.

    use std::collections::BTreeMap;
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use anyhow::Error;
    use perlmod::Value;
    use pve_multipath::node::applied::AppliedFile;
    use pve_multipath::node::maps::{DaemonState, SysfsFacts};
    use pve_multipath::node::plan::Certainty;
    use pve_multipath::node::ports::PortFacts;
    use pve_multipath::pass::{self, Facts};
    use pve_multipath::wire::scalar::Scalar;
    use serde::{Deserialize, Serialize};

    use crate::broadcast::pve_rs_multipath_broadcast::{Known, Write, writes};
    use crate::candidates::pve_rs_multipath_candidates::NodeArgs;
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
    #[serde(rename_all = "kebab-case")]
    pub struct ReportArgs<'a> {
        /// Why multipathd has not answered, if so.
        #[serde(borrow, default)]
        silent: Scalar<'a>,
        #[serde(default)]
        sysfs: SysfsFacts,
        #[serde(default)]
        ports: PortFacts,
        #[serde(borrow, default)]
        tools_version: Scalar<'a>,
        /// `applied.json`; undefined if there is none.
        #[serde(borrow, default)]
        applied: Option<&'a [u8]>,
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
        has_absent: u8,
        warnings: Vec<String>,
    }

    /// A reporter that has not read anything yet.
    #[export(raw_return)]
    pub fn new(#[raw] class: Value) -> Result<Value, Error> {
        let reporter = Box::new(Reporter(Mutex::default()));
        Ok(perlmod::instantiate_magic!(&class, MAGIC => reporter))
    }

    /// Goes on from the values that the node has published, by key.
    #[export]
    pub fn resume(#[try_from_ref] this: &Reporter, values: BTreeMap<String, Option<&[u8]>>) {
        this.get().resume(|key| values.get(key).copied().flatten());
    }

    /// Reads the outcome of `multipathd show maps json`.
    #[export]
    pub fn read(#[try_from_ref] this: &Reporter, reply: Reply) -> Read {
        this.get().read(&reply.into()).cloned().into()
    }

    /// Reports the maps that were read last.
    #[export]
    pub fn report(#[try_from_ref] this: &Reporter, args: ReportArgs) -> Outcome {
        let tools_version = args.tools_version.as_text();
        let outcome = this.get().report(&Facts {
            silent: args.silent.as_str().and_then(DaemonState::from_name),
            sysfs: args.sysfs,
            ports: args.ports,
            tools_version: tools_version.as_deref(),
            applied: args.applied,
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
            has_absent: outcome.has_absent.into(),
            warnings: warnings.map(|text| text + "\n").collect(),
        }
    }

    /// Looks for the reasons why LUNs have no maps, for the next report.
    #[export]
    pub fn explain(
        #[try_from_ref] this: &Reporter,
        candidates: NodeArgs,
        wwids: Option<File>,
    ) -> Result<(), Error> {
        let (inputs, _) = candidates.read(None)?;
        this.get().explain(&inputs, &content(wwids));
        Ok(())
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

    #[derive(Deserialize)]
    pub struct AppliedArgs<'a> {
        #[serde(borrow, default)]
        before: Option<&'a [u8]>,
        config: &'a [u8],
        overrides: &'a [u8],
        /// What another file overrides; undefined if that was not looked at.
        #[serde(borrow, default)]
        drift: Option<Vec<&'a [u8]>>,
        #[serde(borrow)]
        changed: Scalar<'a>,
        #[serde(borrow)]
        now: Scalar<'a>,
    }

    /// The new text of `applied.json` after a pass; nothing if it does not change.
    #[export]
    pub fn applied(args: AppliedArgs) -> Option<Bytes<'static>> {
        let texts = [args.config, args.overrides];
        let (changed, now) = (args.changed.is_true(), args.now.as_int().unwrap_or(0));
        AppliedFile::after(args.before, texts, args.drift.as_deref(), changed, now).map(Bytes::from)
    }
}
