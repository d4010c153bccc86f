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

mod drift;
mod effective;
mod finding;
mod harm;
mod keywords;
mod lexer;
mod reader;
mod regex;
mod values;

use std::collections::BTreeMap;

pub use drift::{Drift, drift};
pub use effective::{Effective, Filter, InvalidDump, Values};
pub use finding::{Finding, FindingCode, Position, Severity};

use crate::tools_version::ToolsVersion;
use lexer::Line;
use reader::Note;

/// Greatest length of a text in bytes.
pub const MAX_LEN: usize = 128 * 1024;

/// Greatest length of a line in bytes; multipathd splits longer ones.
pub const MAX_LINE: usize = lexer::CHUNK;

/// The versions of multipath-tools that Debian 12, 13 and sid have.
pub const VERSIONS: [ToolsVersion; 3] = [
    ToolsVersion::new(0, 9, 4),
    ToolsVersion::new(0, 11, 1),
    ToolsVersion::new(0, 15, 1),
];

/// Everything that is wrong with a text, for any of these versions of multipath-tools, by place.
pub fn check(text: &[u8], versions: &[ToolsVersion]) -> Vec<Finding> {
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
    let file = [lexer::lines(text).collect::<Vec<_>>()];
    let mut found: BTreeMap<(Position, FindingCode, String), (Note, Vec<ToolsVersion>)> =
        BTreeMap::new();
    for note in of_bytes(text, file.iter().flatten()) {
        let key = (note.position, note.code, note.message.clone());
        found.insert(key, (note, versions.to_vec()));
    }
    for &version in versions {
        for note in reader::read(&file, version).notes {
            let key = (note.position, note.code, note.message.clone());
            let (_, versions) = found.entry(key).or_insert((note, Vec::new()));
            if versions.last() != Some(&version) {
                versions.push(version);
            }
        }
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
    let files: Vec<_> = texts
        .iter()
        .map(|text| lexer::lines(text).collect())
        .collect();
    reader::read(&files, version).effective
}

/// What is wrong with the bytes, whatever they mean.
fn of_bytes<'l, 't: 'l>(text: &[u8], lines: impl Iterator<Item = &'l Line<'t>>) -> Vec<Note> {
    let note = |severity, code, line, column, message: &str| {
        Note::new(severity, code, Position { line, column }, message).silent()
    };
    let mut notes = Vec::new();
    for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
        if line.len() > MAX_LINE {
            let message = format!(
                "the line has {} bytes: multipathd splits it after {MAX_LINE}, comments as well",
                line.len()
            );
            let code = FindingCode::LongLine;
            notes.push(note(
                Severity::Error,
                code,
                index + 1,
                MAX_LINE + 1,
                &message,
            ));
        }
        let content = line.strip_suffix(b"\r").unwrap_or(line);
        let is_control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
        if let Some(offset) = content.iter().position(is_control) {
            let message = match content.get(offset) {
                Some(0) => "a NUL ends the line for multipathd",
                Some(b'\r') => "a carriage return in a line ends it for multipathd",
                _ => "a control character",
            };
            let code = FindingCode::ControlCharacter;
            notes.push(note(Severity::Error, code, index + 1, offset + 1, message));
        }
    }
    for line in lines {
        if let Some(column) = line.not_ascii {
            let message = "characters beyond ASCII count as blanks outside of double quotes";
            notes.push(note(
                Severity::Warning,
                FindingCode::NotAscii,
                line.number,
                column,
                message,
            ));
        }
    }
    notes
}
