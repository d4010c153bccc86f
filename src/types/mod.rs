//! Small types that cannot hold an invalid value, and the words that results use.

pub(crate) mod words;

pub mod absence;
pub mod alias;
pub mod daemon;
pub mod health;
pub mod label;
pub mod node_name;
pub mod note;
pub mod reason;
pub mod severity;
pub mod tools_version;
pub mod transport;
pub mod wwid;
