//! Lines and tokens, as multipathd's parser takes them (libmpathutil/parser.c, `alloc_strvec`).

use std::borrow::Cow;

use super::finding::Position;
use crate::wire::byte_string::is_space_byte;

/// Longest line that multipathd reads as one, in bytes (libmpathutil/parser.c, MAXBUF): it reads the
/// rest of a longer one as another line.
pub const MAX_LINE: usize = 1023;

/// The lines of a text that hold more than blanks and comments.
#[derive(Debug, Default)]
pub(super) struct Lines<'t> {
    tokens: Vec<Token<'t>>,
    /// Number, tokens up to, and `not_ascii` of each line.
    lines: Vec<(usize, usize, Option<usize>)>,
}

/// A part of a line with something in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Line<'l, 't> {
    /// Its number in the text, from 1.
    pub number: usize,
    /// At least one.
    pub tokens: &'l [Token<'t>],
    /// Where something beyond ASCII is taken for a blank, in bytes from 1.
    pub not_ascii: Option<usize>,
}

#[derive(Debug, PartialEq)]
pub(super) struct Token<'t> {
    pub kind: TokenKind<'t>,
    /// Where it starts, in bytes from 1.
    pub column: usize,
}

#[derive(Debug, PartialEq)]
pub(super) enum TokenKind<'t> {
    /// A double quote that begins or ends a text.
    Quote,
    /// `{`
    Open,
    /// `}`
    Close,
    /// Anything else: a word, or the whole text between two quotes.
    Word(Cow<'t, [u8]>),
}

impl Token<'_> {
    /// The token's text; a quote has none.
    pub(super) fn text(&self) -> &[u8] {
        match &self.kind {
            TokenKind::Quote => b"",
            TokenKind::Open => b"{",
            TokenKind::Close => b"}",
            TokenKind::Word(word) => word,
        }
    }

    /// Whether it begins or ends a quoted text.
    pub(super) fn is_quote(&self) -> bool {
        self.kind == TokenKind::Quote
    }
}

impl Line<'_, '_> {
    /// Place of a token.
    pub(super) fn position(&self, token: usize) -> Position {
        Position {
            line: self.number,
            column: self.tokens.get(token).map_or(1, |token| token.column),
        }
    }
}

impl<'t> Lines<'t> {
    /// Takes a text apart.
    pub(super) fn new(text: &'t [u8]) -> Self {
        let mut all = Self::default();
        let physical = text.split_inclusive(|&byte| byte == b'\n');
        for (index, line) in physical.enumerate() {
            for (part, chunk) in line.chunks(MAX_LINE).enumerate() {
                all.chunk(index + 1, part * MAX_LINE, chunk);
            }
        }
        all
    }

    /// The lines.
    pub(super) fn iter(&self) -> impl Iterator<Item = Line<'_, 't>> {
        let mut start = 0;
        self.lines.iter().map(move |&(number, end, not_ascii)| {
            let tokens = self.tokens.get(start..end).unwrap_or_default();
            start = end;
            Line {
                number,
                tokens,
                not_ascii,
            }
        })
    }

    fn chunk(&mut self, number: usize, offset: usize, chunk: &'t [u8]) {
        // a mark of the encoding means nothing, and nobody sees it
        let mark = match number {
            1 => chunk.strip_prefix(b"\xef\xbb\xbf"),
            _ => None,
        };
        let (chunk, offset) = mark.map_or((chunk, offset), |rest| (rest, offset + 3));
        let before = self.tokens.len();
        let not_ascii = push_tokens(seen(chunk), offset, &mut self.tokens);
        if self.tokens.len() > before {
            self.lines.push((number, self.tokens.len(), not_ascii));
        }
    }
}

/// What multipathd sees of a line: up to a NUL, and up to a carriage return or line feed behind
/// anything else.
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

/// Blank to multipathd, outside of quotes: everything that is not ASCII as well.
fn is_blank(byte: u8) -> bool {
    is_space_byte(byte) || !byte.is_ascii()
}

/// Adds the tokens of a line, and tells where something beyond ASCII is taken for a blank.
fn push_tokens<'t>(text: &'t [u8], offset: usize, tokens: &mut Vec<Token<'t>>) -> Option<usize> {
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
            None => return not_ascii,
            Some(b'!' | b'#') if !quoted => return not_ascii,
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
        tokens.push(Token {
            kind,
            column: offset + start + 1,
        });
    }
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
            bytes.next(); // its double
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
            false => String::from_utf8_lossy(token.text()).into_owned(),
        };
        Lines::new(text.as_bytes())
            .iter()
            .map(|line| line.tokens.iter().map(text_of).collect())
            .collect()
    }

    #[test]
    fn tokens_as_multipathd_takes_them() {
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
    fn long_lines_are_several() {
        let comment = |len| format!("#{}\n", "x".repeat(len));
        assert_eq!(texts(&comment(1022)).len(), 0);
        assert_eq!(texts(&comment(1023)), [["x"]]);
        let text = comment(1023);
        let lines = Lines::new(text.as_bytes());
        let line = lines.iter().next().map(|line| line.position(0));
        assert_eq!(
            line,
            Some(Position {
                line: 1,
                column: 1024
            })
        );
    }
}
