//! What an expression consists of, as the C library reads it (glibc's posix/regcomp.c with
//! REG_EXTENDED, in the locale "C").

use super::InvalidRegex;
use super::bytes::Bytes;

/// A part of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// One byte out of these.
    Bytes(Bytes),
    Anchor(Anchor),
    /// What a group has hit, once more: `\1`.
    Reference,
    Open,
    Close,
    Alternative,
    /// What stands before this, so many times: a byte, a group, or that with repetitions.
    Repeat(Times),
}

/// How often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    pub least: u32,
    /// As often as there are, if none.
    pub most: Option<u32>,
}

/// A condition on a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    End,
    WordStart,
    WordEnd,
    WordBoundary,
    NoWordBoundary,
}

/// Most repetitions in an interval (RE_DUP_MAX).
const MOST: u32 = 32767;

/// The items of an expression, up to what is wrong with it.
pub(super) fn read(text: &[u8]) -> (Vec<Item>, Result<(), InvalidRegex>) {
    let mut items = Vec::with_capacity(text.len());
    let result = Reader::new(text).expression(|item| items.push(item));
    (items, result)
}

/// Whether it is an expression.
pub(super) fn check(text: &[u8]) -> Result<(), InvalidRegex> {
    Reader::new(text).expression(|_| {})
}

struct Reader<'t> {
    rest: &'t [u8],
    /// Groups that are open, by their numbers.
    open: Vec<usize>,
    groups: usize,
    closed: Vec<usize>,
}

impl<'t> Reader<'t> {
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

    fn skip(&mut self, text: &[u8]) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expression(&mut self, mut add: impl FnMut(Item)) -> Result<(), InvalidRegex> {
        // whether something stands before that can be repeated
        let mut operand = false;
        while let Some(byte) = self.next() {
            let item = match byte {
                b'\\' => self.escape()?,
                b'[' => Item::Bytes(self.bracket()?),
                b'.' => Item::Bytes(Bytes::any()),
                b'(' => {
                    self.groups += 1;
                    self.open.push(self.groups);
                    Item::Open
                }
                b')' => match self.open.pop() {
                    Some(group) => {
                        self.closed.extend(Some(group).filter(|group| *group <= 9));
                        Item::Close
                    }
                    // one that was not open is an ordinary character
                    None => Item::Bytes(Bytes::of(b')')),
                },
                b'|' => Item::Alternative,
                b'^' => Item::Anchor(Anchor::Start),
                b'$' => Item::Anchor(Anchor::End),
                b'*' | b'+' | b'?' | b'{' if !operand => return Err(InvalidRegex::Repetition),
                b'*' => repeat(0, None),
                b'+' => repeat(1, None),
                b'?' => repeat(0, Some(1)),
                b'{' => self.interval()?,
                other => Item::Bytes(Bytes::of(other)),
            };
            operand = !matches!(item, Item::Open | Item::Alternative | Item::Anchor(_));
            add(item);
        }
        match self.open.is_empty() {
            true => Ok(()),
            false => Err(InvalidRegex::Parenthesis),
        }
    }

    /// What follows a backslash.
    fn escape(&mut self) -> Result<Item, InvalidRegex> {
        let space = || Bytes::class(b"space").unwrap_or_default();
        Ok(match self.next().ok_or(InvalidRegex::Backslash)? {
            digit @ b'1'..=b'9' => {
                let number = digit - b'0';
                match self.closed.contains(&usize::from(number)) {
                    true => Item::Reference,
                    false => return Err(InvalidRegex::Reference(number)),
                }
            }
            // GNU's
            b'<' => Item::Anchor(Anchor::WordStart),
            b'>' => Item::Anchor(Anchor::WordEnd),
            b'b' => Item::Anchor(Anchor::WordBoundary),
            b'B' => Item::Anchor(Anchor::NoWordBoundary),
            b'`' => Item::Anchor(Anchor::Start),
            b'\'' => Item::Anchor(Anchor::End),
            b'w' => Item::Bytes(Bytes::word()),
            b'W' => Item::Bytes(Bytes::word().inverted()),
            b's' => Item::Bytes(space()),
            b'S' => Item::Bytes(space().inverted()),
            other => Item::Bytes(Bytes::of(other)),
        })
    }

    /// A number of an interval, up to what ends it.
    fn number(&mut self) -> Result<(Option<u32>, u8), InvalidRegex> {
        let mut number = None;
        loop {
            // a backslash makes these two nothing else
            let escaped = match self.rest {
                [b'\\', byte @ (b'0' | b','), ..] => Some(*byte),
                _ => None,
            };
            if escaped.is_some() {
                self.next();
            }
            match self.next() {
                Some(digit @ b'0'..=b'9') => {
                    let value = number.unwrap_or(0) * 10 + u32::from(digit - b'0');
                    number = Some(value.min(MOST + 1));
                }
                Some(end @ (b',' | b'}')) => return Ok((number, end)),
                _ => return Err(InvalidRegex::Interval),
            }
        }
    }

    fn interval(&mut self) -> Result<Item, InvalidRegex> {
        let (least, most) = match self.number()? {
            (Some(number), b'}') => (number, Some(number)),
            (least, b',') => match self.number()? {
                (most, b'}') => (least.unwrap_or(0), most),
                _ => return Err(InvalidRegex::Interval),
            },
            _ => return Err(InvalidRegex::Interval),
        };
        match most.is_none_or(|most| least <= most) && most.unwrap_or(least) <= MOST {
            true => Ok(repeat(least, most)),
            false => Err(InvalidRegex::Interval),
        }
    }

    fn bracket(&mut self) -> Result<Bytes, InvalidRegex> {
        let inverted = self.skip(b"^");
        let mut members = Bytes::default();
        let mut is_first = true;
        while is_first || !self.skip(b"]") {
            match self.element()? {
                // elsewhere than in front or at the end it belongs to a range
                Element::Hyphen if !is_first && self.rest.first() != Some(&b']') => {
                    return Err(InvalidRegex::Range);
                }
                Element::Class(class) => members = members.union(class),
                element => {
                    let start = element.byte();
                    if matches!(self.rest, [b'-', next, ..] if *next != b']') {
                        self.next();
                        match (start, self.element()?.byte()) {
                            (Some(start), Some(end)) if start <= end => {
                                let range: Bytes = (start..=end).collect();
                                members = members.union(range);
                            }
                            _ => return Err(InvalidRegex::Range),
                        }
                    } else if let Some(byte) = start {
                        members.insert(byte);
                    }
                }
            }
            is_first = false;
        }
        Ok(match inverted {
            true => members.inverted(),
            false => members,
        })
    }

    /// One element of a bracket expression.
    fn element(&mut self) -> Result<Element, InvalidRegex> {
        let first = self.next().ok_or(InvalidRegex::Bracket)?;
        let kind = match (first, self.rest.first()) {
            (b'[', Some(kind @ (b':' | b'.' | b'='))) => *kind,
            (b'-', _) => return Ok(Element::Hyphen),
            _ => return Ok(Element::Byte(first)),
        };
        self.next();
        let end = self.rest.windows(2).position(|pair| pair == [kind, b']']);
        let end = end.ok_or(InvalidRegex::Bracket)?;
        let name = self.rest.get(..end).unwrap_or_default();
        self.rest = self.rest.get(end + 2..).unwrap_or_default();
        match (kind, name) {
            (b':', name) => Bytes::class(name).map(Element::Class),
            (b'=', [only]) => Some(Element::Class(Bytes::of(*only))),
            (b'.', [only]) => Some(Element::Byte(*only)),
            _ => None,
        }
        .ok_or(InvalidRegex::Class)
    }
}

fn repeat(least: u32, most: Option<u32>) -> Item {
    Item::Repeat(Times { least, most })
}

enum Element {
    Byte(u8),
    /// A `-` that may stand for itself.
    Hyphen,
    /// What cannot begin or end a range.
    Class(Bytes),
}

impl Element {
    fn byte(&self) -> Option<u8> {
        match self {
            Self::Byte(byte) => Some(*byte),
            Self::Hyphen => Some(b'-'),
            Self::Class(_) => None,
        }
    }
}
