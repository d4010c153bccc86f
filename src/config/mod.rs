//! The cluster's configuration, `multipath.cfg`.
//!
//! It is a section configuration of Proxmox VE: a section `defaults: defaults` with the global knobs,
//! and a section `wwid: <WWID>` for each allow-listed LUN. [`parse`] and [`write()`] behave as
//! PVE::SectionConfig (pve-common 9.2.1) does with the schema of [`knobs`], byte for byte, so that a
//! node may use either. Unlike it, [`write()`] gives back the lines that [`parse`] did not understand,
//! and refuses what would be read back as something else.
//!
//! PVE::SectionConfig accepts values that harm: an ID that is not a WWID, an alias that looks like a
//! device, a path selector that the kernel does not have. They are parsed, listed by [`problems()`],
//! refused by every [`Change`], and left out of what consumers get: [`luns()`],
//! [`effective_defaults`] and [`allow_list`].

pub mod alias_template;
mod change;
mod document;
mod effective;
mod hash;
pub mod knobs;
mod luns;
mod parse;
mod problems;
mod properties;
pub mod sections;
pub mod settings;
mod value;
mod write;

pub use change::{Change, ChangeError, Update};
pub use document::{Config, Item, Section};
pub use effective::{EffectiveConfig, EffectiveLun, EffectiveValue, Origin, effective};
pub(crate) use hash::sections as sections_of_hash;
pub use luns::{AllowList, allow_list, effective_defaults, luns, managed_defaults};
pub use parse::{ParsedConfig, ValueError, parse};
pub use problems::{Problem, ProblemCode, problems};
pub use properties::Properties;
pub use value::Value;
pub use write::{WriteError, WriteErrorKind, Written, write};

/// ID of the section with the global knobs.
pub const DEFAULTS_ID: &str = "defaults";
