//! `polling_interval` and `max_polling_interval`, which together can crash multipathd.

use super::finding::{Finding, FindingCode, Position, Remark};
use super::values::Stored;

/// One of the two intervals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interval {
    /// `polling_interval`
    Usual,
    /// `max_polling_interval`
    Longest,
}

/// The two intervals in seconds as last set, and where.
#[derive(Debug, Default)]
pub(super) struct Polling {
    usual: Option<(u32, Position)>,
    longest: Option<(u32, Position)>,
}

fn refused(message: &str) -> Remark {
    Remark::error(FindingCode::PollingInterval, message)
        .instead("use a number of seconds, such as 5")
}

impl Polling {
    /// Sets an interval, and returns what is wrong with the value by itself.
    pub(super) fn set(
        &mut self,
        interval: Interval,
        stored: &Stored<'_>,
        at: Position,
    ) -> Option<Remark> {
        let number: Option<u32> = stored.value().and_then(|value| value.parse().ok());
        match (interval, number) {
            (Interval::Longest, Some(number)) => self.longest = Some((number, at)),
            (Interval::Longest, None) => {}
            // inside multipathd, the greatest number means "not set"
            (Interval::Usual, Some(number)) => self.usual = Some((number.min(u32::MAX - 1), at)),
            (Interval::Usual, None) => {
                // what multipathd uses if none was set before
                self.usual.get_or_insert((u32::MAX - 1, at));
                let message = "an invalid polling_interval makes multipathd 0.11.1 and later spin";
                return Some(refused(message));
            }
        }
        None
    }

    fn longest(&self) -> Option<(u32, Position)> {
        self.longest.filter(|(longest, _)| *longest != 0)
    }

    /// The usual and the longest interval that multipathd uses.
    pub(super) fn taken(&self) -> Option<(u32, u32)> {
        match (self.usual, self.longest()) {
            (Some((usual, _)), None) => Some((usual, fourfold(usual))),
            (Some((usual, _)), Some((longest, _))) => Some((usual.min(longest), longest)),
            (None, Some((longest, _))) => Some(((longest / 4).max(1), longest)),
            (None, None) => None,
        }
    }

    /// What is wrong with the two together.
    pub(super) fn check(&self) -> impl Iterator<Item = Finding> {
        let unset = self.longest.filter(|(longest, _)| *longest == 0);
        let unset = unset.map(|(_, at)| {
            let message = "for 'max_polling_interval', 0 means 'not set'";
            Remark::warning(FindingCode::ReadAsOther, message).at(at)
        });
        unset.into_iter().chain(self.check_taken())
    }

    fn check_taken(&self) -> Option<Finding> {
        let (usual, longest) = self.taken()?;
        let spins = spins(usual, longest);
        match (self.usual, self.longest()) {
            (Some((0, at)), _) => {
                let message = "a polling_interval of 0 crashes multipathd 0.11.1 and later";
                Some(refused(message).at(at))
            }
            (Some((set, _)), Some((longest, at))) if set > longest => {
                let message = format!("max_polling_interval lowers polling_interval to {longest}");
                Some(Remark::warning(FindingCode::ReadAsOther, message).at(at))
            }
            (Some((_, at)), None) if spins => {
                let message =
                    "a polling_interval this large makes multipathd 0.11.1 and later spin";
                Some(refused(message).at(at))
            }
            // without a polling_interval in the text, the cluster's configuration sets it
            (set, Some((longest, at))) if spins || set.is_none() && longest > 1 << 31 => {
                let message =
                    "a max_polling_interval this large makes multipathd 0.11.1 and later spin";
                Some(refused(message).at(at))
            }
            _ => None,
        }
    }
}

/// The default of the longest interval.
fn fourfold(interval: u32) -> u32 {
    if interval < u32::MAX / 4 {
        interval * 4
    } else {
        u32::MAX
    }
}

/// Whether multipathd's search for a multiple of both never ends (libmultipath/config.c, 0.10.0 and
/// later, in 32-bit arithmetic).
fn spins(interval: u32, max: u32) -> bool {
    if interval == 0 || max % interval == 0 {
        return false;
    }
    let mut multiple = interval;
    while multiple.wrapping_mul(2) < max {
        multiple = multiple.wrapping_mul(2);
        if multiple == 0 {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    // Measured with 0.11.1 and 0.15.1.
    #[test]
    fn intervals_that_do_not_spin() {
        let alone = |interval: u32| spins(interval, fourfold(interval));
        for interval in [1, 5, 300, 1 << 29, 1_073_741_822, 1_431_655_765] {
            assert!(!alone(interval), "{interval}");
        }
        for interval in [
            1_073_741_823,
            1_073_741_824,
            1_431_655_764,
            2_147_483_647,
            u32::MAX - 1,
        ] {
            assert!(alone(interval), "{interval}");
        }
    }

    // Measured with 0.9.4 and later: 0 is as if the keyword was not there.
    #[test]
    fn max_polling_interval_0_is_not_set() {
        let text = b"defaults {\n\tmax_polling_interval 0\n}\n";
        for version in crate::multipath_conf::VERSIONS {
            assert!(
                crate::multipath_conf::effective(&[text], version)
                    .defaults
                    .is_empty()
            );
        }
    }
}
