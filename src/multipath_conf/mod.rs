//! The format of multipath.conf: checking an administrator's text, the values that texts set, and
//! rendering drop-ins.
//!
//! multipathd only logs what is wrong with its configuration, and starts with what is left.
//! [`check`] finds that before a text reaches multipathd on any node: what would crash the daemon
//! or remove maps is an error; what multipathd ignores or reads otherwise than meant is a warning.
//! [`effective`] gives the values that texts set, [`drift`] compares them with the values in force,
//! and [`render`] writes the managed drop-ins.
//!
//! All of these follow multipathd's own parser, including its oddities. Facts are from the sources
//! of multipath-tools 0.9.4 to 0.15.1, and were verified with the programs of these versions.
//!
//! A text is read in stages: `lexer` (lines and tokens), `events` (sections, values, complaints),
//! and the consumers of events: `check` and `conf_values`. `keywords` is the table of what is
//! specific to a keyword. Each module uses only those above it:
//!
//! - `finding`: a finding and its parts; `text`: the text as it is stored
//! - `lexer`
//! - `regex`: the extended regular expressions of glibc
//! - `values`: how a value is read
//! - `features`, `hazards`, `polling`, `expressions`: what a value can do beyond what multipathd
//!   reports
//! - `blacklist`: what its entries match
//! - `keywords`
//! - `complaint`: what the parser complains about; `events`
//! - `built_in`, `devices`: the entries of `devices`, multipathd's own and those of a text
//! - `check`, `conf_values`, `drift`, `render`, `import`

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
mod import;
mod keywords;
mod lexer;
mod polling;
mod regex;
pub mod render;
mod text;
mod values;

pub use blacklist::blacklisted;
pub use check::{MAX_LEN, check};
pub use conf_values::{ConfValues, Filter, InvalidDump, effective};
pub use drift::{Drift, drift};
pub use finding::{Finding, FindingCode, Position};
pub use import::{Import, LeftOut, Why, import};
pub use lexer::MAX_LINE;
pub use text::{digest, trimmed};
pub use values::Attributes;

use crate::types::tools_version::ToolsVersion;

/// The supported versions of multipath-tools: those of Debian 12, 13 and sid.
pub const VERSIONS: [ToolsVersion; 3] = [
    ToolsVersion::new(0, 9, 4),
    ToolsVersion::new(0, 11, 1),
    ToolsVersion::new(0, 15, 1),
];
