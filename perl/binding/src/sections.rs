#[perlmod::package(name = "PVE::RS::Multipath::Sections", lib = "pve_multipath_perl")]
pub mod pve_rs_multipath_sections {
    //! Section configurations of other packages.

    use pve_multipath::config::sections::{self, Sections};

    /// Reads a section configuration without a schema. Bytes that are not UTF-8 are replaced.
    #[export]
    pub fn parse(raw: &[u8]) -> Sections {
        sections::parse(&String::from_utf8_lossy(raw))
    }
}
