#[perlmod::package(name = "PVE::RS::Multipath::Sections", lib = "pve_multipath_perl")]
pub mod pve_rs_multipath_sections {
    //! Section configurations whose schema is not known.

    use pve_multipath::config::sections::{self, Sections};

    /// Reads a section configuration. Bytes that are no UTF-8 are replaced.
    #[export]
    pub fn parse(raw: &[u8]) -> Sections {
        sections::parse(&String::from_utf8_lossy(raw))
    }
}
