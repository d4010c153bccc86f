#[perlmod::package(name = "PVE::RS::Multipath::Render", lib = "pve_multipath_perl")]
pub mod pve_rs_multipath_render {
    //! The drop-ins for multipathd.

    use std::collections::BTreeMap;

    use anyhow::{Error, anyhow};
    use pve_multipath::Wwid;
    use pve_multipath::config::Value;
    use pve_multipath::config::knobs::SectionType;
    use pve_multipath::config::settings::{InvalidSettings, Settings};
    use pve_multipath::multipath_conf::render;
    use pve_multipath::wire::byte_string::ByteString;

    use crate::types;

    pub type Values<'a> = BTreeMap<ByteString<'a>, Value<'a>>;

    /// The drop-in with the global knobs.
    #[export]
    pub fn defaults(values: Values, version: Value) -> Result<String, Error> {
        let settings = settings(SectionType::Defaults, values)?;
        Ok(render::defaults(
            &settings,
            types::tools_version(&version)?,
        )?)
    }

    /// The section `multipaths`, from LUNs by WWID.
    #[export]
    pub fn multipaths(
        luns: BTreeMap<ByteString, Values>,
        version: Value,
    ) -> Result<Option<String>, Error> {
        Ok(render::multipaths(
            &all(luns)?,
            types::tools_version(&version)?,
        )?)
    }

    /// The drop-in with the LUNs' aliases and knobs.
    #[export]
    pub fn aliases(
        luns: BTreeMap<ByteString, Values>,
        version: Value,
    ) -> Result<Option<String>, Error> {
        Ok(render::aliases(
            &all(luns)?,
            types::tools_version(&version)?,
        )?)
    }

    pub fn all(luns: BTreeMap<ByteString, Values>) -> Result<BTreeMap<Wwid, Settings>, Error> {
        let lun = |(id, values): (ByteString, Values)| {
            let settings =
                settings(SectionType::Wwid, values).map_err(|err| anyhow!("WWID '{id}': {err}"))?;
            Ok((Wwid::new(id.as_str())?, settings))
        };
        luns.into_iter().map(lun).collect()
    }

    pub fn settings(section: SectionType, values: Values) -> Result<Settings, InvalidSettings> {
        let text = |value: &Value| Some(value.to_text()?.into_owned());
        Settings::from_values(section, values.iter().map(|(k, v)| (k.as_str(), text(v))))
    }
}

use anyhow::Error;
use pve_multipath::Wwid;
use pve_multipath::config::knobs::SectionType;
use pve_multipath::config::settings::Settings;
use pve_multipath::wire::byte_string::ByteString;

use pve_rs_multipath_render::Values;

/// Settings of the defaults and of LUNs by WWID.
pub fn settings_of(
    defaults: Values,
    luns: std::collections::BTreeMap<ByteString, Values>,
) -> Result<(Settings, std::collections::BTreeMap<Wwid, Settings>), Error> {
    let defaults = pve_rs_multipath_render::settings(SectionType::Defaults, defaults)?;
    Ok((defaults, pve_rs_multipath_render::all(luns)?))
}
