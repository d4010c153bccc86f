//! The drop-ins that Proxmox VE manages.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

use super::{Certainty, Cluster, Content, Node};
use crate::config::settings::Settings;
use crate::multipath_conf::{self, render};
use crate::types::tools_version::ToolsVersion;
use crate::{Severity, Wwid};

/// A managed file in `/etc/multipath/conf.d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum DropIn {
    /// The global knobs.
    #[serde(rename = "pve-defaults.conf")]
    Defaults,
    /// The administrator's overrides.
    #[serde(rename = "pve-overrides.conf")]
    Overrides,
    /// The LUNs' aliases and knobs.
    #[serde(rename = "pve-aliases.conf")]
    Aliases,
}

impl DropIn {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Defaults, Self::Overrides, Self::Aliases];

    /// Name of the file.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Defaults => "pve-defaults.conf",
            Self::Overrides => "pve-overrides.conf",
            Self::Aliases => "pve-aliases.conf",
        }
    }
}

/// What to do about a drop-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DropInAction {
    /// Replace it as a whole.
    Write,
    /// Remove it.
    Remove,
    /// Leave it as it is, although it differs.
    Keep,
}

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DropInReason {
    /// It does not exist yet.
    Absent,
    /// Its content differs.
    Differs,
    /// It cannot be read.
    Unreadable,
    /// It would have no content.
    NoContent,
    /// It lacks the mark of a managed file.
    NotOurs,
    /// Its new content would break multipathd or maps, so the last good one stays.
    Refused,
    /// Lines would be lost, and the cluster's file may be in the middle of being saved.
    Unconfirmed,
}

/// What to do about a drop-in, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DropInStep {
    /// Which one.
    pub file: DropIn,
    /// What to do.
    pub action: DropInAction,
    /// Why.
    pub reason: DropInReason,
    /// The new content, if it is written.
    #[serde(serialize_with = "as_bytes", skip_serializing_if = "Option::is_none")]
    pub text: Option<Vec<u8>>,
}

fn as_bytes<S: Serializer>(text: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(text.as_deref().unwrap_or_default())
}

/// What the drop-ins should contain.
pub(super) struct Wanted<'a> {
    pub(super) configured: bool,
    pub(super) defaults: &'a Settings,
    /// Without the aliases that the node cannot use.
    pub(super) luns: &'a BTreeMap<Wwid, Settings>,
    /// As the cluster wants them.
    pub(super) all_luns: &'a BTreeMap<Wwid, Settings>,
    /// Trimmed.
    pub(super) overrides: &'a [u8],
    pub(super) cluster: &'a Cluster<'a>,
}

impl Wanted<'_> {
    /// The content of a file, if it should have any; or why multipathd must not get it.
    fn text(&self, file: DropIn, node: &Node<'_>) -> Result<Option<Vec<u8>>, String> {
        let refused = |err| format!("{} is not written: {err}", file.file_name());
        match file {
            DropIn::Defaults if !self.configured => Ok(None),
            DropIn::Defaults => render::defaults(self.defaults, node.version)
                .map(|text| Some(text.into_bytes()))
                .map_err(refused),
            DropIn::Aliases => render::aliases(self.luns, node.version)
                .map(|text| text.map(String::into_bytes))
                .map_err(refused),
            DropIn::Overrides => {
                let text = render::overrides(self.overrides);
                // the present text was checked when it was written
                match (&text, node.drop_in(file)) {
                    (Some(new), Content::Text(old)) if new == old => Ok(text),
                    _ => self.check_overrides(node.version).and(Ok(text)),
                }
            }
        }
    }

    /// Whether the file of the cluster that a drop-in comes from is known to be saved.
    fn is_settled(&self, file: DropIn) -> bool {
        match file {
            DropIn::Overrides => self.cluster.overrides_are.is_settled(),
            DropIn::Defaults | DropIn::Aliases => self.cluster.config_is.is_settled(),
        }
    }

    /// Whether the change of a file waits until the cluster's files are known to be saved. Until then, a
    /// change is only made if no line is lost. Overrides always wait: of a blacklist and its exceptions,
    /// only the former may have been read.
    fn waits(&self, file: DropIn, new: Option<&[u8]>, node: &Node<'_>) -> bool {
        if self.is_settled(file) {
            // the file goes once there are no overrides, either
            return file == DropIn::Defaults
                && new.is_none()
                && !self.cluster.overrides_are.is_settled();
        }
        // an alias that the node cannot use is not lost because of what was read
        let all = match file {
            DropIn::Aliases => render::aliases(self.all_luns, node.version),
            _ => Ok(None),
        };
        let all = all.ok().flatten();
        let meant = all.as_ref().map(String::as_bytes).or(new);
        match (file, self.cluster.config_is, node.drop_in(file), meant) {
            (DropIn::Overrides, ..) | (_, Certainty::Torn, ..) | (.., None) => true,
            (.., Content::Absent, Some(_)) => false,
            (.., Content::Unreadable(_), Some(_)) => true,
            (.., Content::Text(old), Some(meant)) => !has_all_lines(meant, old),
        }
    }

    fn check_overrides(&self, version: Option<ToolsVersion>) -> Result<(), String> {
        let versions = version
            .as_ref()
            .map_or(&multipath_conf::VERSIONS[..], std::slice::from_ref);
        let findings = multipath_conf::check(self.overrides, versions, &[]);
        let mut errors = findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error);
        let Some(first) = errors.next() else {
            return Ok(());
        };
        let more = match errors.count() {
            0 => String::new(),
            more => format!(" ({more} more: see 'pvemultipath check')"),
        };
        let line = first.position.line;
        Err(format!(
            "the overrides are not applied: line {line}: {first}{more}"
        ))
    }
}

/// The steps for the three files.
pub(super) fn steps(
    wanted: &Wanted<'_>,
    node: &Node<'_>,
    errors: &mut Vec<String>,
) -> Vec<DropInStep> {
    let mut step = |file: DropIn| {
        let old = node.drop_in(file);
        let text = wanted.text(file, node);
        let (action, reason) = match (&text, old) {
            (Ok(Some(new)), Content::Text(old)) if new == old => return None,
            (Ok(None), Content::Absent) => return None,
            (Ok(None), Content::Text(old)) if !render::is_managed(old) => {
                (DropInAction::Keep, DropInReason::NotOurs)
            }
            (Ok(new), _) if wanted.waits(file, new.as_deref(), node) => {
                (DropInAction::Keep, DropInReason::Unconfirmed)
            }
            (Err(_), _) if !wanted.is_settled(file) => {
                (DropInAction::Keep, DropInReason::Unconfirmed)
            }
            (Err(err), _) => {
                errors.push(err.clone());
                (DropInAction::Keep, DropInReason::Refused)
            }
            (Ok(Some(_)), Content::Absent) => (DropInAction::Write, DropInReason::Absent),
            (Ok(Some(_)), Content::Text(_)) => (DropInAction::Write, DropInReason::Differs),
            (Ok(Some(_)), Content::Unreadable(_)) => {
                (DropInAction::Write, DropInReason::Unreadable)
            }
            (Ok(None), Content::Text(_)) => (DropInAction::Remove, DropInReason::NoContent),
            (Ok(None), Content::Unreadable(err)) => {
                errors.push(format!("{} is not removed: {err}", file.file_name()));
                (DropInAction::Keep, DropInReason::Unreadable)
            }
        };
        Some(DropInStep {
            file,
            action,
            reason,
            text: text
                .ok()
                .flatten()
                .filter(|_| action == DropInAction::Write),
        })
    };
    DropIn::ALL.into_iter().filter_map(&mut step).collect()
}

/// Whether a text has all lines of the other one, in the same order.
fn has_all_lines(text: &[u8], of: &[u8]) -> bool {
    let mut lines = text.split(|&byte| byte == b'\n');
    of.split(|&byte| byte == b'\n')
        .all(|wanted| lines.any(|line| line == wanted))
}
