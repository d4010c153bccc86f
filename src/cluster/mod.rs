//! The whole cluster: what the nodes report to their peers, and the matrix that is made of it.

pub mod candidates;
pub mod causes;
mod disagreement;
pub mod doctor;
pub mod events;
pub mod expectations;
pub mod report;
pub mod status;
pub mod uses;
