//! What multipathd's parser complains about or reads otherwise than meant.

use std::borrow::Cow;

use super::finding::{self, FindingCode, Remark};
use super::keywords::{ConfSection, KEYWORDS, Keyword};
use crate::types::severity::Severity;
use crate::wire::byte_string::ByteString;

/// A complaint about a line or a section.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Complaint<'t> {
    /// A non-ASCII character is treated as a blank.
    NotAscii,
    /// A brace at the start of a line.
    LineOfBrace {
        /// Whether the line above is a section name without a brace.
        is_due: bool,
    },
    /// A section name without a brace. The section begins nevertheless.
    BraceMissing { name: Cow<'t, [u8]> },
    /// A section name without a brace. The line is ignored.
    SectionLost { section: ConfSection },
    /// A section name followed by something other than a brace.
    NoBrace {
        name: Cow<'t, [u8]>,
        found: Cow<'t, [u8]>,
    },
    /// A keyword without a value. The line is ignored.
    ValueMissing { name: Cow<'t, [u8]> },
    /// A quote that is not closed.
    QuoteMissing,
    /// A line that cannot be parsed. It is ignored.
    Unreadable,
    /// Text after a brace. It is ignored.
    TextAfterBrace,
    /// Text after a value. It is ignored.
    TextAfterValue {
        text: Cow<'t, [u8]>,
        has_brace: bool,
    },
    /// A closing brace while no section is open.
    NothingToClose,
    /// The end of the text while this section is open.
    NotClosed { section: ConfSection },
    /// A section that multipathd does not know here. Its lines are read as lines of the outer one.
    UnknownSection {
        name: Cow<'t, [u8]>,
        outer: ConfSection,
    },
}

/// Bytes of the text in quotes, cut if they are many.
pub(super) fn quoted(text: &[u8]) -> String {
    finding::quoted(ByteString::from_bytes(text).as_str())
}

impl Complaint<'_> {
    /// How bad it is.
    pub(super) fn severity(&self) -> Severity {
        match self {
            Self::SectionLost { .. }
            | Self::TextAfterBrace
            | Self::NothingToClose
            | Self::NotClosed { .. }
            | Self::UnknownSection { .. } => Severity::Error,
            _ => Severity::Warning,
        }
    }

    /// The finding about it.
    pub(super) fn remark(&self) -> Remark {
        let (code, message, instead) = self.words();
        Remark {
            severity: self.severity(),
            code,
            message,
            instead,
        }
    }

    fn words(&self) -> (FindingCode, String, Option<String>) {
        let with_brace = |name: &str| Some(format!("use \"{name} {{\""));
        match self {
            Self::NotAscii => {
                let message =
                    "outside double quotes, multipathd treats non-ASCII characters as blanks";
                (FindingCode::NotAscii, message.into(), None)
            }
            Self::LineOfBrace { is_due } => {
                let message = match is_due {
                    true => "this brace has to be at the end of the previous line",
                    false => "a brace without a section name is ignored",
                };
                (FindingCode::MissingBrace, message.into(), None)
            }
            Self::BraceMissing { name } => {
                let name = String::from_utf8_lossy(name);
                let message = format!("the opening brace of '{name}' has to be on the same line");
                (FindingCode::MissingBrace, message, with_brace(&name))
            }
            Self::SectionLost { section } => {
                let name = section.name();
                let message = format!(
                    "section '{name}' is ignored: its opening brace has to be on the same line"
                );
                (FindingCode::MissingBrace, message, with_brace(name))
            }
            Self::NoBrace { name, found } => {
                let (name, found) = (quoted(name), quoted(found));
                let message = format!("{name} has to be followed by '{{', not by {found}");
                (FindingCode::MissingBrace, message, None)
            }
            Self::ValueMissing { name } => {
                let message = format!("{} has no value and is ignored", quoted(name));
                (FindingCode::MissingValue, message, None)
            }
            Self::QuoteMissing => {
                let message =
                    "the closing quote is missing: the value extends to the end of the line";
                (FindingCode::MissingQuote, message.into(), None)
            }
            Self::Unreadable => {
                let message = "multipathd cannot parse this line and ignores it";
                (FindingCode::Unreadable, message.into(), None)
            }
            Self::TextAfterBrace => {
                let message = "text after a brace is ignored, up to the end of the line";
                let instead = "put it on a line of its own";
                (
                    FindingCode::TextAfterBrace,
                    message.into(),
                    Some(instead.into()),
                )
            }
            Self::TextAfterValue { text, has_brace } => {
                let (why, instead) = match has_brace {
                    true => (
                        ": a brace has no effect here",
                        "put it on a line of its own",
                    ),
                    false => ("", "put a value with blanks in double quotes"),
                };
                let message = format!("{} and the rest of the line are ignored{why}", quoted(text));
                (FindingCode::ExtraText, message, Some(instead.into()))
            }
            Self::NothingToClose => {
                let message = "unbalanced braces: no section is open that this brace could close";
                (FindingCode::UnbalancedBraces, message.into(), None)
            }
            Self::NotClosed { section } => {
                let name = section.name();
                let message = format!("unbalanced braces: section '{name}' is not closed");
                (FindingCode::UnbalancedBraces, message, None)
            }
            Self::UnknownSection { name, outer } => {
                let name = quoted(name);
                let (message, instead) = match outer {
                    ConfSection::Top => (
                        format!("unknown top-level section {name}: its lines are ignored"),
                        "valid sections are defaults, blacklist, blacklist_exceptions, devices, \
                         overrides",
                    ),
                    _ => (
                        format!(
                            "unknown section {name}: its lines are read as lines of '{}', which \
                             its closing brace then ends",
                            outer.name()
                        ),
                        "check the braces above",
                    ),
                };
                (FindingCode::UnknownSection, message, Some(instead.into()))
            }
        }
    }
}

/// A finding about a keyword that no version knows in this section. With `with_similar`, it
/// suggests a keyword, which takes long to find.
pub(super) fn unknown_keyword(name: &[u8], section: ConfSection, with_similar: bool) -> Remark {
    let shown = quoted(name);
    let place = match section {
        ConfSection::Top => "outside of any section".to_owned(),
        _ => format!("in section '{}'", section.name()),
    };
    let known_in = KEYWORDS
        .iter()
        .filter(|keyword| keyword.name.as_bytes() == name);
    let mut sections: Vec<_> = known_in.flat_map(|keyword| keyword.sections).collect();
    sections.sort();
    let mut places: Vec<String> = sections
        .iter()
        .map(|section| format!("'{}'", section.name()))
        .collect();
    places.dedup();
    if !places.is_empty() {
        let message = format!("{shown} is ignored {place}");
        return Remark::warning(FindingCode::WrongSection, message)
            .instead(format!("it belongs in {}", places.join(", ")));
    }
    let message = format!("{shown} is not a keyword {place} and is ignored");
    let remark = Remark::warning(FindingCode::UnknownKeyword, message);
    match with_similar.then(|| similar(name, section)).flatten() {
        Some(similar) => remark.instead(format!("did you mean '{similar}'?")),
        None => remark,
    }
}

/// The keyword of a section that is most similar to a name.
fn similar(name: &[u8], section: ConfSection) -> Option<&'static str> {
    let name = std::str::from_utf8(name).ok()?;
    let candidates = KEYWORDS
        .iter()
        .filter(|keyword| keyword.sections.contains(&section));
    let distance = |keyword: &&Keyword| strsim::damerau_levenshtein(keyword.name, name);
    let closest = candidates.min_by_key(distance)?;
    (distance(&closest) <= 1 + closest.name.len() / 5).then_some(closest.name)
}
