//! What a node's file held when it was read.

/// A file of the node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Content<'a> {
    /// The file does not exist.
    #[default]
    Absent,
    /// Its bytes.
    Text(&'a [u8]),
    /// It exists but cannot be read, for this reason.
    Unreadable(String),
}
