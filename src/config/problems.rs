//! Finds what parsed, but is dangerous or has no effect.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::document::{Config, Item, Section};
use super::knobs::{SectionType, Unusable};
use super::parse::{PropertyError, accept, header_of, property_of};
use super::settings::{InvalidSetting, Setting};
use super::{DEFAULTS_ID, Value};
use crate::types::alias::Alias;
use crate::types::severity::Severity;
use crate::types::tools_version::ToolsVersion;
use crate::types::wwid;
use crate::wire::byte_string::{ByteString, is_space};

/// The kind of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ProblemCode {
    /// The ID of a LUN's section is not a WWID.
    InvalidWwid,
    /// The ID of a LUN's section is `defaults`.
    WwidDefaults,
    /// The ID of a section of type `defaults` is not `defaults`.
    DefaultsName,
    /// The file has several sections with this ID.
    DuplicateSection,
    /// An earlier LUN has the alias.
    DuplicateAlias,
    /// The alias is the WWID of another LUN.
    AliasIsWwid,
    /// The alias may be the name of another device.
    ReservedAlias,
    /// The kernel refuses the path selector.
    PathSelector,
    /// multipathd loops forever because of the number, or reads another one.
    OutOfRange,
    /// multipathd reads the value as "not set".
    Unset,
    /// The value cannot be written to a file.
    InvalidValue,
    /// This version of multipath-tools ignores the knob.
    IgnoredKnob,
    /// This version does not know the section's type.
    UnknownSection,
    /// Sections of this type do not have the property.
    UnknownProperty,
    /// An earlier line of the section sets the property.
    DuplicateProperty,
    /// The value was refused.
    RefusedValue,
    /// The line is neither the header of a section nor a property.
    StrayLine,
}

/// Something in the configuration that is dangerous, has no effect, or was not understood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// What kind of problem it is.
    pub code: ProblemCode,
    /// ID of the section, each byte as a character; none for a line outside of sections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub section: Option<String>,
    /// The property, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub property: Option<String>,
    /// What is wrong and what to do about it.
    pub message: String,
}

/// Lists what is dangerous, has no effect, or was not understood, in file order.
///
/// `version` is the installed version of multipath-tools, if it is known.
pub fn problems(config: &Config<'_>, version: Option<ToolsVersion>) -> Vec<Problem> {
    let is_lun = |section: &&Section<'_>| section.kind() == Some(SectionType::Wwid);
    let luns = config.sections().filter(is_lun);
    let mut names = Names {
        luns: luns.map(|section| section.id.as_str()).collect(),
        aliases: HashMap::new(),
    };
    let mut found = Vec::new();
    for item in &config.items {
        match item {
            Item::Lines(lines) => found.extend(line_problems(lines)),
            Item::Section(section) => section_problems(section, version, &mut names, &mut found),
        }
    }
    found
}

/// The names that maps of LUNs have.
struct Names<'c> {
    /// The IDs of all LUNs.
    luns: HashSet<&'c str>,
    /// The owners of the aliases so far.
    aliases: HashMap<String, &'c str>,
}

fn section_problems<'c>(
    section: &'c Section<'_>,
    version: Option<ToolsVersion>,
    names: &mut Names<'c>,
    found: &mut Vec<Problem>,
) {
    let mut add = |severity, (code, message), property: Option<&str>| {
        found.push(Problem {
            severity,
            code,
            section: Some(section.id.to_string()),
            property: property.map(str::to_owned),
            message,
        });
    };
    if !section.replaced.is_empty() {
        let message = format!(
            "the file has {} sections with this ID, of which only the last counts; merge them into one",
            section.replaced.len() + 1
        );
        add(
            Severity::Warning,
            (ProblemCode::DuplicateSection, message),
            None,
        );
    }
    let Some(kind) = section.kind() else { return };
    if let Some(problem) = id_problem(section.id.as_str(), kind) {
        add(Severity::Error, problem, None);
        return; // nothing of it is used
    }
    for knob in kind.knobs() {
        let value = section.get(knob.name).and_then(Value::to_text);
        let Some(value) = value.filter(|value| !value.is_empty()) else {
            continue;
        };
        if let Err(reason) = Setting::new(knob, &value) {
            let (severity, code) = classify(&reason);
            add(
                severity,
                (code, format!("'{value}': {reason}")),
                Some(knob.name),
            );
        }
        if let Some(version) = version.filter(|version| knob.is_ignored_by(*version)) {
            let message = format!("multipath-tools {version} ignores it; remove it");
            add(
                Severity::Warning,
                (ProblemCode::IgnoredKnob, message),
                Some(knob.name),
            );
        }
    }
    if kind == SectionType::Wwid {
        if let Some(problem) = names.problem(section) {
            add(Severity::Error, problem, Some("alias"));
        }
    }
    for line in &section.lines {
        let property = property_of(line.as_str());
        let problem = match property {
            Some((key, value)) => property_problem(kind, key, value),
            None => stray_line(line.as_str()),
        };
        add(Severity::Warning, problem, property.map(|(key, _)| key));
    }
}

const STAYS: &str = "it stays in the file and has no effect";

/// Text from the file, shortened for a message.
fn quoted(text: &str) -> String {
    const LONGEST: usize = 200;
    let mut quoted: String = text.trim_matches(is_space).chars().take(LONGEST).collect();
    if quoted.len() < text.trim_matches(is_space).len() {
        quoted.push_str("...");
    }
    format!("'{quoted}'")
}

fn stray_line(text: &str) -> (ProblemCode, String) {
    let message = format!(
        "{} is neither a section header ('wwid: WWID') nor an indented property; {STAYS}",
        quoted(text)
    );
    (ProblemCode::StrayLine, message)
}

/// What was not understood between two sections.
fn line_problems(lines: &[ByteString<'_>]) -> Vec<Problem> {
    let problem = |section: Option<&str>, (code, message)| Problem {
        severity: Severity::Warning,
        code,
        section: section.map(str::to_owned),
        property: None,
        message,
    };
    let lines = lines.iter().map(ByteString::as_str);
    match lines.clone().next().and_then(header_of) {
        Some((kind, id)) => {
            let message = format!(
                "this version does not know sections of type {}; {STAYS}",
                quoted(kind)
            );
            vec![problem(Some(id), (ProblemCode::UnknownSection, message))]
        }
        None => lines.map(|line| problem(None, stray_line(line))).collect(),
    }
}

/// Why a property of a section was not understood.
fn property_problem(kind: SectionType, key: &str, value: Option<&str>) -> (ProblemCode, String) {
    let shown = quoted(value.unwrap_or_default());
    match accept(kind, key, false, value.map(ByteString::from)) {
        Err(PropertyError::UnknownProperty | PropertyError::Unexpected(_)) => (
            ProblemCode::UnknownProperty,
            format!(
                "sections of type '{}' do not have it; {STAYS}",
                kind.as_str()
            ),
        ),
        Err(reason) => (
            ProblemCode::RefusedValue,
            format!("{shown}: {reason}; {STAYS}"),
        ),
        Ok(_) => (
            ProblemCode::DuplicateProperty,
            format!("{shown}: an earlier line of the section sets it already; {STAYS}"),
        ),
    }
}

fn id_problem(id: &str, kind: SectionType) -> Option<(ProblemCode, String)> {
    match kind {
        SectionType::Defaults if id == DEFAULTS_ID => None,
        SectionType::Defaults => Some((
            ProblemCode::DefaultsName,
            "it is not used, since its ID is not 'defaults'; move its lines to the section \
            'defaults: defaults'"
                .to_owned(),
        )),
        SectionType::Wwid if id == DEFAULTS_ID => Some((
            ProblemCode::WwidDefaults,
            "it would allow-list a LUN 'defaults', and it hides the global knobs; was 'defaults: \
            defaults' meant?"
                .to_owned(),
        )),
        SectionType::Wwid => wwid::check(id).err().map(|reason| {
            let message = format!("{reason}; 'multipath -v3' and 'lsblk -o NAME,WWN' show WWIDs");
            (ProblemCode::InvalidWwid, message)
        }),
    }
}

fn classify(reason: &InvalidSetting) -> (Severity, ProblemCode) {
    match reason {
        InvalidSetting::Unusable(Unusable::Unset { .. }) => (Severity::Warning, ProblemCode::Unset),
        InvalidSetting::Unusable(Unusable::Selector(_)) => {
            (Severity::Error, ProblemCode::PathSelector)
        }
        InvalidSetting::Unusable(Unusable::TooLarge { .. }) => {
            (Severity::Error, ProblemCode::OutOfRange)
        }
        InvalidSetting::Unusable(Unusable::Reserved(_)) => {
            (Severity::Error, ProblemCode::ReservedAlias)
        }
        _ => (Severity::Error, ProblemCode::InvalidValue),
    }
}

impl<'c> Names<'c> {
    /// What is wrong with an alias in view of other LUNs' names.
    fn problem(&mut self, section: &'c Section<'_>) -> Option<(ProblemCode, String)> {
        let id = section.id.as_str();
        let alias = section.get("alias")?.to_text()?;
        if Alias::new(&alias).ok()?.reserved().is_some() {
            return None; // reported already
        }
        if alias != id && self.luns.contains(alias.as_ref()) {
            let message = format!("'{alias}' is the WWID of another LUN; choose another alias");
            return Some((ProblemCode::AliasIsWwid, message));
        }
        if let Some(owner) = self.aliases.get(alias.as_ref()) {
            let message = format!(
                "alias '{alias}' is already assigned to WWID '{owner}', which comes first in the file \
                and keeps it; choose another alias"
            );
            return Some((ProblemCode::DuplicateAlias, message));
        }
        self.aliases.insert(alias.into_owned(), id);
        None
    }
}
