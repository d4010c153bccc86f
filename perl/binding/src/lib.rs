//! The Perl packages `PVE::RS::Multipath*`.
//!
//! Each function moves plain data between Perl and the crate `pve-multipath` and holds no logic.
//! File contents and JSON are bytes on both sides. What a Perl scalar's type is depends on its
//! history, which is why numbers and texts from Perl go through [`pve_multipath::wire::scalar::Scalar`].

mod allowlist;
mod broadcast;
mod candidates;
mod cluster;
mod config;
mod doctor;
mod events;
mod maps;
mod metrics;
mod overrides;
mod paths;
mod plan;
mod render;
mod reporter;
mod sections;
mod types;
mod uses;

#[perlmod::package(name = "PVE::RS::Multipath", lib = "pve_multipath_perl")]
pub mod pve_rs_multipath {
    /// The version of the library.
    #[export]
    pub fn version() -> &'static str {
        pve_multipath::VERSION
    }
}
