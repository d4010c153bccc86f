//! The number of states that glibc's matcher can reach in an expression.
//!
//! A state is a set of positions in the expression. glibc builds a table of 2 KiB for each state as
//! it reaches it, and keeps it as long as the configuration. `.*a.{28}b` has half a billion states,
//! and each WWID that is matched reaches hundreds of new ones.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::ops::Range;

use super::bytes::Bytes;
use super::items::{Item, Times};

/// Longest text that expressions are matched with: a WWID.
const LONGEST: u64 = 127;

/// The states of an expression.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct States {
    pub number: u64,
    /// Positions in the largest one.
    pub places: u64,
}

/// The states of an expression with this number of nodes; `None` if there are more than `most`.
pub(super) fn count(items: &[Item], nodes: u64, most: usize) -> Option<States> {
    if is_list(items) {
        return Some(States::default());
    }
    if is_row(items) {
        return Some(States {
            number: nodes.min(LONGEST),
            places: 1,
        });
    }
    // smaller sets are faster
    if let Some(small) = Automaton::<2>::new(items) {
        return small.count(most);
    }
    match Automaton::<6>::new(items) {
        Some(medium) => medium.count(most),
        None => Automaton::<16>::new(items)?.count(most),
    }
}

/// Whether this is a list of literals. Lists of WWIDs are common, and a text reaches only the
/// states of the literals that it begins like.
fn is_list(items: &[Item]) -> bool {
    let mut groups = 0;
    items.iter().all(|item| match item {
        Item::Bytes(bytes) => bytes.only().is_some(),
        Item::Open => {
            groups += 1;
            groups == 1
        }
        Item::Anchor(_) | Item::Close | Item::Alternative => true,
        Item::Reference | Item::Repeat(_) => false,
    })
}

/// Whether there is a single way through it, so that there are as many states as bytes.
fn is_row(items: &[Item]) -> bool {
    items.iter().all(|item| match item {
        Item::Alternative => false,
        Item::Repeat(times) => times.most == Some(times.least),
        _ => true,
    })
}

/// A set of positions.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Places<const W: usize>([u64; W]);

impl<const W: usize> Hash for Places<W> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.0.iter().for_each(|word| hasher.write_u64(*word));
    }
}

/// A fast hasher for small, short-lived tables.
#[derive(Default)]
struct Mixer(u64);

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        bytes
            .iter()
            .for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0 ^ word)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29);
    }

    fn finish(&self) -> u64 {
        self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

impl<const W: usize> Places<W> {
    const NONE: Self = Self([0; W]);

    fn of(place: usize) -> Self {
        let mut places = Self::NONE;
        if let Some(word) = places.0.get_mut(place / 64) {
            *word = 1 << (place % 64);
        }
        places
    }

    fn iter(self) -> impl Iterator<Item = usize> {
        let words = self.0.into_iter().enumerate();
        words.flat_map(|(at, mut word)| {
            std::iter::from_fn(move || {
                let bit = word.checked_ilog2()?;
                word ^= 1 << bit;
                Some(at * 64 + usize::try_from(bit).ok()?)
            })
        })
    }

    fn len(self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    fn add(&mut self, other: Self) {
        for (word, other) in self.0.iter_mut().zip(other.0) {
            *word |= other;
        }
    }

    fn and(mut self, other: Self) -> Self {
        for (word, other) in self.0.iter_mut().zip(other.0) {
            *word &= other;
        }
        self
    }

    /// The same positions, moved by this much.
    fn shifted(self, by: usize) -> Self {
        let word = |at: Option<usize>| at.and_then(|at| self.0.get(at)).copied().unwrap_or(0);
        let (words, bits) = (by / 64, by % 64);
        Self(std::array::from_fn(|at| {
            let at = at.checked_sub(words);
            let before = word(at.and_then(|at| at.checked_sub(1)));
            let carried = before.checked_shr(64 - bits as u32).unwrap_or(0);
            (word(at) << bits) | carried
        }))
    }
}

/// The sets that were reached: most expressions have few.
struct Seen<const W: usize> {
    first: Vec<Places<W>>,
    others: HashSet<Places<W>, BuildHasherDefault<Mixer>>,
    count: usize,
}

impl<const W: usize> Default for Seen<W> {
    fn default() -> Self {
        Self {
            first: Vec::with_capacity(16),
            others: HashSet::default(),
            count: 0,
        }
    }
}

impl<const W: usize> Seen<W> {
    fn is_new(&mut self, places: Places<W>) -> bool {
        if self.first.contains(&places) {
            return false;
        }
        if self.first.len() < 16 {
            self.first.push(places);
        } else if !self.others.insert(places) {
            return false;
        }
        self.count += 1;
        true
    }
}

/// Glushkov's automaton: the byte sets of an expression, and which positions may follow which.
struct Automaton<const W: usize> {
    bytes: Vec<Bytes>,
    next: Vec<Places<W>>,
    first: Places<W>,
}

/// A part of an expression.
#[derive(Clone)]
struct Part<const W: usize> {
    places: Range<usize>,
    /// The positions at which it may begin and end.
    first: Places<W>,
    last: Places<W>,
    /// Whether it matches the empty text.
    optional: bool,
}

impl<const W: usize> Part<W> {
    fn nothing() -> Self {
        Self {
            places: 0..0,
            first: Places::NONE,
            last: Places::NONE,
            optional: true,
        }
    }

    fn or(mut self, other: Self) -> Self {
        self.places = enclosing(self.places, other.places);
        self.first.add(other.first);
        self.last.add(other.last);
        self.optional |= other.optional;
        self
    }
}

/// The positions of two adjacent parts, each of which may have none.
fn enclosing(one: Range<usize>, other: Range<usize>) -> Range<usize> {
    match (one.is_empty(), other.is_empty()) {
        (true, _) => other,
        (_, true) => one,
        _ => one.start.min(other.start)..one.end.max(other.end),
    }
}

/// An open group.
struct Group<const W: usize> {
    alternatives: Option<Part<W>>,
    branch: Part<W>,
    /// The last part of the branch, which may be repeated.
    last: Part<W>,
}

impl<const W: usize> Group<W> {
    fn new() -> Self {
        Self {
            alternatives: None,
            branch: Part::nothing(),
            last: Part::nothing(),
        }
    }
}

impl<const W: usize> Automaton<W> {
    /// `None` if it has too many positions.
    fn new(items: &[Item]) -> Option<Self> {
        let mut automaton = Self {
            bytes: Vec::new(),
            next: Vec::new(),
            first: Places::NONE,
        };
        let mut groups = vec![Group::new()];
        for item in items {
            match *item {
                Item::Open => groups.push(Group::new()),
                Item::Close => {
                    let inner = automaton.end(groups.pop()?);
                    automaton.operand(groups.last_mut()?, inner);
                }
                Item::Alternative => automaton.alternative(groups.last_mut()?),
                Item::Repeat(times) => {
                    let group = groups.last_mut()?;
                    group.last = automaton.repeated(&group.last, times)?;
                }
                // the condition only rules states out
                Item::Anchor(_) | Item::Reference => {
                    automaton.operand(groups.last_mut()?, Part::nothing());
                }
                Item::Bytes(bytes) => {
                    let part = automaton.byte(bytes)?;
                    automaton.operand(groups.last_mut()?, part);
                }
            }
        }
        automaton.first = automaton.end(groups.pop()?).first;
        Some(automaton)
    }

    fn byte(&mut self, bytes: Bytes) -> Option<Part<W>> {
        let place = self.bytes.len();
        self.bytes.push(bytes);
        self.next.push(Places::NONE);
        (place < W * 64).then(|| Part {
            places: place..place + 1,
            first: Places::of(place),
            last: Places::of(place),
            optional: false,
        })
    }

    fn operand(&mut self, group: &mut Group<W>, operand: Part<W>) {
        let last = std::mem::replace(&mut group.last, operand);
        group.branch = self.joined(&group.branch, &last);
    }

    fn alternative(&mut self, group: &mut Group<W>) {
        self.operand(group, Part::nothing());
        let branch = std::mem::replace(&mut group.branch, Part::nothing());
        group.alternatives = Some(match group.alternatives.take() {
            Some(others) => others.or(branch),
            None => branch,
        });
    }

    fn end(&mut self, mut group: Group<W>) -> Part<W> {
        self.alternative(&mut group);
        group.alternatives.unwrap_or_else(Part::nothing)
    }

    /// One part followed by another.
    fn joined(&mut self, one: &Part<W>, next: &Part<W>) -> Part<W> {
        self.link(one.last, next.first);
        let mut joined = Part {
            places: enclosing(one.places.clone(), next.places.clone()),
            first: one.first,
            last: next.last,
            optional: one.optional && next.optional,
        };
        if one.optional {
            joined.first.add(next.first);
        }
        if next.optional {
            joined.last.add(one.last);
        }
        joined
    }

    fn link(&mut self, from: Places<W>, to: Places<W>) {
        for place in from.iter() {
            if let Some(next) = self.next.get_mut(place) {
                next.add(to);
            }
        }
    }

    /// A copy of a part, with new positions.
    fn copied(&mut self, part: &Part<W>) -> Option<Part<W>> {
        let by = self.bytes.len().checked_sub(part.places.start)?;
        for place in part.places.clone() {
            let (bytes, next) = (*self.bytes.get(place)?, *self.next.get(place)?);
            self.bytes.push(bytes);
            self.next.push(next.shifted(by));
        }
        (self.bytes.len() <= W * 64).then(|| Part {
            places: part.places.start + by..part.places.end + by,
            first: part.first.shifted(by),
            last: part.last.shifted(by),
            optional: part.optional,
        })
    }

    fn repeated(&mut self, part: &Part<W>, times: Times) -> Option<Part<W>> {
        if part.places.is_empty() {
            return Some(part.clone());
        }
        let least = usize::try_from(times.least).ok()?;
        let most = times
            .most
            .map_or(Some(least + 1), |most| usize::try_from(most).ok())?;
        if most == 0 {
            return Some(Part::nothing());
        }
        // copied before they are linked to each other
        let mut parts = vec![part.clone()];
        for _ in 1..most {
            parts.push(self.copied(part)?);
        }
        let (required, others) = parts.split_at(least);
        let all = required
            .iter()
            .fold(Part::nothing(), |all, part| self.joined(&all, part));
        if times.most.is_none() {
            let mut looped = others.first()?.clone();
            self.link(looped.last, looped.first);
            looped.optional = true;
            return Some(self.joined(&all, &looped));
        }
        // nested as in glibc: each but the last is optional
        let optional = others.iter().fold(Part::nothing(), |inner, part| {
            let mut joined = self.joined(&inner, part);
            joined.optional = true;
            joined
        });
        Some(self.joined(&all, &optional))
    }

    /// The reachable states, unless there are more than `most`.
    fn count(&self, most: usize) -> Option<States> {
        // the positions of each byte set; adjacent ones are often equal
        let mut sets: Vec<(Bytes, Places<W>)> = Vec::new();
        for (place, bytes) in self.bytes.iter().enumerate() {
            match sets.iter_mut().rev().find(|(set, _)| set == bytes) {
                Some((_, places)) => places.add(Places::of(place)),
                None => sets.push((*bytes, Places::of(place))),
            }
        }
        let edges = sets.iter().map(|(bytes, _)| bytes.edges());
        let edges = edges.fold(Bytes::default(), Bytes::union);
        // one byte for each class of bytes that all sets treat alike
        let kinds = edges.iter().map(|byte| {
            let mut kind = Places::NONE;
            for (_, places) in sets.iter().filter(|(bytes, _)| bytes.contains(byte)) {
                kind.add(*places);
            }
            kind
        });
        let kinds: Vec<Places<W>> = kinds.filter(|kind| *kind != Places::NONE).collect();
        let mut seen = Seen::default();
        let mut largest = 0;
        let mut pending = vec![self.first];
        while let Some(next) = pending.pop() {
            for kind in &kinds {
                let state = next.and(*kind);
                if state != Places::NONE && seen.is_new(state) {
                    if seen.count > most {
                        return None;
                    }
                    largest = largest.max(state.len());
                    let mut next = Places::NONE;
                    for place in state.iter() {
                        next.add(self.next.get(place).copied().unwrap_or(Places::NONE));
                    }
                    pending.push(next);
                }
            }
        }
        Some(States {
            number: u64::try_from(seen.count).ok()?,
            places: largest,
        })
    }
}
