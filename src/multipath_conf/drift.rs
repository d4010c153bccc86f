//! Whether the configured values are in force.

use std::collections::BTreeMap;

use serde::Serialize;

use super::conf_values::{ConfValues, effective};
use super::keywords::{ConfSection, Keyword};
use super::values::{self, Attributes, Stored};
use crate::Wwid;
use crate::config::settings::{Setting, Settings};
use crate::types::tools_version::ToolsVersion;

/// A configured value that is not in force, since another file sets it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Drift {
    /// The LUN; `None` for a global knob.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wwid: Option<Wwid>,
    /// The knob.
    pub knob: &'static str,
    /// The configured value, as multipathd prints it.
    pub wanted: String,
    /// The value in force; `None` if there is none.
    pub found: Option<String>,
}

/// Lists the configured values that are not in force.
///
/// `found` is what multipathd says (`multipathd show config local`). Values that the section
/// `defaults` of the administrator's overrides sets are left out, since these are meant to win, and
/// so are knobs that this version of multipath-tools ignores.
pub fn drift(
    defaults: &Settings,
    luns: &BTreeMap<Wwid, Settings>,
    overrides: &[u8],
    found: &ConfValues,
    version: ToolsVersion,
) -> Vec<Drift> {
    let mut drifts = Vec::new();
    let overridden = effective(&[overrides], version).defaults;
    for setting in defaults.iter() {
        let keyword = setting.knob().keyword;
        if !keyword.is_some_and(|keyword| overridden.contains_key(keyword)) {
            let found = Some(&found.defaults);
            drifts.extend(of(None, setting, ConfSection::Defaults, found, version));
        }
    }
    let entries: BTreeMap<&str, &Attributes> = found
        .multipaths
        .iter()
        .filter_map(|entry| Some((entry.get("wwid")?.as_str(), entry)))
        .collect();
    for (wwid, settings) in luns {
        let entry = entries.get(wwid.as_str()).copied();
        for setting in settings.iter() {
            drifts.extend(of(
                Some(wwid),
                setting,
                ConfSection::Multipath,
                entry,
                version,
            ));
        }
    }
    drifts
}

fn of(
    wwid: Option<&Wwid>,
    setting: &Setting,
    section: ConfSection,
    found: Option<&Attributes>,
    version: ToolsVersion,
) -> Option<Drift> {
    let knob = setting.knob();
    let keyword = Keyword::find(knob.keyword?.as_bytes(), section)?;
    if knob.is_ignored_by(version) {
        return None;
    }
    let value = setting.to_text();
    let read = values::read(keyword.name, keyword.syntax_in(version)?, &value);
    let Stored::Value(wanted) = read.stored else {
        return None;
    };
    let wanted = wanted.into_owned();
    let found = found.and_then(|values| values.get(keyword.name)).cloned();
    (found.as_ref() != Some(&wanted)).then(|| Drift {
        wwid: wwid.cloned(),
        knob: knob.name,
        wanted,
        found,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{effective_defaults, luns, parse};

    // Excerpts of what 'multipathd show config local' prints.
    #[test]
    fn values_of_other_files_are_drift() {
        let text = b"defaults: defaults\n\tno-path-retry 18\n\nwwid: 3600a\n\talias one\n";
        let config = parse("multipath.cfg", text).config;
        let drifts = |overrides: &[u8], dump: &[u8]| {
            let found = ConfValues::from_dump(dump).unwrap_or_default();
            let version = ToolsVersion::new(0, 11, 1);
            let knob = effective_defaults(&config).remove("no-path-retry");
            let defaults = knob.into_iter().collect();
            drift(&defaults, &luns(&config), overrides, &found, version)
                .into_iter()
                .map(|drift| (drift.knob, drift.wanted, drift.found))
                .collect::<Vec<_>>()
        };
        let good = b"defaults {\n\tno_path_retry 18\n}\n\
                     multipaths {\n\tmultipath {\n\t\twwid \"3600a\"\n\t\talias \"one\"\n\t}\n}\n";
        assert_eq!(drifts(b"", good), []);
        let other = b"defaults {\n\tno_path_retry \"fail\"\n}\n";
        let alias = ("alias", "one".to_owned(), None);
        let retry = ("no-path-retry", "18".to_owned(), Some("fail".to_owned()));
        assert_eq!(drifts(b"", other), [retry, alias.clone()]);
        assert_eq!(
            drifts(b"defaults {\n\tno_path_retry fail\n}\n", other),
            [alias]
        );
    }
}
