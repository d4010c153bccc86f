//! The knobs as PVE::JSONSchema describes them.

use serde::Serialize;

use super::{Knob, KnobValues};
use crate::types::alias;

/// The schema of a parameter of Proxmox VE's API. It has no default: a call leaves knobs that it does
/// not mention as they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Schema {
    /// `string` or `integer`.
    pub r#type: &'static str,
    /// The possible values, if these are all.
    #[serde(rename = "enum", skip_serializing_if = "Option::is_none")]
    pub choice: Option<&'static [&'static str]>,
    /// Regular expression that the whole value has to match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// The least number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum: Option<u64>,
    /// Greatest length in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<usize>,
    /// What a value looks like, for help texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub typetext: Option<String>,
    /// What the knob does.
    pub description: &'static str,
    /// Always 1.
    pub optional: u8,
}

impl Knob {
    /// The schema of the knob as a parameter of the API.
    pub fn schema(&self) -> Schema {
        let mut schema = Schema {
            r#type: "string",
            choice: None,
            pattern: None,
            minimum: None,
            max_length: self.values.max_len(),
            typetext: None,
            description: self.description,
            optional: 1,
        };
        match self.values {
            KnobValues::Choice(words) => schema.choice = Some(words),
            KnobValues::WordOrDigits { words, .. } => {
                schema.pattern = Some(format!(r"(?:{}|\d+)", words.join("|")));
                schema.typetext = Some(self.values.typetext());
            }
            KnobValues::Integer { minimum, .. } => {
                schema.r#type = "integer";
                schema.minimum = Some(minimum);
            }
            KnobValues::Alias => {
                schema.pattern = Some(alias::PATTERN.to_owned());
                schema.typetext = Some(self.values.typetext());
            }
            KnobValues::PathSelector { .. } => schema.typetext = Some(self.values.typetext()),
        }
        schema
    }
}

impl KnobValues {
    /// What a value looks like, for help texts.
    pub fn typetext(self) -> String {
        match self {
            Self::Choice(words) => format!("<{}>", words.join(" | ")),
            Self::WordOrDigits { words, .. } => format!("<{} | number>", words.join(" | ")),
            Self::Integer { minimum, .. } => format!("<integer> ({minimum} - N)"),
            Self::Alias => "<alias>".to_owned(),
            Self::PathSelector { .. } => "<name number [argument ...]>".to_owned(),
        }
    }
}
