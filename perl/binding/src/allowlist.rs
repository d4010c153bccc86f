#[perlmod::package(name = "PVE::RS::Multipath::Allowlist", lib = "pve_multipath_perl")]
pub mod pve_rs_multipath_allowlist {
    //! The allow-list of a node.

    use anyhow::{Error, bail};
    use pve_multipath::Wwid;
    use pve_multipath::node::wwids_file;
    use pve_multipath::types::wwid;
    use pve_multipath::wire::scalar::Scalar;

    use crate::types::Bytes;

    /// The entries of the file's text.
    #[export]
    pub fn parse_wwids(text: &[u8]) -> Vec<Bytes<'_>> {
        wwids_file::parse_wwids(text)
            .into_iter()
            .map(Bytes::from)
            .collect()
    }

    /// The file's text with these entries.
    #[export]
    pub fn format_wwids(wwids: Vec<Scalar>) -> Result<String, Error> {
        let wwid = |wwid: &Scalar| match wwid.as_text() {
            Some(text) => Ok(Wwid::new(&text)?),
            None => bail!("a WWID must be a text"),
        };
        let wwids = wwids.iter().map(wwid).collect::<Result<_, Error>>()?;
        Ok(wwids_file::format_wwids(&wwids))
    }

    /// Fails unless the value is a WWID.
    #[export]
    pub fn assert_wwid(wwid: Scalar) -> Result<(), Error> {
        match wwid.as_text() {
            Some(text) => Ok(wwid::check(&text)?),
            None => bail!("a WWID must be a text"),
        }
    }
}
