//! The check of a text: a consumer of `events` that collects findings.

use super::blacklist::{self, BlacklistEntry, Rule, Source};
use super::built_in;
use super::complaint;
use super::devices::Devices;
use super::events::{self, Assignment, Event, EventKind};
use super::expressions::{self, ExpressionValue};
use super::finding::{Finding, FindingCode, MAX_LISTED, Position, Remark};
use super::hazards::{self, EntryValues};
use super::keywords::{ConfSection, DEVICE_KEY, Role};
use super::lexer::MAX_LINE;
use super::polling::Polling;
use super::values::{self, Stored, Syntax};
use crate::types::tools_version::ToolsVersion;
use crate::{Severity, Wwid};

/// Greatest length of a text in bytes.
pub const MAX_LEN: usize = 128 * 1024;

/// Number of unknown keywords for which a similar one is looked up.
const MAX_SIMILAR: usize = 20;

/// Finds what is wrong with a text of multipath.conf, sorted by position.
///
/// The text is checked for these versions of multipath-tools; [`VERSIONS`](super::VERSIONS) are the
/// supported ones. A finding's `versions` are empty if it applies to all of them. The entries of
/// blacklists are tried on the LUNs of `allow_list`, which may be empty, and on ordinary disks.
///
/// A text with a finding of severity [`Severity::Error`] must not be given to multipathd. At most
/// 500 errors and 500 warnings are listed in full; a last finding says how many more there are. A
/// text of [`MAX_LEN`] takes about 10 ms.
///
/// ```
/// use pve_multipath::Severity;
/// use pve_multipath::multipath_conf::{VERSIONS, check};
///
/// let text = b"defaults {\n\tpolling_interval 0\n\tno_path_retry 5 minutes\n}\n";
/// let findings: Vec<String> = check(text, &VERSIONS, &[])
///     .iter()
///     .map(|f| format!("{}:{} {}: {f}", f.position.line, f.position.column, f.severity))
///     .collect();
/// assert_eq!(findings, [
///     "2:19 error: a polling_interval of 0 crashes multipathd 0.11.1 and later; \
///      use a number of seconds, such as 5",
///     "3:18 warning: 'minutes' and the rest of the line are ignored; \
///      put a value with blanks in double quotes",
/// ]);
/// ```
pub fn check(text: &[u8], versions: &[ToolsVersion], allow_list: &[Wwid]) -> Vec<Finding> {
    let start = Position { line: 1, column: 1 };
    if text.len() > MAX_LEN {
        let message = format!(
            "the text has {} bytes; the maximum is {MAX_LEN}",
            text.len()
        );
        return vec![Remark::error(FindingCode::TooLong, message).at(start)];
    }
    let mut checker = Checker {
        versions,
        findings: Findings::default(),
        entry: EntryValues::new(),
        polling: Polling::default(),
        devices: Devices::default(),
        expressions: Vec::new(),
        rules: Vec::new(),
        unknown_keywords: 0,
        end: start,
    };
    events::read(text, |event| checker.event(event));
    checker.bytes(text);
    let mut findings = checker.findings;
    let verdict = blacklist::check(&checker.rules, allow_list);
    findings.unlisted += verdict.unlisted;
    findings.listed.extend(verdict.findings);
    findings.listed.extend(checker.polling.check());
    findings.listed.extend(checker.devices.check());
    let heavy = expressions::check(&checker.expressions);
    findings.listed.extend(heavy);
    findings.finish(versions, checker.end)
}

/// The findings so far.
#[derive(Default)]
struct Findings {
    listed: Vec<Finding>,
    errors: usize,
    warnings: usize,
    unlisted: usize,
}

impl Findings {
    /// Adds a finding for these versions, or for all if there are none here, unless there are too
    /// many of this severity.
    fn add(
        &mut self,
        severity: Severity,
        position: Position,
        versions: &[ToolsVersion],
        remark: impl FnOnce() -> Remark,
    ) {
        let count = match severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        *count += 1;
        if *count > MAX_LISTED {
            self.unlisted += 1;
            return;
        }
        let versions = versions.to_vec();
        self.listed.push(Finding {
            versions,
            ..remark().at(position)
        });
    }

    /// All findings in order. `asked` are the versions that the text is checked for.
    fn finish(self, asked: &[ToolsVersion], end: Position) -> Vec<Finding> {
        let mut found = self.listed;
        if self.unlisted > 0 {
            let message = format!("{} more findings are not listed", self.unlisted);
            let remark = Remark::warning(FindingCode::Unlisted, message);
            found.push(remark.at(Position { column: 1, ..end }));
        }
        for finding in found.iter_mut().filter(|it| it.versions.is_empty()) {
            finding.versions = asked.to_vec();
        }
        fn key(finding: &Finding) -> (Position, Severity, FindingCode, &str) {
            let message = &finding.message;
            (finding.position, finding.severity, finding.code, message)
        }
        found.sort_by(|one, other| key(one).cmp(&key(other)));
        // merge those that differ by version only
        found.dedup_by(|later, first| {
            let is_same = key(later) == key(first);
            if is_same {
                first.versions.append(&mut later.versions);
            }
            is_same
        });
        // if the text is refused anyway, it does not matter what was not tried
        let errors = found.iter().filter(|it| it.severity == Severity::Error);
        let refused_by: Vec<_> = errors.flat_map(|error| error.versions.clone()).collect();
        found.retain_mut(|finding| {
            let is_void = |version: &ToolsVersion| {
                finding.code == FindingCode::NotTried && refused_by.contains(version)
            };
            let versions = asked.iter().copied();
            let versions = versions.filter(|it| finding.versions.contains(it) && !is_void(it));
            finding.versions = versions.collect();
            let is_left = !finding.versions.is_empty();
            if finding.versions.len() == asked.len() {
                finding.versions.clear();
            }
            is_left
        });
        found
    }
}

struct Checker<'t, 'v> {
    versions: &'v [ToolsVersion],
    findings: Findings,
    /// The values of the open entry.
    entry: EntryValues<'t>,
    polling: Polling,
    devices: Devices<'t>,
    /// All values with expressions.
    expressions: Vec<ExpressionValue<'t>>,
    /// The entries of blacklists and of their exceptions.
    rules: Vec<BlacklistEntry<'t>>,
    unknown_keywords: usize,
    /// Position of the last event.
    end: Position,
}

impl<'t> Checker<'t, '_> {
    /// Adds a finding for these versions, or for all if there are none here.
    fn add(&mut self, position: Position, versions: &[ToolsVersion], remark: Remark) {
        self.findings
            .add(remark.severity, position, versions, || remark);
    }

    fn event(&mut self, event: Event<'t>) {
        let Event {
            section, position, ..
        } = event;
        self.end = self.end.max(position);
        match event.kind {
            EventKind::Start { is_repeated } => {
                self.entry.clear();
                if is_repeated {
                    self.add(position, &[], repeated(section.name()));
                }
                if section == ConfSection::Multipaths {
                    let message = "section 'multipaths' is managed via aliases";
                    let remark = Remark::error(FindingCode::MultipathsSection, message)
                        .instead("set aliases and knobs of LUNs in multipath.cfg");
                    self.add(position, &[], remark);
                }
            }
            EventKind::End => self.end_of(section, position),
            EventKind::Assignment(assignment) => self.assignment(section, position, &assignment),
            EventKind::UnknownKeyword { name } => {
                self.unknown_keywords += 1;
                let with_similar = self.unknown_keywords <= MAX_SIMILAR;
                let remark = || complaint::unknown_keyword(&name, section, with_similar);
                self.findings.add(Severity::Warning, position, &[], remark);
            }
            EventKind::Complaint(complaint) => {
                let remark = || complaint.remark();
                self.findings
                    .add(complaint.severity(), position, &[], remark);
            }
        }
    }

    fn assignment(
        &mut self,
        section: ConfSection,
        position: Position,
        assignment: &Assignment<'t>,
    ) {
        let keyword = assignment.keyword;
        if let Some(usage) = keyword.expressions {
            self.expressions.push(ExpressionValue {
                usage,
                value: assignment.text.clone(),
                position: assignment.position,
            });
        }
        if keyword.is_unchanged() {
            return self.read(section, position, assignment, keyword.syntax, &[]);
        }
        let mut readings: Vec<(Option<Syntax>, Vec<ToolsVersion>)> = Vec::new();
        for version in self.versions {
            let syntax = keyword.syntax_in(*version);
            match readings.iter_mut().find(|(other, _)| *other == syntax) {
                Some((_, versions)) => versions.push(*version),
                None => readings.push((syntax, vec![*version])),
            }
        }
        for (syntax, versions) in readings {
            match (syntax, keyword.since) {
                (Some(syntax), _) => self.read(section, position, assignment, syntax, &versions),
                (None, since) => {
                    let since = since.map(|since| since.to_string()).unwrap_or_default();
                    let message = format!(
                        "'{}' is ignored: it is unknown before {since}",
                        keyword.name
                    );
                    let remark = Remark::warning(FindingCode::TooNew, message);
                    self.add(position, &versions, remark);
                }
            }
        }
    }

    /// Checks a value as these versions read it, or all if there are none here.
    fn read(
        &mut self,
        section: ConfSection,
        position: Position,
        assignment: &Assignment<'t>,
        syntax: Syntax,
        versions: &[ToolsVersion],
    ) {
        let keyword = assignment.keyword;
        if assignment.is_repeated {
            self.add(position, versions, repeated(keyword.name));
        }
        let read = values::read(keyword.name, syntax, &assignment.text);
        let judged = match keyword.role {
            Role::None | Role::Rule(_) => None,
            Role::Judged(judge) => judge(&read.stored),
            Role::Polling(interval) => {
                self.polling
                    .set(interval, &read.stored, assignment.position)
            }
        };
        for remark in read.remark.into_iter().chain(judged) {
            self.add(assignment.position, versions, remark);
        }
        match (read.stored, keyword.role) {
            (Stored::Value(_), Role::Rule(kind)) => {
                let source = match section {
                    ConfSection::Exceptions => Source::Exceptions,
                    _ => Source::Blacklist,
                };
                let rule = Rule::new(kind, assignment.text.clone());
                self.add_rule(source, rule, assignment.position);
            }
            (Stored::Value(_), _) if section.is_entry() => {
                self.entry.insert(keyword.name, assignment.text.clone());
            }
            (Stored::Unset, _) => {
                self.entry.remove(keyword.name);
            }
            _ => {}
        }
    }

    fn add_rule(&mut self, source: Source, rule: Rule<'t>, position: Position) {
        self.rules.push(BlacklistEntry {
            source,
            rule,
            position,
        });
    }

    /// Checks an entry at its end.
    fn end_of(&mut self, section: ConfSection, position: Position) {
        let mut entry = std::mem::take(&mut self.entry);
        if !section.is_kept(|name| entry.contains_key(name)) {
            let required = section.required();
            // multipathd ignores one of a blacklist silently, and it does no harm
            if !required.is_empty() {
                let required = required.join(" and ");
                let message = format!("this entry is ignored: it needs {required}");
                let remark = Remark::warning(FindingCode::IncompleteEntry, message);
                self.add(position, &[], remark);
            }
            return;
        }
        let source = match section {
            ConfSection::Device => return self.device(entry, position),
            ConfSection::BlacklistDevice => Source::Blacklist,
            ConfSection::ExceptionsDevice => Source::Exceptions,
            _ => return,
        };
        let rule = Rule::device(entry.remove("vendor"), entry.remove("product"));
        self.add_rule(source, rule, position);
    }

    /// Checks an entry of `devices`.
    fn device(&mut self, mut entry: EntryValues<'t>, position: Position) {
        let invalid = hazards::expressions_of_device(&entry);
        let is_refused = { invalid.as_ref() }.is_some_and(|it| it.severity == Severity::Error);
        for remark in invalid
            .into_iter()
            .chain(hazards::uid_attribute_of_device(&entry))
        {
            self.add(position, &[], remark);
        }
        for remark in hazards::deprecated_features(&entry) {
            let key = DEVICE_KEY.map(|name| entry.get(name).map(|value| &**value));
            let joined = self.versions.iter().copied();
            let joined = joined.filter(|version| built_in::is_built_in(key, *version));
            let joined: Vec<_> = joined.collect();
            if !joined.is_empty() {
                self.add(position, &joined, remark);
            }
        }
        let product = entry.remove("product_blacklist");
        if product.is_some() && !is_refused {
            let rule = Rule::device(entry.get("vendor").cloned(), product);
            self.add_rule(Source::Devices, rule, position);
        }
        if self
            .devices
            .add(DEVICE_KEY.map(|name| entry.remove(name)), position)
        {
            let message = "an earlier entry is for the same devices: \
                multipathd merges them, and the later values win";
            let remark = Remark::warning(FindingCode::Duplicate, message);
            self.add(position, &[], remark);
        }
    }

    /// Checks the bytes of the text: the first problem of each kind on a line.
    fn bytes(&mut self, text: &[u8]) {
        for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
            let mut refuse = |offset, code, message: &dyn Fn() -> String| {
                let position = Position {
                    line: index + 1,
                    column: offset + 1,
                };
                let remark = || Remark::error(code, message());
                self.findings.add(Severity::Error, position, &[], remark);
            };
            if line.len() > MAX_LINE {
                refuse(MAX_LINE, FindingCode::LongLine, &|| {
                    format!(
                        "the line has {} bytes: multipathd splits lines, even comments, after \
                         {MAX_LINE}",
                        line.len()
                    )
                });
            }
            let content = line.strip_suffix(b"\r").unwrap_or(line);
            let is_control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
            if let Some(offset) = content.iter().position(is_control) {
                let message = match content.get(offset) {
                    Some(0) => "multipathd ends the line at this NUL",
                    Some(b'\r') => "multipathd ends the line at this carriage return",
                    _ => "control characters are not allowed",
                };
                refuse(offset, FindingCode::ControlCharacter, &|| {
                    message.to_owned()
                });
            }
            let chunk = line.utf8_chunks().next();
            let valid = chunk.map_or(0, |chunk| chunk.valid().len());
            if valid < line.len() {
                let message = "the text has to be UTF-8, and this is not";
                refuse(valid, FindingCode::InvalidUtf8, &|| message.to_owned());
            }
        }
    }
}

fn repeated(name: &str) -> Remark {
    let message = format!("'{name}' is repeated here: the later one wins");
    Remark::warning(FindingCode::Duplicate, message)
}
