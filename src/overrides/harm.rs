//! What multipathd takes without a word, and what harms.

use super::effective::Values;
use super::finding::{FindingCode, Position, quoted};
use super::keywords::Section;
use super::reader::Note;
use super::regex::Matcher;
use super::values::Stored;
use crate::Wwid;
use crate::knobs;

/// What is to be said of a value that multipathd has stored.
pub(super) fn of(
    section: Section,
    keyword: &str,
    stored: &Stored,
    polling: &mut Polling,
    at: Position,
) -> Option<Note> {
    if section == Section::Defaults && polling.sees(keyword, stored, at) {
        return None;
    }
    let Stored::Value(value) = stored else {
        return None;
    };
    let warn = |code, message| Some(Note::warning(code, at, message));
    let refused = |message| Some(Note::error(FindingCode::KernelRefuses, at, message));
    match keyword {
        "path_selector" => {
            let first = value.split_whitespace().collect::<Vec<_>>().join(" ");
            match knobs::check_path_selector(&first) {
                Ok(()) => None,
                Err(reason @ knobs::InvalidSelector::TooMany { .. }) => warn(
                    FindingCode::ReadAsOther,
                    format!("{reason}, and ignores them"),
                ),
                Err(reason) => refused(format!(
                    "the kernel refuses {}, and maps that are not in use would be removed: {reason}",
                    quoted(value)
                )),
            }
        }
        "features" => match unknown_feature(value) {
            None => None,
            Some(word) => refused(format!(
                "the kernel has no feature {}, and maps that are not in use would be removed",
                quoted(word)
            )),
        },
        "hardware_handler" => {
            let handler = value.split_whitespace().nth(1);
            match handler.filter(|name| !HANDLERS.contains(name)) {
                None => None,
                Some(name) => refused(format!(
                    "the kernel has no hardware handler {}, and would refuse the map",
                    quoted(name)
                )),
            }
        }
        "path_checker" | "checker" if !CHECKERS.contains(&value.as_str()) => warn(
            FindingCode::UnknownName,
            format!(
                "there is no path checker {}: paths would not be checked",
                quoted(value)
            ),
        ),
        "prio" if !PRIORITIZERS.contains(&value.as_str()) => warn(
            FindingCode::UnknownName,
            format!(
                "there is no prioritizer {}: paths would have no priority",
                quoted(value)
            ),
        ),
        "user_friendly_names" if value == "yes" => warn(
            FindingCode::UndoesBaseline,
            "maps would be called mpatha, mpathb and so on, on each node differently".to_owned(),
        ),
        "find_multipaths" if value != "strict" => warn(
            FindingCode::UndoesBaseline,
            format!("with '{value}', LUNs are taken that are not allow-listed"),
        ),
        "alias_prefix" if !is_safe_name(value) => warn(
            FindingCode::ReadAsOther,
            format!(
                "device-mapper changes names that begin with {}, and multipathd loses their paths",
                quoted(value)
            ),
        ),
        _ => None,
    }
}

/// Path checkers that multipath-tools has (libmultipath/checkers).
const CHECKERS: [&str; 8] = [
    "cciss_tur",
    "directio",
    "emc_clariion",
    "hp_sw",
    "none",
    "rdac",
    "readsector0",
    "tur",
];

/// Prioritizers that multipath-tools has (libmultipath/prioritizers).
const PRIORITIZERS: [&str; 15] = [
    "alua",
    "ana",
    "const",
    "datacore",
    "emc",
    "hds",
    "hp_sw",
    "iet",
    "none",
    "ontap",
    "path_latency",
    "random",
    "rdac",
    "sysfs",
    "weightedpath",
];

/// Handlers that the kernel has (drivers/scsi/device_handler).
const HANDLERS: [&str; 4] = ["alua", "emc", "hp_sw", "rdac"];

/// The first word of a list of features that the kernel does not know (drivers/md/dm-mpath.c,
/// `parse_features`).
fn unknown_feature(features: &str) -> Option<&str> {
    let mut words = features.split_whitespace().skip(1);
    while let Some(word) = words.next() {
        match word {
            "queue_if_no_path" | "retain_attached_hw_handler" => {}
            "pg_init_retries" | "pg_init_delay_msecs" => {
                let number = words.next();
                if !number.is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit())) {
                    return Some(word);
                }
            }
            "queue_mode" => match words.next() {
                Some("bio" | "rq" | "mq") => {}
                _ => return Some(word),
            },
            _ => return Some(word),
        }
    }
    None
}

/// Whether a map's name may begin like this: characters that device-mapper does not change.
fn is_safe_name(text: &str) -> bool {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:@+-".contains(&byte);
    (1..=100).contains(&text.len()) && text.bytes().all(safe)
}

/// Most entries of blacklists that are tried.
pub(super) const MOST_TRIED: usize = 50;

/// What is to be said of entries of blacklists: of those that hit LUNs which are allow-listed, and of
/// those that hit whatever they are tried on.
pub(super) fn of_blacklist(entries: &[(&str, String, Position)], allow_list: &[Wwid]) -> Vec<Note> {
    let mut notes = Vec::new();
    for (keyword, expression, at) in entries {
        let samples: &[&str] = match *keyword {
            "wwid" => &["36001405aabbccdd", "eui.0025385b71b00a3c", "0QEMU", "x 1"],
            "devnode" => &["sda", "sdzz", "nvme0n1", "dasda", "vdb"],
            "protocol" => &["scsi:fcp", "scsi:iscsi", "nvme:tcp", "undef"],
            _ => &["ID_SERIAL", "ID_WWN", "SCSI_IDENT_SERIAL", "x"],
        };
        let Some(matcher) = Matcher::new(expression) else {
            continue;
        };
        let code = FindingCode::Blacklisted;
        if samples.iter().all(|sample| matcher.hits(sample)) {
            let message = format!(
                "{} hits everything: no map would be left",
                quoted(expression)
            );
            notes.push(Note::warning(code, *at, message));
        } else if *keyword == "wwid" {
            let mut hit = allow_list.iter().filter(|wwid| matcher.hits(wwid.as_str()));
            if let Some(first) = hit.next() {
                let others = hit.count();
                let more = if others == 0 {
                    String::new()
                } else {
                    format!(" and {others} more")
                };
                let message = format!(
                    "{} hits allow-listed LUN '{first}'{more}: the map would go away",
                    quoted(expression)
                );
                notes.push(Note::warning(code, *at, message));
            }
        }
    }
    notes
}

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
    fn sees(&mut self, keyword: &str, stored: &Stored, at: Position) -> bool {
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
        for version in crate::overrides::VERSIONS {
            assert!(
                crate::overrides::effective(&[text], version)
                    .defaults
                    .is_empty()
            );
        }
    }
}
