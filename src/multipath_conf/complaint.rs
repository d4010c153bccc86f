//! What multipathd's parser complains about, or takes otherwise than it is meant.

use std::borrow::Cow;

use super::finding::{self, FindingCode, Remark};
use super::keywords::{ConfSection, KEYWORDS, Keyword};
use crate::types::severity::Severity;
use crate::wire::byte_string::ByteString;

/// Something about a line, or a section.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Complaint<'t> {
    /// A character beyond ASCII is taken for a blank.
    NotAscii,
    /// A brace at the start of a line.
    LineOfBrace {
        /// Whether the section on the line above is without one.
        is_due: bool,
    },
    /// A section's name without a brace behind it. The section begins anyway.
    BraceMissing { name: Cow<'t, [u8]> },
    /// A section's name without a brace behind it. The line is dropped.
    SectionLost { section: ConfSection },
    /// Something else behind a section's name.
    NoBrace {
        name: Cow<'t, [u8]>,
        found: Cow<'t, [u8]>,
    },
    /// A keyword without a value. The line is dropped.
    ValueMissing { name: Cow<'t, [u8]> },
    /// A quoted text that is not closed.
    QuoteMissing,
    /// A line that is dropped.
    Unreadable,
    /// What follows a brace is dropped.
    TextAfterBrace,
    /// What follows a value is dropped.
    TextAfterValue {
        text: Cow<'t, [u8]>,
        has_brace: bool,
    },
    /// A closing brace, while no section is open.
    NothingToClose,
    /// The end of the text, while this section is open.
    NotClosed { section: ConfSection },
    /// A section that multipathd does not know here. Its lines count for the one around it.
    UnknownSection {
        name: Cow<'t, [u8]>,
        outer: ConfSection,
    },
}

/// A part of the text in quotes.
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

    /// The complaint in words.
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
        let with_brace = |name: &str| Some(format!("write \"{name} {{\""));
        match self {
            Self::NotAscii => {
                let message = "characters beyond ASCII count as blanks outside of double quotes";
                (FindingCode::NotAscii, message.into(), None)
            }
            Self::LineOfBrace { is_due } => {
                let message = match is_due {
                    true => "this brace has to be at the end of the line above",
                    false => "a brace without a section is ignored",
                };
                (FindingCode::MissingBrace, message.into(), None)
            }
            Self::BraceMissing { name } => {
                let name = String::from_utf8_lossy(name);
                let message = format!("the brace of '{name}' has to be at the end of its line");
                (FindingCode::MissingBrace, message, with_brace(&name))
            }
            Self::SectionLost { section } => {
                let name = section.name();
                let message =
                    format!("section '{name}' is lost: its brace has to be at the end of its line");
                (FindingCode::MissingBrace, message, with_brace(name))
            }
            Self::NoBrace { name, found } => {
                let (name, found) = (quoted(name), quoted(found));
                let message = format!("'{{' has to follow {name}, not {found}");
                (FindingCode::MissingBrace, message, None)
            }
            Self::ValueMissing { name } => {
                let message = format!("{} has no value, and is ignored", quoted(name));
                (FindingCode::MissingValue, message, None)
            }
            Self::QuoteMissing => {
                let message =
                    "the closing quote is missing: everything to the end of the line counts";
                (FindingCode::MissingQuote, message.into(), None)
            }
            Self::Unreadable => {
                let message = "this cannot be read, and the line is ignored";
                (FindingCode::Unreadable, message.into(), None)
            }
            Self::TextAfterBrace => {
                let message = "text after a brace is ignored, with all that is on the line";
                let instead = "write it on lines of its own";
                (
                    FindingCode::TextAfterBrace,
                    message.into(),
                    Some(instead.into()),
                )
            }
            Self::TextAfterValue { text, has_brace } => {
                let (why, instead) = match has_brace {
                    true => (
                        ": a brace does not count here",
                        "write it on a line of its own",
                    ),
                    false => ("", "a value with blanks needs double quotes"),
                };
                let message = format!(
                    "{} is ignored, with all that follows on the line{why}",
                    quoted(text)
                );
                (FindingCode::ExtraText, message, Some(instead.into()))
            }
            Self::NothingToClose => {
                let message = "unbalanced braces: no section is open that this could close";
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
                        format!("unknown top-level section {name}: its lines are lost"),
                        "known are defaults, blacklist, blacklist_exceptions, devices, overrides",
                    ),
                    _ => (
                        format!(
                            "unknown section {name}: its lines count for '{}', which its closing \
                             brace will end",
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

/// About a keyword that multipathd does not know in this section; `with_similar` looks for one that may
/// be meant, which takes long.
pub(super) fn unknown_keyword(name: &[u8], section: ConfSection, with_similar: bool) -> Remark {
    let shown = quoted(name);
    let place = match section {
        ConfSection::Top => "outside of all sections".to_owned(),
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
            .instead(format!("it belongs into {}", places.join(", ")));
    }
    let message = format!("{shown} is no keyword {place}, and is ignored");
    let remark = Remark::warning(FindingCode::UnknownKeyword, message);
    match with_similar.then(|| similar(name, section)).flatten() {
        Some(similar) => remark.instead(format!("was '{similar}' meant?")),
        None => remark,
    }
}

/// The keyword of a section that looks most like a name.
fn similar(name: &[u8], section: ConfSection) -> Option<&'static str> {
    let name = std::str::from_utf8(name).ok()?;
    let candidates = KEYWORDS
        .iter()
        .filter(|keyword| keyword.sections.contains(&section));
    let distance = |keyword: &&Keyword| strsim::damerau_levenshtein(keyword.name, name);
    let closest = candidates.min_by_key(distance)?;
    (distance(&closest) <= 1 + closest.name.len() / 5).then_some(closest.name)
}
