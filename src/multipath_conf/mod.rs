//! The administrator's multipath.conf text, read as multipathd reads it.
//!
//! [`check`] finds what is wrong with a text before it reaches multipathd on every node: what kills
//! the daemon or takes maps away is an error, what it ignores or reads as something else a warning.
//! multipathd itself only logs, and starts with what is left. [`effective`] gives the values that a
//! text sets.
//!
//! The grammar is multipathd's, a line at a time: see `lexer` and `reader`. Which keywords there are
//! since when is data, in `keywords`; what a value becomes is in `values`. Facts are from the sources
//! of multipath-tools 0.9.4 to 0.15.1, and tried with the real ones.

mod blacklist;
mod built_in;
mod check;
mod complaint;
mod conf_values;
mod devices;
mod drift;
mod events;
mod expressions;
mod features;
mod finding;
mod hazards;
mod keywords;
mod lexer;
mod polling;
mod regex;
pub mod render;
mod text;
mod values;

pub use check::{MAX_LEN, check};
pub use conf_values::{ConfValues, Filter, InvalidDump, effective};
pub use drift::{Drift, drift};
pub use finding::{Finding, FindingCode, Position};
pub use lexer::MAX_LINE;
pub use text::{digest, trimmed};
pub use values::Attributes;

use crate::types::tools_version::ToolsVersion;

/// The versions of multipath-tools that Debian 12, 13 and sid have.
pub const VERSIONS: [ToolsVersion; 3] = [
    ToolsVersion::new(0, 9, 4),
    ToolsVersion::new(0, 11, 1),
    ToolsVersion::new(0, 15, 1),
];
