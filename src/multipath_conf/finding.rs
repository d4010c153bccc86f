//! What is found in a text, with its place.

use std::fmt;

use serde::Serialize;

use crate::types::severity::Severity;
use crate::types::tools_version::ToolsVersion;

/// A place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Position {
    /// Number of the line, from 1.
    pub line: usize,
    /// Byte in the line, from 1.
    pub column: usize,
}

/// What kind of finding it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FindingCode {
    /// The text is too large.
    TooLong,
    /// A line that multipathd splits.
    LongLine,
    /// A NUL or another control character.
    ControlCharacter,
    /// Bytes that are not UTF-8.
    InvalidUtf8,
    /// Characters that multipathd takes for blanks.
    NotAscii,
    /// Braces that do not balance as multipathd counts them.
    UnbalancedBraces,
    /// Text after a brace, which multipathd drops.
    TextAfterBrace,
    /// A section without a brace on its line.
    MissingBrace,
    /// A section that multipathd does not know.
    UnknownSection,
    /// The section that is managed via aliases.
    MultipathsSection,
    /// A keyword that no section of multipathd's takes.
    UnknownKeyword,
    /// A keyword that other sections take.
    WrongSection,
    /// A keyword that this version does not know yet.
    TooNew,
    /// A keyword that this version ignores.
    Ignored,
    /// A keyword or value that will go away.
    Deprecated,
    /// A keyword or section that was there before.
    Duplicate,
    /// A keyword without a value.
    MissingValue,
    /// Text behind a value, which multipathd drops.
    ExtraText,
    /// A quoted text that is not closed.
    MissingQuote,
    /// Something that is neither a value nor a section.
    Unreadable,
    /// A value that multipathd rejects.
    InvalidValue,
    /// A number that multipathd replaces by a smaller or larger one.
    Capped,
    /// A value that multipathd reads as another one.
    ReadAsOther,
    /// An entry that multipathd drops, since it does not say what it is for.
    IncompleteEntry,
    /// A polling interval that kills multipathd or makes it spin.
    PollingInterval,
    /// A value with which multipathd cannot load its configuration.
    LoadFails,
    /// An expression that crashes the C library, or takes it long.
    HeavyExpression,
    /// A value that the kernel refuses, which removes maps.
    KernelRefuses,
    /// A name that nothing implements.
    UnknownName,
    /// An entry that is for no device.
    NeverMatches,
    /// So many entries that multipathd is busy with them for long.
    TooManyEntries,
    /// A setting that undoes what all nodes are given.
    UndoesBaseline,
    /// Blacklist entries that hit everything, ordinary disks or an allow-listed LUN.
    Blacklisted,
    /// Blacklist entries of which it is not known what they hit.
    NotTried,
    /// There are more findings than are listed.
    Unlisted,
}

/// Something found in a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What kind of finding it is.
    pub code: FindingCode,
    /// Where it is.
    #[serde(flatten)]
    pub position: Position,
    /// What is wrong, in a sentence.
    pub message: String,
    /// What to write or do instead, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instead: Option<String>,
    /// The versions of multipath-tools that it is about, if these are not all that were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<ToolsVersion>,
}

/// Most errors, and most warnings, that are listed of a text.
pub(super) const MAX_LISTED: usize = 500;

/// A finding without its place.
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

    /// About something that the text is refused for.
    pub(super) fn error(code: FindingCode, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message)
    }

    /// About something that the text is accepted with.
    pub(super) fn warning(code: FindingCode, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, message)
    }

    /// With what to write or do instead.
    pub(super) fn instead(mut self, instead: impl Into<String>) -> Self {
        self.instead = Some(instead.into());
        self
    }

    /// As a finding at this place, for all versions.
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

/// Most characters of a text that are shown.
const MOST_SHOWN: usize = 40;

/// A part of the text in quotes, and only the beginning if it is long. A character stands for a byte.
pub(super) fn quoted(text: &str) -> String {
    let mut chars = text.char_indices().skip(MOST_SHOWN);
    // not between the bytes of a character in UTF-8
    let cut = chars.find(|(_, c)| !('\u{80}'..='\u{bf}').contains(c));
    match cut.and_then(|(at, _)| text.get(..at)) {
        Some(start) => format!("'{start}...'"),
        None => format!("'{text}'"),
    }
}

impl fmt::Display for Finding {
    /// Without the place, which differs by who asks.
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
        // a sharp s in UTF-8, as bytes
        let text = format!("{}\u{c3}\u{9f}y", "x".repeat(39));
        let start = text.strip_suffix('y').unwrap_or_default();
        assert_eq!(quoted(&text), format!("'{start}...'"));
    }
}
