//! Whether what was configured is what multipathd has.

use std::collections::BTreeMap;

use serde::Serialize;

use super::effective::{Effective, Values};
use super::keywords::{Keyword, Section};
use super::values::{self, Stored};
use crate::Wwid;
use crate::settings::{Setting, Settings};
use crate::tools_version::ToolsVersion;

/// A value that somebody else's file has changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Drift {
    /// The LUN; none for a global knob.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wwid: Option<Wwid>,
    /// The knob.
    pub knob: &'static str,
    /// The value that was configured, as multipathd prints it.
    pub wanted: String,
    /// The value that multipathd has; none if it has none.
    pub found: Option<String>,
}

/// Lists the configured values that are not in force, from what multipathd says is.
///
/// Knobs that this version of multipath-tools ignores are left out.
pub fn drift(
    defaults: &Settings,
    luns: &BTreeMap<Wwid, Settings>,
    found: &Effective,
    version: ToolsVersion,
) -> Vec<Drift> {
    let mut drifts = Vec::new();
    for setting in defaults.iter() {
        drifts.extend(of(
            None,
            setting,
            Section::Defaults,
            Some(&found.defaults),
            version,
        ));
    }
    let entries: BTreeMap<&str, &Values> = found
        .multipaths
        .iter()
        .filter_map(|entry| Some((entry.get("wwid")?.as_str(), entry)))
        .collect();
    for (wwid, settings) in luns {
        let entry = entries.get(wwid.as_str()).copied();
        for setting in settings.iter() {
            drifts.extend(of(Some(wwid), setting, Section::Multipath, entry, version));
        }
    }
    drifts
}

fn of(
    wwid: Option<&Wwid>,
    setting: &Setting,
    section: Section,
    found: Option<&Values>,
    version: ToolsVersion,
) -> Option<Drift> {
    let knob = setting.knob();
    let keyword = Keyword::find(knob.keyword?.as_bytes(), section)?;
    if knob.is_ignored_by(version) {
        return None;
    }
    let read = values::read(
        keyword.name,
        keyword.kind_in(version),
        &setting.to_text(),
        version,
    );
    let Stored::Value(wanted) = read.stored else {
        return None;
    };
    let found = found.and_then(|values| values.get(keyword.name)).cloned();
    (found.as_ref() != Some(&wanted)).then(|| Drift {
        wwid: wwid.cloned(),
        knob: knob.name,
        wanted,
        found,
    })
}
