//! Aliases that are the name of another device of the node.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::devices::Mapped;
use super::{Content, DropIn, Node};
use crate::Wwid;
use crate::config::settings::Settings;

/// Why a LUN does not get its alias on this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum AliasReason {
    /// A device that is not a multipath map has the name.
    OtherDevice,
    /// The map of another LUN has the name, and keeps it.
    OtherLun,
    /// The map of another LUN has the name until multipathd reads its configuration again.
    NotYetFree,
}

/// An alias that a LUN does not get on this node: its map is called by its WWID.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TakenAlias {
    /// The LUN.
    pub wwid: Wwid,
    /// The alias.
    pub alias: String,
    /// Kernel name of the device that has the name.
    pub device: String,
    /// UUID of that device in device-mapper, which tells what made it.
    pub uuid: String,
    /// Why.
    pub reason: AliasReason,
}

impl TakenAlias {
    /// The problem for an administrator to solve, if it does not solve itself.
    pub(super) fn error(&self) -> Option<String> {
        let Self { wwid, alias, .. } = self;
        let (owner, advice) = match self.reason {
            AliasReason::NotYetFree => return None,
            AliasReason::OtherDevice if self.uuid.is_empty() => {
                (self.device.clone(), "choose another alias")
            }
            AliasReason::OtherDevice => (
                format!("{} ({})", self.device, self.uuid),
                "choose another alias",
            ),
            AliasReason::OtherLun => (
                format!("the map of {}", self.uuid.trim_start_matches("mpath-")),
                "give one of the two another alias",
            ),
        };
        Some(format!(
            "'{wwid}' does not get its alias '{alias}' on this node, since {owner} has that name: {advice}"
        ))
    }
}

/// The aliases that are the name of a device of the node other than the LUN's own map.
///
/// At each reconfigure, the kernel would refuse the name, and multipathd would then remove the LUN's map
/// if it is not in use (libmultipath/configure.c, domap and coalesce_paths).
pub(super) fn taken(luns: &BTreeMap<Wwid, Settings>, node: &Node<'_>) -> Vec<TakenAlias> {
    let devices = node.devices.mapped.iter();
    let by_name: HashMap<&str, (&String, &Mapped)> = devices
        .map(|(device, mapped)| (mapped.name(), (device, mapped)))
        .collect();
    let taken = |(wwid, settings): (&Wwid, &Settings)| {
        let alias = settings.get("alias")?.to_text();
        let (device, owner) = *by_name.get(alias.as_str())?;
        (owner.wwid() != Some(wwid.as_str())).then(|| TakenAlias {
            wwid: wwid.clone(),
            reason: match owner.wwid() {
                None => AliasReason::OtherDevice,
                Some(other) if is_renamed(other, &alias, luns, node) => AliasReason::NotYetFree,
                Some(_) => AliasReason::OtherLun,
            },
            alias,
            device: device.clone(),
            uuid: owner.uuid().to_owned(),
        })
    };
    luns.iter().filter_map(taken).collect()
}

/// Whether a LUN's map that is called `name` is about to get another name: the LUN has another alias, or
/// had this one from our drop-in.
fn is_renamed(wwid: &str, name: &str, luns: &BTreeMap<Wwid, Settings>, node: &Node<'_>) -> bool {
    let has_alias = |settings: &Settings| settings.get("alias").is_some();
    let was_ours = || match node.drop_in(DropIn::Aliases) {
        Content::Text(text) => {
            let lines = format!("\n\t\twwid {wwid}\n\t\talias {name}\n");
            memchr::memmem::find(text, lines.as_bytes()).is_some()
        }
        _ => false,
    };
    luns.get(wwid).is_some_and(has_alias) || was_ours()
}
