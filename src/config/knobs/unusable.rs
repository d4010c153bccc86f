//! Whether multipathd and the kernel can use a value that the schema allows.

use thiserror::Error;

use super::{Knob, KnobValues};
use crate::types::alias::{Alias, Reserved};
use crate::wire::number::Number;

/// Why a value that the schema allows is not given to multipathd.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Unusable {
    /// The kernel refuses the table of the map: multipathd then removes every map that is not in use.
    #[error("the kernel cannot use it, and unused maps would be removed: {0}")]
    Selector(InvalidSelector),
    /// multipathd loops forever, or reads another number.
    #[error("at most {most} is possible")]
    TooLarge {
        /// The greatest number that multipathd reads as it is.
        most: u64,
    },
    /// multipathd reads it as "not set".
    #[error("multipathd reads it as 'not set'; was '{instead}' meant?")]
    Unset {
        /// The word that may have been meant.
        instead: &'static str,
    },
    /// The alias may be the name of another device.
    #[error("the alias {0}")]
    Reserved(Reserved),
}

/// Why a text is not a path selector that can be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidSelector {
    /// It is not a name, a number and arguments, with one blank in between.
    #[error("write a name, one blank and the number of arguments, such as 'service-time 0'")]
    Form,
    /// There is no selector with this name.
    #[error("there is no path selector {0:?}, only {known}", known = known_selectors())]
    Name(String),
    /// The number is not that of the arguments.
    #[error("it says {announced} arguments, but {given} follow")]
    Count {
        /// The number in the text.
        announced: String,
        /// The number of arguments.
        given: usize,
    },
    /// The selector does not take that many arguments.
    #[error("'{name}' takes at most {most} arguments")]
    TooMany {
        /// The selector.
        name: &'static str,
        /// The greatest number of arguments.
        most: usize,
    },
    /// The selector needs an argument for each path that multipathd cannot pass.
    #[error(
        "'{0}' needs a different CPU mask for each path, but multipathd passes the same number for \
         all paths, so a path group could only have one path"
    )]
    PathArguments(&'static str),
    /// An argument is not a number, or is too large.
    #[error("argument {0:?} is not a number that the selector accepts")]
    Argument(String),
}

/// The path selectors of the kernel (drivers/md/dm-ps-*.c, dm-round-robin.c) that multipathd can use,
/// with their greatest number of arguments. Those that take none ignore arguments.
///
/// multipathd passes one argument for each path, `rr_min_io_rq`, 1 by default. These selectors read it
/// as the number of requests before the next path.
const SELECTORS: [(&str, usize); 4] = [
    ("historical-service-time", 2),
    ("queue-length", 0),
    ("round-robin", 0),
    ("service-time", 0),
];

/// Reads the argument of a path as a CPU mask, which has to be different from that of other paths.
const IO_AFFINITY: &str = "io-affinity";

/// The greatest base weight of historical-service-time, which has to be below HST_FIXED_1
/// (drivers/md/dm-ps-historical-service-time.c).
const GREATEST_BASE_WEIGHT: u32 = 1023;

/// The names of the path selectors that can be used.
pub fn path_selectors() -> impl Iterator<Item = &'static str> {
    SELECTORS.iter().map(|(name, _)| *name)
}

fn known_selectors() -> String {
    path_selectors().collect::<Vec<_>>().join(", ")
}

impl Knob {
    /// Checks whether multipathd and the kernel can use a value that [`check`](Self::check) accepted.
    pub fn assess(&self, value: &str) -> Result<(), Unusable> {
        match self.values {
            KnobValues::PathSelector { .. } => {
                check_path_selector(value).map_err(Unusable::Selector)
            }
            KnobValues::Alias => match Alias::new(value).ok().and_then(|alias| alias.reserved()) {
                Some(reserved) => Err(Unusable::Reserved(reserved)),
                None => Ok(()),
            },
            KnobValues::Integer { most, .. } => check_number(value, most, None),
            KnobValues::WordOrDigits {
                most,
                instead_of_zero,
                ..
            } => check_number(value, most, instead_of_zero),
            KnobValues::Choice(_) => Ok(()),
        }
    }
}

fn check_number(
    value: &str,
    most: u64,
    instead_of_zero: Option<&'static str>,
) -> Result<(), Unusable> {
    let digits = value.strip_prefix('+').unwrap_or(value);
    match (Number::from_digits(digits), instead_of_zero) {
        (Some(Number::Integer(0)), Some(instead)) => Err(Unusable::Unset { instead }),
        (Some(Number::Integer(number)), _) if number <= most => Ok(()),
        (Some(_), _) => Err(Unusable::TooLarge { most }),
        (None, _) => Ok(()), // a word
    }
}

/// Checks a path selector with its arguments.
pub fn check_path_selector(text: &str) -> Result<(), InvalidSelector> {
    let mut words = text.split(' ');
    let (Some(name), Some(announced)) = (words.next(), words.next()) else {
        return Err(InvalidSelector::Form);
    };
    let arguments: Vec<&str> = words.collect();
    let word = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
    if !word(name) || !word(announced) || !arguments.iter().all(|argument| word(argument)) {
        return Err(InvalidSelector::Form);
    }
    if name == IO_AFFINITY {
        return Err(InvalidSelector::PathArguments(IO_AFFINITY));
    }
    let Some((name, most)) = SELECTORS.into_iter().find(|(known, _)| *known == name) else {
        return Err(InvalidSelector::Name(name.to_owned()));
    };
    if announced != arguments.len().to_string() {
        return Err(InvalidSelector::Count {
            announced: announced.to_owned(),
            given: arguments.len(),
        });
    }
    if arguments.len() > most {
        return Err(InvalidSelector::TooMany { name, most });
    }
    for (position, argument) in arguments.iter().enumerate() {
        let limit = if position == 0 {
            GREATEST_BASE_WEIGHT
        } else {
            u32::MAX
        };
        let digits = argument.bytes().all(|b| b.is_ascii_digit());
        match argument.parse::<u32>() {
            Ok(number) if digits && number <= limit => {}
            _ => return Err(InvalidSelector::Argument((*argument).to_owned())),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_multipathd_takes_as_they_are() {
        let assess = |knob, value| Knob::find(knob).map(|knob| knob.assess(value));
        for (knob, value) in [
            ("no-path-retry", "0"),
            ("no-path-retry", "018"),
            ("no-path-retry", "queue"),
            ("no-path-retry", "2147483647"),
            ("failback", "1"),
            ("failback", "immediate"),
            ("polling-interval", "1073741822"),
            ("rr-min-io-rq", "2147483647"),
        ] {
            assert_eq!(assess(knob, value), Some(Ok(())), "{knob} {value}");
        }
        for (knob, value) in [
            ("no-path-retry", "2147483648"),
            ("failback", "0"),
            ("failback", "000"),
            ("failback", "99999999999999999999999"),
            ("polling-interval", "1073741823"),
            ("rr-min-io-rq", "2147483648"),
        ] {
            assert!(
                matches!(assess(knob, value), Some(Err(_))),
                "{knob} {value}"
            );
        }
    }

    #[test]
    fn selectors() {
        for text in [
            "service-time 0",
            "round-robin 0",
            "queue-length 0",
            "historical-service-time 0",
            "historical-service-time 1 512",
            "historical-service-time 2 1023 4294967295",
        ] {
            assert_eq!(check_path_selector(text), Ok(()), "{text:?}");
        }
        for text in [
            "",
            "service-time",
            "service-time 1",
            "service-time 00",
            "service-time  0",
            "service-time\t0",
            "service-time 0 ",
            " service-time 0",
            "service-time 0 1",
            "service-time 1 1",
            "nonsense 0",
            "Service-time 0",
            "io-affinity 0",
            "io-affinity 1 1",
            "historical-service-time 1 1024",
            "historical-service-time 1 +1",
            "historical-service-time 3 1 1 1",
            "service-time \u{ff10}",
            "service-time 0\0",
        ] {
            assert!(check_path_selector(text).is_err(), "{text:?}");
        }
    }
}
