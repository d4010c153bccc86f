//! The two intervals of multipathd's checks, which together may kill it.

use super::effective::Values;
use super::finding::{FindingCode, Position};
use super::reader::Note;
use super::values::Stored;

/// The two intervals, which together may kill multipathd.
#[derive(Debug, Default)]
pub(super) struct Polling {
    interval: Option<(u32, Position)>,
    max: Option<(u32, Position)>,
    /// Values that are wrong by themselves.
    notes: Vec<Note>,
}

impl Polling {
    /// Takes note of a value; whether the keyword is one of the two.
    pub(super) fn sees(&mut self, keyword: &str, stored: &Stored, at: Position) -> bool {
        let number: Option<u32> = match stored {
            Stored::Value(value) => value.parse().ok(),
            _ => None,
        };
        match (keyword, number) {
            ("max_polling_interval", Some(number)) => self.max = Some((number, at)),
            ("max_polling_interval", None) => {}
            // the greatest number means "not set" inside of multipathd
            ("polling_interval", Some(number)) => {
                self.interval = Some((number.min(u32::MAX - 1), at))
            }
            ("polling_interval", None) => {
                let message = "an invalid polling_interval makes multipathd spin from 0.11.1 on";
                self.refuse(at, message);
                // what multipathd takes instead, if nothing was set before
                self.interval.get_or_insert((u32::MAX - 1, at));
            }
            _ => return false,
        }
        true
    }

    fn refuse(&mut self, at: Position, message: &str) {
        let note = Note::error(FindingCode::PollingInterval, at, message);
        let note = note.instead("write a number of seconds, such as 5");
        self.notes.push(note);
    }

    /// The intervals that are taken, and what is wrong with them.
    pub(super) fn end(&mut self, defaults: &mut Values) -> Vec<Note> {
        let max = self.max.filter(|(max, _)| *max != 0);
        let taken = match (self.interval, max) {
            (Some((interval, at)), None) => {
                if interval == 0 {
                    self.refuse(
                        at,
                        "a polling_interval of 0 kills multipathd from 0.11.1 on",
                    );
                } else if spins(interval, fourfold(interval)) {
                    self.refuse(
                        at,
                        "so large a polling_interval makes multipathd spin from 0.11.1 on",
                    );
                }
                Some((interval, fourfold(interval)))
            }
            (Some((interval, at)), Some((max, max_at))) => {
                if interval == 0 {
                    self.refuse(
                        at,
                        "a polling_interval of 0 kills multipathd from 0.11.1 on",
                    );
                } else if interval > max {
                    let message = format!("max_polling_interval lowers polling_interval to {max}");
                    let code = FindingCode::ReadAsOther;
                    let note = Note::warning(code, max_at, message);
                    self.notes.push(note);
                } else if spins(interval, max) {
                    self.refuse(
                        max_at,
                        "so large a max_polling_interval makes multipathd spin from 0.11.1 on",
                    );
                }
                Some((interval.min(max), max))
            }
            (None, Some((max, at))) => {
                let interval = if max >= 4 { max / 4 } else { 1 };
                // which interval it meets, the configuration of the cluster says
                if max > 1 << 31 || spins(interval, max) {
                    self.refuse(
                        at,
                        "so large a max_polling_interval makes multipathd spin from 0.11.1 on",
                    );
                }
                Some((interval, max))
            }
            (None, None) => None,
        };
        if let (Some((0, at)), None) = (self.max, max) {
            let message = "0 means 'not set' to max_polling_interval".to_owned();
            let code = FindingCode::ReadAsOther;
            let note = Note::warning(code, at, message);
            self.notes.push(note);
            defaults.remove("max_polling_interval");
        }
        if let Some((interval, max)) = taken {
            defaults.insert("polling_interval".to_owned(), interval.to_string());
            defaults.insert("max_polling_interval".to_owned(), max.to_string());
        }
        std::mem::take(&mut self.notes)
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
