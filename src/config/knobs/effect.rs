//! What multipathd and the kernel make of a value that the schema allows.

use thiserror::Error;

use super::{Kind, Knob};
use crate::types::alias::{Alias, Reserved};
use crate::wire::number::Number;

/// Why a value that the schema allows is not given to multipathd.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Effect {
    /// The kernel refuses the map's table: multipathd then removes every map that is not in use.
    #[error("the kernel cannot use it, and unused maps would be removed: {0}")]
    Selector(InvalidSelector),
    /// multipathd cannot live with it, or reads another number.
    #[error("at most {most} is possible")]
    TooLarge {
        /// The greatest number that multipathd takes as it is.
        most: u64,
    },
    /// multipathd takes it for "not set".
    #[error("multipathd takes it for 'not set'; was '{instead}' meant?")]
    Unset {
        /// What may have been meant.
        instead: &'static str,
    },
    /// The alias would be taken for something else.
    #[error("the alias {0}")]
    Reserved(Reserved),
}

/// A text that is no path selector of the kernel.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidSelector {
    /// Not a name, a number and words, with one blank between them.
    #[error(
        "write a name and the number of its arguments with one blank between, 'service-time 0'"
    )]
    Form,
    /// No selector of this name.
    #[error("there is no path selector {0:?}, known are: {known}", known = known_selectors())]
    Name(String),
    /// Other than the number of words that follow.
    #[error("it announces {announced} arguments, and {given} follow")]
    Count {
        /// The number.
        announced: String,
        /// How many there are.
        given: usize,
    },
    /// More arguments than the selector takes.
    #[error("'{name}' takes at most {most} arguments")]
    TooMany {
        /// The selector.
        name: &'static str,
        /// How many it takes.
        most: usize,
    },
    /// A selector that needs another argument for each path than multipathd passes.
    #[error(
        "'{0}' needs a mask of processors for each path, and multipathd passes the same number \
         for all of them, so no group can have a second path"
    )]
    PathArguments(&'static str),
    /// An argument that is no number, or too large a one.
    #[error("argument {0:?} is not a number that the selector takes")]
    Argument(String),
}

/// The kernel's path selectors (drivers/md/dm-ps-*.c, dm-round-robin.c) that multipathd can use, and
/// how many arguments each takes. Those that take none ignore what they are given.
///
/// For each path multipathd passes one argument, `rr_min_io_rq`, which is 1 unless it is set. These take it
/// for the number of requests before the next path.
const SELECTORS: [(&str, usize); 4] = [
    ("historical-service-time", 2),
    ("queue-length", 0),
    ("round-robin", 0),
    ("service-time", 0),
];

/// Takes the argument for a mask of processors, which no other path of the group may have.
const IO_AFFINITY: &str = "io-affinity";

/// Greatest base weight of historical-service-time, which has to be below HST_FIXED_1
/// (dm-ps-historical-service-time.c).
const GREATEST_BASE_WEIGHT: u32 = 1023;

/// The names of the path selectors that can be used.
pub fn path_selectors() -> impl Iterator<Item = &'static str> {
    SELECTORS.iter().map(|(name, _)| *name)
}

fn known_selectors() -> String {
    path_selectors().collect::<Vec<_>>().join(", ")
}

impl Knob {
    /// Whether multipathd takes a value, which [`check`](Self::check) has accepted, as it is meant.
    pub fn assess(&self, value: &str) -> Result<(), Effect> {
        match self.kind {
            Kind::PathSelector { .. } => check_path_selector(value).map_err(Effect::Selector),
            Kind::Alias => match Alias::new(value).ok().and_then(|alias| alias.reserved()) {
                Some(reserved) => Err(Effect::Reserved(reserved)),
                None => Ok(()),
            },
            Kind::Integer { most, .. } => check_number(value, most, None),
            Kind::WordOrDigits {
                most,
                instead_of_zero,
                ..
            } => check_number(value, most, instead_of_zero),
            Kind::Choice(_) => Ok(()),
        }
    }
}

fn check_number(
    value: &str,
    most: u64,
    instead_of_zero: Option<&'static str>,
) -> Result<(), Effect> {
    let digits = value.strip_prefix('+').unwrap_or(value);
    match (Number::from_digits(digits), instead_of_zero) {
        (Some(Number::Integer(0)), Some(instead)) => Err(Effect::Unset { instead }),
        (Some(Number::Integer(number)), _) if number <= most => Ok(()),
        (Some(_), _) => Err(Effect::TooLarge { most }),
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
