//! Multipath for Proxmox VE clusters, as pure functions.
//!
//! SAN LUNs reach the nodes of a cluster over several paths, which `multipathd` joins into one
//! device-mapper map per LUN and node. This crate holds every decision that a cluster-wide view
//! needs: it reads what `multipathd` answers ([`node::maps`]), reduces it to what a node tells its peers
//! ([`cluster::report`]), derives which node should carry which LUN ([`cluster::expectations`]) and combines all
//! of it into one matrix of health, LUN by node, with the reasons ([`cluster::status`]).
//!
//! Each of the main jobs has an example where it is documented: parse maps ([`node::maps::parse`]), roll up
//! reports ([`cluster::status`]), check a text for multipathd ([`multipath_conf::check`]), plan what applying
//! would change ([`node::plan::plan`]), change the configuration ([`config::Change`]). A daemon's pass is
//! [`pass::Reporter`].
//!
//! There is no I/O, no clock and no environment in here: the time, the cluster's members and the
//! contents of files come in as data, and what was decided goes out as data. So each decision is
//! tested on recorded inputs, and a caller can show what would happen before it happens.
//!
//! All inputs may be hostile or broken: a peer's broadcast, the vendor string of an array, a file
//! that was edited by hand. No input makes a function of this crate panic; each gets a typed error, or a
//! warning beside the part that could be read.
//!
//! ```
//! let reply = br#"{"major_version": 0, "minor_version": 1, "maps": [{
//!     "name": "mpatha", "uuid": "36001405aabbccdd", "sysfs": "dm-0", "dm_st": "active",
//!     "path_groups": [{"dm_st": "active", "pri": 50, "group": 1, "paths": [
//!         {"dev": "sda", "dm_st": "active", "dev_st": "running", "chk_st": "ready", "pri": 50},
//!         {"dev": "sdb", "dm_st": "failed", "dev_st": "offline", "chk_st": "faulty", "pri": 50}
//!     ]}]
//! }]}"#;
//! let parsed = pve_multipath::node::maps::parse(reply)?;
//! assert_eq!(parsed.maps[0].health.as_str(), "degraded");
//! # Ok::<(), pve_multipath::node::maps::ParseError>(())
//! ```

pub mod cluster;
pub mod config;
pub mod metrics;
pub mod multipath_conf;
pub mod node;
pub mod pass;
pub mod types;
pub mod wire;

pub use types::alias::Alias;
pub use types::health::{CellState, Health};
pub use types::node_name::{NodeName, NodeSet};
pub use types::note::{Note, NoteCode};
pub use types::reason::Reason;
pub use types::severity::Severity;
pub use types::transport::Transport;
pub use types::wwid::Wwid;

/// Version of this crate. The binding hands it to Perl, which refuses a library of another one.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
