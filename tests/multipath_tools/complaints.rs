//! What multipath complains about, beside what the check of overrides finds.

use pve_multipath::multipath_conf::FindingCode;

/// May be found where multipath is silent.
pub(crate) const IN_SILENCE: [FindingCode; 15] = [
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

/// May refuse what multipath takes in silence.
pub(crate) const REFUSES_IN_SILENCE: [FindingCode; 8] = [
    FindingCode::MultipathsSection,
    FindingCode::KernelRefuses,
    FindingCode::HeavyExpression,
    FindingCode::PollingInterval,
    FindingCode::ControlCharacter,
    FindingCode::LongLine,
    FindingCode::InvalidUtf8,
    FindingCode::TooManyEntries,
];

/// The line that a complaint is about, if it says so.
pub(crate) fn line_of(complaint: &str) -> Option<usize> {
    let (_, after) = complaint.split_once("line ")?;
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}
