//! Whether what was read of a file is all that somebody is saving.

use serde::{Deserialize, Serialize};

use crate::multipath_conf;

/// How long a file has to read the same until it counts as saved, in seconds.
pub const SETTLED_AFTER: f64 = 2.0;

/// What was read of a file of the cluster, and for how long it has been the same.
///
/// Many editors, and the redirections of a shell, empty a file and then write it, so whoever reads it
/// meanwhile finds nothing, or its beginning. That cannot be told from a file that is meant so, but it
/// does not last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Digest of its bytes.
    digest: String,
    /// Whether its last line has a line feed.
    complete: bool,
    /// When these bytes were read first, and when last, in seconds of a clock that only goes forward.
    first: f64,
    last: f64,
}

/// What can be concluded from a text that was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Certainty {
    /// It is what somebody has saved.
    #[default]
    Settled,
    /// It may be about to be saved: what is in it is meant, what is not in it may follow.
    Unsettled,
    /// The same, and its last line may be half of one: not even what is in it is certain.
    Torn,
}

impl Certainty {
    /// Whether it is what somebody has saved.
    pub fn is_settled(self) -> bool {
        self == Self::Settled
    }
}

impl Reading {
    /// This text, read at this time. `previous` is what was read before, if anything was.
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

    /// What can be concluded from it.
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
    fn two_reads_apart_with_the_same_bytes() {
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
            // whatever differs starts anew
            (&[(old, 0.0), (half, 5.0)], Unsettled),
            (&[(old, 0.0), (torn, 5.0)], Torn),
            (&[(old, 0.0), (old, 5.0), (half, 5.1)], Unsettled),
            (&[(old, 0.0), (new, 5.0), (old, 5.1)], Unsettled),
            (&[(old, 0.0), (new, 5.0), (old, 5.1), (old, 7.1)], Settled),
            // no clock that only goes forward
            (&[(old, 5.0), (old, 1.0)], Unsettled),
            (&[(old, 5.0), (old, 1.0), (old, 4.0)], Settled),
            (&[(old, f64::NAN), (old, 9.0)], Unsettled),
            (&[(old, 5.0), (old, f64::NAN)], Unsettled),
        ] {
            assert_eq!(certainty(reads), Some(expected), "{reads:?}");
        }
    }
}
