//! One node: its maps, the paths that they should have, its wwids file, and what applying the
//! configuration would do.

pub mod maps;
pub mod paths;
pub mod plan;
pub mod wwids_file;
