//! How findings relate to what multipath complains about.

use pve_multipath::multipath_conf::FindingCode;

/// Findings that are allowed where multipath does not complain.
pub(crate) const WITHOUT_COMPLAINT: [FindingCode; 15] = [
    FindingCode::MultipathsSection,
    FindingCode::KernelRefuses,
    FindingCode::HeavyExpression,
    FindingCode::PollingInterval,
    FindingCode::ControlCharacter,
    FindingCode::LongLine,
    FindingCode::InvalidUtf8,
    FindingCode::NotAscii,
    FindingCode::ReadAsOther,
    FindingCode::UndoesBaseline,
    FindingCode::UnknownName,
    FindingCode::NeverMatches,
    FindingCode::Blacklisted,
    FindingCode::NotTried,
    FindingCode::TooManyEntries,
];

/// Errors that are allowed where multipath does not complain.
pub(crate) const ERRORS_WITHOUT_COMPLAINT: [FindingCode; 8] = [
    FindingCode::MultipathsSection,
    FindingCode::KernelRefuses,
    FindingCode::HeavyExpression,
    FindingCode::PollingInterval,
    FindingCode::ControlCharacter,
    FindingCode::LongLine,
    FindingCode::InvalidUtf8,
    FindingCode::TooManyEntries,
];

/// The line number in a complaint.
pub(crate) fn line_of(complaint: &str) -> Option<usize> {
    let (_, after) = complaint.split_once("line ")?;
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}
