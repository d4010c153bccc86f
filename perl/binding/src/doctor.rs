#[perlmod::package(name = "PVE::RS::Multipath::Doctor", lib = "pve_multipath_perl")]
pub mod pve_rs_multipath_doctor {
    //! Why LUNs are missing.

    use anyhow::Error;
    use pve_multipath::cluster::doctor::{self, Facts, Finding, Here};
    use pve_multipath::cluster::status::StatusArgs;
    use pve_multipath::config::{self, Config};
    use pve_multipath::node::boot::{Initramfs, boot_risk};
    use pve_multipath::node::uses;
    use pve_multipath::types::absence::Told;
    use pve_multipath::wire::byte_string::ByteString;
    use pve_multipath::wire::scalar::Scalar;
    use pve_multipath::{NodeName, Wwid};
    use serde::Deserialize;

    use crate::candidates::pve_rs_multipath_candidates::NodeArgs;
    use crate::types::{self, File, Reply};

    /// A reason of the status in words; nothing if it does not tell why a node has no map.
    #[export]
    pub fn absence_text(reason: Told) -> Option<String> {
        Some(reason.0?.to_string())
    }

    /// The details of a node.
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub struct HereArgs<'a> {
        #[serde(borrow, default)]
        daemon: Option<Reply<'a>>,
        #[serde(borrow)]
        candidates: NodeArgs<'a>,
        #[serde(borrow)]
        uses: uses::Facts<'a>,
        #[serde(borrow, default)]
        wwids: Option<File<'a>>,
        #[serde(borrow, default)]
        changes: Scalar<'a>,
        #[serde(default)]
        errors: Vec<String>,
        #[serde(default)]
        drift: Vec<String>,
        #[serde(default)]
        initramfs: Option<Initramfs>,
    }

    /// Everything that keeps LUNs from being there, of one LUN or of all.
    #[export]
    pub fn findings(
        node: &str,
        lun: Option<ByteString<'_>>,
        config: Config<'_>,
        here: Option<HereArgs<'_>>,
        status: Option<StatusArgs<'_>>,
        unread: Vec<String>,
    ) -> Result<Vec<Finding>, Error> {
        let here = here.map(|here| {
            let (inputs, unread) = here.candidates.read(Some(&config))?;
            Ok::<_, Error>(Here {
                daemon: here.daemon.map(Into::into),
                inputs,
                unread,
                wwids_file: types::content(here.wwids),
                pending: here.changes.is_true(),
                errors: here.errors,
                drift: here.drift,
                boot: boot_risk(&here.uses, here.initramfs.as_ref()),
            })
        });
        Ok(doctor::findings(&Facts {
            node: NodeName::new(node)?,
            allow_list: config::allow_list(&config),
            lun: lun.map(|lun| Wwid::new(lun.as_str())).transpose()?,
            here: here.transpose()?,
            status,
            unread,
        }))
    }
}
