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

use super::{Candidate, Candidates, MAX_CANDIDATES, Reason};
use crate::types::label::Label;
use crate::types::reason::{Device, MAX_DEVICES};
use crate::{Transport, Wwid};

/// Most sentences about one candidate: why it is not offered, what is on it, and the warnings.
const MAX_TOLD: usize = 16;

/// A LUN, or another disk, that is not on the allow-list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Reported {
    /// WWID as multipathd has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wwid: Option<Wwid>,
    /// WWID as udev has it, where multipathd has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub udev_wwid: Option<Label>,
    /// Size in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Vendor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<Label>,
    /// Product.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<Label>,
    /// Serial number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<Label>,
    /// How it is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport: Option<Transport>,
    /// The protocol as multipathd writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Label>,
    /// Number of paths.
    pub paths: u64,
    /// Kernel names of the paths, at most [`MAX_DEVICES`].
    pub devs: Vec<Device>,
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
        let protocol = candidate.protocol.as_ref();
        Self {
            wwid: candidate.wwid.clone(),
            udev_wwid: candidate.udev_wwid.clone(),
            size: candidate.size,
            vendor: candidate.vendor.clone(),
            product: candidate.product.clone(),
            serial: candidate.serial.clone(),
            transport: candidate.transport,
            protocol: protocol.and_then(|protocol| Label::name(protocol.as_bytes())),
            paths: candidate.paths.try_into().unwrap_or(u64::MAX),
            devs: candidate.devs.clone(),
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

    /// The WWID: that of multipathd, else that of udev.
    pub fn known_wwid(&self) -> Option<&str> {
        let of_udev = || self.udev_wwid.as_ref().map(Label::as_str);
        self.wwid.as_ref().map(Wwid::as_str).or_else(of_udev)
    }

    /// Reads what a peer has sent: what makes no sense is left out.
    fn read(value: &Value) -> Option<Self> {
        let fields = value.as_object()?;
        let text = |name: &str| fields.get(name)?.as_str();
        let label = |name: &str| Label::name(text(name)?.as_bytes());
        let texts = |name: &str| {
            let list = fields.get(name).and_then(Value::as_array);
            list.into_iter().flatten().filter_map(Value::as_str)
        };
        let sentence = |text: &str| Label::sentence(text.as_bytes());
        Some(Self {
            wwid: text("wwid").and_then(|wwid| Wwid::new(wwid).ok()),
            udev_wwid: label("udev-wwid"),
            size: fields.get("size").and_then(Value::as_u64),
            vendor: label("vendor"),
            product: label("product"),
            serial: label("serial"),
            transport: text("transport").and_then(Transport::from_name),
            protocol: label("protocol"),
            paths: fields.get("paths").and_then(Value::as_u64).unwrap_or(0),
            devs: texts("devs")
                .filter_map(Device::new)
                .take(MAX_DEVICES)
                .collect(),
            reason: fields.get("reason").map(|reason| {
                let code = reason.get("code").and_then(Value::as_str);
                let harmless = reason.get("harmless").and_then(Value::as_u64);
                Hindrance::new(code.unwrap_or_default(), harmless == Some(1))
            }),
            told: texts("told").filter_map(sentence).take(MAX_TOLD).collect(),
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
