//! Whether a file of the cluster was read while it was being saved.

use serde::{Deserialize, Serialize};

use crate::multipath_conf;

/// How long a file has to stay the same until it counts as saved, in seconds.
pub const SETTLED_AFTER: f64 = 2.0;

/// What was read of a file of the cluster, and for how long it has been the same.
///
/// Many editors and a shell's `>` empty a file before they write it. A reader in between finds nothing,
/// or the beginning. That looks like a complete file, but does not last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Digest of its bytes.
    digest: String,
    /// Whether it is empty or ends in a line feed.
    complete: bool,
    /// When these bytes were read first and last, in seconds of a monotonic clock.
    first: f64,
    last: f64,
}

/// How certain it is that a text is the whole file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Certainty {
    /// It is: the file has stayed the same.
    #[default]
    Settled,
    /// The file may be in the middle of being saved: more may follow, but what is there is meant.
    Unsettled,
    /// The same, and the last line may be incomplete: not even what is there is certain.
    Torn,
}

impl Certainty {
    /// Whether the text is the whole file.
    pub fn is_settled(self) -> bool {
        self == Self::Settled
    }
}

impl Reading {
    /// The reading of this text at `now`, in seconds of a monotonic clock, after the `previous` one of the
    /// same file, if there was one.
    pub fn new(text: &[u8], previous: Option<Self>, now: f64) -> Self {
        let digest = multipath_conf::digest(text);
        let first = match previous {
            Some(previous) if previous.digest == digest && previous.first <= now => previous.first,
            _ => now,
        };
        Self {
            digest,
            complete: text.is_empty() || text.ends_with(b"\n"),
            first,
            last: now,
        }
    }

    /// How certain it is that this is the whole file.
    pub fn certainty(&self) -> Certainty {
        if self.last - self.first >= SETTLED_AFTER {
            Certainty::Settled
        } else if self.complete {
            Certainty::Unsettled
        } else {
            Certainty::Torn
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The certainty of the last of some texts, read at these times.
    fn certainty(reads: &[(&str, f64)]) -> Option<Certainty> {
        let mut reading = None;
        for (text, now) in reads {
            reading = Some(Reading::new(text.as_bytes(), reading, *now));
        }
        reading.map(|reading| reading.certainty())
    }

    #[test]
    fn two_readings_with_the_same_bytes() {
        use Certainty::{Settled, Torn, Unsettled};
        let (old, half, torn, new) = ("a\nb\n", "a\n", "a\nb", "");
        for (reads, expected) in [
            (&[(old, 5.0)][..], Unsettled),
            (&[(new, 5.0)], Unsettled),
            (&[(torn, 5.0)], Torn),
            (&[(old, 5.0), (old, 6.9)], Unsettled),
            (&[(old, 5.0), (old, 7.0)], Settled),
            (&[(old, 5.0), (old, 6.0), (old, 7.0)], Settled),
            (&[(torn, 5.0), (torn, 7.0)], Settled),
            (&[(new, 5.0), (new, 7.0)], Settled),
            // any difference starts again
            (&[(old, 0.0), (half, 5.0)], Unsettled),
            (&[(old, 0.0), (torn, 5.0)], Torn),
            (&[(old, 0.0), (old, 5.0), (half, 5.1)], Unsettled),
            (&[(old, 0.0), (new, 5.0), (old, 5.1)], Unsettled),
            (&[(old, 0.0), (new, 5.0), (old, 5.1), (old, 7.1)], Settled),
            // a clock that is not monotonic
            (&[(old, 5.0), (old, 1.0)], Unsettled),
            (&[(old, 5.0), (old, 1.0), (old, 4.0)], Settled),
            (&[(old, f64::NAN), (old, 9.0)], Unsettled),
            (&[(old, 5.0), (old, f64::NAN)], Unsettled),
        ] {
            assert_eq!(certainty(reads), Some(expected), "{reads:?}");
        }
    }
}
