#[perlmod::package(name = "PVE::RS::Multipath::Reporter", lib = "pve_multipath_perl")]
pub mod pve_rs_multipath_reporter {
    //! The passes of a node's daemon. Perl has the number of a reporter, from `create` to `release`.

    use anyhow::Error;
    use pve_multipath::node::maps::SysfsFacts;
    use pve_multipath::node::plan::Certainty;
    use pve_multipath::pass::{Facts, Reporter};
    use serde::{Deserialize, Serialize};

    use crate::broadcast::pve_rs_multipath_broadcast::{Known, Write, writes};
    use crate::kept::Kept;
    use crate::maps::pve_rs_multipath_maps::Read;
    use crate::types::{Bytes, File, Reply, content};

    static REPORTERS: Kept<Reporter> = Kept::new();

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

    /// A new reporter. Returns its number.
    #[export]
    pub fn create() -> u64 {
        REPORTERS.keep(Reporter::default())
    }

    /// Drops a reporter.
    #[export]
    pub fn release(reporter: u64) {
        REPORTERS.release(reporter);
    }

    /// Reads the outcome of `multipathd show maps json`.
    #[export]
    pub fn read(reporter: u64, reply: Reply) -> Result<Read, Error> {
        REPORTERS.with(reporter, |reporter| {
            reporter.read(&reply.into()).cloned().into()
        })
    }

    /// Reports the maps that were read last.
    #[export]
    pub fn report(reporter: u64, args: ReportArgs) -> Result<Outcome, Error> {
        let facts = Facts {
            sysfs: args.sysfs,
            config: args.config,
            config_is: args.certainty,
            memory: content(args.memory),
            last: args.known.last(),
            now: args.known.now(),
        };
        let outcome = REPORTERS.with(reporter, |reporter| reporter.report(&facts))?;
        Ok(Outcome {
            values: writes(outcome.values),
            has_learned: outcome.has_learned.into(),
            warnings: outcome
                .warnings
                .into_iter()
                .map(|text| text + "\n")
                .collect(),
        })
    }

    /// The new text of `paths.json` from its present content; nothing if it does not change.
    #[export]
    pub fn remember(reporter: u64, memory: Option<File>) -> Result<Option<Bytes<'static>>, Error> {
        let memory = content(memory);
        let text = REPORTERS.with(reporter, |reporter| reporter.remember(&memory))??;
        Ok(text.map(Bytes::from))
    }
}
