//! The administrator's multipath.conf text, read as multipathd reads it.
//!
//! [`check`] finds what is wrong with a text before it reaches multipathd on every node: what kills
//! the daemon or takes maps away is an error, what it ignores or reads as something else a warning.
//! multipathd itself only logs, and starts with what is left. [`effective`] gives the values that a
//! text sets.
//!
//! The grammar is multipathd's, a line at a time: see `lexer` and `reader`. Which keywords there are
//! since when is data, in `keywords`; what a value becomes is in `values`. Facts are from the sources
//! of multipath-tools 0.9.4 to 0.15.1, and tried with the real ones.

mod blacklist;
mod built_in;
mod devices;
mod disks;
mod drift;
mod effective;
mod expressions;
mod features;
mod finding;
mod harm;
mod keywords;
mod lexer;
mod matching;
mod polling;
mod reader;
mod regex;
pub mod render;
mod text;
mod values;

use std::collections::{BTreeMap, BTreeSet};

pub use drift::{Drift, drift};
pub use effective::{Effective, Filter, InvalidDump, Values};
pub use finding::{Finding, FindingCode, Position};
pub use lexer::MAX_LINE;
pub use text::{digest, trimmed};

use crate::Wwid;
use crate::types::severity::Severity;
use crate::types::tools_version::ToolsVersion;
use lexer::Lines;
use reader::{Note, Purpose};

/// Greatest length of a text in bytes.
pub const MAX_LEN: usize = 128 * 1024;

/// The versions of multipath-tools that Debian 12, 13 and sid have.
pub const VERSIONS: [ToolsVersion; 3] = [
    ToolsVersion::new(0, 9, 4),
    ToolsVersion::new(0, 11, 1),
    ToolsVersion::new(0, 15, 1),
];

/// Everything that is wrong with a text, for any of these versions of multipath-tools, by place.
///
/// `allow_list` has the LUNs that the text should not take away; it may be empty.
pub fn check(text: &[u8], versions: &[ToolsVersion], allow_list: &[Wwid]) -> Vec<Finding> {
    if text.len() > MAX_LEN {
        return vec![Finding {
            severity: Severity::Error,
            code: FindingCode::TooLong,
            position: Position { line: 1, column: 1 },
            message: format!(
                "the text has {} bytes, at most {MAX_LEN} are possible",
                text.len()
            ),
            instead: None,
            versions: Vec::new(),
        }];
    }
    let lines = Lines::new(text);
    let mut found = BTreeMap::new();
    for note in of_bytes(text, &lines) {
        found.insert(note.key(), (note, versions.to_vec()));
    }
    let (mut unlisted, mut unlisted_filters) = (0, 0);
    for &version in versions {
        // these are the same to all of them
        let filters = versions.first() == Some(&version);
        let reading = reader::read(&[&lines], version, Purpose::Check { filters });
        unlisted = unlisted.max(reading.unlisted);
        if filters {
            let verdict = blacklist::check(&reading.filters, allow_list);
            let heavy = expressions::check(&reading.expressions);
            for note in verdict.notes.into_iter().chain(heavy) {
                found.insert(note.key(), (note, versions.to_vec()));
            }
            unlisted_filters = verdict.unlisted;
        }
        for note in reading.notes {
            let (_, versions) = found.entry(note.key()).or_insert((note, Vec::new()));
            if versions.last() != Some(&version) {
                versions.push(version);
            }
        }
    }
    // of a text that is refused, nothing has to be known
    let errors = found
        .values()
        .filter(|(note, _)| note.severity == Severity::Error);
    let refused_by: BTreeSet<_> = errors.flat_map(|(_, versions)| versions).copied().collect();
    found.retain(|_, (note, versions)| {
        if note.code != FindingCode::NotTried {
            return true;
        }
        versions.retain(|version| !refused_by.contains(version));
        !versions.is_empty()
    });
    unlisted += unlisted_filters;
    if unlisted > 0 {
        let end = lines.iter().last().map_or(1, |line| line.number);
        let position = Position {
            line: end,
            column: 1,
        };
        let message = format!("{unlisted} more findings are not listed");
        let note = Note::warning(FindingCode::Unlisted, position, message);
        found.insert(note.key(), (note, versions.to_vec()));
    }
    let finding = |(note, of): (Note, Vec<ToolsVersion>)| Finding {
        severity: note.severity,
        code: note.code,
        position: note.position,
        message: note.message,
        instead: note.instead,
        versions: if of.len() == versions.len() {
            Vec::new()
        } else {
            of
        },
    };
    found.into_values().map(finding).collect()
}

/// The values that texts set in this version of multipath-tools, one file after the other.
pub fn effective(texts: &[&[u8]], version: ToolsVersion) -> Effective {
    let files: Vec<_> = texts.iter().map(|text| Lines::new(text)).collect();
    let files: Vec<_> = files.iter().collect();
    reader::read(&files, version, Purpose::Values).effective
}

/// What is wrong with the bytes, whatever they mean: the first places of each kind.
fn of_bytes(text: &[u8], lines: &Lines<'_>) -> Vec<Note> {
    let mut long = Vec::new();
    let mut controls = Vec::new();
    let mut no_text = Vec::new();
    for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
        let at = |column| Position {
            line: index + 1,
            column,
        };
        if line.len() > MAX_LINE && long.len() < reader::MOST_NOTES {
            let message = format!(
                "the line has {} bytes: multipathd splits it after {MAX_LINE}, comments as well",
                line.len()
            );
            long.push(Note::error(
                FindingCode::LongLine,
                at(MAX_LINE + 1),
                message,
            ));
        }
        let content = line.strip_suffix(b"\r").unwrap_or(line);
        let is_control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
        let control = content.iter().position(is_control);
        if let Some(offset) = control.filter(|_| controls.len() < reader::MOST_NOTES) {
            let message = match content.get(offset) {
                Some(0) => "a NUL ends the line for multipathd",
                Some(b'\r') => "a carriage return in a line ends it for multipathd",
                _ => "a control character",
            };
            let code = FindingCode::ControlCharacter;
            controls.push(Note::error(code, at(offset + 1), message));
        }
        let valid = line
            .utf8_chunks()
            .next()
            .map_or(0, |chunk| chunk.valid().len());
        if valid < line.len() && no_text.len() < reader::MOST_NOTES {
            let message = "this is not UTF-8, which the text has to be";
            no_text.push(Note::error(
                FindingCode::InvalidUtf8,
                at(valid + 1),
                message,
            ));
        }
    }
    let not_ascii = lines.iter().filter_map(|line| {
        let at = Position {
            line: line.number,
            column: line.not_ascii?,
        };
        let message = "characters beyond ASCII count as blanks outside of double quotes";
        Some(Note::warning(FindingCode::NotAscii, at, message))
    });
    long.into_iter()
        .chain(controls)
        .chain(no_text)
        .chain(not_ascii.take(reader::MOST_NOTES))
        .collect()
}
