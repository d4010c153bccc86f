//! What the configuration says, as far as it is fit for use.

use std::collections::{BTreeMap, BTreeSet};

use super::{Config, DEFAULTS_ID, Section};
use crate::config::knobs::{KNOBS, SectionType};
use crate::config::settings::{Setting, Settings};
use crate::{Alias, Wwid};

/// What all nodes get where the configuration does not say otherwise.
pub fn managed_defaults() -> Settings {
    KNOBS
        .iter()
        .filter_map(|knob| Setting::new(knob, knob.managed?).ok())
        .collect()
}

/// The global knobs: those of the section `defaults`, above [`managed_defaults`].
pub fn effective_defaults(config: &Config<'_>) -> Settings {
    let mut defaults = managed_defaults();
    defaults.extend(cluster_defaults(config));
    defaults
}

/// The global knobs that the section `defaults` sets.
pub(super) fn cluster_defaults(config: &Config<'_>) -> Settings {
    let section = config.ids.get(DEFAULTS_ID);
    section
        .map(|section| settings(section, SectionType::Defaults))
        .unwrap_or_default()
}

/// The allow-listed LUNs with their aliases and knobs.
///
/// A section whose ID is no WWID is left out, and so are values that would harm, or be read by
/// multipathd as something else. Of several LUNs with one alias, the first in the file has it.
pub fn luns(config: &Config<'_>) -> BTreeMap<Wwid, Settings> {
    let sections = config.placed();
    let listed = sections
        .iter()
        .filter(|(_, _, section)| section.kind() == Some(SectionType::Wwid));
    let aliases = allow_list(listed.map(|(_, id, section)| {
        (
            id.as_str(),
            section
                .get("alias")
                .and_then(|alias| alias.to_text().map(Into::into)),
        )
    }));

    let settings_of = |wwid: &Wwid, alias: Option<&Alias>| {
        let mut settings = config
            .ids
            .get(wwid.as_str())
            .map(|section| settings(section, SectionType::Wwid))
            .unwrap_or_default();
        if alias.is_none() {
            settings.remove("alias");
        }
        settings
    };
    aliases
        .into_iter()
        .map(|(wwid, alias)| {
            let settings = settings_of(&wwid, alias.as_ref());
            (wwid, settings)
        })
        .collect()
}

fn settings(section: &Section<'_>, kind: SectionType) -> Settings {
    if section.kind() != Some(kind) {
        return Settings::default();
    }
    let setting = |knob: &'static crate::config::knobs::Knob| {
        Setting::new(knob, &section.get(knob.name)?.to_text()?).ok()
    };
    kind.knobs().filter_map(setting).collect()
}

/// The allow-listed WWIDs, each with its alias if it has one.
pub type AllowListed = BTreeMap<Wwid, Option<Alias>>;

/// The allow-list of sections of type `wwid`, given with their aliases in the order of the file.
///
/// An ID that is no WWID is not listed. An alias is left out if it is reserved, the WWID of another
/// LUN, or given before: a map's name has to stand for one LUN.
pub fn allow_list<'s>(
    sections: impl IntoIterator<Item = (&'s str, Option<String>)>,
) -> AllowListed {
    let mut listed: Vec<(Wwid, Option<Alias>)> = sections
        .into_iter()
        .filter(|(id, _)| *id != DEFAULTS_ID)
        .filter_map(|(id, alias)| {
            let alias = alias.and_then(|alias| Alias::new(&alias).ok());
            Some((
                Wwid::new(id).ok()?,
                alias.filter(|alias| alias.reserved().is_none()),
            ))
        })
        .collect();

    let wwids: BTreeSet<Wwid> = listed.iter().map(|(wwid, _)| wwid.clone()).collect();
    let mut given = BTreeSet::new();
    for (wwid, alias) in &mut listed {
        *alias = alias.take().filter(|alias| {
            let is_other = wwid.as_str() != alias.as_str() && wwids.contains(alias.as_str());
            !is_other && given.insert(alias.clone())
        });
    }
    listed.into_iter().collect()
}
