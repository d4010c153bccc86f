//! The targets.

pub(crate) mod accepted_texts;
pub(crate) mod broadcasts;
pub(crate) mod config;
pub(crate) mod maps;
pub(crate) mod overrides;
