//! What blacklists hit, and their exceptions let through.

mod disks;
mod matching;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

pub(super) use disks::RuleKind;

use super::finding::{Finding, FindingCode, MAX_LISTED, Position, Remark, quoted};
use crate::Wwid;
use disks::Samples;
use matching::{Budget, Expression, Hits, NotTried, Subset, Texts};

/// How much is tried at most: on ordinary disks, and on the allow-list.
const BUDGET: usize = 20_000;

/// Most entries of one kind: multipathd compares each with all others, which takes half a second.
const MOST_ENTRIES: usize = 10_000;

/// An entry of a blacklist, or of its exceptions.
#[derive(Debug)]
pub(super) struct BlacklistEntry<'t> {
    pub(super) source: Source,
    pub(super) rule: Rule<'t>,
    pub(super) position: Position,
}

/// Where an entry is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Source {
    Blacklist,
    Exceptions,
    /// A `product_blacklist` of an entry of `devices`.
    Devices,
}

/// What an entry hits: its expressions, as they are written.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Rule<'t> {
    kind: RuleKind,
    /// Of a device vendor and product; both have to hit, where both are given.
    texts: [Option<Cow<'t, str>>; 2],
}

impl<'t> Rule<'t> {
    /// With one expression.
    pub(super) fn new(kind: RuleKind, text: Cow<'t, str>) -> Self {
        Self {
            kind,
            texts: [Some(text), None],
        }
    }

    /// For the devices of this vendor, with this product.
    pub(super) fn device(vendor: Option<Cow<'t, str>>, product: Option<Cow<'t, str>>) -> Self {
        Self {
            kind: RuleKind::Device,
            texts: [vendor, product],
        }
    }
}

/// What is to be said of entries.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) findings: Vec<Finding>,
    /// How many findings are not among them.
    pub(super) unlisted: usize,
}

/// What is to be said of entries that hit allow-listed LUNs, ordinary disks, or everything.
pub(super) fn check(entries: &[BlacklistEntry<'_>], allow_list: &[Wwid]) -> Verdict {
    let mut trial = Trial::new(allow_list);
    let (exceptions, entries): (Vec<_>, Vec<_>) = entries
        .iter()
        .partition(|entry| entry.source == Source::Exceptions);
    let mut verdict = Verdict::default();
    let refused = [&exceptions, &entries].map(|entries| too_many(entries));
    verdict.findings.extend(refused.into_iter().flatten());
    if !verdict.findings.is_empty() {
        return verdict;
    }
    for entry in exceptions {
        trial.except(&Tried::new(entry));
    }
    let (mut of_luns, mut of_disks) = (0, 0);
    let mut known = HashMap::with_capacity(entries.len());
    for entry in entries {
        let key = (entry.source, &entry.rule);
        let in_words = of_disks < MAX_LISTED;
        let hit = known
            .entry(key)
            .or_insert_with(|| trial.hit_by(&Tried::new(entry), in_words));
        // what is listed of disks does not depend on the allow-list
        of_luns += usize::from(hit.luns.is_some());
        of_disks += usize::from(hit.disks.is_some());
        let luns = hit.luns.filter(|_| of_luns <= MAX_LISTED);
        let what = match (luns, &hit.disks) {
            (Some(luns), _) => trial.luns.told(luns),
            (None, Some(disks)) if of_disks <= MAX_LISTED => disks.to_string(),
            (None, disks) => {
                verdict.unlisted += usize::from(disks.is_some() || hit.luns.is_some());
                continue;
            }
        };
        let [first, second] = &entry.rule.texts;
        let [first, second] = [first, second].map(|text| text.as_deref().map(quoted));
        let name = match (entry.source, first, second) {
            (Source::Devices, _, Some(product)) => format!("'product_blacklist' {product}"),
            (_, Some(first), Some(second)) => format!("{first} with {second}"),
            (_, first, second) => first.or(second).unwrap_or_default(),
        };
        verdict
            .findings
            .push(blacklisted(entry.position, format!("{name} {what}")));
    }
    verdict.findings.extend(trial.findings());
    verdict
}

fn blacklisted(at: Position, message: impl Into<String>) -> Finding {
    Remark::warning(FindingCode::Blacklisted, message).at(at)
}

/// What an entry hits that it should not.
struct Hit {
    /// Ordinary disks, in words.
    disks: Option<Rc<str>>,
    luns: Option<HitLuns>,
}

/// Allow-listed LUNs, by the number of the first one.
#[derive(Clone, Copy)]
struct HitLuns {
    first: usize,
    count: usize,
}

/// An entry with its expressions.
struct Tried<'e> {
    entry: &'e BlacklistEntry<'e>,
    expressions: [Option<Expression<'e>>; 2],
}

impl<'e> Tried<'e> {
    fn new(entry: &'e BlacklistEntry<'e>) -> Self {
        let expression = |text: &'e Option<Cow<'e, str>>| text.as_deref().map(Expression::new);
        Self {
            entry,
            expressions: entry.rule.texts.each_ref().map(expression),
        }
    }

    fn kind(&self) -> RuleKind {
        self.entry.rule.kind
    }
}

/// Entries, tried one after the other.
struct Trial<'l> {
    /// Those of each kind.
    kinds: BTreeMap<RuleKind, OfKind>,
    budget: Budget,
    luns: Luns<'l>,
    /// Where entries stand that cannot be compiled.
    uncompiled: Vec<Position>,
    /// Entries that are beyond the budget for disks.
    untried: Untried,
}

/// Entries of one kind.
struct OfKind {
    samples: Samples,
    /// Whether something was said of one.
    is_told: bool,
    /// What all others hit.
    together: Vec<usize>,
    /// The entry with which they hit more or less all disks.
    completed_by: Option<Position>,
}

/// LUNs that are allow-listed.
struct Luns<'l> {
    wwids: &'l [Wwid],
    texts: Texts<'l>,
    /// Those that no exception lets through.
    left: Subset,
    budget: Budget,
    untried: Untried,
}

/// How many entries there are that were not tried, and where the first of them stands.
type Untried = Option<(Position, usize)>;

impl<'l> Trial<'l> {
    fn new(wwids: &'l [Wwid]) -> Self {
        Self {
            kinds: BTreeMap::new(),
            budget: Budget(BUDGET),
            luns: Luns {
                wwids,
                texts: Texts::new(wwids.iter().map(Wwid::as_str)),
                left: Subset::all(wwids.len()),
                budget: Budget(BUDGET),
                untried: None,
            },
            uncompiled: Vec::new(),
            untried: None,
        }
    }

    fn of_kind(&mut self, kind: RuleKind) -> &mut OfKind {
        self.kinds.entry(kind).or_insert_with(|| OfKind {
            samples: Samples::new(kind),
            is_told: false,
            together: Vec::new(),
            completed_by: None,
        })
    }

    /// Lets through what an exception hits.
    fn except(&mut self, exception: &Tried<'_>) {
        if let Some(hit) = self.disks_hit_by(exception) {
            self.of_kind(exception.kind()).samples.except(&hit);
        }
        if let Some(hits) = self.luns_hit_by(exception) {
            self.luns.left.remove(&hits);
        }
    }

    /// What an entry of a blacklist hits, as far as no exception lets it through.
    fn hit_by(&mut self, tried: &Tried<'_>, in_words: bool) -> Hit {
        let disks = self.disks_hit_by(tried);
        let of_kind = self.of_kind(tried.kind());
        let disks = disks.and_then(|hit| of_kind.told(tried.entry, &hit, in_words));
        let luns = self.luns_hit_by(tried);
        let luns = luns.and_then(|hits| hits.among(&self.luns.left));
        Hit {
            disks,
            luns: luns.map(|(first, count)| HitLuns { first, count }),
        }
    }

    /// The samples of its kind that an entry hits.
    fn disks_hit_by(&mut self, tried: &Tried<'_>) -> Option<Vec<usize>> {
        let mut budget = std::mem::take(&mut self.budget);
        let samples = &self.of_kind(tried.kind()).samples;
        let hit = samples.hit_by(&tried.expressions, &mut budget);
        self.budget = budget;
        let is_not_tried = |reason| self.is_not_tried(tried.entry, reason, false);
        hit.map_err(is_not_tried).ok()
    }

    /// The LUNs that an entry hits.
    fn luns_hit_by(&mut self, tried: &Tried<'_>) -> Option<Hits> {
        let (RuleKind::Wwid, [Some(expression), _]) = (tried.kind(), &tried.expressions) else {
            return None;
        };
        let hits = expression.hits(&self.luns.texts, &mut self.luns.budget);
        let is_not_tried = |reason| self.is_not_tried(tried.entry, reason, true);
        hits.map_err(is_not_tried).ok()
    }

    fn is_not_tried(&mut self, entry: &BlacklistEntry<'_>, reason: NotTried, on_luns: bool) {
        let untried = match (reason, on_luns) {
            (NotTried::Expression, _) => {
                if self.uncompiled.last() != Some(&entry.position) {
                    self.uncompiled.push(entry.position);
                }
                return;
            }
            (NotTried::Budget, false) => &mut self.untried,
            (NotTried::Budget, true) => &mut self.luns.untried,
        };
        untried.get_or_insert((entry.position, 0)).1 += 1;
    }

    /// What is to be said beside what was said of single entries.
    fn findings(self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for of_kind in self.kinds.into_values() {
            if let Some(at) = of_kind.completed_by.filter(|_| !of_kind.is_told) {
                let message = "this and the entries above together hit all ordinary disks: \
                    no map would be left";
                findings.push(blacklisted(at, message));
            }
        }
        for at in self.uncompiled {
            let message =
                "it is not known what this hits: the expression is too complex to be tried";
            findings.push(Remark::warning(FindingCode::NotTried, message).at(at));
        }
        let untried = [
            (self.untried, "disks"),
            (self.luns.untried, "allow-listed LUNs"),
        ];
        for (untried, what) in untried {
            if let Some((at, count)) = untried {
                let message = format!(
                    "there are too many expressions to try them all: it is not known which {what} \
                     are hit by {count} of the entries from here on"
                );
                findings.push(Remark::warning(FindingCode::NotTried, message).at(at));
            }
        }
        findings
    }
}

impl OfKind {
    /// What is to be said of an entry that hits these samples.
    fn told(
        &mut self,
        entry: &BlacklistEntry<'_>,
        hit: &[usize],
        in_words: bool,
    ) -> Option<Rc<str>> {
        let samples = &self.samples;
        let left = samples.left_of(hit);
        let is_harmful = match entry.source {
            // it is for a single maker, and for what this has beside its disks
            Source::Devices => !left.is_empty(),
            _ => samples.are_many(&left),
        };
        // exceptions for WWIDs are for LUNs that are wanted by now
        let is_everything = samples.are_all(hit) && (is_harmful || samples.kind == RuleKind::Wwid);
        if !is_harmful && !is_everything {
            self.add(&left, entry.position);
            return None;
        }
        self.is_told = true;
        if !in_words {
            return Some("".into());
        }
        let told = match (is_everything, samples.has_exceptions) {
            (true, false) => "hits everything: no map would be left".to_owned(),
            (true, true) => {
                "hits everything: only what blacklist_exceptions has would be left".to_owned()
            }
            (false, has_exceptions) => {
                let unless = match has_exceptions && samples.kind == RuleKind::Wwid {
                    true => " unless blacklist_exceptions has them",
                    false => "",
                };
                let which = samples.named(&left);
                format!("hits {which}: such LUNs would get no map{unless}")
            }
        };
        Some(told.into())
    }

    /// Takes note of what is hit by an entry of which nothing is said.
    fn add(&mut self, hit: &[usize], at: Position) {
        if hit
            .iter()
            .all(|sample| self.together.binary_search(sample).is_ok())
        {
            return;
        }
        self.together.extend(hit);
        self.together.sort_unstable();
        self.together.dedup();
        if self.samples.are_many(&self.together) && self.samples.are_all_left(&self.together) {
            self.completed_by.get_or_insert(at);
        }
    }
}

impl Luns<'_> {
    fn told(&self, hit: HitLuns) -> String {
        let more = match hit.count - 1 {
            0 => String::new(),
            others => format!(" and {others} more"),
        };
        let first = self.wwids.get(hit.first).map_or("", Wwid::as_str);
        format!("hits allow-listed LUN '{first}'{more}: the map would go away")
    }
}

/// Complains about the first entry that is one too many.
fn too_many(entries: &[&BlacklistEntry<'_>]) -> Option<Finding> {
    let mut counts: BTreeMap<RuleKind, usize> = BTreeMap::new();
    let is_too_many = |entry: &&&BlacklistEntry<'_>| {
        let count = counts.entry(entry.rule.kind).or_default();
        *count += 1;
        *count > MOST_ENTRIES
    };
    let at = entries.iter().find(is_too_many)?.position;
    let message = format!(
        "more than {MOST_ENTRIES} entries of one kind: to compare them would keep multipathd busy \
         whenever it reads its configuration"
    );
    Some(Remark::error(FindingCode::TooManyEntries, message).at(at))
}
