//! Values that multipathd accepts silently but that break it or the kernel, or undo the managed
//! baseline.
//!
//! The table in `keywords` names the function for each keyword.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Display;

use super::features;
use super::finding::{FindingCode, Remark, quoted};
use super::regex::{self, InvalidRegex};
use super::values::Stored;
use crate::config::knobs::{self, InvalidSelector};

/// Finds what is wrong with a stored value.
pub(super) type Judge = fn(&Stored<'_>) -> Option<Remark>;

/// The values of an entry, as written.
pub(super) type EntryValues<'t> = BTreeMap<&'static str, Cow<'t, str>>;

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

fn kernel_refuses(value: &str, reason: impl Display) -> Remark {
    let message = format!(
        "the kernel rejects {}, and multipathd would remove maps that are not in use: {reason}",
        quoted(value)
    );
    Remark::error(FindingCode::KernelRefuses, message)
}

/// For a path selector with the right number of arguments.
pub(super) fn path_selector(stored: &Stored<'_>) -> Option<Remark> {
    let value = stored.value()?;
    let mut words: Vec<Cow<'_, str>> = value.split_whitespace().map(Cow::Borrowed).collect();
    if let Some(count) = words.get_mut(1) {
        // the kernel accepts leading zeros and no sign
        let digits = count.bytes().all(|byte| byte.is_ascii_digit());
        if let Some(number) = count.parse::<u64>().ok().filter(|_| digits) {
            *count = number.to_string().into();
        }
    }
    match knobs::check_path_selector(&words.join(" ")) {
        Ok(()) => None,
        Err(reason @ InvalidSelector::TooMany { most: 0, .. }) => {
            let message = format!("{reason}, and ignores them");
            Some(Remark::warning(FindingCode::ReadAsOther, message))
        }
        Err(reason) => Some(kernel_refuses(value, reason)),
    }
}

pub(super) fn features(stored: &Stored<'_>) -> Option<Remark> {
    let value = stored.value()?;
    match features::check(value) {
        Ok(unnoticed) => {
            let message = unnoticed?.to_string();
            Some(Remark::warning(FindingCode::ReadAsOther, message))
        }
        Err(reason) => Some(kernel_refuses(value, reason)),
    }
}

pub(super) fn hardware_handler(stored: &Stored<'_>) -> Option<Remark> {
    let handler = stored.value()?.split_whitespace().nth(1);
    let unknown = handler.filter(|name| !HANDLERS.contains(name))?;
    let message = format!(
        "the kernel has no hardware handler {} and would reject the map",
        quoted(unknown)
    );
    Some(Remark::error(FindingCode::KernelRefuses, message))
}

pub(super) fn path_checker(stored: &Stored<'_>) -> Option<Remark> {
    let unknown = stored.value().filter(|name| !CHECKERS.contains(name))?;
    let message = format!(
        "there is no path checker {}: paths would not be checked",
        quoted(unknown)
    );
    Some(Remark::warning(FindingCode::UnknownName, message))
}

pub(super) fn prioritizer(stored: &Stored<'_>) -> Option<Remark> {
    let unknown = stored.value().filter(|name| !PRIORITIZERS.contains(name))?;
    let message = format!(
        "there is no prioritizer {}: paths would have no priority",
        quoted(unknown)
    );
    Some(Remark::warning(FindingCode::UnknownName, message))
}

pub(super) fn user_friendly_names(stored: &Stored<'_>) -> Option<Remark> {
    stored.value().filter(|value| *value == "yes")?;
    let message = "maps would be named mpatha, mpathb and so on, differently on each node";
    Some(Remark::warning(FindingCode::UndoesBaseline, message))
}

pub(super) fn find_multipaths(stored: &Stored<'_>) -> Option<Remark> {
    let value = stored.value().filter(|value| *value != "strict")?;
    let message = format!("with '{value}', multipathd also takes LUNs that are not allow-listed");
    Some(Remark::warning(FindingCode::UndoesBaseline, message))
}

pub(super) fn alias_prefix(stored: &Stored<'_>) -> Option<Remark> {
    let unsafe_name = stored.value().filter(|value| !is_safe_name(value))?;
    let message = format!(
        "device-mapper changes map names that begin with {}, and multipathd then loses their paths",
        quoted(unsafe_name)
    );
    Some(Remark::warning(FindingCode::ReadAsOther, message))
}

/// Whether device-mapper keeps the characters of this prefix in a map's name.
fn is_safe_name(text: &str) -> bool {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:@+-".contains(&byte);
    (1..=100).contains(&text.len()) && text.bytes().all(safe)
}

/// multipathd rejects the value and then dereferences a null pointer if none was set before.
pub(super) fn partition_delimiter(stored: &Stored<'_>) -> Option<Remark> {
    let message = "a 'partition_delimiter' with a slash crashes multipathd";
    (*stored == Stored::Nothing).then(|| Remark::error(FindingCode::LoadFails, message))
}

/// The udev property that multipathd takes a SCSI disk's WWID from.
const UID_ATTRIBUTE: &str = "ID_SERIAL";

fn other_wwids(attribute: &str) -> Remark {
    let message = format!(
        "WWIDs would come from the udev property {} instead of '{UID_ATTRIBUTE}': they would \
         change, and LUNs that are allow-listed by the present ones would get no map",
        quoted(attribute)
    );
    Remark::warning(FindingCode::UndoesBaseline, message)
}

/// Outside `device`, where it depends on what the entry is for.
pub(super) fn uid_attribute(stored: &Stored<'_>) -> Option<Remark> {
    let other = stored.value().filter(|value| *value != UID_ATTRIBUTE)?;
    Some(other_wwids(other))
}

pub(super) fn uid_attrs(stored: &Stored<'_>) -> Option<Remark> {
    Some(other_wwids(uid_attribute_of_scsi(stored.value()?)?))
}

/// The first property other than the usual one that these records set for a SCSI disk. A record is
/// for devices whose names begin with what is before its last colon, and the first one counts
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

/// For an entry of `devices`: a `uid_attribute` that changes the WWIDs of its disks.
pub(super) fn uid_attribute_of_device(entry: &EntryValues<'_>) -> Option<Remark> {
    let value = |name| entry.get(name).map_or("", |value| value);
    let attribute = entry.get("uid_attribute")?;
    let is_usual = match &**attribute {
        "ID_WWN" => value("vendor").trim_matches(['^', '$']) == "NVME",
        "ID_UID" => value("vendor") == "IBM" && value("product").starts_with("S/390 DASD"),
        other => other == UID_ATTRIBUTE,
    };
    (!is_usual).then(|| other_wwids(attribute))
}

/// For an entry of `devices` that is merged with a built-in one: features that have options
/// instead.
pub(super) fn deprecated_features(entry: &EntryValues<'_>) -> impl Iterator<Item = Remark> {
    let features = entry.get("features").map_or("", |features| features);
    let options = features::OPTIONS.into_iter();
    let deprecated = options.filter(move |(feature, ..)| features::has(features, feature));
    deprecated.map(|(feature, option, value)| {
        let message = format!(
            "the feature '{feature}' is deprecated: multipathd complains when it merges this with \
             its built-in entry for the same devices"
        );
        Remark::warning(FindingCode::Deprecated, message).instead(format!("use {option} {value}"))
    })
}

/// For an entry of `devices`: invalid expressions.
///
/// multipathd adds `vendor` and `product_blacklist` to its blacklist, and does not start if it
/// cannot compile them. Other invalid expressions match nothing.
pub(super) fn expressions_of_device(entry: &EntryValues<'_>) -> Option<Remark> {
    let invalid = |name, check: fn(&str) -> Result<(), InvalidRegex>| {
        let value = entry.get(name)?;
        let reason = check(value).err()?;
        let value = quoted(value);
        Some(format!(
            "'{name}' {value} is not a valid extended regular expression ({reason})"
        ))
    };
    if entry.contains_key("product_blacklist") {
        let mut names = ["vendor", "product_blacklist"].into_iter();
        if let Some(invalid) = names.find_map(|name| invalid(name, regex::check)) {
            let message = format!("multipathd would not start, because {invalid}");
            return Some(Remark::error(FindingCode::LoadFails, message));
        }
    }
    let mut names = ["vendor", "product", "revision"].into_iter();
    let invalid = names.find_map(|name| invalid(name, regex::check_plain))?;
    let message = format!("this entry matches no device, because {invalid}");
    Some(Remark::warning(FindingCode::NeverMatches, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uid_attribute_of_scsi_disks() {
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
