//! How many paths the maps should have.

use super::{BlockDevices, Map, Parsed, Reply, ReplyError, parse_reply};
use crate::config::Config;
use crate::node::paths::{self, Configured, Expected, Memory};
use crate::{Health, Note, NoteCode, Reason};

/// Reads the maps of a node, as [`parse_reply`] does, and takes in how many paths they should have.
/// The text of the node's memory and the cluster's configuration are none where they could not be
/// read.
pub fn node_maps<'a>(
    reply: &Reply<'a>,
    block: Option<&BlockDevices>,
    memory: Option<&[u8]>,
    config: Option<&Config<'_>>,
) -> Result<Parsed<'a>, ReplyError> {
    let mut parsed = parse_reply(reply, block)?;
    let configured = config.map(Configured::of);
    let memory = match memory.map(Memory::parse).transpose() {
        Ok(memory) => memory,
        Err(error) => {
            parsed.memory_error = Some(error);
            None
        }
    };
    expect_paths(&mut parsed.maps, configured.as_ref(), memory.as_ref());
    Ok(parsed)
}

/// Takes in for each of these maps how many paths it should have, see [`Map::expect`].
pub fn expect_paths(
    maps: &mut [Map<'_>],
    configured: Option<&Configured>,
    memory: Option<&Memory>,
) {
    for map in maps {
        if let Some(expected) = paths::expected(&map.wwid, configured, memory) {
            map.expect(expected);
        }
    }
}

impl Map<'_> {
    /// Takes in how many paths there should be: with fewer, redundancy is lost although no path
    /// failed. More than configured are worth a note. For a map as it was parsed, once.
    pub fn expect(&mut self, expected: Expected) {
        let (Expected::Configured(number) | Expected::Remembered(number)) = expected;
        let present = u32::try_from(self.paths_total).unwrap_or(u32::MAX);
        self.paths_expected = Some(number);
        if present < number {
            self.health = self.health.max(Health::Degraded);
            self.reasons.push(Reason::PathGone {
                present,
                expected: number,
            });
        }
        if present > number && expected == Expected::Configured(number) {
            let code = NoteCode::MorePathsThanConfigured;
            self.notes.push(Note::configured(code, number));
        }
    }
}
