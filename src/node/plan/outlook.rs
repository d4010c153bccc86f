//! What multipathd will make of its maps once it reads its configuration: with our new drop-ins, and with
//! the files of others.
//!
//! multipathd reads `/etc/multipath.conf` first, then the files of `/etc/multipath/conf.d` by name. A file
//! that comes after ours wins, and blacklists of all files count.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::devices::Mapped;
use super::drop_ins::Wanted;
use super::wwids::WwidAction;
use super::{Content, DropIn, DropInAction, Node, Plan};
use crate::Wwid;
use crate::config::settings::Settings;
use crate::multipath_conf::blacklisted::{Facts, File, Hit, Rules, Verdict};
use crate::multipath_conf::{ConfValues, Drift, VERSIONS, drift, effective};
use crate::node::wwids_file::parse_wwids;

/// Where the drop-ins are.
const DROP_IN_DIR: &str = "/etc/multipath/conf.d/";

/// A map that gets another name, in use or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rename {
    /// The LUN.
    pub wwid: Wwid,
    /// The present name.
    pub from: String,
    /// The new one.
    pub to: String,
}

/// A map that is removed, unless it is in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Vanishing {
    /// The LUN.
    pub wwid: Wwid,
    /// The map's name.
    pub name: String,
}

/// An allow-listed LUN of which multipathd's blacklist hides all paths.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hidden {
    /// The LUN.
    pub wwid: Wwid,
    /// The rule, and the line of the file where it is.
    #[serde(flatten)]
    pub hit: Hit,
}

/// What multipathd will do beside what is asked of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Outlook {
    /// Maps that get another name.
    pub renames: Vec<Rename>,
    /// Maps that go.
    pub vanishing: Vec<Vanishing>,
    /// Values that will not be in force, since a file of others sets them.
    pub overridden: Vec<Drift>,
    /// LUNs that will not get a map.
    pub hidden: Vec<Hidden>,
}

/// What follows from a plan, given the files of others.
pub(super) fn outlook(
    plan: &Plan,
    wanted: &Wanted<'_>,
    others: &[File<'_>],
    node: &Node<'_>,
) -> Outlook {
    let version = node.version.unwrap_or(VERSIONS[1]);
    let ours = DropIn::ALL.map(|file| {
        (
            format!("{DROP_IN_DIR}{}", file.file_name()),
            text_of(file, plan, node),
        )
    });
    let ours = { ours.iter() }.filter_map(|(name, text)| {
        Some(File {
            name,
            text: (*text)?,
        })
    });
    let mut files: Vec<File<'_>> = others.iter().copied().chain(ours).collect();
    files.sort_by_key(|file| (file.name.starts_with(DROP_IN_DIR), file.name));
    let texts: Vec<&[u8]> = files.iter().map(|file| file.text).collect();
    let values = effective(&texts, version);

    let maps: BTreeMap<&str, &Mapped> = { node.devices.mapped.values() }
        .filter_map(|map| Some((map.wwid()?, map)))
        .collect();
    Outlook {
        renames: renames(&maps, &values),
        vanishing: vanishing(&maps, &values, plan, node),
        overridden: drift(
            wanted.defaults,
            wanted.luns,
            wanted.overrides,
            &values,
            version,
        ),
        hidden: hidden(&maps, &Rules::new(None, &files, version), wanted.luns, node),
    }
}

/// The content that a drop-in will have.
fn text_of<'a>(file: DropIn, plan: &'a Plan, node: &'a Node<'_>) -> Option<&'a [u8]> {
    let step = plan.drop_ins.iter().find(|step| step.file == file);
    match step.map(|step| step.action) {
        Some(DropInAction::Write) => step?.text.as_deref(),
        Some(DropInAction::Remove) => None,
        Some(DropInAction::Keep) | None => match node.drop_in(file) {
            Content::Text(text) => Some(text),
            Content::Absent | Content::Unreadable(_) => None,
        },
    }
}

/// A LUN without an alias is named by its WWID, or as `mpatha` where that is set; which letter it gets is
/// only known if it has one already.
fn renames(maps: &BTreeMap<&str, &Mapped>, values: &ConfValues) -> Vec<Rename> {
    let entries = values.multipaths.iter();
    let entries: BTreeMap<&str, _> = entries
        .filter_map(|entry| Some((entry.get("wwid")?.as_str(), entry)))
        .collect();
    let rename = |(wwid, map): (&&str, &&Mapped)| {
        let own = |name| entries.get(wwid).and_then(|entry| entry.get(name));
        let is_friendly = || {
            let name = "user_friendly_names";
            let found = own(name)
                .or_else(|| values.overrides.get(name))
                .or_else(|| values.defaults.get(name));
            found.is_some_and(|value| value == "yes")
        };
        let to = match own("alias") {
            Some(alias) => alias,
            None if is_friendly() => return None,
            None => *wwid,
        };
        (map.name() != to).then(|| {
            let wwid = Wwid::new(wwid).ok()?;
            Some(Rename {
                wwid,
                from: map.name().to_owned(),
                to: to.to_owned(),
            })
        })?
    };
    maps.iter().filter_map(rename).collect()
}

/// With `find_multipaths strict`, only LUNs in the WWIDs file have maps.
fn vanishing(
    maps: &BTreeMap<&str, &Mapped>,
    values: &ConfValues,
    plan: &Plan,
    node: &Node<'_>,
) -> Vec<Vanishing> {
    let listed = match &node.wwids {
        Content::Text(text) => parse_wwids(text),
        Content::Absent => Vec::new(),
        Content::Unreadable(_) => return Vec::new(),
    };
    if values
        .defaults
        .get("find_multipaths")
        .is_none_or(|value| value != "strict")
    {
        return Vec::new();
    }
    let listed: BTreeSet<&[u8]> = listed.into_iter().collect();
    let goes = |(wwid, map): (&&str, &&Mapped)| {
        let wwid = Wwid::new(wwid).ok()?;
        let stays = match plan.action(&wwid) {
            Some(WwidAction::Add) => true,
            Some(WwidAction::Remove) => false,
            _ => listed.contains(wwid.as_str().as_bytes()),
        };
        (!stays).then(|| Vanishing {
            wwid,
            name: map.name().to_owned(),
        })
    };
    maps.iter().filter_map(goes).collect()
}

/// Rules by vendor, protocol and property are left out: of these, the node's candidates tell.
fn hidden(
    maps: &BTreeMap<&str, &Mapped>,
    rules: &Rules,
    luns: &BTreeMap<Wwid, Settings>,
    node: &Node<'_>,
) -> Vec<Hidden> {
    let disks = node.devices.disks_by_wwid();
    let mut paths: Vec<(&Wwid, Facts)> = Vec::new();
    for wwid in luns.keys() {
        let slaves = maps
            .get(wwid.as_str())
            .into_iter()
            .flat_map(|map| &map.slaves);
        let others = disks.get(wwid.as_str()).into_iter().flatten().copied();
        let mut names: BTreeSet<&str> = slaves.map(String::as_str).chain(others).collect();
        if names.is_empty() {
            // not known: it may get any
            names.insert("");
        }
        paths.extend(names.into_iter().map(|name| {
            let facts = Facts {
                name: name.to_owned(),
                wwid: Some(wwid.to_string()),
                ..Facts::default()
            };
            (wwid, facts)
        }));
    }
    let facts: Vec<Facts> = paths.iter().map(|(_, facts)| facts.clone()).collect();
    let mut hits: BTreeMap<&Wwid, Option<Hit>> = BTreeMap::new();
    for ((wwid, _), verdict) in paths.iter().zip(rules.verdicts_by_name(&facts)) {
        let hit = match verdict {
            Verdict::Hit(hit) => Some(hit),
            _ => None,
        };
        let known = hits.entry(wwid).or_insert_with(|| hit.clone());
        *known = known.take().filter(|_| hit.is_some());
    }
    let hidden = hits.into_iter();
    hidden
        .filter_map(|(wwid, hit)| {
            Some(Hidden {
                wwid: wwid.clone(),
                hit: hit?,
            })
        })
        .collect()
}
