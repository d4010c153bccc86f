//! What the glue has read of a node, as far as candidates depend on it.

use std::collections::{BTreeMap, BTreeSet};

use super::listing::Listing;
use super::{Disk, Inputs, Mapped, VolumeGroups};
use crate::Wwid;
use crate::multipath_conf::blacklisted::{File, Rules};
use crate::multipath_conf::{ConfValues, VERSIONS, effective};
use crate::node::maps::Reply;
use crate::types::tools_version::ToolsVersion;
use crate::wire::byte_string::ByteString;

/// Replies of multipathd, and contents of files. What is not there is absent or empty.
#[derive(Debug, Default)]
pub struct Sources<'a, 'f> {
    /// The outcome of [`COMMAND`](super::listing::COMMAND); none if it was not recorded.
    pub listing: Option<Reply<'a>>,
    /// The outcome of `multipathd show config local`.
    pub configuration: Option<Reply<'a>>,
    /// The files of multipathd's configuration, in the order in which it reads them.
    pub files: Vec<File<'f>>,
    /// The version of multipath-tools, if it is known.
    pub version: Option<ToolsVersion>,
    /// The block devices in `/sys/block` that are none of device-mapper's, by kernel name.
    pub disks: BTreeMap<ByteString<'a>, Disk<'a>>,
    /// Those of device-mapper.
    pub mapped: BTreeMap<ByteString<'a>, Mapped<'a>>,
    /// The cluster's allow-list.
    pub allow_list: BTreeSet<Wwid>,
    /// `/proc/self/mountinfo`.
    pub mountinfo: &'a [u8],
    /// `/proc/swaps`.
    pub swaps: &'a [u8],
    /// What LVM has left in files.
    pub volume_groups: VolumeGroups,
}

impl<'a> Sources<'a, '_> {
    /// Reads the replies, and tells in sentences what is wrong with them.
    pub fn read(self) -> (Inputs<'a>, Vec<String>) {
        let mut warnings = Vec::new();
        let listing = match self.listing.as_ref().map(Listing::of_reply) {
            Some(Ok(listing)) => Some(listing),
            Some(Err(error)) => {
                warnings.push(error.to_string());
                None
            }
            None => {
                warnings.push("multipathd's list of paths is not available".to_owned());
                None
            }
        };
        let odd_lines = listing.as_ref().map_or(0, |listing| listing.odd_lines);
        if odd_lines > 0 {
            warnings.push(format!(
                "lines in multipathd's list of paths that cannot be read: {odd_lines}; a WWID may \
                 contain a line feed"
            ));
        }
        let answered = self
            .configuration
            .filter(|reply| reply.exit_code == Some(0) && !reply.timed_out && listing.is_some());
        let in_force = answered
            .map(|reply| ConfValues::from_dump(reply.stdout))
            .transpose();
        let in_force = in_force.unwrap_or_else(|error| {
            warnings.push(format!("multipathd's configuration: {error}"));
            None
        });
        let version = self.version.unwrap_or(VERSIONS[1]);
        // a LUN without a map may be missing in what multipathd answers
        let texts: Vec<&[u8]> = self.files.iter().map(|file| file.text).collect();
        let of_files = effective(&texts, version);
        let values = std::iter::once(&of_files).chain(&in_force);
        let multipaths = values.flat_map(|values| &values.multipaths);
        let aliases = multipaths.filter_map(|entry| {
            let value = |name| entry.get(name).cloned();
            Some((value("wwid")?, value("alias")?))
        });
        let inputs = Inputs {
            listing,
            disks: self.disks,
            mapped: self.mapped,
            allow_list: self.allow_list,
            aliases: aliases.collect(),
            rules: Rules::new(in_force.as_ref(), &self.files, version),
            mountinfo: self.mountinfo,
            swaps: self.swaps,
            volume_groups: self.volume_groups,
        };
        (inputs, warnings)
    }
}
