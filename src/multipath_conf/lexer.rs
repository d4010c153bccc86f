//! Lines and tokens, as multipathd's parser splits them (libmpathutil/parser.c, `alloc_strvec`).

use std::borrow::Cow;

use super::finding::Position;
use crate::wire::byte_string::is_space_byte;

/// Longest line in bytes, without the line feed. multipathd reads the rest of a longer one as
/// another line (libmpathutil/parser.c, MAXBUF).
pub const MAX_LINE: usize = 1023;

/// Splits a text into lines and tokens.
#[derive(Debug)]
pub(super) struct Lexer<'t> {
    rest: &'t [u8],
    /// Number of the line in which the rest begins, from 1, and the length of what was read of it.
    number: usize,
    offset: usize,
    /// The tokens of the current line.
    tokens: Vec<Token<'t>>,
}

/// A line with at least one token, as multipathd reads it: a part of a line that is too long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'l, 't> {
    /// Its number in the text, from 1.
    pub number: usize,
    /// At least one.
    pub tokens: &'l [Token<'t>],
    /// The text from the first token to the last one.
    pub raw: &'t [u8],
    /// Column of the first non-ASCII byte that is treated as a blank.
    pub not_ascii: Option<usize>,
}

#[derive(Debug, PartialEq)]
pub(super) struct Token<'t> {
    pub kind: TokenKind<'t>,
    /// Column of its first byte, from 1.
    pub column: usize,
}

#[derive(Debug, PartialEq)]
pub(super) enum TokenKind<'t> {
    /// A double quote that opens or closes a quoted text.
    Quote,
    /// `{`
    Open,
    /// `}`
    Close,
    /// A word, or the text between two quotes.
    Word(Cow<'t, [u8]>),
}

impl<'t> Token<'t> {
    /// The token's text; empty for a quote.
    pub(super) fn text(&self) -> Cow<'t, [u8]> {
        match &self.kind {
            TokenKind::Quote => b"".into(),
            TokenKind::Open => b"{".into(),
            TokenKind::Close => b"}".into(),
            TokenKind::Word(word) => word.clone(),
        }
    }

    /// Whether it is a brace.
    pub(super) fn is_brace(&self) -> bool {
        matches!(self.kind, TokenKind::Open | TokenKind::Close)
    }

    /// Whether it is a double quote.
    pub(super) fn is_quote(&self) -> bool {
        self.kind == TokenKind::Quote
    }
}

impl<'t> Line<'_, 't> {
    /// Position of a token.
    pub(super) fn position(&self, token: usize) -> Position {
        Position {
            line: self.number,
            column: self.tokens.get(token).map_or(1, |token| token.column),
        }
    }

    /// Text of a token; empty if there is none.
    pub(super) fn text(&self, token: usize) -> Cow<'t, [u8]> {
        self.tokens.get(token).map_or(b"".into(), Token::text)
    }
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t [u8]) -> Self {
        Self {
            rest: text,
            number: 1,
            offset: 0,
            tokens: Vec::new(),
        }
    }

    /// The next line with tokens.
    pub(super) fn next_line(&mut self) -> Option<Line<'_, 't>> {
        loop {
            let longest = self.rest.get(..MAX_LINE).unwrap_or(self.rest);
            let end = memchr::memchr(b'\n', longest).map_or(longest.len(), |end| end + 1);
            let (chunk, rest) = self.rest.split_at_checked(end).filter(|_| end > 0)?;
            let (number, offset) = (self.number, self.offset);
            self.rest = rest;
            (self.number, self.offset) = match chunk.ends_with(b"\n") {
                true => (number + 1, 0),
                false => (number, offset + end),
            };
            // a byte order mark has no meaning and is invisible
            let mark = match (number, offset) {
                (1, 0) => chunk.strip_prefix(b"\xef\xbb\xbf"),
                _ => None,
            };
            let (chunk, offset) = mark.map_or((chunk, offset), |rest| (rest, 3));
            self.tokens.clear();
            let (raw, not_ascii) = push_tokens(seen(chunk), offset, &mut self.tokens);
            if !self.tokens.is_empty() {
                return Some(Line {
                    number,
                    tokens: &self.tokens,
                    raw,
                    not_ascii,
                });
            }
        }
    }
}

/// What multipathd sees of a line: up to a NUL, or to a carriage return or line feed after any
/// other character.
pub(super) fn seen(chunk: &[u8]) -> &[u8] {
    let end = memchr::memchr(0, chunk).unwrap_or(chunk.len());
    let text = chunk.get(..end).unwrap_or_default();
    let is_break = |byte: &u8| matches!(byte, b'\n' | b'\r');
    let start = text
        .iter()
        .position(|byte| !is_break(byte))
        .unwrap_or(text.len());
    let rest = text.get(start..).unwrap_or_default();
    let end = rest
        .iter()
        .position(is_break)
        .map_or(text.len(), |end| start + end);
    text.get(..end).unwrap_or_default()
}

/// Whether multipathd treats a byte as a blank outside quotes, which includes all non-ASCII bytes.
fn is_blank(byte: u8) -> bool {
    is_space_byte(byte) || !byte.is_ascii()
}

/// Adds the tokens of a line. Returns the text from the first to the last one, and the column of
/// the first non-ASCII byte that is treated as a blank.
fn push_tokens<'t>(
    text: &'t [u8],
    offset: usize,
    tokens: &mut Vec<Token<'t>>,
) -> (&'t [u8], Option<usize>) {
    let mut span = 0..0;
    let mut not_ascii = None;
    let mut at = 0;
    let mut quoted = false;
    let byte = |at: usize| text.get(at).copied();
    loop {
        while let Some(blank) = byte(at).filter(|byte| !quoted && is_blank(*byte)) {
            if !blank.is_ascii() {
                not_ascii.get_or_insert(offset + at + 1);
            }
            at += 1;
        }
        let start = at;
        let kind = match byte(at) {
            None => break,
            Some(b'!' | b'#') if !quoted => break,
            Some(b'"') if !(quoted && byte(at + 1) == Some(b'"')) => {
                quoted = !quoted;
                at += 1;
                TokenKind::Quote
            }
            Some(b'{') if !quoted => {
                at += 1;
                TokenKind::Open
            }
            Some(b'}') if !quoted => {
                at += 1;
                TokenKind::Close
            }
            Some(_) => {
                let mut doubled = false;
                while let Some(next) = byte(at) {
                    if next == b'"' {
                        if !(quoted && byte(at + 1) == Some(b'"')) {
                            break;
                        }
                        doubled = true;
                        at += 1;
                    } else if !quoted && (is_blank(next) || b"!#{}".contains(&next)) {
                        break;
                    }
                    at += 1;
                }
                TokenKind::Word(word(text.get(start..at).unwrap_or_default(), doubled))
            }
        };
        if tokens.is_empty() {
            span.start = start;
        }
        span.end = at;
        tokens.push(Token {
            kind,
            column: offset + start + 1,
        });
    }
    (text.get(span).unwrap_or_default(), not_ascii)
}

fn word(text: &[u8], doubled: bool) -> Cow<'_, [u8]> {
    if !doubled {
        return Cow::Borrowed(text);
    }
    let mut word = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        word.push(byte);
        if byte == b'"' {
            bytes.next(); // the second one of the pair
        }
    }
    Cow::Owned(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<Vec<String>> {
        let text_of = |token: &Token<'_>| match token.is_quote() {
            true => "\"".to_owned(),
            false => String::from_utf8_lossy(&token.text()).into_owned(),
        };
        let mut lexer = Lexer::new(text.as_bytes());
        let mut lines = Vec::new();
        while let Some(line) = lexer.next_line() {
            lines.push(line.tokens.iter().map(text_of).collect());
        }
        lines
    }

    #[test]
    fn tokens_are_those_of_multipathd() {
        let cases: [(&str, &[&[&str]]); 12] = [
            ("defaults {\n", &[&["defaults", "{"]]),
            ("defaults{\n\t}\n", &[&["defaults", "{"], &["}"]]),
            ("# c\n ! c\n\n  \n", &[]),
            ("a b#c\nd e!f\n", &[&["a", "b"], &["d", "e"]]),
            ("a \"b c\" d\n", &[&["a", "\"", "b c", "\"", "d"]]),
            ("a \"\"\n", &[&["a", "\"", "\""]]),
            ("a \"b\"\"c\"\n", &[&["a", "\"", "b\"c", "\""]]),
            ("a\"b {#!\" x\n", &[&["a", "\"", "b {#!", "\"", "x"]]),
            ("a \"b c\n", &[&["a", "\"", "b c"]]),
            ("l\u{fc}n a{b}\n", &[&["l", "n", "a", "{", "b", "}"]]),
            ("a b\r\n\rc d\re f\n", &[&["a", "b"], &["c", "d"]]),
            ("a b\0c\n", &[&["a", "b"]]),
        ];
        for (text, expected) in cases {
            assert_eq!(texts(text), expected, "{text:?}");
        }
    }

    #[test]
    fn long_lines_are_split() {
        let comment = |len| format!("#{}\n", "x".repeat(len));
        assert_eq!(texts(&comment(1022)).len(), 0);
        assert_eq!(texts(&comment(1023)), [["x"]]);
        let text = comment(1023);
        let mut lexer = Lexer::new(text.as_bytes());
        let line = lexer.next_line().map(|line| line.position(0));
        assert_eq!(
            line,
            Some(Position {
                line: 1,
                column: 1024
            })
        );
    }
}
