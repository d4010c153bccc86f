//! What it costs glibc to compile an expression.
//!
//! glibc builds a tree, in which intervals are expanded, and from it an automaton. For each node it
//! then searches recursively which others can be reached without reading a byte. Inside loops it
//! does not keep results, so that all ways to a node are followed, and each anchor copies what
//! follows. So short expressions such as `\b\b\b...` and `((a?|b?){40})*` can take gigabytes or
//! years. This module counts the nodes and the steps of those searches, or an upper bound.

use super::items::{Anchor, Item, Times};

/// What an expression or a part of one costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Weight {
    /// Nodes of the tree.
    pub nodes: u64,
    /// Steps of the searches from all nodes, within the part.
    pub steps: u64,
    /// Steps of the search from the first node, within the part.
    from_start: u64,
    /// Number of ways from the start to the end that read nothing.
    through: u64,
    /// Number of ways from any node to the end that read nothing.
    to_end: u64,
    anchors: u32,
}

/// Numbers are capped here: it is far beyond all limits.
const MAX: u64 = 1 << 40;

/// Factor by which each anchor in a loop lengthens a search, as it multiplies the copies of what is
/// in the loop. An upper bound, as measured with glibc.
const LOOPED_ANCHOR: u64 = 16;

impl Weight {
    const NOTHING: Self = Self {
        nodes: 0,
        steps: 0,
        from_start: 0,
        through: 1,
        to_end: 0,
        anchors: 0,
    };

    const BYTES: Self = Self {
        nodes: 1,
        steps: 1,
        from_start: 1,
        through: 0,
        to_end: 0,
        anchors: 0,
    };

    /// A node that reads nothing.
    const PASSED: Self = Self {
        through: 1,
        to_end: 1,
        ..Self::BYTES
    };

    /// The node and its copy.
    const ANCHOR: Self = Self {
        nodes: 1,
        steps: 2,
        from_start: 2,
        through: 2,
        to_end: 2,
        anchors: 1,
    };

    /// The cost of an expression.
    pub(super) fn of(items: &[Item]) -> Self {
        let mut groups = vec![Group::NEW];
        let mut repeated = 0;
        for item in items {
            let Some(group) = groups.last_mut() else {
                break;
            };
            match *item {
                Item::Bytes(_) => group.operand(Self::BYTES),
                Item::Anchor(Anchor::WordBoundary | Anchor::NoWordBoundary) => {
                    group.operand(Self::ANCHOR.or(Self::ANCHOR));
                }
                Item::Anchor(_) => group.operand(Self::ANCHOR),
                Item::Reference => group.operand(Self::PASSED),
                Item::Open => groups.push(Group::NEW),
                Item::Close => {
                    let inner = groups.pop().map_or(Self::NOTHING, Group::end);
                    if let Some(outer) = groups.last_mut() {
                        outer.operand(inner.grouped());
                    }
                }
                Item::Alternative => group.alternative(),
                Item::Repeat(times) => {
                    group.last = group.last.repeated(times);
                    repeated = sum([repeated, group.last.nodes]);
                    if repeated > 4 * super::MAX_NODES {
                        return Self {
                            nodes: repeated,
                            ..Self::NOTHING
                        };
                    }
                }
            }
        }
        // groups that are not closed: glibc finds that error at the end
        groups.into_iter().rfold(Self::NOTHING, |inner, mut outer| {
            outer.operand(inner);
            outer.end()
        })
    }

    fn then(self, next: Self) -> Self {
        Self {
            nodes: sum([self.nodes, next.nodes]),
            steps: sum([
                self.steps,
                next.steps,
                product(self.to_end, next.from_start),
            ]),
            from_start: sum([self.from_start, product(self.through, next.from_start)]),
            through: product(self.through, next.through),
            to_end: sum([next.to_end, product(self.to_end, next.through)]),
            anchors: self.anchors.saturating_add(next.anchors),
        }
    }

    fn or(self, other: Self) -> Self {
        let from_start = sum([1, self.from_start, other.from_start]);
        let through = sum([self.through, other.through]);
        Self {
            nodes: sum([1, self.nodes, other.nodes]),
            steps: sum([self.steps, other.steps, from_start]),
            from_start,
            through,
            to_end: sum([self.to_end, other.to_end, through]),
            anchors: self.anchors.saturating_add(other.anchors),
        }
    }

    fn looped(self) -> Self {
        let longer = LOOPED_ANCHOR.saturating_pow(self.anchors).min(MAX);
        let from_start = product(longer, sum([1, self.from_start, self.through]));
        // an anchor's copies continue after the loop, and after each way through it
        let through = product(longer, sum([1, self.through]));
        Self {
            nodes: sum([1, self.nodes]),
            steps: sum([self.steps, from_start, product(self.to_end, from_start)]),
            from_start,
            through,
            to_end: product(through, sum([1, self.to_end])),
            anchors: self.anchors,
        }
    }

    /// The part as a group, a node of the tree. If it is empty, its ends are nodes of the
    /// automaton.
    fn grouped(self) -> Self {
        let is_empty = self.from_start == 0 && self.through > 0;
        let kept = match is_empty {
            true => Self::PASSED.then(Self::PASSED),
            false => self,
        };
        Self {
            nodes: sum([2, self.nodes]),
            ..kept
        }
    }

    fn repeated(self, times: Times) -> Self {
        // beyond the limit, the rest does not matter
        let copies = u64::from(times.most.unwrap_or(times.least).max(1));
        let nodes = product(self.nodes, copies);
        if nodes > super::MAX_NODES {
            return Self { nodes, ..self };
        }
        let required = (0..times.least).fold(Self::NOTHING, |all, _| all.then(self));
        let optional = match times.most {
            // the tree is built and dropped
            Some(0) => {
                return Self {
                    nodes: self.nodes,
                    ..Self::NOTHING
                };
            }
            None => self.looped(),
            Some(most) => (times.least..most)
                .fold(Self::NOTHING, |inner, _| inner.then(self).or(Self::NOTHING)),
        };
        required.then(optional)
    }
}

fn sum<const N: usize>(numbers: [u64; N]) -> u64 {
    numbers.iter().sum::<u64>().min(MAX)
}

fn product(one: u64, other: u64) -> u64 {
    one.saturating_mul(other).min(MAX)
}

/// An open group.
struct Group {
    alternatives: Option<Weight>,
    branch: Weight,
    /// The last part of the branch, which may be repeated.
    last: Weight,
}

impl Group {
    const NEW: Self = Self {
        alternatives: None,
        branch: Weight::NOTHING,
        last: Weight::NOTHING,
    };

    fn operand(&mut self, operand: Weight) {
        self.branch = self.branch.then(self.last);
        self.last = operand;
    }

    fn alternative(&mut self) {
        self.operand(Weight::NOTHING);
        self.alternatives = Some(match self.alternatives {
            Some(others) => others.or(self.branch),
            None => self.branch,
        });
        self.branch = Weight::NOTHING;
    }

    fn end(mut self) -> Weight {
        if self.alternatives.is_none() {
            return self.branch.then(self.last);
        }
        self.alternative();
        self.alternatives.unwrap_or(Weight::NOTHING)
    }
}
