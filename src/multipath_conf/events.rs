//! Sections and values, as multipathd's parser takes them (libmpathutil/parser.c, `process_stream` and
//! `validate_config_strvec`), whatever the version.

use std::borrow::Cow;

use super::complaint::Complaint;
use super::finding::Position;
use super::keywords::{ConfSection, Keyword, is_section_name};
use super::lexer::{Lexer, Line, Token, TokenKind};
use crate::wire::byte_string::ByteString;

/// Something that multipathd meets in a text.
#[derive(Clone, Debug)]
pub(super) struct Event<'t> {
    /// The section that begins or ends, else the one in which it stands.
    pub section: ConfSection,
    /// Where the line begins; of an end, where the section did; of a complaint, what it is about.
    pub position: Position,
    /// What stands on the line, without blanks around it and comments; of the end of a text, nothing.
    pub raw: &'t [u8],
    pub kind: EventKind<'t>,
}

#[derive(Clone, Debug)]
pub(super) enum EventKind<'t> {
    /// A section begins.
    Start {
        /// Whether one stands above that may stand once only: both are read.
        is_repeated: bool,
    },
    /// The section that began last ends, by a brace or with the text.
    End,
    /// A keyword that some version knows, and its value.
    Assignment(Assignment<'t>),
    /// A keyword that no version knows in this section.
    UnknownKeyword { name: Cow<'t, [u8]> },
    /// Something is dropped, or counts for something else. What counts is an event of its own.
    Complaint(Complaint<'t>),
}

/// A keyword's value.
#[derive(Clone, Debug)]
pub(super) struct Assignment<'t> {
    pub keyword: &'static Keyword,
    /// As multipathd reads it, without quotes. A character stands for a byte.
    pub text: Cow<'t, str>,
    /// Where the value stands.
    pub position: Position,
    /// Whether it stands above in the same section, and may stand once only: the later one wins.
    pub is_repeated: bool,
}

/// Reads a text, and hands over what is met in it, in the order of the text. All sections that begin
/// also end.
pub(super) fn read<'t>(text: &'t [u8], receive: impl FnMut(Event<'t>)) {
    let mut reader = Reader {
        receive,
        open: Vec::new(),
        seen_outside: Vec::new(),
        brace_is_due: false,
    };
    let mut lexer = Lexer::new(text);
    while let Some(line) = lexer.next_line() {
        reader.line(&line);
    }
    if let Some(open) = reader.open.last() {
        let (section, opened) = (open.section, open.opened);
        reader.complain(b"", opened, Complaint::NotClosed { section });
    }
    while reader.close(b"") {}
}

struct Reader<R> {
    receive: R,
    /// The sections that are open, the outermost first.
    open: Vec<Open>,
    /// The sections so far.
    seen_outside: Vec<&'static str>,
    /// A section's line without its brace has just gone by.
    brace_is_due: bool,
}

/// An open section.
struct Open {
    section: ConfSection,
    opened: Position,
    /// What stood in it, of what may stand once only.
    seen: Vec<&'static str>,
}

impl<'t, R: FnMut(Event<'t>)> Reader<R> {
    fn section(&self) -> ConfSection {
        self.open
            .last()
            .map_or(ConfSection::Top, |open| open.section)
    }

    fn send(&mut self, raw: &'t [u8], position: Position, kind: EventKind<'t>) {
        let section = self.section();
        (self.receive)(Event {
            section,
            position,
            raw,
            kind,
        });
    }

    fn complain(&mut self, raw: &'t [u8], position: Position, complaint: Complaint<'t>) {
        self.send(raw, position, EventKind::Complaint(complaint));
    }

    fn line(&mut self, line: &Line<'_, 't>) {
        let is_due = std::mem::take(&mut self.brace_is_due);
        if let Some(column) = line.not_ascii {
            let position = Position {
                line: line.number,
                column,
            };
            self.complain(line.raw, position, Complaint::NotAscii);
        }
        match line.tokens.first().map(|token| &token.kind) {
            Some(TokenKind::Close) => {
                let has_open = line.tokens.iter().any(is_open);
                self.nothing_after(line, 1, has_open);
                if !self.close(line.raw) {
                    self.complain(line.raw, line.position(0), Complaint::NothingToClose);
                }
            }
            Some(TokenKind::Open) => {
                let complaint = Complaint::LineOfBrace { is_due };
                self.complain(line.raw, line.position(0), complaint);
            }
            _ => {
                if self.is_readable(line) {
                    self.statement(line);
                }
            }
        }
    }

    /// Complains as `validate_config_strvec` does, and tells whether the line counts.
    fn is_readable(&mut self, line: &Line<'_, 't>) -> bool {
        let name = line.text(0);
        let inner = self.section().inner(&name);
        let complaint = match (is_section_name(&name), line.tokens) {
            (true, [_]) => {
                self.brace_is_due = inner.is_some();
                Some((0, Complaint::BraceMissing { name }))
            }
            (true, [_, second, ..]) if is_open(second) => {
                self.nothing_after(line, 2, true);
                None
            }
            (true, _) => {
                let found = line.text(1);
                Some((1, Complaint::NoBrace { name, found }))
            }
            (false, [_]) => {
                self.brace_is_due = inner.is_some();
                let complaint = match inner {
                    Some(section) => Complaint::SectionLost { section },
                    None => Complaint::ValueMissing { name },
                };
                self.complain(line.raw, line.position(0), complaint);
                return false;
            }
            (false, [_, open, rest @ ..]) if open.is_quote() => match rest {
                [] => Some((1, Complaint::QuoteMissing)),
                [close, ..] if close.is_quote() => {
                    self.nothing_after(line, 3, false);
                    None
                }
                [_] => Some((1, Complaint::QuoteMissing)),
                [_, close, ..] if close.is_quote() => {
                    self.nothing_after(line, 4, false);
                    None
                }
                _ => {
                    self.complain(line.raw, line.position(3), Complaint::Unreadable);
                    return false;
                }
            },
            (false, tokens) => {
                self.nothing_after(line, 2, tokens.get(1).is_some_and(is_open));
                None
            }
        };
        if let Some((token, complaint)) = complaint {
            self.complain(line.raw, line.position(token), complaint);
        }
        true
    }

    /// Complains about a token that is dropped, with all behind it.
    fn nothing_after(&mut self, line: &Line<'_, 't>, token: usize, is_brace: bool) {
        let Some(dropped) = line.tokens.get(token) else {
            return;
        };
        let complaint = match is_brace {
            true => Complaint::TextAfterBrace,
            false => Complaint::TextAfterValue {
                text: dropped.text(),
                has_brace: line.tokens.iter().skip(token).any(Token::is_brace),
            },
        };
        self.complain(line.raw, line.position(token), complaint);
    }

    /// Ends the section that began last, if one is open.
    fn close(&mut self, raw: &'t [u8]) -> bool {
        let Some(opened) = self.open.last().map(|open| open.opened) else {
            return false;
        };
        self.send(raw, opened, EventKind::End);
        self.open.pop();
        true
    }

    fn statement(&mut self, line: &Line<'_, 't>) {
        let (name, position) = (line.text(0), line.position(0));
        let outer = self.section();
        if let Some(section) = outer.inner(&name) {
            let is_repeated = !section.is_entry() && self.is_repeated(section.name());
            self.open.push(Open {
                section,
                opened: position,
                seen: Vec::new(),
            });
            return self.send(line.raw, position, EventKind::Start { is_repeated });
        }
        if let Some(keyword) = Keyword::find(&name, outer) {
            let assignment = Assignment {
                keyword,
                text: value_of(line),
                position: line.position(1),
                is_repeated: !keyword.repeatable && self.is_repeated(keyword.name),
            };
            return self.send(line.raw, position, EventKind::Assignment(assignment));
        }
        if line.tokens.iter().any(is_open) {
            let complaint = Complaint::UnknownSection { name, outer };
            return self.complain(line.raw, position, complaint);
        }
        self.send(line.raw, position, EventKind::UnknownKeyword { name });
    }

    /// Takes note of a name, and tells whether it stood in the section before.
    fn is_repeated(&mut self, name: &'static str) -> bool {
        let seen = match self.open.last_mut() {
            Some(open) => &mut open.seen,
            None => &mut self.seen_outside,
        };
        let is_repeated = seen.contains(&name);
        if !is_repeated {
            seen.push(name);
        }
        is_repeated
    }
}

fn is_open(token: &Token<'_>) -> bool {
    token.kind == TokenKind::Open
}

/// The value on a line, as `set_value` takes it.
fn value_of<'t>(line: &Line<'_, 't>) -> Cow<'t, str> {
    let is_quoted = line.tokens.get(1).is_some_and(Token::is_quote);
    match line.text(if is_quoted { 2 } else { 1 }) {
        Cow::Borrowed(bytes) => ByteString::from_bytes(bytes).into_str(),
        Cow::Owned(bytes) => ByteString::from_bytes(&bytes)
            .into_str()
            .into_owned()
            .into(),
    }
}
