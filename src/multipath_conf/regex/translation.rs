//! Expressions in the syntax of the crate `regex`.

use std::fmt::Write as _;

use super::bytes::Bytes;
use super::items::{Anchor, Item, Times};

/// Translates an expression; `None` for one with back-references.
///
/// glibc copies what is repeated, and ignores most anchors in the copies: `(a|-^x){2}` matches
/// `a-x`. The translation omits all of them, so that it may match more than glibc does, but never
/// less.
pub(super) fn of(items: &[Item]) -> Option<String> {
    let mut out = String::new();
    let overlooked = overlooked_anchors(items);
    for (index, item) in items.iter().enumerate() {
        match *item {
            Item::Reference => return None,
            Item::Bytes(bytes) => push_bytes(&mut out, bytes),
            Item::Anchor(_) if overlooked.get(index) == Some(&true) => {}
            Item::Anchor(anchor) => out.push_str(written(anchor)),
            Item::Open => out.push_str("(?:"),
            Item::Close => out.push(')'),
            Item::Alternative => out.push('|'),
            Item::Repeat(times) => push_times(&mut out, times),
        }
    }
    Some(out)
}

/// For each item, whether it is an anchor in something that is copied.
pub(super) fn overlooked_anchors(items: &[Item]) -> Vec<bool> {
    let mut overlooked = vec![false; items.len()];
    let mut open = Vec::new();
    let mut operand = 0;
    for (index, item) in items.iter().enumerate() {
        match item {
            Item::Open => open.push(index),
            Item::Close => operand = open.pop().unwrap_or(index),
            Item::Repeat(Times { least, most }) => {
                let has_copies = most.map_or(*least > 0, |most| most > 1);
                let repeated = overlooked.iter_mut().zip(items).skip(operand);
                for (overlooked, item) in repeated.take(index - operand).filter(|_| has_copies) {
                    *overlooked |= matches!(item, Item::Anchor(_));
                }
            }
            _ => operand = index,
        }
    }
    overlooked
}

fn written(anchor: Anchor) -> &'static str {
    match anchor {
        Anchor::Start => r"\A",
        Anchor::End => r"\z",
        Anchor::WordStart => r"\b{start}",
        Anchor::WordEnd => r"\b{end}",
        Anchor::WordBoundary => r"\b",
        Anchor::NoWordBoundary => r"\B",
    }
}

fn push_bytes(out: &mut String, bytes: Bytes) {
    if let Some(byte) = bytes.only() {
        return push_byte(out, byte);
    }
    let mut members = bytes.iter().peekable();
    out.push('[');
    if members.peek().is_none() {
        out.push_str(r"^\x00-\xff");
    }
    while let Some(first) = members.next() {
        let mut last = first;
        while let Some(next) = members.next_if(|next| next.checked_sub(1) == Some(last)) {
            last = next;
        }
        push_byte(out, first);
        out.push('-');
        push_byte(out, last);
    }
    out.push(']');
}

fn push_byte(out: &mut String, byte: u8) {
    let _ = write!(out, r"\x{byte:02x}"); // to a string, it does not fail
}

/// Never written as `?`, which would make a repetition before it lazy.
fn push_times(out: &mut String, times: Times) {
    let Times { least, most } = times;
    let most = most.map(|most| most.to_string()).unwrap_or_default();
    let _ = write!(out, "{{{least},{most}}}"); // to a string, it does not fail
}
