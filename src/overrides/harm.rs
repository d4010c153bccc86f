//! What multipathd takes without a word, and what harms.

use std::borrow::Cow;
use std::fmt::Display;

use super::effective::Values;
use super::features;
use super::finding::{FindingCode, Position, quoted};
use super::keywords::Section;
use super::polling::Polling;
use super::reader::Note;
use super::regex::{self, InvalidRegex};
use super::values::Stored;
use crate::knobs::{self, InvalidSelector};

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
    if keyword == "partition_delimiter" && *stored == Stored::Nothing {
        // where none was set before, multipathd compares nothing with something
        let message = "a 'partition_delimiter' with a slash kills multipathd";
        return Some(Note::error(FindingCode::LoadFails, at, message));
    }
    let Stored::Value(value) = stored else {
        return None;
    };
    let warn = |code, message| Some(Note::warning(code, at, message));
    match keyword {
        "path_selector" => selector(value, at),
        "features" => match features::check(value) {
            Ok(None) => None,
            Ok(Some(unnoticed)) => warn(FindingCode::ReadAsOther, unnoticed.to_string()),
            Err(reason) => Some(kernel_refuses(value, reason, at)),
        },
        "hardware_handler" => {
            let handler = value.split_whitespace().nth(1);
            match handler.filter(|name| !HANDLERS.contains(name)) {
                None => None,
                Some(name) => Some(Note::error(
                    FindingCode::KernelRefuses,
                    at,
                    format!(
                        "the kernel has no hardware handler {}, and would refuse the map",
                        quoted(name)
                    ),
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

/// What is to be said of a value with which the kernel refuses each map.
fn kernel_refuses(value: &str, reason: impl Display, at: Position) -> Note {
    let message = format!(
        "the kernel refuses {}, and maps that are not in use would be removed: {reason}",
        quoted(value)
    );
    Note::error(FindingCode::KernelRefuses, at, message)
}

/// What is to be said of a path selector in which the number of arguments is right.
fn selector(value: &str, at: Position) -> Option<Note> {
    let mut words: Vec<Cow<'_, str>> = value.split_whitespace().map(Cow::Borrowed).collect();
    if let Some(count) = words.get_mut(1) {
        // the kernel takes zeros in front of a number, and no sign
        let digits = count.bytes().all(|byte| byte.is_ascii_digit());
        if let Some(number) = count.parse::<u64>().ok().filter(|_| digits) {
            *count = number.to_string().into();
        }
    }
    match knobs::check_path_selector(&words.join(" ")) {
        Ok(()) => None,
        Err(reason @ InvalidSelector::TooMany { most: 0, .. }) => Some(Note::warning(
            FindingCode::ReadAsOther,
            at,
            format!("{reason}, and ignores them"),
        )),
        Err(reason) => Some(kernel_refuses(value, reason, at)),
    }
}

/// Whether a map's name may begin like this: characters that device-mapper does not change.
fn is_safe_name(text: &str) -> bool {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:@+-".contains(&byte);
    (1..=100).contains(&text.len()) && text.bytes().all(safe)
}

/// What is to be said of an entry of `devices` as a whole.
///
/// multipathd puts `vendor` and `product_blacklist` into its blacklist, and does not load its
/// configuration if it cannot; everywhere else it compares without a word, and in vain.
pub(super) fn of_device(values: &Values, at: Position) -> Option<Note> {
    let invalid = |name, check: fn(&str) -> Result<(), InvalidRegex>| {
        let value = values.get(name)?;
        let reason = check(value).err()?;
        let value = quoted(value);
        Some(format!(
            "'{name}' {value} is no extended regular expression ({reason})"
        ))
    };
    if values.contains_key("product_blacklist") {
        let mut names = ["vendor", "product_blacklist"].into_iter();
        if let Some(invalid) = names.find_map(|name| invalid(name, regex::check)) {
            let message = format!("multipathd would not start, since {invalid}");
            return Some(Note::error(FindingCode::LoadFails, at, message));
        }
    }
    let mut names = ["vendor", "product", "revision"].into_iter();
    let invalid = names.find_map(|name| invalid(name, regex::check_plain))?;
    let message = format!("this entry is for no device, since {invalid}");
    Some(Note::warning(FindingCode::NeverMatches, at, message))
}
