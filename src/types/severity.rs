//! How bad something in a configuration is.

use std::fmt;

use serde::Serialize;

/// How bad a finding in an overrides text, or a problem in `multipath.cfg`, is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// It would do damage: the text is refused, or the value is not used.
    Error,
    /// It is accepted, but has no effect or not the expected one.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}
