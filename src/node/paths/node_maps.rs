//! The maps of a node with the numbers of paths that they should have.

use super::{Configured, Memory};
use crate::config::Config;
use crate::node::maps::{Map, Reply, ReplyError, SysfsFacts, parse_reply};

/// The maps of a node.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct NodeMaps {
    /// The maps, in multipathd's order.
    pub maps: Vec<Map>,
    /// Warnings for an administrator, one sentence each.
    pub warnings: Vec<String>,
}

/// Reads the maps of a node, as [`parse_reply`] does, and sets how many paths they should have.
///
/// `memory` is the text of `paths.json` and `config` the cluster's configuration; none where they
/// could not be read. A memory that does not parse is a warning.
///
/// # Errors
///
/// Those of [`parse_reply`].
pub fn node_maps(
    reply: &Reply<'_>,
    sysfs: Option<&SysfsFacts>,
    memory: Option<&[u8]>,
    config: Option<&Config<'_>>,
) -> Result<NodeMaps, ReplyError> {
    let list = parse_reply(reply, sysfs)?;
    let mut warnings = list.warnings();
    let mut maps = list.maps;
    let configured = config.map(Configured::of);
    let memory = memory.map(Memory::parse).transpose();
    let memory = memory.unwrap_or_else(|error| {
        warnings.push(error.to_string());
        None
    });
    expect_paths(&mut maps, configured.as_ref(), memory.as_ref());
    Ok(NodeMaps { maps, warnings })
}

/// Sets how many paths each of these maps should have, see [`Map::expect`].
pub fn expect_paths(maps: &mut [Map], configured: Option<&Configured>, memory: Option<&Memory>) {
    for map in maps {
        if let Some(expected) = super::expected(&map.wwid, configured, memory) {
            map.expect(expected);
        }
    }
}
