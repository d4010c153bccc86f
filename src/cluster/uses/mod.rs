//! Who uses a LUN: the cluster's storages and guests, and what the nodes have found.
//!
//! [`storage_uses`] and [`guest_uses`] tell what the cluster's configuration says, [`Users`] puts that and the
//! nodes' own findings ([`NodeUses`](crate::node::uses::NodeUses)) together: why a LUN must not be taken away.

mod guests;
mod obstacles;
mod storages;
mod users;

pub use guests::{GuestUse, guest_uses};
pub use obstacles::{NodeState, Obstacle, first_storage, obstacles, refusal, summary};
pub use storages::{How, Reach, StorageUse, storage_uses, volume_wwid};
pub use users::{Refusal, Users};
