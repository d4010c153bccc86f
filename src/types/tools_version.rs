//! Versions of multipath-tools.

use std::fmt;

use serde::{Serialize, Serializer};
use thiserror::Error;

/// A version of multipath-tools, such as 0.11.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ToolsVersion {
    /// The first number.
    pub major: u32,
    /// The second number.
    pub minor: u32,
    /// The third number, 0 if there is none.
    pub patch: u32,
}

/// A text that is not a version of multipath-tools.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is not a version of multipath-tools, such as 0.11.1")]
pub struct InvalidToolsVersion(String);

impl ToolsVersion {
    /// The version of these numbers.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self {
            major,
            minor,
            patch,
        }
    }
}

impl std::str::FromStr for ToolsVersion {
    type Err = InvalidToolsVersion;

    /// Parses an upstream or a Debian version; the Debian revision is ignored.
    fn from_str(text: &str) -> Result<Self, InvalidToolsVersion> {
        let invalid = || InvalidToolsVersion(text.to_owned());
        let upstream = text.split(['-', '+', '~']).next().unwrap_or(text);
        let mut numbers = upstream.split('.').map(|number| {
            let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
            number.parse().ok().filter(|_| digits)
        });
        let mut next = |default| numbers.next().unwrap_or(default).ok_or_else(invalid);
        let version = Self::new(next(None)?, next(None)?, next(Some(0))?);
        match numbers.next() {
            None => Ok(version),
            Some(_) => Err(invalid()),
        }
    }
}

impl fmt::Display for ToolsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl Serialize for ToolsVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        let version = |text: &str| text.parse::<ToolsVersion>();
        assert_eq!(version("0.11.1"), Ok(ToolsVersion::new(0, 11, 1)));
        assert_eq!(version("0.9.4-3+deb12u2"), Ok(ToolsVersion::new(0, 9, 4)));
        assert_eq!(version("0.15"), Ok(ToolsVersion::new(0, 15, 0)));
        assert!(ToolsVersion::new(0, 9, 4) < ToolsVersion::new(0, 11, 1));
        for text in [
            "",
            "0",
            "0.",
            "a.b",
            "0.9.4.1",
            "0.-1",
            "+0.9",
            "0.9.99999999999",
        ] {
            assert!(version(text).is_err(), "{text:?}");
        }
    }
}
