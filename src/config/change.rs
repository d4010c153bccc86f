//! Changes to a configuration.

use std::borrow::Cow;
use std::collections::BTreeSet;

use thiserror::Error;

use super::document::{Config, Section};
use super::knobs::{Knob, SectionType};
use super::parse::property_of;
use super::settings::{InvalidSetting, Setting};
use super::{DEFAULTS_ID, Value};
use crate::Wwid;
use crate::types::wwid::InvalidWwid;
use crate::wire::byte_string::{ByteString, is_space};
use crate::wire::number::Number;

/// A change to make to a configuration.
///
/// ```
/// use pve_multipath::config::{self, Change, Update};
///
/// let text = b"wwid: 3600a\n\tno-path-retry 18\n\n";
/// let config = config::parse("multipath.cfg", text).config;
///
/// let add = Change::AddWwid {
///     wwid: "3600b".into(),
///     update: Update {
///         set: vec![("alias".into(), config::Value::Text("san-b".into()))],
///         ..Update::default()
///     },
/// };
/// let config = config.change(add, None)?;
/// let text = config::write(&config)?.text;
/// assert_eq!(text, b"wwid: 3600a\n\tno-path-retry 18\n\nwwid: 3600b\n\talias san-b\n\n");
///
/// // values that would do damage are refused
/// let alias = config::Value::Text("sdb".into());
/// let wwid = "3600a".into();
/// assert!(config.change(Change::SetAlias { wwid, alias }, None).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Change<'a> {
    /// Adds a LUN to the allow-list. One that is on it already is left unchanged.
    AddWwid {
        /// The LUN.
        wwid: Cow<'a, str>,
        /// Its alias and knobs.
        update: Update<'a>,
    },
    /// Removes a LUN from the allow-list. Does nothing if it is not on it. Any section of type `wwid` can
    /// be removed, even if its ID is not a WWID.
    RemoveWwid {
        /// ID of the section.
        wwid: Cow<'a, str>,
    },
    /// Sets and deletes the alias and knobs of a LUN.
    UpdateWwid {
        /// The LUN.
        wwid: Cow<'a, str>,
        /// What to set and what to delete.
        update: Update<'a>,
    },
    /// Sets the alias of a LUN.
    SetAlias {
        /// The LUN.
        wwid: Cow<'a, str>,
        /// The alias.
        alias: Value<'a>,
    },
    /// Deletes the alias of a LUN. Does nothing if there is no such LUN, or it has no alias.
    RemoveAlias {
        /// The LUN.
        wwid: Cow<'a, str>,
    },
    /// Sets and deletes global knobs.
    UpdateDefaults {
        /// What to set and what to delete.
        update: Update<'a>,
    },
}

/// Knobs to set and to delete; others are left unchanged.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Update<'a> {
    /// New values by knob. Undefined values are ignored.
    pub set: Vec<(ByteString<'a>, Value<'a>)>,
    /// Names of knobs, separated by commas, semicolons, blanks or null bytes, as PVE::Tools' split_list
    /// splits them.
    pub delete: ByteString<'a>,
}

/// Why a change is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// The digest is not that of the configuration. The text is PVE::Tools' assert_if_modified's.
    #[error("detected modified configuration - file changed by other user? Try again.")]
    Modified,
    /// Not a WWID.
    #[error(transparent)]
    Wwid(#[from] InvalidWwid),
    /// `defaults` is the ID of the global knobs.
    #[error("'{DEFAULTS_ID}' cannot be a WWID")]
    WwidDefaults,
    /// The LUN is not on the allow-list.
    #[error("WWID '{0}' is not configured")]
    NotConfigured(String),
    /// The section has another type.
    #[error("section '{id}' is not of type '{kind}'; correct /etc/pve/multipath.cfg by hand")]
    OtherType {
        /// ID of the section.
        id: String,
        /// The type that it should have.
        kind: &'static str,
    },
    /// The WWID is the alias of another LUN.
    #[error("'{wwid}' is the alias of WWID '{owner}'")]
    WwidIsAlias {
        /// The LUN.
        wwid: String,
        /// The LUN with this alias.
        owner: String,
    },
    /// Sections of this type do not have the knob.
    #[error("property '{0}' cannot be set here")]
    NotSettable(String),
    /// Not a knob that can be deleted.
    #[error("property '{0}' cannot be deleted")]
    NotDeletable(String),
    /// The same knob is set and deleted.
    #[error("cannot set and delete property '{0}' at the same time")]
    SetAndDelete(String),
    /// The knob cannot have this value.
    #[error("{reason}")]
    Value {
        /// Name of the knob.
        property: &'static str,
        /// What is wrong with the value.
        reason: InvalidSetting,
    },
    /// The alias is missing.
    #[error("an alias is needed; to have none, remove the alias")]
    NoAlias,
    /// The alias is assigned to another LUN.
    #[error("alias '{alias}' is already assigned to WWID '{owner}'")]
    AliasTaken {
        /// The alias.
        alias: String,
        /// The LUN with this alias.
        owner: String,
    },
    /// The alias is the WWID of another LUN.
    #[error("'{0}' is the WWID of another LUN")]
    AliasIsWwid(String),
}

impl ChangeError {
    /// The parameter of the API call that caused it, if there is one.
    pub fn parameter(&self) -> Option<&str> {
        Some(match self {
            Self::Modified | Self::OtherType { .. } => return None,
            Self::Wwid(_)
            | Self::WwidDefaults
            | Self::WwidIsAlias { .. }
            | Self::NotConfigured(_) => "wwid",
            Self::NotSettable(name) | Self::SetAndDelete(name) => name,
            Self::NotDeletable(_) => "delete",
            Self::Value { property, .. } => property,
            Self::NoAlias | Self::AliasTaken { .. } | Self::AliasIsWwid(_) => "alias",
        })
    }
}

impl<'a> Config<'a> {
    /// Makes a change. If there is a `digest`, it has to be that of the configuration.
    ///
    /// New values are checked, whatever the file contains already. Lines that were not understood are
    /// removed if they set a knob that is set or deleted.
    pub fn change(mut self, change: Change<'a>, digest: Option<&str>) -> Result<Self, ChangeError> {
        if digest.is_some_and(|digest| self.digest.to_text().as_deref() != Some(digest)) {
            return Err(ChangeError::Modified);
        }
        match change {
            Change::AddWwid { wwid, update } => self.add_wwid(wwid, update)?,
            Change::RemoveWwid { wwid } => {
                if self.is_removable(&wwid)? {
                    self.remove(&wwid);
                }
            }
            Change::UpdateWwid { wwid, update } => {
                self.check_lun(&wwid)?;
                self.update(&wwid, SectionType::Wwid, update)?;
            }
            Change::SetAlias { wwid, alias } => {
                self.check_lun(&wwid)?;
                if alias.to_text().is_none_or(|alias| alias.is_empty()) {
                    return Err(ChangeError::NoAlias);
                }
                let set = vec![("alias".into(), alias)];
                self.update(
                    &wwid,
                    SectionType::Wwid,
                    Update {
                        set,
                        ..Update::default()
                    },
                )?;
            }
            Change::RemoveAlias { wwid } => match self.check_lun(&wwid) {
                Err(ChangeError::NotConfigured(_)) => {}
                checked => {
                    checked?;
                    let delete = "alias".into();
                    self.update(
                        &wwid,
                        SectionType::Wwid,
                        Update {
                            delete,
                            ..Update::default()
                        },
                    )?;
                }
            },
            Change::UpdateDefaults { update } => {
                match self.section(DEFAULTS_ID) {
                    Some(section) => check_type(section, SectionType::Defaults)?,
                    None => self.insert(Section::new(DEFAULTS_ID.into(), SectionType::Defaults)),
                }
                self.update(DEFAULTS_ID, SectionType::Defaults, update)?;
            }
        }
        Ok(self)
    }

    fn add_wwid(&mut self, wwid: Cow<'a, str>, update: Update<'a>) -> Result<(), ChangeError> {
        if wwid == DEFAULTS_ID {
            return Err(ChangeError::WwidDefaults);
        }
        Wwid::new(&wwid)?;
        if let Some(section) = self.section(&wwid) {
            return check_type(section, SectionType::Wwid);
        }
        if let Some(owner) = self.owner_of(&wwid, &wwid) {
            let wwid = wwid.into_owned();
            return Err(ChangeError::WwidIsAlias { wwid, owner });
        }
        self.insert(Section::new(wwid.clone().into(), SectionType::Wwid));
        self.update(&wwid, SectionType::Wwid, update)
    }

    /// Whether there is a section of type `wwid` with this ID, which does not have to be a WWID then.
    fn is_removable(&self, id: &str) -> Result<bool, ChangeError> {
        let section = self.section(id);
        if section.is_some_and(|section| section.kind() == Some(SectionType::Wwid)) {
            return Ok(true);
        }
        match self.check_listed(id) {
            Err(ChangeError::NotConfigured(_)) => Ok(false),
            checked => checked.map(|()| true),
        }
    }

    fn check_lun(&self, wwid: &str) -> Result<(), ChangeError> {
        self.check_listed(wwid)?;
        Wwid::new(wwid)?;
        Ok(())
    }

    fn check_listed(&self, wwid: &str) -> Result<(), ChangeError> {
        if wwid == DEFAULTS_ID {
            return Err(ChangeError::WwidDefaults);
        }
        match self.section(wwid) {
            Some(section) => check_type(section, SectionType::Wwid),
            None => {
                Wwid::new(wwid)?;
                Err(ChangeError::NotConfigured(wwid.to_owned()))
            }
        }
    }

    fn update(
        &mut self,
        id: &str,
        kind: SectionType,
        update: Update<'a>,
    ) -> Result<(), ChangeError> {
        let knob_of = |name: &str| Knob::find(name).filter(|knob| knob.is_for(kind));

        let mut deleted = BTreeSet::new();
        let separator = |c: char| matches!(c, ',' | ';' | '\0') || is_space(c);
        for name in update
            .delete
            .as_str()
            .split(separator)
            .filter(|name| !name.is_empty())
        {
            let knob = knob_of(name).ok_or_else(|| ChangeError::NotDeletable(name.to_owned()))?;
            deleted.insert(knob.name);
        }

        let mut settings = Vec::new();
        for (name, value) in &update.set {
            let name = name.as_str();
            if value.is_undefined() {
                continue;
            }
            let knob = knob_of(name).ok_or_else(|| ChangeError::NotSettable(name.to_owned()))?;
            if deleted.contains(knob.name) {
                return Err(ChangeError::SetAndDelete(name.to_owned()));
            }
            let text = value.to_text().unwrap_or_default();
            let setting = Setting::new(knob, &text).map_err(|reason| ChangeError::Value {
                property: knob.name,
                reason,
            })?;
            if knob.name == "alias" {
                self.check_alias(id, &setting.to_text())?;
            }
            settings.push(setting);
        }

        let Some(section) = self.section_mut(id) else {
            return Err(ChangeError::NotConfigured(id.to_owned()));
        };
        for name in &deleted {
            section.properties.remove(name);
        }
        for setting in &settings {
            let name = setting.knob().name;
            section.properties.set(name.into(), stored(setting));
            deleted.insert(name);
        }
        let is_meant = |line: &ByteString<'_>| {
            let property = property_of(line.as_str());
            property.is_some_and(|(name, _)| deleted.contains(name))
        };
        section.lines.retain(|line| !is_meant(line));
        Ok(())
    }

    fn check_alias(&self, wwid: &str, alias: &str) -> Result<(), ChangeError> {
        let other = self.section(alias).filter(|_| alias != wwid);
        if other.is_some_and(|other| other.kind() == Some(SectionType::Wwid)) {
            return Err(ChangeError::AliasIsWwid(alias.to_owned()));
        }
        match self.owner_of(alias, wwid) {
            Some(owner) => Err(ChangeError::AliasTaken {
                alias: alias.to_owned(),
                owner,
            }),
            None => Ok(()),
        }
    }

    /// The LUN other than `wwid` that has this alias; of several, the first by ID.
    fn owner_of(&self, alias: &str, wwid: &str) -> Option<String> {
        let has_it = |section: &Section<'_>| {
            let name = section.get("alias").and_then(Value::to_text);
            section.kind() == Some(SectionType::Wwid) && name.as_deref() == Some(alias)
        };
        let owners = self
            .sections()
            .filter(|other| other.id != *wwid && has_it(other));
        owners.map(|owner| &owner.id).min().map(ToString::to_string)
    }
}

fn check_type(section: &Section<'_>, kind: SectionType) -> Result<(), ChangeError> {
    if section.kind() == Some(kind) {
        return Ok(());
    }
    Err(ChangeError::OtherType {
        id: section.id.to_string(),
        kind: kind.as_str(),
    })
}

/// A setting as [`parse`](super::parse()) reads it back.
fn stored(setting: &Setting) -> Value<'static> {
    match setting.number() {
        Some(number) => Value::Number(Number::Integer(number)),
        None => Value::Text(setting.to_text().into()),
    }
}
