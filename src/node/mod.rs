//! One node: its maps, the numbers of paths that they should have, its WWIDs file, and what applying the
//! configuration would do.

pub mod absent;
pub mod applied;
pub(crate) mod block;
pub mod boot;
pub mod candidates;
pub mod causes;
mod content;
pub mod maps;
pub mod paths;
pub mod plan;
pub mod ports;
pub mod uses;
pub mod wwids_file;

pub use content::Content;
