//! What multipathd takes without a word, and what harms.

use std::borrow::Cow;
use std::fmt::Display;

use super::built_in;
use super::effective::Values;
use super::features;
use super::finding::{FindingCode, Position, quoted};
use super::keywords::Section;
use super::polling::Polling;
use super::reader::Note;
use super::regex::{self, InvalidRegex};
use super::values::Stored;
use crate::config::knobs::{self, InvalidSelector};
use crate::types::tools_version::ToolsVersion;

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
            let unknown = handler.filter(|name| !HANDLERS.contains(name))?;
            let message = format!(
                "the kernel has no hardware handler {}, and would refuse the map",
                quoted(unknown)
            );
            Some(Note::error(FindingCode::KernelRefuses, at, message))
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
        // of an entry it matters what it is for
        "uid_attribute" if section != Section::Device && value != UID_ATTRIBUTE => {
            Some(other_wwids(value, at))
        }
        "uid_attrs" => uid_attribute_of_scsi(value).map(|attribute| other_wwids(attribute, at)),
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

/// The udev property that SCSI disks have their WWID from.
const UID_ATTRIBUTE: &str = "ID_SERIAL";

fn other_wwids(attribute: &str, at: Position) -> Note {
    let message = format!(
        "WWIDs come from the udev property {} instead of '{UID_ATTRIBUTE}': they change, and LUNs that are \
         allow-listed by the present ones would get no map",
        quoted(attribute)
    );
    Note::warning(FindingCode::UndoesBaseline, at, message)
}

/// The first property other than the usual one that these records give to a SCSI disk. A record is for
/// devices whose names begin with what stands before its last colon, and the first one counts
/// (libmultipath/config.c, `get_uid_attribute_by_attrs`).
fn uid_attribute_of_scsi(records: &str) -> Option<&str> {
    for record in records.split_whitespace() {
        let Some((start, attribute)) = record.rsplit_once(':') else {
            continue;
        };
        let all = "sd".starts_with(start);
        let some = start
            .strip_prefix("sd")
            .is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_lowercase()));
        if (all || some) && attribute != UID_ATTRIBUTE {
            return Some(attribute);
        }
        if all {
            return None;
        }
    }
    None
}

/// Whether a property is what multipathd takes for such devices anyway.
fn is_usual_uid_attribute(attribute: &str, values: &Values) -> bool {
    let value = |name| values.get(name).map_or("", String::as_str);
    match attribute {
        "ID_WWN" => value("vendor").trim_matches(['^', '$']) == "NVME",
        "ID_UID" => value("vendor") == "IBM" && value("product").starts_with("S/390 DASD"),
        _ => attribute == UID_ATTRIBUTE,
    }
}

/// Whether a map's name may begin like this: characters that device-mapper does not change.
fn is_safe_name(text: &str) -> bool {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:@+-".contains(&byte);
    (1..=100).contains(&text.len()) && text.bytes().all(safe)
}

/// What is to be said of an entry of `devices` as a whole.
pub(super) fn of_device(values: &Values, version: ToolsVersion, at: Position) -> Vec<Note> {
    let uid_attribute = values.get("uid_attribute");
    let uid_attribute = uid_attribute.filter(|value| !is_usual_uid_attribute(value, values));
    let uid_attribute = uid_attribute.map(|value| other_wwids(value, at));
    let features = values.get("features").into_iter().flat_map(|features| {
        let options = features::OPTIONS.into_iter();
        options.filter(|(feature, ..)| features::has(features, feature))
    });
    let features = features.filter(|_| built_in::is_built_in(values, version));
    let deprecated = features.map(|(feature, option, value)| {
        let message = format!(
            "the feature '{feature}' is deprecated: multipathd complains when it joins this with its own \
             entry for such devices"
        );
        let note = Note::warning(FindingCode::Deprecated, at, message);
        note.instead(format!("write {option} {value}"))
    });
    of_expressions(values, at)
        .into_iter()
        .chain(uid_attribute)
        .chain(deprecated)
        .collect()
}

/// What is to be said of the expressions that say what an entry is for.
///
/// multipathd puts `vendor` and `product_blacklist` into its blacklist, and does not load its
/// configuration if it cannot; everywhere else an invalid one hits nothing.
fn of_expressions(values: &Values, at: Position) -> Option<Note> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_scsi_disks_have_their_wwids_from() {
        for records in [
            "",
            "sd",
            "sd:ID_SERIAL",
            "s:ID_SERIAL sd:ID_WWN",
            ":ID_SERIAL x:y sda:ID_WWN",
            "dasd:ID_UID nvme:ID_WWN",
            "sdx1:ID_WWN",
            "sd:x:ID_WWN",
        ] {
            assert_eq!(uid_attribute_of_scsi(records), None, "{records}");
        }
        for (records, attribute) in [
            ("sd:ID_WWN", "ID_WWN"),
            ("sd:", ""),
            (":ID_PATH sd:ID_SERIAL", "ID_PATH"),
            ("sdb:ID_WWN sd:ID_SERIAL", "ID_WWN"),
            ("nvme:ID_SERIAL s:ID_WWN", "ID_WWN"),
        ] {
            assert_eq!(uid_attribute_of_scsi(records), Some(attribute), "{records}");
        }
    }
}
