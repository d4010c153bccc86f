//! What the entries of a blacklist match, and what its exceptions let through.
//!
//! multipathd says nothing about a blacklist that hides LUNs. So all entries are tried on the
//! allow-list and on ordinary disks (see `disks`), within a budget (see `matching`).

pub mod blacklisted;
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

/// How much is tried on ordinary disks at most, and how much on the allow-list. The unit is a match
/// of one expression with one text.
const BUDGET: usize = 20_000;

/// Most entries of one kind. multipathd compares each with all others, which takes half a second
/// for so many.
const MOST_ENTRIES: usize = 10_000;

/// An entry of a blacklist or of its exceptions.
#[derive(Debug)]
pub(super) struct BlacklistEntry<'t> {
    pub(super) source: Source,
    pub(super) rule: Rule<'t>,
    pub(super) position: Position,
}

/// The section that an entry is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Source {
    Blacklist,
    Exceptions,
    /// `devices`: a `product_blacklist`.
    Devices,
}

/// The expressions of an entry, as written.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Rule<'t> {
    kind: RuleKind,
    /// For a device, vendor and product: both have to match where both are given.
    texts: [Option<Cow<'t, str>>; 2],
}

impl<'t> Rule<'t> {
    /// A rule with one expression.
    pub(super) fn new(kind: RuleKind, text: Cow<'t, str>) -> Self {
        Self {
            kind,
            texts: [Some(text), None],
        }
    }

    /// A rule for devices with this vendor and product.
    pub(super) fn device(vendor: Option<Cow<'t, str>>, product: Option<Cow<'t, str>>) -> Self {
        Self {
            kind: RuleKind::Device,
            texts: [vendor, product],
        }
    }
}

/// The findings about entries.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) findings: Vec<Finding>,
    /// Number of findings that were left out.
    pub(super) unlisted: usize,
}

/// Finds entries that match allow-listed LUNs, ordinary disks, or everything.
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
        // which findings about disks are listed does not depend on the allow-list
        of_luns += usize::from(hit.luns.is_some());
        of_disks += usize::from(hit.disks.is_some());
        let luns = hit.luns.filter(|_| of_luns <= MAX_LISTED);
        let what = match (luns, &hit.disks) {
            (Some(luns), _) => trial.luns.describe(luns),
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

/// What an entry matches that it should not.
struct Hit {
    /// A description of the ordinary disks.
    disks: Option<Rc<str>>,
    luns: Option<HitLuns>,
}

/// Allow-listed LUNs: the index of the first one, and their number.
#[derive(Clone, Copy)]
struct HitLuns {
    first: usize,
    count: usize,
}

/// An entry with its parsed expressions.
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

/// The state while entries are tried one after the other.
struct Trial<'l> {
    /// State of each kind of entry.
    kinds: BTreeMap<RuleKind, OfKind>,
    budget: Budget,
    luns: Luns<'l>,
    /// Positions of entries that cannot be compiled.
    uncompiled: Vec<Position>,
    /// Entries for which the budget for disks was used up.
    untried: Untried,
}

/// State of the entries of one kind.
struct OfKind {
    samples: Samples,
    /// Whether there is a finding about one of them.
    is_reported: bool,
    /// The samples that the others match.
    together: Vec<usize>,
    /// The entry that completes the match of nearly all disks.
    completed_by: Option<Position>,
}

/// The allow-list.
struct Luns<'l> {
    wwids: &'l [Wwid],
    texts: Texts<'l>,
    /// The LUNs that match no exception.
    left: Subset,
    budget: Budget,
    untried: Untried,
}

/// Position of the first entry that was not tried, and the number of these entries.
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
            is_reported: false,
            together: Vec::new(),
            completed_by: None,
        })
    }

    /// Excludes what an exception matches.
    fn except(&mut self, exception: &Tried<'_>) {
        if let Some(hit) = self.disks_hit_by(exception) {
            self.of_kind(exception.kind()).samples.except(&hit);
        }
        if let Some(hits) = self.luns_hit_by(exception) {
            self.luns.left.remove(&hits);
        }
    }

    /// What an entry of a blacklist matches and no exception lets through.
    fn hit_by(&mut self, tried: &Tried<'_>, in_words: bool) -> Hit {
        let disks = self.disks_hit_by(tried);
        let of_kind = self.of_kind(tried.kind());
        let disks = disks.and_then(|hit| of_kind.describe(tried.entry, &hit, in_words));
        let luns = self.luns_hit_by(tried);
        let luns = luns.and_then(|hits| hits.among(&self.luns.left));
        Hit {
            disks,
            luns: luns.map(|(first, count)| HitLuns { first, count }),
        }
    }

    /// The samples of its kind that an entry matches.
    fn disks_hit_by(&mut self, tried: &Tried<'_>) -> Option<Vec<usize>> {
        let mut budget = std::mem::take(&mut self.budget);
        let samples = &self.of_kind(tried.kind()).samples;
        let hit = samples.hit_by(&tried.expressions, &mut budget);
        self.budget = budget;
        let is_not_tried = |reason| self.is_not_tried(tried.entry, reason, false);
        hit.map_err(is_not_tried).ok()
    }

    /// The allow-listed LUNs that an entry matches.
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

    /// The findings about several entries together, and about those that were not tried.
    fn findings(self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for of_kind in self.kinds.into_values() {
            if let Some(at) = of_kind.completed_by.filter(|_| !of_kind.is_reported) {
                let message = "together with the entries above, this matches all ordinary disks: \
                    no map would be left";
                findings.push(blacklisted(at, message));
            }
        }
        for at in self.uncompiled {
            let message = "this expression is too complex to find out what it matches";
            findings.push(Remark::warning(FindingCode::NotTried, message).at(at));
        }
        let untried = [
            (self.untried, "disks"),
            (self.luns.untried, "allow-listed LUNs"),
        ];
        for (untried, what) in untried {
            if let Some((at, count)) = untried {
                let message = format!(
                    "there are too many expressions to try them all: {count} of the entries from \
                     here on were not tried on {what}"
                );
                findings.push(Remark::warning(FindingCode::NotTried, message).at(at));
            }
        }
        findings
    }
}

impl OfKind {
    /// Describes what an entry matches that it should not, given the samples that it matches.
    fn describe(
        &mut self,
        entry: &BlacklistEntry<'_>,
        hit: &[usize],
        in_words: bool,
    ) -> Option<Rc<str>> {
        let samples = &self.samples;
        let left = samples.left_of(hit);
        let is_harmful = match entry.source {
            // it is meant for the management LUNs and the like of a single vendor
            Source::Devices => !left.is_empty(),
            _ => samples.are_many(&left),
        };
        // exceptions by WWID only list the LUNs that are in use now
        let is_everything = samples.are_all(hit) && (is_harmful || samples.kind == RuleKind::Wwid);
        if !is_harmful && !is_everything {
            self.add(&left, entry.position);
            return None;
        }
        self.is_reported = true;
        if !in_words {
            return Some("".into());
        }
        let description = match (is_everything, samples.has_exceptions) {
            (true, false) => "matches everything: no map would be left".to_owned(),
            (true, true) => {
                "matches everything: only what blacklist_exceptions lists would be left".to_owned()
            }
            (false, has_exceptions) => {
                let unless = match has_exceptions && samples.kind == RuleKind::Wwid {
                    true => " unless blacklist_exceptions lists them",
                    false => "",
                };
                let which = samples.named(&left);
                format!("matches {which}: such LUNs would get no map{unless}")
            }
        };
        Some(description.into())
    }

    /// Adds what an entry without a finding matches to what all of these match together.
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
    fn describe(&self, hit: HitLuns) -> String {
        let more = match hit.count - 1 {
            0 => String::new(),
            others => format!(" and {others} more"),
        };
        let first = self.wwids.get(hit.first).map_or("", Wwid::as_str);
        format!("matches allow-listed LUN '{first}'{more}: it would lose its map")
    }
}

/// A finding at the first entry beyond the limit.
fn too_many(entries: &[&BlacklistEntry<'_>]) -> Option<Finding> {
    let mut counts: BTreeMap<RuleKind, usize> = BTreeMap::new();
    let is_too_many = |entry: &&&BlacklistEntry<'_>| {
        let count = counts.entry(entry.rule.kind).or_default();
        *count += 1;
        *count > MOST_ENTRIES
    };
    let at = entries.iter().find(is_too_many)?.position;
    let message = format!(
        "more than {MOST_ENTRIES} entries of one kind: comparing them would keep multipathd busy \
         each time it reads its configuration"
    );
    Some(Remark::error(FindingCode::TooManyEntries, message).at(at))
}
