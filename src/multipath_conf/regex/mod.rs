//! Extended regular expressions as glibc's `regcomp` reads them (REG_EXTENDED): whether they are
//! valid, what they match, and what they cost.

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

/// Why an expression is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum InvalidRegex {
    #[error("'[' is not closed")]
    Bracket,
    #[error("'(' is not closed")]
    Parenthesis,
    #[error("'*', '+', '?' or '{{' has nothing to repeat")]
    Repetition,
    #[error("'{{' needs one or two numbers up to 32767, the smaller one first")]
    Interval,
    #[error("it ends with '\\'")]
    Backslash,
    #[error("a range in '[]' is reversed or invalid")]
    Range,
    #[error("'[]' contains an unknown character class")]
    Class,
    #[error("'\\{0}' refers to a group that is not closed before it")]
    Reference(u8),
}

/// Whether an expression is valid, whatever it costs.
pub(super) fn check_plain(text: &str) -> Result<(), InvalidRegex> {
    items::check(&bytes(text))
}

/// The same for a blacklist, where a leading `!` inverts an expression.
pub(super) fn check(text: &str) -> Result<(), InvalidRegex> {
    items::check(&bytes(pattern(text).0))
}

/// The thread that compiles an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stack {
    /// The main thread, with 8 MiB, once for each time that the configuration is read.
    Large,
    /// A thread with 64 KiB, again and again.
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

/// Deepest nesting of groups. The parser needs less stack for these than the matcher for any
/// expression.
const MAX_NESTING: usize = 20;

/// Most back-references, and only without repetitions and alternatives: glibc tries all
/// combinations of what groups may have matched.
const MAX_REFERENCES: usize = 9;

/// Most states of one expression that has loops or alternatives.
const MAX_STATES: usize = 1_500;

/// What an expression costs glibc, within the limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Burden {
    /// Nodes of its tree.
    pub nodes: u64,
    /// Steps of the searches in its automaton.
    pub steps: u64,
    states: States,
}

impl Burden {
    /// Memory in bytes, an upper bound: each item takes less, as measured with glibc.
    pub(super) fn memory(&self) -> u64 {
        let States { number, places } = self.states;
        self.nodes * 128 + self.steps * 16 + number * (2048 + places * 48)
    }
}

/// Why an expression costs glibc too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum TooHeavy {
    #[error("groups are nested more than {MAX_NESTING} levels deep")]
    Nesting,
    #[error("with its repetitions expanded, it has more than {MAX_NODES} characters")]
    Nodes,
    #[error("there are too many ways through parts of it that can match nothing")]
    Steps,
    #[error("a text can be at too many places of it at once")]
    States,
    #[error("it combines back-references with repetitions or alternatives, or has too many")]
    References,
}

impl TooHeavy {
    /// What to do instead.
    pub(super) fn instead(self) -> &'static str {
        match self {
            Self::Nesting => "use fewer parentheses",
            Self::Nodes => "use fewer repetitions",
            Self::Steps => {
                "split it into several entries, with fewer '*', '?', '{}', '^', '$' in a row"
            }
            Self::States => "use fewer '*', '+', '?' before parts that are repeated",
            Self::References => "repeat the group in place of each reference",
        }
    }
}

/// What an expression costs. It need not be valid: glibc often finds an error only after it has
/// compiled what is before.
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

/// The length of an expression without operators, as most are.
fn plain_length(text: &str) -> Option<u64> {
    let is_operator = |byte| b"\\[(){.*+?^$|".contains(&byte);
    let is_plain = text.len() <= 1_000 && !text.bytes().any(is_operator);
    u64::try_from(text.len()).ok().filter(|_| is_plain)
}

/// The steps to compile an expression that is freed at once.
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

/// Whether a [`Matcher`] may match more than glibc: see `translation`.
#[cfg_attr(not(test), expect(dead_code, reason = "tests ask for it"))]
pub(super) fn may_hit_more(text: &str) -> bool {
    let (items, _) = items::read(&bytes(pattern(text).0));
    translation::overlooked_anchors(&items).contains(&true)
}

/// A compiled expression.
#[derive(Debug)]
pub(super) struct Matcher {
    regex: Regex,
    inverted: bool,
}

/// Greatest size of a compiled expression in bytes: larger ones are not tried.
const SIZE_LIMIT: usize = 64 * 1024;

impl Matcher {
    /// Compiles an expression that [`check`] accepts. `None` for one with back-references, and for
    /// one that costs too much, for glibc or here.
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

    /// Whether it matches a text.
    pub(super) fn hits(&self, text: &str) -> bool {
        self.regex.is_match(&bytes(text)) != self.inverted
    }
}

/// The bytes of a text in which each character stands for a byte.
fn bytes(text: &str) -> Cow<'_, [u8]> {
    match ByteString::from(text).to_bytes() {
        Some(Cow::Owned(bytes)) => Cow::Owned(bytes),
        _ => Cow::Borrowed(text.as_bytes()),
    }
}

/// The expression without a leading `!`, and whether it is inverted.
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

    // From `grep -E`, which has the same expressions. tests/regcomp asks glibc itself.
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

    // glibc ignores some anchors in what it repeats, but not all.
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
