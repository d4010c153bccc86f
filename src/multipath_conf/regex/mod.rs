//! Extended regular expressions, as the C library takes them (glibc's `regcomp`, REG_EXTENDED).

mod bytes;
mod items;
mod states;
mod translation;
mod weight;

use std::borrow::Cow;

use regex::bytes::{Regex, RegexBuilder};
use thiserror::Error;

use crate::wire::byte_string::ByteString;
use items::Item;
use states::States;
use weight::Weight;

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
    #[error("a range in '[]' ends before it begins, or is none")]
    Range,
    #[error("there is no such class of characters in '[]'")]
    Class,
    #[error("'\\{0}' refers to a group that does not end before it")]
    Reference(u8),
}

/// Whether the C library takes a text for an expression, if it can cope with it.
pub(super) fn check_plain(text: &str) -> Result<(), InvalidRegex> {
    items::check(&bytes(text))
}

/// The same for a blacklist, where a `!` in front of it inverts its meaning.
pub(super) fn check(text: &str) -> Result<(), InvalidRegex> {
    items::check(&bytes(pattern(text).0))
}

/// In what an expression is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stack {
    /// The main thread's 8 MiB, once for each time that the configuration is read.
    Large,
    /// The 64 KiB of multipathd's threads, again and again.
    Small,
}

impl Stack {
    /// Most steps for one expression.
    pub(super) fn most_steps(self) -> u64 {
        match self {
            Self::Large => 100_000,
            Self::Small => 12_000,
        }
    }
}

/// Most nodes of one expression.
const MAX_NODES: u64 = 5_000;

/// Most groups inside of each other. What the parser takes of the stack for these is less than what
/// the matcher takes for any expression.
const MAX_NESTING: usize = 20;

/// Most references to groups, and only where nothing is repeated and there are no alternatives: glibc
/// tries all combinations of what groups may have hit.
const MAX_REFERENCES: usize = 9;

/// Most states of one expression that has loops or alternatives.
const MAX_STATES: usize = 1_500;

/// What an expression takes that the C library can cope with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Burden {
    /// Nodes of its tree.
    pub nodes: u64,
    /// Steps of the searches in its automaton.
    pub steps: u64,
    states: States,
}

impl Burden {
    /// Bytes that it takes, roughly: each of what is counted takes less, as tried with glibc.
    pub(super) fn memory(&self) -> u64 {
        let States { number, places } = self.states;
        self.nodes * 128 + self.steps * 16 + number * (2048 + places * 48)
    }
}

/// Why the C library cannot cope with an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum TooHeavy {
    #[error("groups are nested more than {MAX_NESTING} deep")]
    Nesting,
    #[error("with its repetitions written out, it has more than {MAX_NODES} characters")]
    Nodes,
    #[error("there are too many ways through parts of it that may hit nothing")]
    Steps,
    #[error("a text may be at too many places of it at once")]
    States,
    #[error("references to groups stand beside repetitions or alternatives, or are too many")]
    References,
}

impl TooHeavy {
    /// What to write instead.
    pub(super) fn instead(self) -> &'static str {
        match self {
            Self::Nesting => "write it with fewer parentheses",
            Self::Nodes => "repeat less",
            Self::Steps => {
                "write several entries, and fewer '*', '?', '{}', '^', '$' behind each other"
            }
            Self::States => "write fewer '*', '+', '?' before parts that are repeated",
            Self::References => "write what is meant in place of the references",
        }
    }
}

/// What an expression takes. It need not be valid: what is wrong with one is often found once its
/// beginning is compiled.
pub(super) fn burden(text: &str, stack: Stack) -> Result<Burden, TooHeavy> {
    if let Some(length) = plain_length(text) {
        return Ok(Burden {
            nodes: length,
            steps: length,
            states: States::default(),
        });
    }
    let (items, _) = items::read(&bytes(pattern(text).0));
    let Weight { nodes, steps, .. } = weigh(&items, stack)?;
    let states = states::count(&items, nodes, MAX_STATES).ok_or(TooHeavy::States)?;
    Ok(Burden {
        nodes,
        steps,
        states,
    })
}

/// The length of a text without operators, as most are.
fn plain_length(text: &str) -> Option<u64> {
    let is_operator = |byte| b"\\[(){.*+?^$|".contains(&byte);
    let is_plain = text.len() <= 1_000 && !text.bytes().any(is_operator);
    u64::try_from(text.len()).ok().filter(|_| is_plain)
}

/// The steps to compile one that is forgotten then.
pub(super) fn steps(text: &str, stack: Stack) -> Result<u64, TooHeavy> {
    let (items, _) = items::read(&bytes(pattern(text).0));
    weigh(&items, stack).map(|weight| weight.steps)
}

fn weigh(items: &[Item], stack: Stack) -> Result<Weight, TooHeavy> {
    let mut nesting = 0_usize;
    for item in items {
        match item {
            Item::Open if nesting == MAX_NESTING => return Err(TooHeavy::Nesting),
            Item::Open => nesting += 1,
            Item::Close => nesting = nesting.saturating_sub(1),
            _ => {}
        }
    }
    let references = items.iter().filter(|item| **item == Item::Reference);
    let has_choices = || {
        let is_choice = |item: &Item| matches!(item, Item::Repeat(_) | Item::Alternative);
        items.iter().any(is_choice)
    };
    match references.count() {
        0 => {}
        1..=MAX_REFERENCES if !has_choices() => {}
        _ => return Err(TooHeavy::References),
    }
    let weight = Weight::of(items);
    if weight.nodes > MAX_NODES {
        return Err(TooHeavy::Nodes);
    }
    match weight.steps <= stack.most_steps() {
        true => Ok(weight),
        false => Err(TooHeavy::Steps),
    }
}

/// Whether a [`Matcher`] may hit more than the C library: see `translation`.
#[cfg_attr(not(test), expect(dead_code, reason = "tests ask for it"))]
pub(super) fn may_hit_more(text: &str) -> bool {
    let (items, _) = items::read(&bytes(pattern(text).0));
    translation::overlooked_anchors(&items).contains(&true)
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
    /// and for one that needs too much, of the C library or here.
    pub(super) fn new(text: &str) -> Option<Self> {
        burden(text, Stack::Large).ok()?;
        let (expression, inverted) = pattern(text);
        let (items, _) = items::read(&bytes(expression));
        let translated = translation::of(&items)?;
        let mut builder = RegexBuilder::new(&translated);
        builder.unicode(false).dot_matches_new_line(true);
        let regex = builder.size_limit(SIZE_LIMIT).build().ok()?;
        Some(Self { regex, inverted })
    }

    /// Whether it hits a text.
    pub(super) fn hits(&self, text: &str) -> bool {
        self.regex.is_match(&bytes(text)) != self.inverted
    }
}

/// The bytes of a text in which each character stands for one.
fn bytes(text: &str) -> Cow<'_, [u8]> {
    match ByteString::from(text).to_bytes() {
        Some(Cow::Owned(bytes)) => Cow::Owned(bytes),
        _ => Cow::Borrowed(text.as_bytes()),
    }
}

/// The expression, and whether its meaning is inverted.
pub(super) fn pattern(text: &str) -> (&str, bool) {
    match text.strip_prefix('!') {
        Some(expression) => (expression, true),
        None if text.starts_with("\\!") => (text.strip_prefix('\\').unwrap_or(text), false),
        None => (text, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // From `grep -E`, which has the same expressions. tests/regcomp asks the C library itself.
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

    // glibc overlooks anchors in what it repeats, but not all of them.
    #[test]
    fn anchors_in_repeated_parts() {
        for (expression, hit) in [
            ("(a|-^x){2}", "a-x"),
            ("(a|^b)+", "cb"),
            ("^(a$)*{2}b", "ab"),
        ] {
            assert!(may_hit_more(expression), "{expression}");
            let matcher = Matcher::new(expression);
            assert!(
                matcher.is_some_and(|matcher| matcher.hits(hit)),
                "{expression}"
            );
        }
        for expression in ["^a{2}", "(^|x)?b", "(^|x)*b", "(^|x){1}b", "(ab)+$"] {
            assert!(!may_hit_more(expression), "{expression}");
        }
    }
}
