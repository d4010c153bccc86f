//! The candidates of a node as it tells its peers of them. Why one is not offered, and what is on it, are
//! sentences: a newer version may know what this one does not.
//!
//! ```json
//! { "candidates": [{ "wwid": "3600...", "size": 1099511627776, "vendor": "IBM", "paths": 4, "devs": ["sdb"],
//!                    "reason": { "code": "in-use", "harmless": 0 }, "told": ["in use outside multipath: ..."] }],
//!   "omitted": 0, "time": 1795252500 }
//! ```

use serde::Serialize;
use serde_json::Value;

use super::{Candidate, Candidates, Lun, MAX_CANDIDATES, Reason};
use crate::types::label::Label;

/// Most sentences about one candidate: why it is not offered, what is on it, and the warnings.
const MAX_TOLD: usize = 16;

/// A LUN, or another disk, that is not on the allow-list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Reported {
    /// What it is.
    #[serde(flatten)]
    pub lun: Lun,
    /// Why it is not offered; none if it may be put on the allow-list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Hindrance>,
    /// Why it is not offered, what is on it, and the warnings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<Label>,
}

/// That a candidate is not offered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hindrance {
    /// The code of the [`Reason`].
    pub code: Label,
    /// 1 if [it does no harm](Reason::is_harmless) to put it on the allow-list, else 0.
    pub harmless: u8,
}

/// The candidates of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportedList {
    /// Those that may be offered first, at most [`MAX_CANDIDATES`].
    pub candidates: Vec<Reported>,
    /// How many are not among them.
    pub omitted: usize,
}

impl From<&Candidates> for ReportedList {
    fn from(found: &Candidates) -> Self {
        Self {
            candidates: found.candidates.iter().map(Reported::from).collect(),
            omitted: found.omitted,
        }
    }
}

impl From<&Reason> for Hindrance {
    fn from(reason: &Reason) -> Self {
        let value = serde_json::to_value(reason).unwrap_or_default();
        let code = value.get("code").and_then(Value::as_str);
        Self::new(code.unwrap_or_default(), reason.is_harmless())
    }
}

impl Hindrance {
    fn new(code: &str, harmless: bool) -> Self {
        // every reason has a code; a peer's may be anything
        let code = Label::name(code.as_bytes()).unwrap_or_else(Label::unknown);
        let harmless = harmless.into();
        Self { code, harmless }
    }
}

impl From<&Candidate> for Reported {
    fn from(candidate: &Candidate) -> Self {
        let sentence = |text: String| Label::sentence(text.as_bytes());
        Self {
            lun: candidate.lun.clone(),
            reason: candidate.reason.as_ref().map(Hindrance::from),
            told: candidate.told().into_iter().filter_map(sentence).collect(),
        }
    }
}

impl Reported {
    /// Whether it may be put on the allow-list.
    pub fn is_offered(&self) -> bool {
        self.reason.is_none()
    }

    /// Reads what a peer has sent: what makes no sense is left out.
    fn read(value: &Value) -> Option<Self> {
        let fields = value.as_object()?;
        let told = fields.get("told").and_then(Value::as_array);
        let told = told.into_iter().flatten().filter_map(Value::as_str);
        let sentence = |text: &str| Label::sentence(text.as_bytes());
        Some(Self {
            lun: Lun::read(fields),
            reason: fields.get("reason").map(|reason| {
                let code = reason.get("code").and_then(Value::as_str);
                let harmless = reason.get("harmless").and_then(Value::as_u64);
                Hindrance::new(code.unwrap_or_default(), harmless == Some(1))
            }),
            told: told.filter_map(sentence).take(MAX_TOLD).collect(),
        })
    }
}

impl ReportedList {
    /// The text that tells peers. A report that is packed has its time elsewhere.
    pub fn to_json(&self, time: Option<i64>) -> String {
        #[derive(Serialize)]
        struct Report<'c> {
            candidates: &'c [Reported],
            omitted: usize,
            #[serde(skip_serializing_if = "Option::is_none")]
            time: Option<i64>,
        }

        // Neither keys nor values can fail to serialize: all are texts, numbers and lists of these.
        serde_json::to_string(&Report {
            candidates: &self.candidates,
            omitted: self.omitted,
            time,
        })
        .unwrap_or_default()
    }

    /// Reads what a peer has sent; none if that is no list of candidates.
    pub fn from_json(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let listed = value.get("candidates")?.as_array()?;
        let candidates = listed.iter().filter_map(Reported::read);
        let candidates: Vec<_> = candidates.take(MAX_CANDIDATES).collect();
        let omitted = value.get("omitted").and_then(Value::as_u64).unwrap_or(0);
        let unread = listed.len().saturating_sub(candidates.len());
        let omitted = usize::try_from(omitted).unwrap_or(usize::MAX);
        Some(Self {
            candidates,
            omitted: omitted.saturating_add(unread),
        })
    }

    /// Leaves out all but the first of these.
    pub fn truncate(&mut self, len: usize) {
        let omitted = self.candidates.len().saturating_sub(len);
        self.candidates.truncate(len);
        self.omitted = self.omitted.saturating_add(omitted);
    }
}
