//! Multipath for Proxmox VE clusters, as pure functions.
//!
//! SAN LUNs reach the nodes of a cluster over several paths, which `multipathd` joins into one
//! device-mapper map per LUN and node. This crate holds every decision that a cluster-wide view
//! needs: it reads what `multipathd` answers ([`maps`]), reduces it to what a node tells its peers
//! ([`broadcast`]), derives which node should carry which LUN ([`expectations`]) and combines all
//! of it into one matrix of health, LUN by node, with the reasons ([`cluster`]).
//!
//! There is no I/O, no clock and no environment in here: the time, the cluster's members and the
//! contents of files come in as data, and what was decided goes out as data. So each decision is
//! tested on recorded inputs, and a caller can show what would happen before it happens.
//!
//! All inputs may be hostile or broken: a peer's broadcast, the vendor string of an array, a file
//! somebody edited. No input makes a function of this crate panic; each gets a typed error, or a
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
//! let parsed = pve_multipath::maps::parse(reply)?;
//! assert_eq!(parsed.maps[0].health.as_str(), "degraded");
//! # Ok::<(), pve_multipath::maps::ParseError>(())
//! ```

pub mod alias;
pub mod allowlist;
pub mod broadcast;
pub mod byte_string;
pub mod cluster;
pub mod config;
pub mod events;
pub mod expectations;
pub mod health;
pub mod knobs;
pub mod maps;
pub mod metrics;
pub mod node;
pub mod note;
pub mod number;
mod object;
pub mod overrides;
pub mod paths;
pub mod plan;
pub mod reason;
pub mod render;
pub mod scalar;
pub mod sections;
pub mod settings;
pub mod tools_version;
pub mod transport;
pub mod wwid;

pub use alias::Alias;
pub use health::{CellState, Health};
pub use node::{NodeName, NodeSet};
pub use note::{Note, NoteCode};
pub use reason::Reason;
pub use transport::Transport;
pub use wwid::Wwid;

/// Version of this crate. The binding hands it to Perl, which refuses a library of another one.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
