//! What blacklists hit, and their exceptions let through.

use super::finding::{FindingCode, Position, quoted};
use super::reader::Note;
use super::regex::Matcher;
use crate::Wwid;

/// Most entries of blacklists and exceptions that are tried.
pub(super) const MOST_TRIED: usize = 50;

/// An entry of a blacklist, or of its exceptions.
#[derive(Debug)]
pub(super) struct FilterEntry {
    pub is_exception: bool,
    /// Keywords with expressions, all of which have to hit; vendor and product of a device.
    pub expressions: Vec<(&'static str, String)>,
    pub position: Position,
}

/// An entry that can be tried.
struct Filter<'e> {
    entry: &'e FilterEntry,
    matchers: Vec<(&'static str, Matcher)>,
}

impl<'e> Filter<'e> {
    fn new(entry: &'e FilterEntry) -> Option<Self> {
        let expressions = entry.expressions.iter();
        let matchers = expressions.map(|(keyword, text)| Some((*keyword, Matcher::new(text)?)));
        let matchers = matchers.collect::<Option<_>>()?;
        Some(Self { entry, matchers })
    }

    /// What it is about: multipathd compares the entries of each kind for themselves.
    fn kind(&self) -> &'static str {
        match self.matchers.first() {
            Some((keyword, _)) if !matches!(*keyword, "vendor" | "product") => keyword,
            _ => "device",
        }
    }

    fn hits(&self, wwid: &Wwid) -> bool {
        let mut matchers = self.matchers.iter();
        matchers.any(|(keyword, matcher)| *keyword == "wwid" && matcher.hits(wwid.as_str()))
    }

    /// Whether it hits whatever it is tried on.
    fn hits_everything(&self) -> bool {
        let mut matchers = self.matchers.iter();
        matchers.all(|(keyword, matcher)| samples(keyword).iter().all(|text| matcher.hits(text)))
    }
}

/// Some of what an expression may be compared with.
fn samples(keyword: &str) -> &'static [&'static str] {
    match keyword {
        "wwid" => &["36001405aabbccdd", "eui.0025385b71b00a3c", "0QEMU", "x 1"],
        "devnode" => &["sda", "sdzz", "nvme0n1", "dasda", "vdb"],
        "protocol" => &["scsi:fcp", "scsi:iscsi", "nvme:tcp", "undef"],
        "property" => &["ID_SERIAL", "ID_WWN", "SCSI_IDENT_SERIAL", "x"],
        _ => &["NETAPP", "IBM", "2145", "LUN C-Mode", "x"], // vendor, product
    }
}

/// What is to be said of entries that hit LUNs which are allow-listed, or everything.
pub(super) fn check(entries: &[FilterEntry], allow_list: &[Wwid]) -> Vec<Note> {
    let filters = entries.iter().filter_map(Filter::new);
    let (exceptions, blacklist): (Vec<_>, Vec<_>) =
        filters.partition(|filter| filter.entry.is_exception);
    let is_excepted = |wwid: &Wwid| exceptions.iter().any(|exception| exception.hits(wwid));
    let luns: Vec<_> = allow_list
        .iter()
        .filter(|wwid| !is_excepted(wwid))
        .collect();

    let mut notes = Vec::new();
    for filter in &blacklist {
        let mut hit = luns.iter().filter(|wwid| filter.hits(wwid));
        let what = if let Some(first) = hit.next() {
            let more = match hit.count() {
                0 => String::new(),
                others => format!(" and {others} more"),
            };
            format!("hits allow-listed LUN '{first}'{more}: the map would go away")
        } else if filter.hits_everything() {
            let mut exceptions = exceptions.iter();
            match exceptions.any(|exception| exception.kind() == filter.kind()) {
                true => "hits everything: only what blacklist_exceptions has would be left".into(),
                false => "hits everything: no map would be left".into(),
            }
        } else {
            continue;
        };
        let expressions = filter
            .entry
            .expressions
            .iter()
            .map(|(_, text)| quoted(text));
        let message = format!("{} {what}", expressions.collect::<Vec<_>>().join(" with "));
        notes.push(Note::warning(
            FindingCode::Blacklisted,
            filter.entry.position,
            message,
        ));
    }
    notes
}
