//! The file `applied.json`: the configuration that a node has applied last, and what overrides it.

use serde::Serialize;
use serde::de::MapAccess;
use sha1::{Digest, Sha1};

use crate::types::label::Label;
use crate::wire::lenient::{Lenient, Parts, fields, list, read, skip};
use crate::wire::scalar::Scalar;

/// Most drifts that are named.
pub const MAX_DRIFTS: usize = 8;

/// A configuration that was applied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Applied {
    /// When, in seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<i64>,
    /// Digest of the texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Label>,
}

impl<'de> Parts<'de> for Applied {
    fn from_object<A: MapAccess<'de>>(object: A) -> Result<Option<Self>, A::Error> {
        let mut applied = Self::default();
        fields(object, |name, from| {
            match name {
                "time" => {
                    let time = from.next_value::<Scalar<'_>>()?.as_int();
                    applied.time = time.filter(|time| *time >= 0);
                }
                "digest" => Lenient(applied.digest) = from.next_value()?,
                _ => skip(from)?,
            }
            Ok(())
        })?;
        Ok(Some(applied))
    }
}

/// The file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AppliedFile {
    /// The configuration.
    pub applied: Option<Applied>,
    /// What another file overrides, a sentence each; at most [`MAX_DRIFTS`].
    pub drift: Vec<Label>,
}

impl<'de> Parts<'de> for AppliedFile {
    fn from_object<A: MapAccess<'de>>(object: A) -> Result<Option<Self>, A::Error> {
        let mut file = Self::default();
        fields(object, |name, from| {
            match name {
                "applied" => Lenient(file.applied) = from.next_value()?,
                "drift" => file.drift = list::<_, MAX_DRIFTS, _>(from)?,
                _ => skip(from)?,
            }
            Ok(())
        })?;
        Ok(Some(file))
    }
}

impl AppliedFile {
    /// Reads the file; none if it is not one.
    pub fn parse(text: &[u8]) -> Option<Self> {
        read(std::str::from_utf8(text).ok()?).ok()?
    }

    /// The file's new text after a pass that left nothing to do; none if it need not be written. `before` is
    /// its present text.
    ///
    /// `drift` has what another file overrides, and is none where that was not looked at. `changed` tells
    /// whether the pass has changed anything.
    pub fn after(
        before: Option<&[u8]>,
        [config, overrides]: [&[u8]; 2],
        drift: Option<&[&[u8]]>,
        changed: bool,
        now: i64,
    ) -> Option<String> {
        let before = before.and_then(Self::parse);
        let mut hash = Sha1::new();
        hash.update(
            u64::try_from(config.len())
                .unwrap_or(u64::MAX)
                .to_be_bytes(),
        );
        hash.update(config);
        hash.update(overrides);
        let digest = Label::name(format!("{:x}", hash.finalize()).as_bytes());
        let known = before.as_ref().filter(|before| {
            let applied = before.applied.as_ref();
            !changed && applied.is_some_and(|applied| applied.digest == digest)
        });
        let file = Self {
            applied: match known {
                Some(known) => known.applied.clone(),
                None => Some(Applied {
                    time: Some(now),
                    digest,
                }),
            },
            drift: match drift {
                Some(drift) => drift
                    .iter()
                    .filter_map(|text| Label::name(text))
                    .take(MAX_DRIFTS)
                    .collect(),
                None => known.map_or_else(Vec::new, |known| known.drift.clone()),
            },
        };
        // Cannot fail: there are only texts and numbers.
        let text = || serde_json::to_string(&file).unwrap_or_default() + "\n";
        (Some(&file) != before.as_ref()).then(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_when_it_says_something_else() {
        let after = |before: Option<&str>, config: &str, drift: Option<&[&[u8]]>, changed, now| {
            let texts = [config.as_bytes(), b"".as_slice()];
            AppliedFile::after(before.map(str::as_bytes), texts, drift, changed, now)
        };
        let first = after(None, "a", None, false, 10).unwrap();
        let file = AppliedFile::parse(first.as_bytes()).unwrap();
        // printf '\0\0\0\0\0\0\0\1a' | sha1sum
        let digest = "a6dbfafc9cda478b38b01fc4bb11e9af9c29416c";
        let applied = file.applied.clone().unwrap();
        assert_eq!(applied.time, Some(10));
        assert_eq!(applied.digest.unwrap().as_str(), digest);

        assert_eq!(after(Some(&first), "a", None, false, 20), None);
        let drift: &[&[u8]] = &[b"defaults: no-path-retry is 5, not 12"];
        let drifted = after(Some(&first), "a", Some(drift), false, 20).unwrap();
        let file = AppliedFile::parse(drifted.as_bytes()).unwrap();
        assert_eq!(
            (file.applied.unwrap().time, file.drift.len()),
            (Some(10), 1)
        );
        // Until it is looked at again, it stays; with another configuration it is not known.
        assert_eq!(after(Some(&drifted), "a", None, false, 30), None);
        let other = after(Some(&drifted), "b", None, false, 30).unwrap();
        let file = AppliedFile::parse(other.as_bytes()).unwrap();
        assert_eq!(
            (file.applied.unwrap().time, file.drift.len()),
            (Some(30), 0)
        );
        assert_eq!(after(Some(&other), "b", Some(&[]), false, 40), None);
        assert!(after(Some(&other), "b", None, true, 40).is_some());
        for broken in ["", "{", "[]", "\u{0}"] {
            assert!(after(Some(broken), "b", None, false, 40).is_some());
        }
    }
}
