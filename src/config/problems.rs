//! What parsed, and is of no use or dangerous.

use std::collections::BTreeMap;

use serde::Serialize;

use super::parse::{Unusable, accept, header, property_of};
use super::{Block, Config, DEFAULTS_ID, Line, Section};
use crate::config::knobs::{Effect, SectionType};
use crate::config::settings::{InvalidSetting, Setting};
use crate::types::alias::Alias;
use crate::types::severity::Severity;
use crate::types::tools_version::ToolsVersion;
use crate::types::wwid;
use crate::wire::byte_string::{ByteString, is_space};

/// What kind of problem it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ProblemCode {
    /// The ID of a LUN's section is no WWID.
    InvalidWwid,
    /// A LUN's section is called `defaults`.
    WwidDefaults,
    /// A section of type `defaults` has another name.
    DefaultsName,
    /// Sections with the same ID stood before.
    DuplicateSection,
    /// The alias stands for another LUN already.
    DuplicateAlias,
    /// The alias is the WWID of another LUN.
    AliasIsWwid,
    /// The alias would be taken for something else.
    ReservedAlias,
    /// The kernel does not have the path selector.
    PathSelector,
    /// multipathd cannot live with the number, or reads another one.
    OutOfRange,
    /// multipathd takes the value for "not set".
    Unset,
    /// The value cannot stand in multipathd's files.
    InvalidValue,
    /// This version of multipath-tools ignores the knob.
    IgnoredKnob,
    /// This version of this software does not know the section's type.
    UnknownSection,
    /// The section's type does not have the property.
    UnknownProperty,
    /// The property is set by an earlier line of the section.
    DuplicateProperty,
    /// The property's value was refused.
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
    /// ID of the section, as bytes are characters; none for a line outside of sections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub section: Option<String>,
    /// The property, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub property: Option<String>,
    /// What is wrong and what to do, in a sentence.
    pub message: String,
}

/// Lists what is dangerous, has no effect, or was not understood, by its place in the file.
///
/// `version` is the installed version of multipath-tools, if it is known.
pub fn problems(config: &Config<'_>, version: Option<ToolsVersion>) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut aliases: BTreeMap<String, String> = BTreeMap::new();
    let mut blocks = config.kept.blocks.iter().peekable();

    for (position, id, section) in config.placed() {
        while let Some(block) = blocks.next_if(|block| block.is_before(position)) {
            found.extend(block_problems(block));
        }
        let id = id.as_str();
        let mut add = |severity, code, property: Option<&str>, message: String| {
            found.push(Problem {
                severity,
                code,
                section: Some(id.to_owned()),
                property: property.map(str::to_owned),
                message,
            });
        };
        if let Some(count) = config.kept.replaced.get(id) {
            let message = format!(
                "the file has {} sections with this ID, of which only the last counts; \
                merge them into one",
                count.saturating_add(1)
            );
            add(
                Severity::Warning,
                ProblemCode::DuplicateSection,
                None,
                message,
            );
        }
        let Some(kind) = section.kind() else { continue };
        if let Some((code, message)) = id_problem(id, kind) {
            add(Severity::Error, code, None, message);
            continue; // nothing of it is used
        }
        for (property, value) in values(section, kind) {
            if let Err(reason) = Setting::new(property, &value) {
                let (severity, code) = classify(&reason);
                add(
                    severity,
                    code,
                    Some(property.name),
                    format!("'{value}': {reason}"),
                );
            }
            if let Some(version) = version.filter(|version| property.is_ignored_by(*version)) {
                let message = format!("multipath-tools {version} ignores it; remove it");
                add(
                    Severity::Warning,
                    ProblemCode::IgnoredKnob,
                    Some(property.name),
                    message,
                );
            }
        }
        if kind == SectionType::Wwid {
            if let Some((code, message)) = alias_problem(config, id, section, &mut aliases) {
                add(Severity::Error, code, Some("alias"), message);
            }
        }
        for line in config.kept.lines.get(id).into_iter().flatten() {
            let property = line.key.as_ref().map(ByteString::as_str);
            let (code, message) = line_problem(kind, line);
            add(Severity::Warning, code, property, message);
        }
    }
    found.extend(blocks.flat_map(block_problems));
    found
}

const STAYS: &str = "it stays in the file and has no effect";

/// Text from the file, cut to a length that fits into a message.
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
        "{} is neither the header of a section ('wwid: WWID') nor an indented property; {STAYS}",
        quoted(text)
    );
    (ProblemCode::StrayLine, message)
}

/// What was not understood between two sections.
fn block_problems(block: &Block<'_>) -> Vec<Problem> {
    let problem = |section, (code, message)| Problem {
        severity: Severity::Warning,
        code,
        section,
        property: None,
        message,
    };
    let first = block.lines.first().map(ByteString::to_bytes);
    match first.flatten().as_deref().and_then(header) {
        Some((kind, id)) => {
            let text = |bytes| ByteString::from_bytes(bytes).into_str().into_owned();
            let message = format!(
                "this version does not know sections of type {}; {STAYS}",
                quoted(&text(kind))
            );
            vec![problem(
                Some(text(id)),
                (ProblemCode::UnknownSection, message),
            )]
        }
        None => {
            let lines = block.lines.iter();
            lines
                .map(|line| problem(None, stray_line(line.as_str())))
                .collect()
        }
    }
}

/// Why a line of a section was not understood.
fn line_problem(kind: SectionType, line: &Line<'_>) -> (ProblemCode, String) {
    let Some((key, value)) = property_of(line.text.as_str()) else {
        return stray_line(line.text.as_str());
    };
    let shown = value
        .as_ref()
        .map_or("''".to_owned(), |value| quoted(value.as_str()));
    match accept(kind, key, false, value) {
        Err(Unusable::UnknownProperty | Unusable::Unexpected(_)) => (
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
            "nothing reads it, since it is not called 'defaults'; move its lines to the section \
            'defaults: defaults'"
                .to_owned(),
        )),
        SectionType::Wwid if id == DEFAULTS_ID => Some((
            ProblemCode::WwidDefaults,
            "it allow-lists a LUN called 'defaults', and hides the global knobs; was 'defaults: \
            defaults' meant?"
                .to_owned(),
        )),
        SectionType::Wwid => wwid::check(id).err().map(|reason| {
            let message = format!("{reason}; 'multipath -v3' and 'lsblk -o NAME,WWN' show WWIDs");
            (ProblemCode::InvalidWwid, message)
        }),
    }
}

fn values(
    section: &Section<'_>,
    kind: SectionType,
) -> impl Iterator<Item = (&'static crate::config::knobs::Knob, String)> {
    kind.knobs().filter_map(|knob| {
        let value = section.get(knob.name)?.to_text()?;
        (!value.is_empty()).then(|| (knob, value.into_owned()))
    })
}

fn classify(reason: &InvalidSetting) -> (Severity, ProblemCode) {
    match reason {
        InvalidSetting::Effect(Effect::Unset { .. }) => (Severity::Warning, ProblemCode::Unset),
        InvalidSetting::Effect(Effect::Selector(_)) => (Severity::Error, ProblemCode::PathSelector),
        InvalidSetting::Effect(Effect::TooLarge { .. }) => {
            (Severity::Error, ProblemCode::OutOfRange)
        }
        InvalidSetting::Effect(Effect::Reserved(_)) => {
            (Severity::Error, ProblemCode::ReservedAlias)
        }
        _ => (Severity::Error, ProblemCode::InvalidValue),
    }
}

/// What is wrong with an alias beside others. `given` has the WWIDs by the aliases so far.
fn alias_problem(
    config: &Config<'_>,
    id: &str,
    section: &Section<'_>,
    given: &mut BTreeMap<String, String>,
) -> Option<(ProblemCode, String)> {
    let alias = section.get("alias")?.to_text()?;
    if Alias::new(&alias).ok()?.reserved().is_some() {
        return None; // is told of already
    }
    if let Some(other) = lun_called(config, id, &alias) {
        let message =
            format!("'{alias}' is the WWID of another LUN, '{other}'; choose another alias");
        return Some((ProblemCode::AliasIsWwid, message));
    }
    if let Some(owner) = given.get(alias.as_ref()) {
        let message = format!(
            "alias '{alias}' is already assigned to WWID '{owner}', which stands first and keeps \
            it; choose another alias"
        );
        return Some((ProblemCode::DuplicateAlias, message));
    }
    given.insert(alias.into_owned(), id.to_owned());
    None
}

/// The ID of a LUN other than `id` whose WWID is this alias.
pub(super) fn lun_called<'c>(config: &'c Config<'_>, id: &str, alias: &str) -> Option<&'c str> {
    let (other, section) = config.ids.get_key_value(alias)?;
    let is_lun = section.kind() == Some(SectionType::Wwid) && other.as_str() != id;
    is_lun.then_some(other.as_str())
}
