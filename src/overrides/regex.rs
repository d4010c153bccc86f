//! Extended regular expressions, as the C library takes them (glibc's `regcomp`, REG_EXTENDED).

use regex::bytes::{Regex, RegexBuilder};
use thiserror::Error;

/// Why a text is no expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum InvalidRegex {
    #[error("'[' is not closed")]
    Bracket,
    #[error("'(' is not closed")]
    Parenthesis,
    #[error("there is nothing that '*', '+', '?' or '{{' could repeat")]
    Repetition,
    #[error("'{{' needs one or two numbers up to 32767, the smaller one first")]
    Interval,
    #[error("'\\' stands at the end")]
    Backslash,
    #[error("the range in '[]' ends before it begins")]
    Range,
    #[error("there is no such class of characters in '[]'")]
    Class,
    #[error("'\\{0}' refers to a group that does not end before it")]
    Reference(u8),
}

/// Whether the C library takes a text for an expression.
pub(super) fn check_plain(text: &str) -> Result<(), InvalidRegex> {
    Parser::new(text.as_bytes()).expression()
}

/// The same for a blacklist, where a `!` in front of it inverts its meaning.
pub(super) fn check(text: &str) -> Result<(), InvalidRegex> {
    Parser::new(pattern(text).0).expression()
}

/// What an expression hits.
#[derive(Debug)]
pub(super) struct Matcher {
    regex: Regex,
    inverted: bool,
}

/// Greatest size of a compiled expression in bytes: what needs more is not looked at.
const SIZE_LIMIT: usize = 64 * 1024;

impl Matcher {
    /// Compiles an expression that [`check`] has accepted. Nothing for one with references to groups,
    /// and for one that needs too much.
    pub(super) fn new(text: &str) -> Option<Self> {
        let (pattern, inverted) = pattern(text);
        let translated = Parser::new(pattern).translate()?;
        let mut builder = RegexBuilder::new(&translated);
        builder.unicode(false).dot_matches_new_line(true);
        let regex = builder.size_limit(SIZE_LIMIT).build().ok()?;
        Some(Self { regex, inverted })
    }

    /// Whether it hits a text.
    pub(super) fn hits(&self, text: &str) -> bool {
        self.regex.is_match(text.as_bytes()) != self.inverted
    }
}

/// The expression, and whether its meaning is inverted.
fn pattern(text: &str) -> (&[u8], bool) {
    let bytes = text.as_bytes();
    let inverted = bytes.first() == Some(&b'!');
    let skipped = inverted || bytes.starts_with(b"\\!");
    (
        bytes.get(usize::from(skipped)..).unwrap_or_default(),
        inverted,
    )
}

/// Classes that `[:name:]` takes.
const CLASSES: [&[u8]; 12] = [
    b"alnum", b"alpha", b"blank", b"cntrl", b"digit", b"graph", b"lower", b"print", b"punct",
    b"space", b"upper", b"xdigit",
];

/// Most repetitions in an interval (RE_DUP_MAX).
const MOST: u32 = 32767;

struct Parser<'t> {
    rest: &'t [u8],
    /// Groups that are open, by their numbers.
    open: Vec<usize>,
    groups: usize,
    closed: Vec<usize>,
}

impl<'t> Parser<'t> {
    fn new(rest: &'t [u8]) -> Self {
        Self {
            rest,
            open: Vec::new(),
            groups: 0,
            closed: Vec::new(),
        }
    }

    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn skip(&mut self, byte: u8) -> bool {
        let found = self.rest.first() == Some(&byte);
        if found {
            self.next();
        }
        found
    }

    fn expression(&mut self) -> Result<(), InvalidRegex> {
        // whether something stands before that can be repeated
        let mut operand = false;
        while let Some(byte) = self.next() {
            operand = match byte {
                b'\\' => self.escape()?,
                b'[' => {
                    self.bracket()?;
                    true
                }
                b'(' => {
                    self.groups += 1;
                    self.open.push(self.groups);
                    false
                }
                b')' => {
                    // one that was not open is an ordinary character
                    self.closed
                        .extend(self.open.pop().filter(|group| *group <= 9));
                    true
                }
                b'|' | b'^' | b'$' => false,
                b'*' | b'+' | b'?' | b'{' if !operand => return Err(InvalidRegex::Repetition),
                b'{' => {
                    self.interval()?;
                    true
                }
                _ => true,
            };
        }
        match self.open.is_empty() {
            true => Ok(()),
            false => Err(InvalidRegex::Parenthesis),
        }
    }

    /// What follows a backslash; whether it can be repeated.
    fn escape(&mut self) -> Result<bool, InvalidRegex> {
        match self.next().ok_or(InvalidRegex::Backslash)? {
            digit @ b'1'..=b'9' => {
                let group = usize::from(digit - b'0');
                match self.closed.contains(&group) {
                    true => Ok(true),
                    false => Err(InvalidRegex::Reference(digit - b'0')),
                }
            }
            // GNU's anchors
            b'<' | b'>' | b'b' | b'B' | b'`' | b'\'' => Ok(false),
            _ => Ok(true),
        }
    }

    fn number(&mut self) -> Result<Option<u32>, InvalidRegex> {
        let mut number = None;
        while let Some(digit) = self.rest.first().filter(|byte| byte.is_ascii_digit()) {
            let value = number.unwrap_or(0) * 10 + u32::from(digit - b'0');
            if value > MOST {
                return Err(InvalidRegex::Interval);
            }
            number = Some(value);
            self.next();
        }
        Ok(number)
    }

    fn interval(&mut self) -> Result<(), InvalidRegex> {
        let least = self.number()?;
        let most = match self.skip(b',') {
            true => self.number()?,
            false if least.is_none() => return Err(InvalidRegex::Interval),
            false => least,
        };
        let ordered = most.is_none_or(|most| least.unwrap_or(0) <= most);
        match self.skip(b'}') && ordered {
            true => Ok(()),
            false => Err(InvalidRegex::Interval),
        }
    }

    /// One element of a bracket expression; none for a class.
    fn element(&mut self) -> Result<Option<u8>, InvalidRegex> {
        let first = self.next().ok_or(InvalidRegex::Bracket)?;
        let kind = match (first, self.rest.first()) {
            (b'[', Some(kind @ (b':' | b'.' | b'='))) => *kind,
            _ => return Ok(Some(first)),
        };
        self.next();
        let end = self.rest.windows(2).position(|pair| pair == [kind, b']']);
        let end = end.ok_or(InvalidRegex::Bracket)?;
        let name = self.rest.get(..end).unwrap_or_default();
        self.rest = self.rest.get(end + 2..).unwrap_or_default();
        match (kind, name) {
            (b':', name) if CLASSES.contains(&name) => Ok(None),
            (b':', _) => Err(InvalidRegex::Class),
            (_, [only]) => Ok(Some(*only)),
            _ => Err(InvalidRegex::Class),
        }
    }

    fn bracket(&mut self) -> Result<(), InvalidRegex> {
        self.skip(b'^');
        let mut first = true;
        loop {
            if !first && self.skip(b']') {
                return Ok(());
            }
            first = false;
            let start = self.element()?;
            let is_range = self.rest.first() == Some(&b'-')
                && self.rest.get(1).is_some_and(|byte| *byte != b']');
            if is_range {
                self.next();
                match (start, self.element()?) {
                    (Some(start), Some(end)) if start <= end => {}
                    _ => return Err(InvalidRegex::Range),
                }
            }
        }
    }

    /// The expression as the crate `regex` writes it.
    fn translate(mut self) -> Option<String> {
        let mut out = String::from("(?-u)");
        let mut depth = 0_usize;
        while let Some(byte) = self.next() {
            match byte {
                b'\\' => match self.next()? {
                    b'1'..=b'9' => return None,
                    class @ (b'w' | b'W' | b's' | b'S' | b'b' | b'B') => {
                        out.push('\\');
                        out.push(char::from(class));
                    }
                    b'<' => out.push_str(r"\b{start}"),
                    b'>' => out.push_str(r"\b{end}"),
                    b'`' => out.push_str(r"\A"),
                    b'\'' => out.push_str(r"\z"),
                    other => push_literal(&mut out, other),
                },
                b'[' => self.translate_bracket(&mut out)?,
                b'(' => {
                    depth += 1;
                    out.push_str("(?:");
                }
                b')' => match depth.checked_sub(1) {
                    Some(less) => {
                        depth = less;
                        out.push(')');
                    }
                    None => push_literal(&mut out, b')'),
                },
                b'{' => {
                    // without a least number, 0 is meant
                    out.push_str(if self.rest.first() == Some(&b',') {
                        "{0"
                    } else {
                        "{"
                    });
                }
                b'$' => out.push_str(r"\z"),
                b'|' | b'^' | b'*' | b'+' | b'?' | b'}' | b',' | b'.' => out.push(char::from(byte)),
                other => push_literal(&mut out, other),
            }
        }
        Some(out)
    }

    fn translate_bracket(&mut self, out: &mut String) -> Option<()> {
        out.push_str(if self.skip(b'^') { "[^" } else { "[" });
        let mut first = true;
        loop {
            if !first && self.skip(b']') {
                out.push(']');
                return Some(());
            }
            first = false;
            let before = self.rest;
            match self.element().ok()? {
                Some(byte) => push_byte(out, byte),
                None => {
                    // a class is written alike
                    let length = before.len() - self.rest.len();
                    out.push_str(std::str::from_utf8(before.get(..length)?).ok()?);
                    continue;
                }
            }
            let is_range = self.rest.first() == Some(&b'-')
                && self.rest.get(1).is_some_and(|byte| *byte != b']');
            if is_range {
                self.next();
                out.push('-');
                push_byte(out, self.element().ok()??);
            }
        }
    }
}

fn push_literal(out: &mut String, byte: u8) {
    match byte {
        b' '..=b'~' => out.push_str(&regex::escape(char::from(byte).encode_utf8(&mut [0; 4]))),
        _ => push_byte(out, byte),
    }
}

fn push_byte(out: &mut String, byte: u8) {
    out.push_str(&format!(r"\x{byte:02x}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    // From `grep -E`, which has the same expressions.
    #[test]
    fn what_expressions_hit() {
        for (expression, hit, missed) in [
            ("^3600", "36001405", "x3600"),
            ("3600|eui", "eui.00", "nvme"),
            ("^(sd|nvme)[a-z0-9]+$", "sda", "sd-"),
            ("!^sd[a-z]", "dm-0", "sda"),
            (r"\!x", "a!x", "ax"),
            ("a{2}", "baab", "bab"),
            ("^a{,2}$", "aa", "aaa"),
            ("[]a]", "]", "b"),
            ("[^]a]", "b", "]"),
            ("[a&&b]", "&", "c"),
            (r"[\d]", "d", "5"),
            ("[[:digit:]]", "5", "d"),
            ("a)b", "a)b", "ab"),
            ("a.c", "a\nc", "ac"),
            (r"a\.c", "a.c", "abc"),
            ("^x$", "x", "x\n"),
            ("[--/]", ".", "a"),
        ] {
            assert_eq!(check(expression), Ok(()), "{expression}");
            let matcher = Matcher::new(expression);
            let hits = |text| matcher.as_ref().map(|matcher| matcher.hits(text));
            assert_eq!(hits(hit), Some(true), "{expression} {hit:?}");
            assert_eq!(hits(missed), Some(false), "{expression} {missed:?}");
        }
        assert!(Matcher::new(r"(a)\1").is_none());
        assert!(Matcher::new("((a{100}){100}){100}").is_none());
    }
}
