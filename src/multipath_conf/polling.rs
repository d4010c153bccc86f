//! The two intervals of multipathd's checks, which together may kill it.

use super::finding::{Finding, FindingCode, Position, Remark};
use super::values::Stored;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interval {
    /// `polling_interval`
    Usual,
    /// `max_polling_interval`
    Longest,
}

/// The two intervals as they were set last, and where.
#[derive(Debug, Default)]
pub(super) struct Polling {
    usual: Option<(u32, Position)>,
    longest: Option<(u32, Position)>,
}

fn refused(message: &str) -> Remark {
    Remark::error(FindingCode::PollingInterval, message)
        .instead("write a number of seconds, such as 5")
}

impl Polling {
    /// Takes note of a value.
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
            // the greatest number means "not set" inside of multipathd
            (Interval::Usual, Some(number)) => self.usual = Some((number.min(u32::MAX - 1), at)),
            (Interval::Usual, None) => {
                // what multipathd takes instead, if nothing was set before
                self.usual.get_or_insert((u32::MAX - 1, at));
                let message = "an invalid polling_interval makes multipathd spin from 0.11.1 on";
                return Some(refused(message));
            }
        }
        None
    }

    fn longest(&self) -> Option<(u32, Position)> {
        self.longest.filter(|(longest, _)| *longest != 0)
    }

    /// The usual and the longest interval that multipathd takes.
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
            let message = "0 means 'not set' to max_polling_interval";
            Remark::warning(FindingCode::ReadAsOther, message).at(at)
        });
        unset.into_iter().chain(self.check_taken())
    }

    fn check_taken(&self) -> Option<Finding> {
        let (usual, longest) = self.taken()?;
        let spins = spins(usual, longest);
        match (self.usual, self.longest()) {
            (Some((0, at)), _) => {
                let message = "a polling_interval of 0 kills multipathd from 0.11.1 on";
                Some(refused(message).at(at))
            }
            (Some((set, _)), Some((longest, at))) if set > longest => {
                let message = format!("max_polling_interval lowers polling_interval to {longest}");
                Some(Remark::warning(FindingCode::ReadAsOther, message).at(at))
            }
            (Some((_, at)), None) if spins => {
                let message = "so large a polling_interval makes multipathd spin from 0.11.1 on";
                Some(refused(message).at(at))
            }
            // without the other one, the configuration of the cluster says which it meets
            (set, Some((longest, at))) if spins || set.is_none() && longest > 1 << 31 => {
                let message =
                    "so large a max_polling_interval makes multipathd spin from 0.11.1 on";
                Some(refused(message).at(at))
            }
            _ => None,
        }
    }
}

/// The interval that paths which work get to, where nothing else is set.
fn fourfold(interval: u32) -> u32 {
    if interval < u32::MAX / 4 {
        interval * 4
    } else {
        u32::MAX
    }
}

/// Whether multipathd looks for ever for a multiple of both (libmultipath/config.c, 0.10.0 and later,
/// in numbers of 32 bits).
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

    // Measured with 0.11.1 and 0.15.1: these are exactly the harmless ones.
    #[test]
    fn intervals_that_end() {
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

    // Measured with 0.9.4 and later: it is as if the keyword was not there.
    #[test]
    fn no_longest_interval() {
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
