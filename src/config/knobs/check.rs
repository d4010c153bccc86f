//! Whether a knob may have a value, as PVE::JSONSchema decides.

use thiserror::Error;

use super::{Knob, KnobValues};
use crate::types::alias::{Alias, InvalidAlias};
use crate::wire::number::Number;

/// Why the schema refuses a value. The texts are PVE::JSONSchema's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// Not digits with an optional sign.
    #[error("type check ('integer') failed - got '{0}'")]
    NotInteger(String),
    /// Neither one of the words nor a number, or not an alias.
    #[error("value does not match the regex pattern")]
    Pattern,
    /// It has more bytes than this.
    #[error("value may only be {0} characters long")]
    TooLong(usize),
    /// It is less than this.
    #[error("value must have a minimum value of {0}")]
    TooSmall(u64),
    /// Not one of the words.
    #[error("value '{value}' does not have a value in the enumeration '{}'", .allowed.join(", "))]
    NotListed {
        /// The value.
        value: String,
        /// The words.
        allowed: &'static [&'static str],
    },
}

impl Knob {
    /// Checks a value against the schema, and returns it as a number if it has to be one.
    ///
    /// multipathd or the kernel may still refuse it, or worse: see [`assess`](Self::assess).
    pub fn check(&self, value: &str) -> Result<Option<Number>, SchemaError> {
        match self.values {
            KnobValues::Choice(allowed) if !allowed.contains(&value) => {
                Err(SchemaError::NotListed {
                    value: value.to_owned(),
                    allowed,
                })
            }
            KnobValues::WordOrDigits { words, .. }
                if !words.contains(&value) && !is_digits(value) =>
            {
                Err(SchemaError::Pattern)
            }
            KnobValues::Integer { minimum, .. } => integer(value, minimum).map(Some),
            KnobValues::Alias => match Alias::check(value) {
                Ok(()) => Ok(None),
                Err(InvalidAlias::TooLong(_)) if Alias::has_allowed_characters(value) => {
                    Err(SchemaError::TooLong(crate::types::alias::MAX_LEN))
                }
                Err(_) => Err(SchemaError::Pattern),
            },
            KnobValues::PathSelector { max_len } if value.chars().count() > max_len => {
                Err(SchemaError::TooLong(max_len))
            }
            KnobValues::Choice(_)
            | KnobValues::WordOrDigits { .. }
            | KnobValues::PathSelector { .. } => Ok(None),
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
