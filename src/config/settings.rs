//! Values of knobs that multipathd and the kernel can use.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use thiserror::Error;

use super::knobs::{Knob, SchemaError, SectionType, Unusable};
use crate::wire::byte_string::is_space;
use crate::wire::number::Number;

/// A value of a knob that is safe to use: the schema, multipathd and the kernel accept it, and it fits
/// into one line of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    knob: &'static Knob,
    value: Stored,
}

#[derive(Clone, Debug, PartialEq)]
enum Stored {
    Number(u64),
    Text(Box<str>),
}

/// Why a value is not a [`Setting`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidSetting {
    /// The schema refuses it.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// It has a line break, another control character, or a character beyond U+00FF.
    #[error("a value may not have control characters, nor characters beyond one byte")]
    Character,
    /// It is empty, or has only blanks.
    #[error("a value may not be empty")]
    Empty,
    /// multipathd or the kernel cannot use it.
    #[error(transparent)]
    Unusable(#[from] Unusable),
}

impl Setting {
    /// Checks a value, and normalizes it to what would be read back: without blanks around it, and digits
    /// as a number.
    pub fn new(knob: &'static Knob, value: &str) -> Result<Self, InvalidSetting> {
        let number = knob.check(value)?;
        if value
            .chars()
            .any(|c| u32::from(c) > 0xff || c.is_control() && !is_space(c))
            || value.contains(['\n', '\r'])
        {
            return Err(InvalidSetting::Character);
        }
        let value = value.trim_matches(is_space);
        if value.chars().any(char::is_control) {
            return Err(InvalidSetting::Character);
        }
        if value.is_empty() {
            return Err(InvalidSetting::Empty);
        }
        knob.assess(value)?;
        Ok(Self {
            knob,
            value: match number {
                Some(Number::Integer(number)) => Stored::Number(number),
                _ => Stored::Text(value.into()),
            },
        })
    }

    /// The knob.
    pub fn knob(&self) -> &'static Knob {
        self.knob
    }

    /// The value, if it is a number.
    pub fn number(&self) -> Option<u64> {
        match self.value {
            Stored::Number(number) => Some(number),
            Stored::Text(_) => None,
        }
    }

    /// The value as text.
    pub fn to_text(&self) -> String {
        match &self.value {
            Stored::Number(number) => number.to_string(),
            Stored::Text(text) => text.to_string(),
        }
    }
}

impl Serialize for Setting {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.value {
            Stored::Number(number) => Number::Integer(*number).serialize(serializer),
            Stored::Text(text) => text.serialize(serializer),
        }
    }
}

/// Values of several knobs, by the knob's name.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Settings(BTreeMap<&'static str, Setting>);

/// Why values are not [`Settings`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidSettings {
    /// Sections of this type do not have the knob.
    #[error("sections of type '{section}' have no knob '{0}'", section = .1.as_str())]
    Unknown(String, SectionType),
    /// The knob cannot have this value.
    #[error("{knob}: {reason}")]
    Value {
        /// Name of the knob.
        knob: &'static str,
        /// What is wrong with the value.
        reason: InvalidSetting,
    },
}

impl Settings {
    /// Checks values by name for a section of this type. A knob whose value is none is left out.
    pub fn from_values<'v>(
        section: SectionType,
        values: impl IntoIterator<Item = (&'v str, Option<String>)>,
    ) -> Result<Self, InvalidSettings> {
        let mut settings = Self::default();
        for (name, value) in values {
            let knob = Knob::find(name)
                .filter(|knob| knob.is_for(section))
                .ok_or_else(|| InvalidSettings::Unknown(name.to_owned(), section))?;
            let Some(value) = value else { continue };
            let setting = Setting::new(knob, &value).map_err(|reason| InvalidSettings::Value {
                knob: knob.name,
                reason,
            })?;
            settings.extend([setting]);
        }
        Ok(settings)
    }

    /// The setting of a knob.
    pub fn get(&self, knob: &str) -> Option<&Setting> {
        self.0.get(knob)
    }

    /// Removes the setting of a knob.
    pub fn remove(&mut self, knob: &str) -> Option<Setting> {
        self.0.remove(knob)
    }

    /// The settings, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = &Setting> {
        self.0.values()
    }

    /// Whether no knob is set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Extend<Setting> for Settings {
    /// Later ones replace earlier ones.
    fn extend<I: IntoIterator<Item = Setting>>(&mut self, settings: I) {
        let named = settings
            .into_iter()
            .map(|setting| (setting.knob.name, setting));
        self.0.extend(named);
    }
}

impl FromIterator<Setting> for Settings {
    fn from_iter<I: IntoIterator<Item = Setting>>(settings: I) -> Self {
        let mut all = Self::default();
        all.extend(settings);
        all
    }
}

impl IntoIterator for Settings {
    type Item = Setting;
    type IntoIter = std::collections::btree_map::IntoValues<&'static str, Setting>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_values()
    }
}
