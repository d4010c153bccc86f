#[perlmod::package(name = "PVE::RS::Multipath::Overrides", lib = "pve_multipath_perl")]
pub mod pve_rs_multipath_overrides {
    //! The administrator's multipath.conf text.

    use std::collections::BTreeMap;

    use anyhow::Error;
    use pve_multipath::Wwid;
    use pve_multipath::config::Value;
    use pve_multipath::multipath_conf::{
        self, ConfValues, Drift, Finding, VERSIONS, render as drop_ins,
    };
    use pve_multipath::types::tools_version::ToolsVersion;
    use pve_multipath::wire::byte_string::ByteString;
    use serde::Serialize;

    use crate::render;
    use crate::types::{self, Bytes};

    /// A finding, with message, advice and versions as one text.
    #[derive(Serialize)]
    pub struct WithText {
        #[serde(flatten)]
        finding: Finding,
        text: String,
    }

    impl From<Finding> for WithText {
        fn from(finding: Finding) -> Self {
            let text = finding.to_string();
            Self { finding, text }
        }
    }

    /// Checks a text for a version of multipath-tools, or for all that are supported. Entries of the
    /// allow-list that are not valid WWIDs are left out.
    #[export]
    pub fn check(
        text: &[u8],
        version: Value,
        allow_list: Option<Vec<ByteString>>,
    ) -> Result<Vec<WithText>, Error> {
        let version = types::tools_version(&version)?;
        let versions = version.as_ref().map_or(&VERSIONS[..], std::slice::from_ref);
        let allow_list = allow_list.into_iter().flatten();
        let allow_list: Vec<Wwid> = allow_list
            .filter_map(|wwid| Wwid::new(wwid.as_str()).ok())
            .collect();
        let findings = multipath_conf::check(text, versions, &allow_list);
        Ok(findings.into_iter().map(WithText::from).collect())
    }

    /// The supported versions of multipath-tools.
    #[export]
    pub fn versions() -> [ToolsVersion; 3] {
        VERSIONS
    }

    /// The text as it is stored.
    #[export]
    pub fn trimmed(text: &[u8]) -> Bytes<'static> {
        multipath_conf::trimmed(text).into()
    }

    /// The drop-in with the text, unless it is empty.
    #[export]
    pub fn drop_in(text: &[u8]) -> Option<Bytes<'static>> {
        drop_ins::overrides(text).map(Bytes::from)
    }

    /// SHA-1 of the text.
    #[export]
    pub fn digest(text: &[u8]) -> String {
        multipath_conf::digest(text)
    }

    /// Parses a configuration as multipathd prints it.
    #[export]
    pub fn read_dump(text: &[u8]) -> Result<ConfValues, Error> {
        Ok(ConfValues::from_dump(text)?)
    }

    /// The configured values that are not in force, given what multipathd has printed.
    #[export]
    pub fn drift(
        defaults: BTreeMap<ByteString, Value>,
        luns: BTreeMap<ByteString, BTreeMap<ByteString, Value>>,
        overrides: &[u8],
        dump: &[u8],
        version: Value,
    ) -> Result<Vec<Drift>, Error> {
        let version = types::tools_version(&version)?.unwrap_or(VERSIONS[0]);
        let (defaults, luns) = render::settings_of(defaults, luns)?;
        let found = ConfValues::from_dump(dump)?;
        Ok(multipath_conf::drift(
            &defaults, &luns, overrides, &found, version,
        ))
    }
}
