//! The tokens of an expression, as glibc reads it (posix/regcomp.c with REG_EXTENDED, in the locale
//! "C").

use super::InvalidRegex;
use super::bytes::Bytes;

/// A token of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// One byte of a set.
    Bytes(Bytes),
    Anchor(Anchor),
    /// A back-reference: `\1`.
    Reference,
    Open,
    Close,
    Alternative,
    /// A repetition of the item or group before, with its repetitions.
    Repeat(Times),
}

/// How often something is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    pub least: u32,
    /// Unlimited if `None`.
    pub most: Option<u32>,
}

/// A condition on a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    End,
    WordStart,
    WordEnd,
    WordBoundary,
    NoWordBoundary,
}

/// Greatest number in an interval (RE_DUP_MAX).
const MOST: u32 = 32767;

/// The items of an expression, up to the first error.
pub(super) fn read(text: &[u8]) -> (Vec<Item>, Result<(), InvalidRegex>) {
    let mut items = Vec::with_capacity(text.len());
    let result = Reader::new(text).expression(|item| items.push(item));
    (items, result)
}

/// Whether an expression is valid.
pub(super) fn check(text: &[u8]) -> Result<(), InvalidRegex> {
    Reader::new(text).expression(|_| {})
}

struct Reader<'t> {
    rest: &'t [u8],
    /// The numbers of the open groups.
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
        // whether the last item can be repeated
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
                    // without an open group, it stands for itself
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

    /// Reads what follows a backslash.
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
            // GNU extensions
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

    /// Reads a number of an interval, and the character that ends it.
    fn number(&mut self) -> Result<(Option<u32>, u8), InvalidRegex> {
        let mut number = None;
        loop {
            // a backslash before these two changes nothing
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
                // only at the start or the end it stands for itself
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

    /// Reads an element of a bracket expression.
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
    /// A class, which cannot begin or end a range.
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
