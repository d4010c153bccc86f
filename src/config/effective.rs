//! Which values are in force, and where each comes from.

use std::collections::BTreeMap;

use serde::Serialize;

use super::knobs::SectionType;
use super::luns::cluster_defaults;
use super::settings::{Setting, Settings};
use super::{Config, luns, managed_defaults};
use crate::{Alias, Wwid};

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The managed defaults.
    Default,
    /// The section `defaults` of the cluster's configuration.
    Cluster,
    /// The LUN's own section.
    Lun,
}

/// A value with its origin.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EffectiveValue {
    /// The value.
    pub value: Setting,
    /// Where it comes from.
    pub from: Origin,
}

/// A LUN's alias and knobs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EffectiveLun {
    /// Its alias.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<Alias>,
    /// Its knobs by name, without those that are set nowhere.
    pub knobs: BTreeMap<&'static str, EffectiveValue>,
}

/// All values that are in force.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EffectiveConfig {
    /// The global knobs by name.
    pub defaults: BTreeMap<&'static str, EffectiveValue>,
    /// The LUNs.
    pub luns: BTreeMap<Wwid, EffectiveLun>,
}

/// Which values are in force for each LUN, and where each comes from: the LUN's own section, else the
/// section `defaults`, else the managed defaults.
pub fn effective(config: &Config<'_>) -> EffectiveConfig {
    let mut defaults = values(managed_defaults(), Origin::Default);
    defaults.extend(values(cluster_defaults(config), Origin::Cluster));

    let luns = luns(config).into_iter().map(|(wwid, mut own)| {
        let alias = own
            .remove("alias")
            .and_then(|alias| Alias::new(&alias.to_text()).ok());
        let mut knobs = defaults.clone();
        knobs.retain(|_, value| value.value.knob().is_for(SectionType::Wwid));
        knobs.extend(values(own, Origin::Lun));
        (wwid, EffectiveLun { alias, knobs })
    });
    EffectiveConfig {
        luns: luns.collect(),
        defaults,
    }
}

fn values(settings: Settings, from: Origin) -> BTreeMap<&'static str, EffectiveValue> {
    let value = |value: Setting| (value.knob().name, EffectiveValue { value, from });
    settings.into_iter().map(value).collect()
}
