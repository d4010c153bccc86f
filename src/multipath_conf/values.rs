//! What multipathd makes of a keyword's value (libmultipath/dict.c).

use super::finding::{FindingCode, quoted};
use super::keywords::{Kind, Zero};
use super::regex;
use crate::types::tools_version::ToolsVersion;

/// What becomes of a value.
#[derive(Debug, PartialEq)]
pub(super) struct Read {
    pub stored: Stored,
    /// What is to be said about it.
    pub remarks: Vec<Remark>,
}

/// What is stored.
#[derive(Debug, PartialEq)]
pub(super) enum Stored {
    /// This value, as multipathd prints it.
    Value(String),
    /// As if it had never been set.
    Unset,
    /// Nothing: what was set before stays.
    Nothing,
}

/// Something to say about a value.
#[derive(Debug, PartialEq)]
pub(super) struct Remark {
    pub code: FindingCode,
    pub message: String,
    pub instead: Option<String>,
}

impl Read {
    fn value(value: impl Into<String>) -> Self {
        Self {
            stored: Stored::Value(value.into()),
            remarks: Vec::new(),
        }
    }

    fn nothing() -> Self {
        Self {
            stored: Stored::Nothing,
            remarks: Vec::new(),
        }
    }

    /// With something to say.
    fn remark(mut self, code: FindingCode, message: impl Into<String>) -> Self {
        self.remarks.push(Remark {
            code,
            message: message.into(),
            instead: None,
        });
        self
    }

    fn instead(mut self, instead: impl Into<String>) -> Self {
        if let Some(remark) = self.remarks.last_mut() {
            remark.instead = Some(instead.into());
        }
        self
    }

    fn invalid(keyword: &str, value: &str) -> Self {
        Self::nothing().remark(
            FindingCode::InvalidValue,
            format!(
                "{} is no value of '{keyword}', and is ignored",
                quoted(value)
            ),
        )
    }
}

/// Reads a value as this version does.
pub(super) fn read(keyword: &str, kind: Kind, value: &str, version: ToolsVersion) -> Read {
    let one_of = |words: &[&str]| match words.contains(&value) {
        true => Read::value(value),
        false => Read::invalid(keyword, value).instead(format!("known are {}", words.join(", "))),
    };
    match kind {
        Kind::Int { min, max, zero } => int(keyword, value, min, max, zero),
        Kind::Unsigned => unsigned(keyword, value),
        Kind::YesNo => match value {
            "yes" | "1" => Read::value("yes"),
            "no" | "0" => Read::value("no"),
            _ => Read::invalid(keyword, value).instead("write yes or no"),
        },
        Kind::Text => Read::value(value),
        Kind::NoSlash if value.contains('/') => Read::nothing().remark(
            FindingCode::InvalidValue,
            format!("'{keyword}' cannot contain a slash, and is ignored"),
        ),
        Kind::NoSlash => Read::value(value),
        Kind::Path => {
            let read = match value.starts_with('/') {
                true => Read::value(value),
                false => Read::nothing(),
            };
            read.remark(
                FindingCode::Deprecated,
                format!("'{keyword}' is ignored by newer versions; remove it"),
            )
        }
        Kind::Words { count } => words(keyword, value, count),
        Kind::Choice(choice) => one_of(choice),
        Kind::FindMultipaths => match value {
            "off" | "no" | "0" => Read::value("off"),
            "on" | "yes" | "1" => Read::value("on"),
            "strict" | "greedy" | "smart" => Read::value(value),
            _ => Read::invalid(keyword, value).instead("known are strict, greedy, smart, yes, no"),
        },
        Kind::MarginalPathgroups => match value {
            "off" | "no" | "0" => Read::value("off"),
            "on" | "yes" | "1" => Read::value("on"),
            // Debian 12 builds without it
            "fpin" if version >= ToolsVersion::new(0, 11, 0) => Read::value("fpin"),
            _ => Read::invalid(keyword, value).instead("known are on, off, fpin"),
        },
        Kind::FlushOnLastDel => flush_on_last_del(keyword, value, version),
        Kind::GroupingPolicy => grouping_policy(keyword, value, version),
        Kind::Failback => match value {
            "manual" | "immediate" | "followover" => Read::value(value),
            _ => int(keyword, value, 0, i64::from(i32::MAX), Zero::Unset),
        },
        Kind::NoPathRetry => match value {
            "fail" | "0" => Read::value("fail"),
            "queue" => Read::value(value),
            _ => int(keyword, value, 1, i64::from(i32::MAX), Zero::Number),
        },
        Kind::NoOrNumber => match value {
            "no" | "0" => Read::value("no"),
            _ => int(keyword, value, 1, i64::from(i32::MAX), Zero::Number),
        },
        Kind::OffOrNumber { max } => match value {
            "off" | "0" => Read::value(value),
            _ => int(keyword, value, 1, max, Zero::Number),
        },
        Kind::DevLoss => dev_loss(keyword, value),
        Kind::MaxFds => max_fds(keyword, value),
        Kind::Mode => mode(keyword, value),
        Kind::Owner => owner(keyword, value),
        Kind::ReservationKey => reservation_key(keyword, value),
        Kind::UidAttrs => uid_attrs(keyword, value),
        Kind::VpdVendor => match value {
            "hp3par" => Read::value(value),
            "undef" => Read {
                stored: Stored::Unset,
                remarks: Vec::new(),
            },
            _ => Read::invalid(keyword, value).instead("known is hp3par"),
        },
        Kind::Regex => match regex::check(value) {
            Ok(()) => Read::value(value),
            Err(reason) => Read::nothing().remark(
                FindingCode::InvalidValue,
                format!(
                    "{} is no extended regular expression, and is ignored: {reason}",
                    quoted(value)
                ),
            ),
        },
        Kind::Silent => Read::nothing(),
        Kind::Ignored => Read::nothing().remark(
            FindingCode::Ignored,
            format!("'{keyword}' is ignored; remove it"),
        ),
    }
}

/// C's white space, as `isspace` has it.
fn is_space(c: char) -> bool {
    crate::wire::byte_string::is_space(c)
}

/// The number at the beginning of a text, as C's `strtol` reads it in base 10, and the rest.
fn leading_number(text: &str) -> Option<(i64, &str)> {
    let trimmed = text.trim_start_matches(is_space);
    let digits = trimmed.strip_prefix(['+', '-']).unwrap_or(trimmed);
    let end = digits
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(digits.len());
    let (number, rest) = digits.split_at(end);
    if number.is_empty() {
        return None;
    }
    let negative = trimmed.starts_with('-');
    let limit = if negative { i64::MIN } else { i64::MAX };
    let magnitude: Option<i64> = number.parse().ok();
    let signed = magnitude.map(|magnitude| if negative { -magnitude } else { magnitude });
    Some((signed.unwrap_or(limit), rest))
}

fn int(keyword: &str, value: &str, min: i64, max: i64, zero: Zero) -> Read {
    let Some((number, rest)) = leading_number(value) else {
        return Read::invalid(keyword, value).instead("write a number");
    };
    if !rest.chars().all(is_space) {
        return Read::invalid(keyword, value).instead("write a number without anything behind it");
    }
    let stored = number.clamp(min, max);
    let read = match (stored, zero) {
        (0, Zero::Unset) => Read {
            stored: Stored::Unset,
            remarks: Vec::new(),
        },
        _ => Read::value(stored.to_string()),
    };
    if stored != number {
        let which = if number > max { "large" } else { "small" };
        return read.remark(
            FindingCode::Capped,
            format!(
                "{} is too {which} for '{keyword}': {stored} is taken instead",
                quoted(value)
            ),
        );
    }
    match read.stored {
        Stored::Unset => {
            let message = format!("0 means 'not set' to '{keyword}'");
            let read = read.remark(FindingCode::ReadAsOther, message);
            match keyword {
                "failback" => read.instead("write 'immediate' to return at once"),
                _ => read,
            }
        }
        _ => read,
    }
}

/// How many files the kernel lets a program open at most (`fs.nr_open`), unless somebody has raised it.
const NR_OPEN: i64 = 1_048_576;

fn max_fds(keyword: &str, value: &str) -> Read {
    if value == "max" {
        return Read::value(value);
    }
    let mut read = int(keyword, value, 0, NR_OPEN, Zero::Unset);
    if read.stored == Stored::Value(NR_OPEN.to_string()) {
        read.stored = Stored::Value("max".to_owned()); // as multipathd prints it
        for remark in &mut read.remarks {
            remark.message = format!(
                "{} is more than fs.nr_open, which is {NR_OPEN} unless it was raised: that is taken \
                 instead",
                quoted(value)
            );
        }
    }
    read
}

fn unsigned(keyword: &str, value: &str) -> Read {
    let trimmed = value.trim_matches(is_space);
    let digits = !trimmed.is_empty() && trimmed.bytes().all(|b| b.is_ascii_digit());
    match trimmed.parse::<u32>() {
        Ok(number) if digits => Read::value(number.to_string()),
        _ => Read::invalid(keyword, value).instead("write a number of seconds"),
    }
}

fn words(keyword: &str, value: &str, count_at: usize) -> Read {
    let is_blank = |c: char| matches!(c, ' ' | '\t' | '\u{b}' | '\u{c}' | '\r');
    let words: Vec<&str> = value
        .split(is_blank)
        .filter(|word| !word.is_empty())
        .collect();
    let example = match keyword {
        "path_selector" => "write for example \"service-time 0\", in quotes",
        "features" => "write for example \"1 retain_attached_hw_handler\", in quotes",
        _ => "write for example \"1 alua\", in quotes",
    };
    let missing = || {
        let message = format!(
            "{} has no number of arguments, and '{keyword}' is ignored",
            quoted(value)
        );
        Read::nothing()
            .remark(FindingCode::InvalidValue, message)
            .instead(example)
    };
    let Some(announced) = words.get(count_at) else {
        return missing();
    };
    let announced = match leading_number(announced) {
        Some((number, rest)) if rest.is_empty() && number >= 0 => number,
        _ => return missing(),
    };
    if announced == i64::MAX {
        return missing(); // beyond what strtol takes
    }
    let given = words.len() - count_at - 1;
    if usize::try_from(announced) != Ok(given) {
        let message = format!(
            "{} announces {announced} arguments and has {given}, and '{keyword}' is ignored",
            quoted(value)
        );
        return Read::nothing()
            .remark(FindingCode::InvalidValue, message)
            .instead(example);
    }
    Read::value(value)
}

fn flush_on_last_del(keyword: &str, value: &str, version: ToolsVersion) -> Read {
    if version < ToolsVersion::new(0, 9, 9) {
        return read(keyword, Kind::YesNo, value, version);
    }
    let mapped = match value {
        "never" | "always" | "unused" => return Read::value(value),
        "no" | "0" => "unused",
        "yes" | "1" => "always",
        _ => {
            let read = Read::invalid(keyword, value);
            return read.instead("known are never, always, unused");
        }
    };
    Read::value(mapped)
        .remark(
            FindingCode::Deprecated,
            format!("{} is deprecated, and read as '{mapped}'", quoted(value)),
        )
        .instead("versions before 0.9.9 know no other values")
}

fn grouping_policy(keyword: &str, value: &str, version: ToolsVersion) -> Read {
    // multipathd compares the beginning only, in this sequence
    let policies = [
        "failover",
        "multibus",
        "group_by_serial",
        "group_by_prio",
        "group_by_node_name",
        "group_by_tpg",
    ];
    let since = ToolsVersion::new(0, 9, 6);
    let policies: &[&str] = match &policies {
        [older @ .., _] if version < since => older,
        all => all,
    };
    match policies.iter().find(|policy| value.starts_with(*policy)) {
        Some(policy) if *policy == value => Read::value(value),
        Some(policy) => Read::value(*policy)
            .remark(
                FindingCode::ReadAsOther,
                format!("{} is read as '{policy}'", quoted(value)),
            )
            .instead(format!("write {policy}")),
        None => {
            let known = policies.join(", ");
            Read::invalid(keyword, value).instead(format!("known are {known}"))
        }
    }
}

/// The number at the beginning of a text as C's `sscanf` reads it, into 32 bits.
fn scanned(text: &str, radix: u32) -> Option<(u32, bool)> {
    let trimmed = text.trim_start_matches(is_space);
    let negative = trimmed.starts_with('-');
    let digits = trimmed.strip_prefix(['+', '-']).unwrap_or(trimmed);
    let end = digits
        .find(|c: char| !c.is_digit(radix))
        .unwrap_or(digits.len());
    let (number, rest) = digits.split_at(end);
    if number.is_empty() {
        return None;
    }
    let wide = u64::from_str_radix(number, radix).unwrap_or(u64::MAX);
    let wide = match negative {
        true if wide != u64::MAX => wide.wrapping_neg(),
        _ => wide,
    };
    #[expect(clippy::cast_possible_truncation, reason = "as C does")]
    let number = wide as u32;
    let as_written = !negative && rest.is_empty() && trimmed.len() == text.len();
    Some((number, as_written && wide == u64::from(number)))
}

fn dev_loss(keyword: &str, value: &str) -> Read {
    if value == "infinity" {
        return Read::value(value);
    }
    let (number, as_written) = match scanned(value, 10) {
        None => return Read::invalid(keyword, value).instead("write a number or 'infinity'"),
        Some(scanned) => scanned,
    };
    let printed = match number {
        0 => "not set".to_owned(),
        u32::MAX => "infinity".to_owned(),
        _ => number.to_string(),
    };
    let read = match number {
        0 => Read {
            stored: Stored::Unset,
            remarks: Vec::new(),
        },
        _ => Read::value(printed.clone()),
    };
    match as_written && number != 0 {
        true => read,
        false => read.remark(
            FindingCode::ReadAsOther,
            format!("{} is read as '{printed}'", quoted(value)),
        ),
    }
}

fn mode(keyword: &str, value: &str) -> Read {
    match scanned(value, 8) {
        Some((mode, as_written)) if mode <= 0o777 => {
            let read = Read::value(format!("0{mode:o}"));
            match as_written {
                true => read,
                false => read.remark(
                    FindingCode::ReadAsOther,
                    format!("{} is read as '0{mode:o}'", quoted(value)),
                ),
            }
        }
        _ => Read::invalid(keyword, value).instead("write for example 0660"),
    }
}

fn owner(keyword: &str, value: &str) -> Read {
    match scanned(value, 10) {
        Some((id, as_written)) => {
            let read = Read::value(format!("0{id:o}"));
            match as_written {
                true => read,
                false => {
                    let message = format!(
                        "{} is read as '{id}' if there is no user of this name",
                        quoted(value)
                    );
                    read.remark(FindingCode::ReadAsOther, message)
                }
            }
        }
        None => Read::nothing()
            .remark(
                FindingCode::InvalidValue,
                format!(
                    "'{keyword}' is ignored on nodes without a user called {}",
                    quoted(value)
                ),
            )
            .instead("write a number"),
    }
}

fn reservation_key(keyword: &str, value: &str) -> Read {
    if value == "file" {
        return Read::value(value);
    }
    let (key, flag) = value.split_once(':').unwrap_or((value, ""));
    let digits = key.strip_prefix('0').unwrap_or(key);
    let digits = digits.strip_prefix(['x', 'X']).unwrap_or(digits);
    let valid = (1..=16).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
    match u64::from_str_radix(digits, 16) {
        Ok(number) if valid => {
            let suffix = if flag == "aptpl" { ":aptpl" } else { "" };
            Read::value(format!("0x{number:x}{suffix}"))
        }
        _ => Read::invalid(keyword, value)
            .instead("write up to 16 hexadecimal digits, such as 0x1234, or 'file'"),
    }
}

fn uid_attrs(keyword: &str, value: &str) -> Read {
    let records = value.split(is_space).filter(|record| !record.is_empty());
    let (valid, invalid): (Vec<_>, Vec<_>) = records.partition(|record| record.contains(':'));
    let read = match valid.is_empty() {
        true => Read {
            stored: Stored::Unset,
            remarks: Vec::new(),
        },
        false => Read::value(valid.join(" ")),
    };
    match invalid.first() {
        None => read,
        Some(record) => read
            .remark(
                FindingCode::InvalidValue,
                format!("{} is no record of '{keyword}'", quoted(record)),
            )
            .instead("write for example \"sd:ID_SERIAL dasd:ID_UID\""),
    }
}
