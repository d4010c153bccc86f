//! How multipathd reads the value of a keyword (libmultipath/dict.c).

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::finding::{FindingCode, Remark, quoted};
use super::regex;

/// Values by keyword, as multipathd prints them, without quotes.
pub type Attributes = BTreeMap<String, String>;

/// How multipathd reads a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syntax {
    /// A number in a range; one outside is replaced by the limit.
    Int {
        min: i64,
        max: i64,
        zero: Zero,
    },
    /// A number without a sign.
    Unsigned,
    /// `yes`, `no`, `1`, `0`
    YesNo,
    /// Any text.
    Text,
    /// A text without a slash.
    NoSlash,
    /// An absolute path.
    Path,
    /// Words, of which the one at this index is the count of the following ones.
    Words {
        count: usize,
        example: &'static str,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    FindMultipaths,
    MarginalPathgroups {
        /// Whether `fpin` is valid.
        fpin: bool,
    },
    FlushOnLastDel,
    /// A text that begins with one of these words; the first one counts.
    GroupingPolicy(&'static [&'static str]),
    Failback,
    NoPathRetry,
    /// `no` or a number.
    NoOrNumber,
    /// `off`, `0` or a number.
    OffOrNumber {
        max: i64,
    },
    DevLoss,
    MaxFds,
    Mode,
    Owner,
    ReservationKey,
    UidAttrs,
    VpdVendor,
    /// An extended regular expression, perhaps inverted by a leading `!`.
    Regex,
    /// Ignored silently.
    Silent,
    /// Ignored with a warning.
    Ignored,
}

/// What 0 means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Zero {
    /// The number 0.
    Number,
    /// The keyword is not set.
    Unset,
}

/// The limits of C's `int`.
pub(super) const INT_MIN: i64 = i32::MIN as i64;
pub(super) const INT_MAX: i64 = i32::MAX as i64;

/// A value as multipathd reads it.
#[derive(Debug, PartialEq)]
pub(super) struct ReadValue<'v> {
    pub stored: Stored<'v>,
    pub remark: Option<Remark>,
}

/// What multipathd stores.
#[derive(Debug, PartialEq)]
pub(super) enum Stored<'v> {
    /// This value, as multipathd prints it.
    Value(Cow<'v, str>),
    /// The keyword is as if it had never been set.
    Unset,
    /// Nothing: an earlier value stays.
    Nothing,
}

impl Stored<'_> {
    /// The value, if there is one.
    pub(super) fn value(&self) -> Option<&str> {
        match self {
            Self::Value(value) => Some(value),
            _ => None,
        }
    }
}

impl<'v> ReadValue<'v> {
    fn value(value: impl Into<Cow<'v, str>>) -> Self {
        Self::silent(Stored::Value(value.into()))
    }

    fn nothing() -> Self {
        Self::silent(Stored::Nothing)
    }

    fn unset() -> Self {
        Self::silent(Stored::Unset)
    }

    fn silent(stored: Stored<'v>) -> Self {
        Self {
            stored,
            remark: None,
        }
    }

    fn warn(mut self, code: FindingCode, message: impl Into<String>) -> Self {
        self.remark = Some(Remark::warning(code, message));
        self
    }

    fn instead(mut self, instead: impl Into<String>) -> Self {
        self.remark = self.remark.map(|remark| remark.instead(instead));
        self
    }

    fn invalid(keyword: &str, value: &str) -> Self {
        let message = format!(
            "{} is not a valid value for '{keyword}' and is ignored",
            quoted(value)
        );
        Self::nothing().warn(FindingCode::InvalidValue, message)
    }

    /// Adds that it is not what is written.
    fn read_as(self, written: &str, meaning: &str) -> Self {
        let message = format!("{} is read as '{meaning}'", quoted(written));
        self.warn(FindingCode::ReadAsOther, message)
    }

    fn read_unless(self, as_written: bool, written: &str) -> Self {
        let stored = self.stored.value().map(str::to_owned);
        match stored.filter(|_| !as_written) {
            Some(stored) => self.read_as(written, &stored),
            None => self,
        }
    }
}

/// Reads the value of a keyword.
pub(super) fn read<'v>(keyword: &str, syntax: Syntax, value: &'v str) -> ReadValue<'v> {
    let invalid = |instead: &str| ReadValue::invalid(keyword, value).instead(instead);
    let known = |words: &[&str]| invalid(&format!("valid values are {}", words.join(", ")));
    match (syntax, value) {
        (Syntax::Int { min, max, zero }, _) => int(keyword, value, min, max, zero),
        (Syntax::Unsigned, _) => unsigned(keyword, value),
        (Syntax::YesNo, "yes" | "1") => ReadValue::value("yes"),
        (Syntax::YesNo, "no" | "0") => ReadValue::value("no"),
        (Syntax::YesNo, _) => invalid("use yes or no"),
        (Syntax::Text, _) => ReadValue::value(value),
        (Syntax::NoSlash, _) if value.contains('/') => ReadValue::nothing().warn(
            FindingCode::InvalidValue,
            format!("'{keyword}' must not contain a slash, and this value is ignored"),
        ),
        (Syntax::NoSlash, _) => ReadValue::value(value),
        (Syntax::Path, _) => {
            let read = match value.starts_with('/') {
                true => ReadValue::value(value),
                false => ReadValue::nothing(),
            };
            let message = format!("'{keyword}' is ignored by newer versions; remove it");
            read.warn(FindingCode::Deprecated, message)
        }
        (Syntax::Words { count, example }, _) => words(keyword, value, count, example),
        (Syntax::Choice(choice), _) if choice.contains(&value) => ReadValue::value(value),
        (Syntax::Choice(choice), _) => known(choice),
        (Syntax::FindMultipaths | Syntax::MarginalPathgroups { .. }, "off" | "no" | "0") => {
            ReadValue::value("off")
        }
        (Syntax::FindMultipaths | Syntax::MarginalPathgroups { .. }, "on" | "yes" | "1") => {
            ReadValue::value("on")
        }
        (Syntax::FindMultipaths, "strict" | "greedy" | "smart") => ReadValue::value(value),
        (Syntax::FindMultipaths, _) => known(&["strict", "greedy", "smart", "yes", "no"]),
        (Syntax::MarginalPathgroups { fpin: true }, "fpin") => ReadValue::value("fpin"),
        (Syntax::MarginalPathgroups { .. }, _) => known(&["on", "off", "fpin"]),
        (Syntax::FlushOnLastDel, "never" | "always" | "unused") => ReadValue::value(value),
        (Syntax::FlushOnLastDel, "no" | "0") => deprecated_flush(value, "unused"),
        (Syntax::FlushOnLastDel, "yes" | "1") => deprecated_flush(value, "always"),
        (Syntax::FlushOnLastDel, _) => known(&["never", "always", "unused"]),
        (Syntax::GroupingPolicy(policies), _) => {
            // multipathd compares only the length of the word
            match policies.iter().find(|policy| value.starts_with(*policy)) {
                Some(policy) if *policy == value => ReadValue::value(value),
                Some(policy) => ReadValue::value(*policy)
                    .read_as(value, policy)
                    .instead(format!("write {policy}")),
                None => known(policies),
            }
        }
        (Syntax::Failback, "manual" | "immediate" | "followover") => ReadValue::value(value),
        (Syntax::Failback, _) => {
            let read = int(keyword, value, 0, INT_MAX, Zero::Unset);
            match &read.remark {
                Some(remark) if remark.code == FindingCode::ReadAsOther => {
                    read.instead("use 'immediate' to fail back at once")
                }
                _ => read,
            }
        }
        (Syntax::NoPathRetry, "fail" | "0") => ReadValue::value("fail"),
        (Syntax::NoPathRetry, "queue") => ReadValue::value(value),
        (Syntax::NoOrNumber, "no" | "0") => ReadValue::value("no"),
        (Syntax::NoPathRetry | Syntax::NoOrNumber, _) => {
            int(keyword, value, 1, INT_MAX, Zero::Number)
        }
        (Syntax::OffOrNumber { .. }, "off" | "0") => ReadValue::value(value),
        (Syntax::OffOrNumber { max }, _) => int(keyword, value, 1, max, Zero::Number),
        (Syntax::DevLoss, _) => dev_loss(keyword, value),
        (Syntax::MaxFds, _) => max_fds(keyword, value),
        (Syntax::Mode, _) => mode(keyword, value),
        (Syntax::Owner, _) => owner(keyword, value),
        (Syntax::ReservationKey, _) => reservation_key(keyword, value),
        (Syntax::UidAttrs, _) => uid_attrs(keyword, value),
        (Syntax::VpdVendor, "hp3par") => ReadValue::value(value),
        (Syntax::VpdVendor, "undef") => ReadValue::unset(),
        (Syntax::VpdVendor, _) => invalid("the only valid value is hp3par"),
        (Syntax::Regex, _) => match regex::check(value) {
            Ok(()) => ReadValue::value(value),
            Err(reason) => ReadValue::nothing().warn(
                FindingCode::InvalidValue,
                format!(
                    "{} is not a valid extended regular expression and is ignored: {reason}",
                    quoted(value)
                ),
            ),
        },
        (Syntax::Silent, _) => ReadValue::nothing(),
        (Syntax::Ignored, _) => ReadValue::nothing().warn(
            FindingCode::Ignored,
            format!("'{keyword}' is ignored; remove it"),
        ),
    }
}

/// White space as in C's `isspace`.
fn is_space(c: char) -> bool {
    crate::wire::byte_string::is_space(c)
}

/// The number at the start of a text, as C's `strtol` reads it in base 10, and the rest.
fn leading_number(text: &str) -> Option<(i64, &str)> {
    let (negative, number, rest) = digits(text, 10)?;
    let limit = if negative { i64::MIN } else { i64::MAX };
    let magnitude: Option<i64> = number.parse().ok();
    let signed = magnitude.map(|magnitude| if negative { -magnitude } else { magnitude });
    Some((signed.unwrap_or(limit), rest))
}

/// Whether the text starts with a negative number, after white space; its digits; and the rest.
fn digits(text: &str, radix: u32) -> Option<(bool, &str, &str)> {
    let trimmed = text.trim_start_matches(is_space);
    let digits = trimmed.strip_prefix(['+', '-']).unwrap_or(trimmed);
    let end = digits.find(|c: char| !c.is_digit(radix));
    let (number, rest) = digits.split_at(end.unwrap_or(digits.len()));
    (!number.is_empty()).then(|| (trimmed.starts_with('-'), number, rest))
}

fn int<'v>(keyword: &str, value: &'v str, min: i64, max: i64, zero: Zero) -> ReadValue<'v> {
    let Some((number, rest)) = leading_number(value) else {
        return ReadValue::invalid(keyword, value).instead("use a number");
    };
    if !rest.chars().all(is_space) {
        return ReadValue::invalid(keyword, value).instead("use a number with nothing after it");
    }
    let stored = number.clamp(min, max);
    let is_unset = stored == 0 && zero == Zero::Unset;
    let read = match is_unset {
        true => ReadValue::unset(),
        false => ReadValue::value(stored.to_string()),
    };
    if stored != number {
        let which = if number > max { "large" } else { "small" };
        let message = format!(
            "{} is too {which} for '{keyword}': multipathd takes {stored} instead",
            quoted(value)
        );
        return read.warn(FindingCode::Capped, message);
    }
    match is_unset {
        true => {
            let message = format!("for '{keyword}', 0 means 'not set'");
            read.warn(FindingCode::ReadAsOther, message)
        }
        false => read,
    }
}

/// The kernel's default of `fs.nr_open`, the most files that a process can open.
const NR_OPEN: i64 = 1_048_576;

fn max_fds<'v>(keyword: &str, value: &'v str) -> ReadValue<'v> {
    if value == "max" {
        return ReadValue::value(value);
    }
    let read = int(keyword, value, 0, NR_OPEN, Zero::Unset);
    if read.stored.value() != Some("1048576") {
        return read;
    }
    let stored = ReadValue::value("max"); // as multipathd prints it
    match read.remark {
        None => stored,
        Some(_) => {
            let message = format!(
                "{} is more than fs.nr_open ({NR_OPEN} unless it was raised), which multipathd \
                 takes instead",
                quoted(value)
            );
            stored.warn(FindingCode::Capped, message)
        }
    }
}

fn unsigned<'v>(keyword: &str, value: &'v str) -> ReadValue<'v> {
    let trimmed = value.trim_matches(is_space);
    let digits = !trimmed.is_empty() && trimmed.bytes().all(|b| b.is_ascii_digit());
    match trimmed.parse::<u32>() {
        Ok(number) if digits => ReadValue::value(number.to_string()),
        _ => ReadValue::invalid(keyword, value).instead("use a number of seconds"),
    }
}

fn words<'v>(keyword: &str, value: &'v str, count_at: usize, example: &str) -> ReadValue<'v> {
    let is_blank = |c: char| matches!(c, ' ' | '\t' | '\u{b}' | '\u{c}' | '\r');
    let words = value.split(is_blank).filter(|word| !word.is_empty());
    let mut behind = words.skip(count_at);
    // strtol's overflow counts as no number
    let announced = match behind.next().and_then(leading_number) {
        Some((number, "")) if (0..i64::MAX).contains(&number) => Some(number),
        _ => None,
    };
    let given = behind.count();
    let problem = match announced {
        None => "does not say how many arguments it has".to_owned(),
        Some(announced) if usize::try_from(announced) == Ok(given) => {
            return ReadValue::value(value);
        }
        Some(announced) => format!("announces {announced} arguments and has {given}"),
    };
    let message = format!("{} {problem}, so '{keyword}' is ignored", quoted(value));
    ReadValue::nothing()
        .warn(FindingCode::InvalidValue, message)
        .instead(format!("use for example \"{example}\", in quotes"))
}

fn deprecated_flush(value: &str, meaning: &'static str) -> ReadValue<'static> {
    let message = format!("{} is deprecated and read as '{meaning}'", quoted(value));
    ReadValue::value(meaning)
        .warn(FindingCode::Deprecated, message)
        .instead("multipath-tools before 0.9.9 has only yes and no")
}

/// The number at the start of a text, as C's `sscanf` reads it into 32 bits, and whether the text
/// is just that number.
fn scanned(text: &str, radix: u32) -> Option<(u32, bool)> {
    let (negative, number, rest) = digits(text, radix)?;
    let wide = u64::from_str_radix(number, radix).unwrap_or(u64::MAX);
    let wide = match negative {
        true if wide != u64::MAX => wide.wrapping_neg(),
        _ => wide,
    };
    #[expect(clippy::cast_possible_truncation, reason = "as C does")]
    let number = wide as u32;
    let as_written = !negative && rest.is_empty() && !text.starts_with(is_space);
    Some((number, as_written && wide == u64::from(number)))
}

fn dev_loss<'v>(keyword: &str, value: &'v str) -> ReadValue<'v> {
    let (number, as_written) = match scanned(value, 10) {
        _ if value == "infinity" => return ReadValue::value(value),
        None => {
            return ReadValue::invalid(keyword, value).instead("use a number or 'infinity'");
        }
        Some(scanned) => scanned,
    };
    match number {
        0 => ReadValue::unset().read_as(value, "not set"),
        u32::MAX => ReadValue::value("infinity").read_unless(as_written, value),
        _ => ReadValue::value(number.to_string()).read_unless(as_written, value),
    }
}

fn mode<'v>(keyword: &str, value: &'v str) -> ReadValue<'v> {
    match scanned(value, 8) {
        Some((mode, as_written)) if mode <= 0o777 => {
            ReadValue::value(format!("0{mode:o}")).read_unless(as_written, value)
        }
        _ => ReadValue::invalid(keyword, value).instead("use for example 0660"),
    }
}

fn owner<'v>(keyword: &str, value: &'v str) -> ReadValue<'v> {
    match scanned(value, 10) {
        Some((id, true)) => ReadValue::value(format!("0{id:o}")),
        Some((id, false)) => ReadValue::value(format!("0{id:o}")).warn(
            FindingCode::ReadAsOther,
            format!(
                "{} is read as '{id}' on nodes without a user of that name",
                quoted(value)
            ),
        ),
        None => ReadValue::nothing()
            .warn(
                FindingCode::InvalidValue,
                format!(
                    "'{keyword}' is ignored on nodes without a user called {}",
                    quoted(value)
                ),
            )
            .instead("use a number"),
    }
}

fn reservation_key<'v>(keyword: &str, value: &'v str) -> ReadValue<'v> {
    if value == "file" {
        return ReadValue::value(value);
    }
    let (key, flag) = value.split_once(':').unwrap_or((value, ""));
    let digits = key.strip_prefix('0').unwrap_or(key);
    let digits = digits.strip_prefix(['x', 'X']).unwrap_or(digits);
    let valid = (1..=16).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
    match u64::from_str_radix(digits, 16) {
        Ok(number) if valid => {
            let suffix = if flag == "aptpl" { ":aptpl" } else { "" };
            ReadValue::value(format!("0x{number:x}{suffix}"))
        }
        _ => ReadValue::invalid(keyword, value)
            .instead("use up to 16 hexadecimal digits, such as 0x1234, or 'file'"),
    }
}

fn uid_attrs<'v>(keyword: &str, value: &'v str) -> ReadValue<'v> {
    let records = value.split(is_space).filter(|record| !record.is_empty());
    let (valid, invalid): (Vec<_>, Vec<_>) = records.partition(|record| record.contains(':'));
    let read = match valid.is_empty() {
        true => ReadValue::unset(),
        false => ReadValue::value(valid.join(" ")),
    };
    match invalid.first() {
        None => read,
        Some(record) => {
            let message = format!("{} is not a valid record for '{keyword}'", quoted(record));
            read.warn(FindingCode::InvalidValue, message)
                .instead("use for example \"sd:ID_SERIAL dasd:ID_UID\"")
        }
    }
}
