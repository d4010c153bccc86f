//! The sections and values of a text as a sequence of events, as multipathd's parser reads it
//! (libmpathutil/parser.c, `process_stream` and `validate_config_strvec`).
//!
//! Events do not depend on the version: which version knows a keyword and how it reads the value is
//! up to the consumers, with the keyword's row of the table.

use std::borrow::Cow;

use super::complaint::Complaint;
use super::finding::Position;
use super::keywords::{ConfSection, Keyword, is_section_name};
use super::lexer::{Lexer, Line, Token, TokenKind};
use crate::wire::byte_string::ByteString;

/// An event: what multipathd finds on a line, or at the end of the text.
#[derive(Clone, Debug)]
pub(super) struct Event<'t> {
    /// The section that begins or ends; else the one that the line is in.
    pub section: ConfSection,
    /// The first token of the line; of an end, that of the section's start; of a complaint, what it
    /// is about.
    pub position: Position,
    /// The text of the line, from the first token to the last; empty at the end of the text.
    pub raw: &'t [u8],
    pub kind: EventKind<'t>,
}

#[derive(Clone, Debug)]
pub(super) enum EventKind<'t> {
    /// A section begins.
    Start {
        /// Whether it was there before, and is not an entry. multipathd reads both.
        is_repeated: bool,
    },
    /// The innermost section ends, with a brace or with the text.
    End,
    /// A keyword that some version knows is set.
    Assignment(Assignment<'t>),
    /// A keyword that no version knows in this section.
    UnknownKeyword { name: Cow<'t, [u8]> },
    /// Something is ignored or read otherwise than meant. What is read is an event of its own.
    Complaint(Complaint<'t>),
}

/// A keyword and its value.
#[derive(Clone, Debug)]
pub(super) struct Assignment<'t> {
    pub keyword: &'static Keyword,
    /// The value as multipathd reads it, without quotes. Each character stands for a byte.
    pub text: Cow<'t, str>,
    /// Position of the value.
    pub position: Position,
    /// Whether it was set before in the same section and is not repeatable. The later value wins.
    pub is_repeated: bool,
}

/// Parses a file's text and passes on its events in order. Each start of a section has an end.
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
    /// The open sections, the outermost first.
    open: Vec<Open>,
    /// The names of the sections so far.
    seen_outside: Vec<&'static str>,
    /// Whether the last line was a section name without a brace.
    brace_is_due: bool,
}

/// An open section.
struct Open {
    section: ConfSection,
    opened: Position,
    /// The keywords and sections so far that should not be repeated.
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

    /// Complains as `validate_config_strvec` does. Returns whether multipathd reads the line.
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

    /// Complains if there is a token at this index, which multipathd ignores with all that follows.
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

    /// Ends the innermost section. Returns whether one was open.
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

    /// Records a name in the current section. Returns whether it was there before.
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

/// The value on a line, as `set_value` reads it.
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
