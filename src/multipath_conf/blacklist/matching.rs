//! Matching many expressions with many texts.
//!
//! There may be ten thousand expressions and a thousand texts. Most expressions are literals,
//! perhaps with an anchor, and are looked up in an index of the texts. Others are compiled and
//! tried on those texts that contain a literal which the expression requires. A budget limits how
//! often.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell};

use super::super::regex::{self, Matcher};

/// Cost of compiling an expression, and of each of its bytes, in matches.
const COMPILING: usize = 100;
const COMPILING_BYTE: usize = 8;

/// Number of look-ups before the index is built.
const WITHOUT_INDEX: usize = 32;

/// Texts that expressions are matched with.
pub(super) struct Texts<'t> {
    texts: Vec<&'t str>,
    index: OnceCell<Index<'t>>,
    lookups: Cell<usize>,
}

/// All suffixes of the texts, sorted.
struct Index<'t> {
    /// The first bytes of each suffix, as a number that sorts like them.
    heads: Vec<u64>,
    /// The suffixes, each with the number of its text.
    suffixes: Vec<(&'t [u8], usize)>,
}

/// Bytes of a head.
const HEAD: usize = size_of::<u64>();

/// The first bytes as a number, padded with `missing`.
fn head(bytes: &[u8], missing: u8) -> u64 {
    let mut head = [missing; HEAD];
    for (to, from) in head.iter_mut().zip(bytes) {
        *to = *from;
    }
    u64::from_be_bytes(head)
}

impl<'t> Index<'t> {
    fn new(texts: &[&'t str]) -> Self {
        let suffixes = texts.iter().enumerate().flat_map(|(number, text)| {
            (0..text.len()).map(move |start| {
                let bytes = text.as_bytes().get(start..).unwrap_or_default();
                (head(bytes, 0), bytes, number)
            })
        });
        let mut suffixes: Vec<_> = suffixes.collect();
        suffixes.sort_unstable();
        Self {
            heads: suffixes.iter().map(|(head, ..)| *head).collect(),
            suffixes: { suffixes.into_iter() }
                .map(|(_, bytes, number)| (bytes, number))
                .collect(),
        }
    }

    /// Numbers of the texts that contain these bytes, sorted.
    fn containing(&self, part: &[u8]) -> Vec<usize> {
        let (least, greatest) = (head(part, 0), head(part, u8::MAX));
        let start = self.heads.partition_point(|head| *head < least);
        let behind = self.heads.get(start..).unwrap_or_default();
        let end = start + behind.partition_point(|head| *head <= greatest);
        let mut found = self.suffixes.get(start..end).unwrap_or_default();
        if part.len() > HEAD {
            let start = found.partition_point(|(bytes, _)| *bytes < part);
            found = found.get(start..).unwrap_or_default();
            let end = found.partition_point(|(bytes, _)| bytes.starts_with(part));
            found = found.get(..end).unwrap_or_default();
        }
        let mut found: Vec<_> = found.iter().map(|(_, number)| *number).collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

impl<'t> Texts<'t> {
    pub(super) fn new(texts: impl IntoIterator<Item = &'t str>) -> Self {
        Self {
            texts: texts.into_iter().collect(),
            index: OnceCell::new(),
            lookups: Cell::new(0),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.texts.len()
    }

    pub(super) fn text(&self, number: usize) -> &'t str {
        self.texts.get(number).copied().unwrap_or_default()
    }

    /// Numbers of the texts that contain these bytes, sorted.
    fn containing(&self, part: &[u8]) -> Vec<usize> {
        if part.is_empty() {
            return (0..self.len()).collect();
        }
        let lookups = self.lookups.get();
        if lookups >= WITHOUT_INDEX {
            let index = self.index.get_or_init(|| Index::new(&self.texts));
            return index.containing(part);
        }
        self.lookups.set(lookups + 1);
        let finder = memchr::memmem::Finder::new(part);
        let texts = self.texts.iter().enumerate();
        let found = texts.filter(|(_, text)| finder.find(text.as_bytes()).is_some());
        found.map(|(number, _)| number).collect()
    }
}

/// The texts that an expression matches.
#[derive(Debug)]
pub(super) struct Hits {
    /// Sorted.
    listed: Vec<usize>,
    /// Whether it matches all but those that are listed.
    inverted: bool,
}

impl Hits {
    fn all_or_none(all: bool) -> Self {
        Self {
            listed: Vec::new(),
            inverted: all,
        }
    }

    /// The numbers of the matching texts, given how many texts there are.
    pub(super) fn list(self, len: usize) -> Vec<usize> {
        match self.inverted {
            true => (0..len).filter(|text| self.contains(*text)).collect(),
            false => self.listed,
        }
    }

    pub(super) fn contains(&self, text: usize) -> bool {
        self.listed.binary_search(&text).is_ok() != self.inverted
    }

    /// The first match among these texts, and the number of matches.
    pub(super) fn among(&self, texts: &Subset) -> Option<(usize, usize)> {
        let mut listed = self.listed.iter().copied().filter(|text| texts.has(*text));
        if !self.inverted {
            let first = listed.next()?;
            return Some((first, 1 + listed.count()));
        }
        let count = texts.count - listed.count();
        if count == 0 {
            return None;
        }
        let mut all = texts.first..texts.is_member.len();
        let first = all.find(|text| texts.has(*text) && self.contains(*text))?;
        Some((first, count))
    }
}

/// A subset of the texts.
#[derive(Debug)]
pub(super) struct Subset {
    is_member: Vec<bool>,
    count: usize,
    /// No member is before this index.
    first: usize,
}

impl Subset {
    /// All texts, given their number.
    pub(super) fn all(len: usize) -> Self {
        Self {
            is_member: vec![true; len],
            count: len,
            first: 0,
        }
    }

    pub(super) fn has(&self, text: usize) -> bool {
        self.is_member.get(text) == Some(&true)
    }

    /// Removes the matches.
    pub(super) fn remove(&mut self, hits: &Hits) {
        if hits.among(self).is_none() {
            return;
        }
        match hits.inverted {
            false => hits.listed.iter().for_each(|text| self.take(*text)),
            true => {
                let hit = (0..self.is_member.len()).filter(|text| hits.contains(*text));
                hit.for_each(|text| self.take(text));
            }
        }
        while self.first < self.is_member.len() && !self.has(self.first) {
            self.first += 1;
        }
    }

    fn take(&mut self, text: usize) {
        if let Some(is_member) = self.is_member.get_mut(text).filter(|is| **is) {
            *is_member = false;
            self.count -= 1;
        }
    }
}

/// The number of matches that may still be tried.
#[derive(Debug, Default)]
pub(super) struct Budget(pub(super) usize);

impl Budget {
    fn take(&mut self, amount: usize) -> Result<(), NotTried> {
        match self.0.checked_sub(amount) {
            Some(left) => {
                self.0 = left;
                Ok(())
            }
            None => {
                self.0 = 0; // so that nothing later is tried either
                Err(NotTried::Budget)
            }
        }
    }
}

/// Why it is unknown what an expression matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotTried {
    /// The budget is used up.
    Budget,
    /// It cannot be compiled.
    Expression,
}

/// A valid expression, perhaps inverted by a leading `!`.
pub(super) struct Expression<'e> {
    text: &'e str,
    inverted: bool,
    shape: Shape<'e>,
    matcher: OnceCell<Option<Matcher>>,
}

#[derive(Debug, PartialEq)]
enum Shape<'e> {
    /// A literal, perhaps anchored at the start or the end.
    Plain {
        bytes: Cow<'e, [u8]>,
        start: bool,
        end: bool,
    },
    /// Anything else; each matching text contains these bytes.
    Other { needs: Vec<u8> },
}

impl<'e> Expression<'e> {
    pub(super) fn new(text: &'e str) -> Self {
        let (pattern, inverted) = regex::pattern(text);
        Self {
            text,
            inverted,
            shape: Shape::of(pattern.as_bytes()),
            matcher: OnceCell::new(),
        }
    }

    /// Which of the texts it matches.
    pub(super) fn hits(&self, texts: &Texts<'_>, budget: &mut Budget) -> Result<Hits, NotTried> {
        let listed = match &self.shape {
            Shape::Plain { bytes, start, end } => {
                let mut listed = texts.containing(bytes);
                if !start && !end && listed.len() == texts.len() {
                    return Ok(Hits::all_or_none(!self.inverted));
                }
                listed.retain(|number| {
                    let text = texts.text(*number).as_bytes();
                    (!start || text.starts_with(bytes))
                        && (!end || text.ends_with(bytes))
                        && (!start || !end || text.len() == bytes.len())
                });
                listed
            }
            Shape::Other { needs } if needs.is_empty() && budget.0 == 0 => {
                return Err(NotTried::Budget);
            }
            Shape::Other { needs } => {
                let mut listed = texts.containing(needs);
                if !listed.is_empty() {
                    let matcher = self.matcher(budget)?;
                    budget.take(listed.len())?;
                    listed.retain(|number| matcher.hits(texts.text(*number)) != self.inverted);
                }
                listed
            }
        };
        Ok(Hits {
            listed,
            inverted: self.inverted,
        })
    }

    fn matcher(&self, budget: &mut Budget) -> Result<&Matcher, NotTried> {
        if self.matcher.get().is_none() {
            budget.take(COMPILING + COMPILING_BYTE * self.text.len())?;
        }
        let matcher = self.matcher.get_or_init(|| Matcher::new(self.text));
        matcher.as_ref().ok_or(NotTried::Expression)
    }
}

/// A part of an expression, with its repetitions.
#[derive(Clone, Copy, Debug, Default)]
struct Atom {
    /// The byte, if it is one.
    literal: Option<u8>,
    /// A dot.
    any: bool,
    /// `*` or `?`
    optional: bool,
    /// `*` or `+`
    repeated: bool,
    /// `{`
    counted: bool,
}

impl Atom {
    fn literal(byte: u8) -> Self {
        Self {
            literal: Some(byte),
            ..Self::default()
        }
    }

    /// Whether it matches any text.
    fn takes_everything(&self) -> bool {
        self.any && self.optional && self.repeated && !self.counted
    }

    /// Whether it matches the empty text.
    fn is_void(&self) -> bool {
        self.optional && !self.counted
    }
}

/// Bytes that do not stand for themselves.
const SPECIAL: &[u8] = b"^$.[]()|*+?{}\\";

impl<'e> Shape<'e> {
    fn of(pattern: &'e [u8]) -> Self {
        if !pattern.iter().any(|byte| SPECIAL.contains(byte)) {
            return Self::Plain {
                bytes: pattern.into(),
                start: false,
                end: false,
            };
        }
        let Some((atoms, mut start, mut end)) = atoms(pattern) else {
            return Self::Other { needs: Vec::new() };
        };
        // '^.*' matches like '.*', and 'a*' at an end without an anchor like nothing
        start &= !atoms.first().is_some_and(Atom::takes_everything);
        end &= !atoms.last().is_some_and(Atom::takes_everything);
        let at_start = atoms.iter().take_while(|atom| !start && atom.is_void());
        let at_end = atoms.iter().rev().take_while(|atom| !end && atom.is_void());
        let kept = at_start.count()..atoms.len() - at_end.count();
        let atoms = atoms.get(kept).unwrap_or_default();
        let is_plain = |atom: &Atom| !atom.optional && !atom.repeated && !atom.counted;
        let bytes: Option<Vec<u8>> = atoms
            .iter()
            .map(|atom| atom.literal.filter(|_| is_plain(atom)))
            .collect();
        match bytes {
            Some(bytes) => Self::Plain {
                bytes: bytes.into(),
                start,
                end,
            },
            None => Self::Other {
                needs: longest_run(atoms),
            },
        }
    }
}

/// The longest literal that each matching text contains.
fn longest_run(atoms: &[Atom]) -> Vec<u8> {
    let (mut longest, mut run) = (Vec::new(), Vec::new());
    for atom in atoms {
        let literal = atom.literal.filter(|_| !atom.optional && !atom.counted);
        match literal {
            Some(byte) => run.push(byte),
            None => run.clear(),
        }
        if run.len() > longest.len() {
            longest.clone_from(&run);
        }
        if atom.repeated {
            run.clear();
        }
    }
    longest
}

/// The parts of an expression, and whether it is anchored at its start and at its end. `None` if it
/// has alternatives, or is not a plain sequence for another reason.
fn atoms(pattern: &[u8]) -> Option<(Vec<Atom>, bool, bool)> {
    let (start, mut rest) = match pattern.strip_prefix(b"^") {
        Some(rest) => (true, rest),
        None => (false, pattern),
    };
    let mut atoms: Vec<Atom> = Vec::new();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        let atom = match byte {
            b'$' if rest.is_empty() => return Some((atoms, start, true)),
            b'^' | b'$' | b'|' => return None,
            b'*' | b'+' | b'?' | b'{' => {
                let last = atoms.last_mut()?;
                last.optional |= matches!(byte, b'*' | b'?');
                last.repeated |= matches!(byte, b'*' | b'+');
                if byte == b'{' {
                    last.counted = true;
                    rest = behind_byte(rest, b'}')?;
                }
                continue;
            }
            b'.' => Atom {
                any: true,
                ..Atom::default()
            },
            b'[' => {
                rest = behind_bracket(rest)?;
                Atom::default()
            }
            b'(' => {
                rest = behind_group(rest)?;
                Atom::default()
            }
            b'\\' => {
                let (&escaped, behind) = rest.split_first()?;
                rest = behind;
                match escaped {
                    b'1'..=b'9' | b'<' | b'>' | b'`' | b'\'' => Atom::default(),
                    b'b' | b'B' | b'w' | b'W' | b's' | b'S' => Atom::default(),
                    other => Atom::literal(other),
                }
            }
            other => Atom::literal(other),
        };
        atoms.push(atom);
    }
    Some((atoms, start, false))
}

fn behind_byte(rest: &[u8], byte: u8) -> Option<&[u8]> {
    let end = memchr::memchr(byte, rest)?;
    rest.get(end + 1..)
}

/// What follows a bracket expression, given what follows its opening bracket.
fn behind_bracket(rest: &[u8]) -> Option<&[u8]> {
    let rest = rest.strip_prefix(b"^").unwrap_or(rest);
    let mut rest = match rest {
        // a closing bracket stands for itself here
        [b']', behind @ ..] => behind,
        _ => rest,
    };
    loop {
        let (&byte, behind) = rest.split_first()?;
        rest = match (byte, behind.split_first()) {
            (b']', _) => return Some(behind),
            (b'[', Some((kind @ (b':' | b'.' | b'='), inner))) => {
                let end = inner.windows(2).position(|pair| pair == [*kind, b']'])?;
                inner.get(end + 2..)?
            }
            _ => behind,
        };
    }
}

/// What follows a group, given what follows its opening parenthesis.
fn behind_group(mut rest: &[u8]) -> Option<&[u8]> {
    let mut depth = 1;
    while depth > 0 {
        let (&byte, behind) = rest.split_first()?;
        rest = match byte {
            b'(' | b')' => {
                depth = if byte == b'(' { depth + 1 } else { depth - 1 };
                behind
            }
            b'[' => behind_bracket(behind)?,
            b'\\' => behind.split_first()?.1,
            _ => behind,
        };
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shape(pattern: &str) -> Shape<'_> {
        Shape::of(pattern.as_bytes())
    }

    fn plain(text: &str, start: bool, end: bool) -> Shape<'_> {
        Shape::Plain {
            bytes: text.as_bytes().into(),
            start,
            end,
        }
    }

    fn other(needs: &str) -> Shape<'static> {
        Shape::Other {
            needs: needs.into(),
        }
    }

    #[test]
    fn literals_are_plain() {
        for (pattern, text, start, end) in [
            ("3600a", "3600a", false, false),
            ("^3600a$", "3600a", true, true),
            ("^3600a.*", "3600a", true, false),
            ("^3600a.*$", "3600a", true, false),
            (".*3600a.*", "3600a", false, false),
            ("^.*3600a", "3600a", false, false),
            ("3600ab*", "3600a", false, false),
            ("3600a[0-9]*(x|y)?", "3600a", false, false),
            (r"scsi\.x\-", "scsi.x-", false, false),
            ("a)", "a)", false, false),
            (".*", "", false, false),
            ("^.*$", "", false, false),
            ("a*", "", false, false),
            ("^$", "", true, true),
            ("", "", false, false),
        ] {
            assert_eq!(shape(pattern), plain(text, start, end), "{pattern}");
        }
    }

    #[test]
    fn others_require_a_literal() {
        for (pattern, needs) in [
            ("^sd[a-z]", "sd"),
            ("^sd[a-z]+x$", "sd"),
            ("a[]b]cd", "cd"),
            ("a[^]b]cd", "cd"),
            ("a[[:alpha:]]cd", "cd"),
            ("a(bcd|e)fg", "fg"),
            ("a(b[)]c)de", "de"),
            ("ab+c", "ab"),
            ("ab{2}cd", "cd"),
            ("abc?d", "ab"),
            ("3600a.$", "3600a"),
            (r"\<ab", "ab"),
            ("a|b", ""),
            ("a^b", ""),
            ("a$b", ""),
            ("^(sd|hd)", ""),
            ("^b*c", "c"),
            (".*a.", "a"),
        ] {
            assert_eq!(shape(pattern), other(needs), "{pattern}");
        }
    }

    /// Texts, and an expression that may match some of them.
    fn cases() -> impl Strategy<Value = (String, Vec<String>)> {
        let piece = prop::sample::select(vec![
            "a",
            "b",
            "c",
            "ab",
            "bc",
            "^",
            "$",
            "(",
            ")",
            "|",
            "*",
            "+",
            "?",
            "{2}",
            "{,1}",
            ".",
            ".*",
            "[ab]",
            "[^]a]",
            "[[:alpha:]]",
            "\\.",
            "\\w",
            "\\<",
            "\\1",
            "!",
        ]);
        let expression = prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat());
        let texts = prop::collection::vec("[a-c.]{0,8}", 0..20);
        (expression, texts)
    }

    proptest! {
        #[test]
        fn matches_agree_with_the_matcher((expression, texts) in cases()) {
            prop_assume!(regex::check(&expression).is_ok());
            let matcher = Matcher::new(&expression);
            let texts = Texts::new(texts.iter().map(String::as_str));
            let all = Subset::all(texts.len());
            for lookups in [0, WITHOUT_INDEX] {
                texts.lookups.set(lookups);
                let hits = Expression::new(&expression).hits(&texts, &mut Budget(100_000));
                let Ok(hits) = hits else {
                    prop_assert!(matcher.is_none());
                    continue;
                };
                if let Some(matcher) = &matcher {
                    let numbers = 0..texts.len();
                    let expected: Vec<_> = numbers
                        .filter(|number| matcher.hits(texts.text(*number)))
                        .collect();
                    let first = expected.first().map(|first| (*first, expected.len()));
                    prop_assert_eq!(hits.among(&all), first);
                    let mut left = Subset::all(texts.len());
                    left.remove(&hits);
                    prop_assert!((0..texts.len()).all(|n| left.has(n) != expected.contains(&n)));
                    prop_assert_eq!(left.count, texts.len() - expected.len());
                    prop_assert_eq!(hits.list(texts.len()), expected);
                }
            }
        }
    }

    #[test]
    fn what_is_beyond_the_budget_is_not_tried() {
        let texts = Texts::new(["3600a", "3600b"]);
        let mut budget = Budget(1);
        for plain in ["3600", "!x", "^3600a$"] {
            assert!(Expression::new(plain).hits(&texts, &mut budget).is_ok());
        }
        // no text contains its literal
        assert!(Expression::new("x[0-9]").hits(&texts, &mut budget).is_ok());
        let hits = Expression::new("[0-9]").hits(&texts, &mut budget);
        assert_eq!(hits.map(|hits| hits.list(2)), Err(NotTried::Budget));
        let mut budget = Budget(1000);
        let hits = Expression::new(r"(0)\1").hits(&texts, &mut budget);
        assert_eq!(hits.map(|hits| hits.list(2)), Err(NotTried::Expression));
    }
}
