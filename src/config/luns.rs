//! What the configuration says, as far as it is safe to use.

use std::collections::{BTreeMap, BTreeSet};

use super::knobs::{KNOBS, Knob, SectionType};
use super::settings::{Setting, Settings};
use super::{Config, DEFAULTS_ID, Section};
use crate::{Alias, Wwid};

/// The global knobs that every node gets unless the configuration says otherwise.
pub fn managed_defaults() -> Settings {
    KNOBS
        .iter()
        .filter_map(|knob| Setting::new(knob, knob.managed?).ok())
        .collect()
}

/// The global knobs: those of the section `defaults`, on top of [`managed_defaults`].
pub fn effective_defaults(config: &Config<'_>) -> Settings {
    let mut defaults = managed_defaults();
    defaults.extend(cluster_defaults(config));
    defaults
}

/// The global knobs that the section `defaults` sets.
pub(super) fn cluster_defaults(config: &Config<'_>) -> Settings {
    config
        .section(DEFAULTS_ID)
        .filter(|section| section.kind() == Some(SectionType::Defaults))
        .map(|section| settings(section, SectionType::Defaults))
        .unwrap_or_default()
}

/// The allow-listed LUNs with their aliases and knobs.
///
/// Leaves out sections whose ID is not a WWID, and values that would harm or that multipathd would
/// read as something else. If several LUNs have one alias, only the first in the file gets it.
pub fn luns(config: &Config<'_>) -> BTreeMap<Wwid, Settings> {
    let settings_of = |(wwid, alias, section): (Wwid, Option<Alias>, _)| {
        let mut settings = settings(section, SectionType::Wwid);
        if alias.is_none() {
            settings.remove("alias");
        }
        (wwid, settings)
    };
    listed(config).into_iter().map(settings_of).collect()
}

fn settings(section: &Section<'_>, kind: SectionType) -> Settings {
    let setting =
        |knob: &'static Knob| Setting::new(knob, &section.get(knob.name)?.to_text()?).ok();
    kind.knobs().filter_map(setting).collect()
}

/// The allow-listed WWIDs, each with its alias if it has one.
pub type AllowList = BTreeMap<Wwid, Option<Alias>>;

/// The allow-listed WWIDs with the aliases of [`luns`].
pub fn allow_list(config: &Config<'_>) -> AllowList {
    let listed = listed(config).into_iter();
    listed.map(|(wwid, alias, _)| (wwid, alias)).collect()
}

/// The LUNs' sections in file order. An alias is left out if it is reserved, the WWID of another LUN,
/// or an earlier LUN's: a map's name has to stand for one LUN.
fn listed<'c, 'a>(config: &'c Config<'a>) -> Vec<(Wwid, Option<Alias>, &'c Section<'a>)> {
    let lun = |section: &'c Section<'a>| {
        let is_lun = section.kind() == Some(SectionType::Wwid) && section.id != *DEFAULTS_ID;
        let wwid = is_lun.then(|| Wwid::new(section.id.as_str()).ok())??;
        let alias = || Alias::new(&section.get("alias")?.to_text()?).ok();
        let alias = alias().filter(|alias| alias.reserved().is_none());
        Some((wwid, alias, section))
    };
    let mut listed: Vec<_> = config.sections().filter_map(lun).collect();

    let wwids: BTreeSet<Wwid> = listed.iter().map(|(wwid, ..)| wwid.clone()).collect();
    let mut given = BTreeSet::new();
    for (wwid, alias, _) in &mut listed {
        *alias = alias.take().filter(|alias| {
            let is_other = wwid.as_str() != alias.as_str() && wwids.contains(alias.as_str());
            !is_other && given.insert(alias.clone())
        });
    }
    listed
}
