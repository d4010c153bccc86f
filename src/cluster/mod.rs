//! The whole cluster: what nodes report to their peers, and the matrix that follows from it.

mod disagreement;
pub mod events;
pub mod expectations;
pub mod report;
pub mod status;
