//! Whether a value is one of the knob's, as PVE::JSONSchema decides.

use thiserror::Error;

use super::{Kind, Knob};
use crate::types::alias::{Alias, InvalidAlias};
use crate::wire::number::Number;

/// Why the schema refuses a value. The texts are PVE::JSONSchema's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// Not digits with an optional sign.
    #[error("type check ('integer') failed - got '{0}'")]
    NotInteger(String),
    /// Neither one of the words nor digits, or not an alias.
    #[error("value does not match the regex pattern")]
    Pattern,
    /// Too many bytes.
    #[error("value may only be {0} characters long")]
    TooLong(usize),
    /// Below the least number.
    #[error("value must have a minimum value of {0}")]
    TooSmall(u64),
    /// None of the words.
    #[error("value '{value}' does not have a value in the enumeration '{}'", .allowed.join(", "))]
    NotListed {
        /// The value.
        value: String,
        /// The words that are.
        allowed: &'static [&'static str],
    },
}

impl Knob {
    /// Checks a value against the schema, and gives the number it is if the knob's values are
    /// numbers.
    ///
    /// What passes may still be of no use to multipathd, or worse: see [`assess`](Self::assess).
    pub fn check(&self, value: &str) -> Result<Option<Number>, SchemaError> {
        match self.kind {
            Kind::Choice(allowed) if !allowed.contains(&value) => Err(SchemaError::NotListed {
                value: value.to_owned(),
                allowed,
            }),
            Kind::WordOrDigits { words, .. } if !words.contains(&value) && !is_digits(value) => {
                Err(SchemaError::Pattern)
            }
            Kind::Integer { minimum, .. } => integer(value, minimum).map(Some),
            Kind::Alias => match Alias::check(value) {
                Ok(()) => Ok(None),
                Err(InvalidAlias::TooLong(_)) if Alias::has_allowed_characters(value) => {
                    Err(SchemaError::TooLong(crate::types::alias::MAX_LEN))
                }
                Err(_) => Err(SchemaError::Pattern),
            },
            Kind::PathSelector { max_len } if value.chars().count() > max_len => {
                Err(SchemaError::TooLong(max_len))
            }
            Kind::Choice(_) | Kind::WordOrDigits { .. } | Kind::PathSelector { .. } => Ok(None),
        }
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn integer(value: &str, minimum: u64) -> Result<Number, SchemaError> {
    let negative = value.starts_with('-');
    let digits = value.strip_prefix(['+', '-']).unwrap_or(value);
    match Number::from_digits(digits) {
        None => Err(SchemaError::NotInteger(value.to_owned())),
        Some(_) if negative => Err(SchemaError::TooSmall(minimum)),
        Some(Number::Integer(number)) if number < minimum => Err(SchemaError::TooSmall(minimum)),
        Some(number) => Ok(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(knob: &str, value: &str) -> Result<Option<Number>, SchemaError> {
        Knob::find(knob).map_or(Err(SchemaError::Pattern), |knob| knob.check(value))
    }

    #[test]
    fn the_whole_value_counts() {
        for (knob, value) in [
            ("alias", "x\n"),
            ("no-path-retry", "5\n"),
            ("failback", "5 "),
            ("polling-interval", "5\n"),
            ("find-multipaths", "yes\n"),
            ("rr-weight", "Uniform"),
        ] {
            assert!(check(knob, value).is_err(), "{knob} {value:?}");
        }
    }

    #[test]
    fn numbers() {
        assert_eq!(
            check("polling-interval", "+018"),
            Ok(Some(Number::Integer(18)))
        );
        assert_eq!(
            check("polling-interval", "0"),
            Err(SchemaError::TooSmall(1))
        );
        assert_eq!(
            check("polling-interval", "-5"),
            Err(SchemaError::TooSmall(1))
        );
        let err = check("polling-interval", "+-5").map_err(|err| err.to_string());
        assert_eq!(
            err,
            Err("type check ('integer') failed - got '+-5'".to_owned())
        );
    }
}
