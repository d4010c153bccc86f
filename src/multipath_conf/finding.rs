//! What is wrong with a text, and where.

use std::fmt;

use serde::Serialize;

use crate::types::severity::Severity;
use crate::types::tools_version::ToolsVersion;

/// A position in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Position {
    /// Line number, from 1.
    pub line: usize,
    /// Byte offset in the line, from 1.
    pub column: usize,
}

/// The kind of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FindingCode {
    /// The text is longer than [`MAX_LEN`](super::MAX_LEN).
    TooLong,
    /// A line longer than [`MAX_LINE`](super::MAX_LINE), which multipathd splits.
    LongLine,
    /// A NUL or another control character.
    ControlCharacter,
    /// Bytes that are not UTF-8.
    InvalidUtf8,
    /// Non-ASCII characters outside quotes, which multipathd treats as blanks.
    NotAscii,
    /// Braces that do not balance as multipathd counts them.
    UnbalancedBraces,
    /// Text after a brace, which multipathd ignores.
    TextAfterBrace,
    /// A section without a brace on its line.
    MissingBrace,
    /// A section that multipathd does not know.
    UnknownSection,
    /// A section `multipaths`, which is managed via aliases.
    MultipathsSection,
    /// A keyword that no section has.
    UnknownKeyword,
    /// A keyword of another section.
    WrongSection,
    /// A keyword that this version does not know yet.
    TooNew,
    /// A keyword that this version ignores.
    Ignored,
    /// A deprecated keyword or value.
    Deprecated,
    /// A repeated keyword, section or entry.
    Duplicate,
    /// A keyword without a value.
    MissingValue,
    /// Text after a value, which multipathd ignores.
    ExtraText,
    /// A quote that is not closed.
    MissingQuote,
    /// A line that multipathd cannot parse.
    Unreadable,
    /// A value that multipathd rejects.
    InvalidValue,
    /// A number out of range, which multipathd replaces by the limit.
    Capped,
    /// A value that multipathd reads as another one.
    ReadAsOther,
    /// An entry that multipathd ignores, since it lacks a required keyword.
    IncompleteEntry,
    /// A polling interval that crashes multipathd or makes it spin.
    PollingInterval,
    /// A value with which multipathd cannot load its configuration.
    LoadFails,
    /// An expression that can crash multipathd or keep it busy for long.
    HeavyExpression,
    /// A value that the kernel rejects, so that multipathd removes maps.
    KernelRefuses,
    /// A path checker or prioritizer that multipath-tools does not have.
    UnknownName,
    /// An entry that matches no device.
    NeverMatches,
    /// So many entries that multipathd takes long to read them.
    TooManyEntries,
    /// A setting that undoes the managed baseline.
    UndoesBaseline,
    /// A blacklist entry that matches everything, ordinary disks or an allow-listed LUN.
    Blacklisted,
    /// Blacklist entries of which it is unknown what they match.
    NotTried,
    /// More findings that are not listed.
    Unlisted,
}

/// Something that is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Its kind.
    pub code: FindingCode,
    /// Where it is.
    #[serde(flatten)]
    pub position: Position,
    /// What is wrong, in a sentence.
    pub message: String,
    /// What to write or do instead, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instead: Option<String>,
    /// The versions of multipath-tools that it applies to; empty for all that were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<ToolsVersion>,
}

/// Most errors, and most warnings, that are listed for a text.
pub(super) const MAX_LISTED: usize = 500;

/// A finding without a position.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Remark {
    pub severity: Severity,
    pub code: FindingCode,
    pub message: String,
    pub instead: Option<String>,
}

impl Remark {
    fn new(severity: Severity, code: FindingCode, message: impl Into<String>) -> Self {
        Self {
            severity,
            code,
            message: message.into(),
            instead: None,
        }
    }

    /// A reason to refuse the text.
    pub(super) fn error(code: FindingCode, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message)
    }

    /// Something that the text is accepted with.
    pub(super) fn warning(code: FindingCode, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, message)
    }

    /// With what to write or do instead.
    pub(super) fn instead(mut self, instead: impl Into<String>) -> Self {
        self.instead = Some(instead.into());
        self
    }

    /// The finding at this position, for all versions.
    pub(super) fn at(self, position: Position) -> Finding {
        Finding {
            severity: self.severity,
            code: self.code,
            position,
            message: self.message,
            instead: self.instead,
            versions: Vec::new(),
        }
    }
}

/// Most characters of a text that are quoted.
const MOST_SHOWN: usize = 40;

/// A part of the text in quotes, cut if it is long. Each character stands for a byte.
pub(super) fn quoted(text: &str) -> String {
    let mut chars = text.char_indices().skip(MOST_SHOWN);
    // not within a UTF-8 character
    let cut = chars.find(|(_, c)| !('\u{80}'..='\u{bf}').contains(c));
    match cut.and_then(|(at, _)| text.get(..at)) {
        Some(start) => format!("'{start}...'"),
        None => format!("'{text}'"),
    }
}

impl fmt::Display for Finding {
    /// The message, what to do, and the versions, without the position.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(instead) = &self.instead {
            write!(f, "; {instead}")?;
        }
        for (index, version) in self.versions.iter().enumerate() {
            let before = if index == 0 {
                " (multipath-tools "
            } else {
                ", "
            };
            write!(f, "{before}{version}")?;
        }
        f.write_str(if self.versions.is_empty() { "" } else { ")" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted(&"x".repeat(40)), format!("'{}'", "x".repeat(40)));
        assert_eq!(quoted(&"x".repeat(41)), format!("'{}...'", "x".repeat(40)));
        // a sharp s in UTF-8, each byte as a character
        let text = format!("{}\u{c3}\u{9f}y", "x".repeat(39));
        let start = text.strip_suffix('y').unwrap_or_default();
        assert_eq!(quoted(&text), format!("'{start}...'"));
    }
}
