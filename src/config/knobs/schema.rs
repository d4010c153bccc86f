//! The knobs as PVE::JSONSchema describes parameters.

use serde::Serialize;

use super::{Kind, Knob};
use crate::types::alias;

/// The schema of a parameter of Proxmox VE's API. It has no default: what a call leaves out stays as
/// it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Schema {
    /// `string` or `integer`.
    pub r#type: &'static str,
    /// The words that are allowed, if there are no others.
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
    /// How a value looks, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub typetext: Option<String>,
    /// What the knob does.
    pub description: &'static str,
    /// Always 1: no knob has to be set.
    pub optional: u8,
}

impl Knob {
    /// The schema of the knob as an API's parameter.
    pub fn schema(&self) -> Schema {
        let mut schema = Schema {
            r#type: "string",
            choice: None,
            pattern: None,
            minimum: None,
            max_length: self.kind.max_len(),
            typetext: None,
            description: self.description,
            optional: 1,
        };
        match self.kind {
            Kind::Choice(words) => schema.choice = Some(words),
            Kind::WordOrDigits { words, .. } => {
                schema.pattern = Some(format!(r"(?:{}|\d+)", words.join("|")));
                schema.typetext = Some(self.kind.typetext());
            }
            Kind::Integer { minimum, .. } => {
                schema.r#type = "integer";
                schema.minimum = Some(minimum);
            }
            Kind::Alias => {
                schema.pattern = Some(alias::PATTERN.to_owned());
                schema.typetext = Some(self.kind.typetext());
            }
            Kind::PathSelector { .. } => schema.typetext = Some(self.kind.typetext()),
        }
        schema
    }
}

impl Kind {
    /// How a value looks, for people.
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
