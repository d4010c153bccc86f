//! Sections and keywords, as multipathd takes them (libmpathutil/parser.c, `process_stream`).

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::blacklist::{FilterEntry, Origin};
use super::devices::Devices;
use super::disks::Rule;
use super::effective::{Effective, Values};
use super::expressions::Expression;
use super::finding::{self, FindingCode, Position};
use super::harm;
use super::keywords::{KEYWORDS, Keyword, Section, is_section_name};
use super::lexer::{Line, Lines, Token, TokenKind};
use super::polling::Polling;
use super::values::{self, Stored};
use crate::types::severity::Severity;
use crate::types::tools_version::ToolsVersion;
use crate::wire::byte_string::ByteString;

/// What one version of multipath-tools makes of a text.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub effective: Effective,
    pub notes: Vec<Note>,
    /// How many notes are not among them.
    pub unlisted: usize,
    /// The entries of blacklists and of their exceptions, if they were asked for.
    pub filters: Vec<FilterEntry>,
    /// Values with expressions, whatever becomes of them.
    pub expressions: Vec<Expression>,
}

/// What a text is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// What is to be said about it, perhaps with the entries of blacklists.
    Check { filters: bool },
    /// The values that it sets.
    Values,
}

/// Most errors, and most warnings, that are listed of a text.
pub(super) const MOST_NOTES: usize = 500;

/// Most keywords for which a similar one is looked up.
const MOST_SIMILAR: usize = 20;

/// A finding of one version.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Note {
    pub severity: Severity,
    pub code: FindingCode,
    pub position: Position,
    pub message: String,
    pub instead: Option<String>,
}

impl Note {
    fn new(
        severity: Severity,
        code: FindingCode,
        position: Position,
        message: impl Into<String>,
    ) -> Self {
        Self {
            severity,
            code,
            position,
            message: message.into(),
            instead: None,
        }
    }

    /// A note of something that the text is accepted with.
    pub(super) fn warning(code: FindingCode, at: Position, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, at, message)
    }

    /// A note of something that the text is refused for.
    pub(super) fn error(code: FindingCode, at: Position, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, at, message)
    }

    /// What findings are sorted by, and what makes those of several versions the same.
    pub(super) fn key(&self) -> (Position, Severity, FindingCode, String) {
        let message = self.message.clone();
        (self.position, self.severity, self.code, message)
    }

    /// With what to write or do instead.
    pub(super) fn instead(mut self, instead: impl Into<String>) -> Self {
        self.instead = Some(instead.into());
        self
    }
}

/// Reads the lines of files as this version does, one file after the other.
pub(super) fn read(files: &[&Lines<'_>], version: ToolsVersion, purpose: Purpose) -> Reading {
    let mut reader = Reader {
        version,
        purpose,
        reading: Reading::default(),
        frames: Vec::new(),
        brace_is_due: None,
        polling: Polling::default(),
        devices: Devices::default(),
        errors: 0,
        warnings: 0,
        similar: 0,
    };
    for lines in files {
        reader.file(lines);
    }
    reader.end();
    reader.reading
}

struct Reader {
    version: ToolsVersion,
    purpose: Purpose,
    reading: Reading,
    /// The sections that are open, the outermost first; never empty.
    frames: Vec<Frame>,
    /// A section's line without its brace has just gone by.
    brace_is_due: Option<Section>,
    polling: Polling,
    /// The entries of `devices` so far.
    devices: Devices,
    /// How many there were so far.
    errors: usize,
    warnings: usize,
    similar: usize,
}

/// An open section.
struct Frame {
    section: Section,
    opened: Position,
    /// What stood in it, of what may stand once only.
    seen: BTreeSet<&'static str>,
    /// What was set, of an entry.
    values: Values,
}

impl Frame {
    fn new(section: Section, opened: Position) -> Self {
        Self {
            section,
            opened,
            seen: BTreeSet::new(),
            values: Values::new(),
        }
    }
}

fn quoted(text: &[u8]) -> String {
    finding::quoted(ByteString::from_bytes(text).as_str())
}

impl Reader {
    fn section(&self) -> Section {
        self.frames
            .last()
            .map_or(Section::Top, |frame| frame.section)
    }

    /// Takes note, as long as somebody might read it.
    fn add(&mut self, severity: Severity, note: impl FnOnce() -> Note) {
        let count = match severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        *count += 1;
        if *count <= MOST_NOTES {
            self.reading.notes.push(note());
        } else {
            self.reading.unlisted += 1;
        }
    }

    fn refuse(&mut self, note: impl FnOnce() -> Note) {
        self.add(Severity::Error, note);
    }

    fn warn(&mut self, note: impl FnOnce() -> Note) {
        self.add(Severity::Warning, note);
    }

    fn line(&mut self, line: &Line<'_, '_>) {
        let Some(first) = line.tokens.first() else {
            return;
        };
        let brace_is_due = self.brace_is_due.take();
        let at = line.position(0);
        match &first.kind {
            TokenKind::Close => self.close(line),
            TokenKind::Open => {
                let message = match brace_is_due {
                    Some(_) => "this brace has to be at the end of the line above",
                    None => "a brace without a section is ignored",
                };
                self.warn(|| Note::warning(FindingCode::MissingBrace, at, message));
            }
            _ => {
                if self.is_readable(line) {
                    self.statement(line);
                }
            }
        }
    }

    /// Complains as `validate_config_strvec` does. What is unreadable is skipped.
    fn is_readable(&mut self, line: &Line<'_, '_>) -> bool {
        let tokens = &line.tokens;
        let name = tokens.first().map_or(&b""[..], Token::text);
        let inner = self.section().inner(name);
        let opens = tokens
            .get(1)
            .is_some_and(|token| token.kind == TokenKind::Open);

        if is_section_name(name) {
            match tokens.get(1) {
                None => self.missing_brace(line, inner),
                Some(_) if opens => self.nothing_after(line, 2, true),
                Some(token) => {
                    self.warn(|| {
                        let (name, found) = (quoted(name), quoted(token.text()));
                        let message = format!("'{{' has to follow {name}, not {found}");
                        Note::warning(FindingCode::MissingBrace, line.position(1), message)
                    });
                }
            }
            return true;
        }
        let Some(second) = tokens.get(1) else {
            if let Some(section) = inner {
                self.refuse(|| {
                    let name = section.name();
                    let message = format!(
                        "section '{name}' is lost: its brace has to be at the end of its line"
                    );
                    Note::error(FindingCode::MissingBrace, line.position(0), message)
                        .instead(format!("write \"{name} {{\""))
                });
                self.brace_is_due = Some(section);
                return false;
            }
            self.warn(|| {
                let message = format!("{} has no value, and is ignored", quoted(name));
                Note::warning(FindingCode::MissingValue, line.position(0), message)
            });
            return false;
        };
        if !second.is_quote() {
            self.nothing_after(line, 2, opens);
            return true;
        }
        let (third, fourth) = (tokens.get(2), tokens.get(3));
        match (third, fourth) {
            (None, _) => self.missing_quote(line),
            (Some(third), _) if third.is_quote() => self.nothing_after(line, 3, false),
            (Some(_), None) => self.missing_quote(line),
            (Some(_), Some(fourth)) if fourth.is_quote() => self.nothing_after(line, 4, false),
            (Some(_), Some(_)) => {
                let message = "this cannot be read, and the line is ignored";
                let at = line.position(3);
                self.warn(|| Note::warning(FindingCode::Unreadable, at, message));
                return false;
            }
        }
        true
    }

    fn missing_brace(&mut self, line: &Line<'_, '_>, inner: Option<Section>) {
        self.brace_is_due = inner;
        self.warn(|| {
            let name = line.tokens.first().map_or(&b""[..], Token::text);
            let name = String::from_utf8_lossy(name); // one that is known
            let message = format!("the brace of '{name}' has to be at the end of its line");
            Note::warning(FindingCode::MissingBrace, line.position(0), message)
                .instead(format!("write \"{name} {{\""))
        });
    }

    fn missing_quote(&mut self, line: &Line<'_, '_>) {
        let message = "the closing quote is missing: everything to the end of the line counts";
        self.warn(|| Note::warning(FindingCode::MissingQuote, line.position(1), message));
    }

    /// Complains about a token that is dropped, with all behind it.
    fn nothing_after(&mut self, line: &Line<'_, '_>, token: usize, brace: bool) {
        let Some(dropped) = line.tokens.get(token) else {
            return;
        };
        let at = line.position(token);
        let braces = |token: &Token<'_>| matches!(token.kind, TokenKind::Open | TokenKind::Close);
        if brace {
            let message = "text after a brace is ignored, with all that is on the line";
            self.refuse(|| {
                Note::error(FindingCode::TextAfterBrace, at, message)
                    .instead("write it on lines of its own")
            });
            return;
        }
        self.warn(|| {
            let text = quoted(dropped.text());
            let (why, instead) = match line.tokens.iter().skip(token).any(braces) {
                true => (
                    ": a brace does not count here",
                    "write it on a line of its own",
                ),
                false => ("", "a value with blanks needs double quotes"),
            };
            let message = format!("{text} is ignored, with all that follows on the line{why}");
            Note::warning(FindingCode::ExtraText, at, message).instead(instead)
        });
    }

    fn close(&mut self, line: &Line<'_, '_>) {
        let opens = line
            .tokens
            .iter()
            .any(|token| token.kind == TokenKind::Open);
        self.nothing_after(line, 1, opens);
        match self.frames.len() {
            0 | 1 => {
                let message = "unbalanced braces: no section is open that this could close";
                let at = line.position(0);
                self.refuse(|| Note::error(FindingCode::UnbalancedBraces, at, message));
            }
            _ => {
                if let Some(frame) = self.frames.pop() {
                    self.store(frame);
                }
            }
        }
    }

    fn statement(&mut self, line: &Line<'_, '_>) {
        let name = line.tokens.first().map_or(&b""[..], Token::text);
        let section = self.section();
        if let Some(inner) = section.inner(name) {
            if !inner.is_repeatable() {
                self.check_duplicate(line, inner.name());
            }
            if inner == Section::Multipaths {
                let message = "section 'multipaths' is managed via aliases";
                self.refuse(|| {
                    Note::error(FindingCode::MultipathsSection, line.position(0), message)
                        .instead("set aliases and knobs of LUNs in multipath.cfg")
                });
            }
            self.frames.push(Frame::new(inner, line.position(0)));
            return;
        }
        match Keyword::find(name, section) {
            Some(keyword) if keyword.is_known_to(self.version) => {
                if !keyword.repeatable {
                    self.check_duplicate(line, keyword.name);
                }
                self.set(line, keyword);
            }
            Some(keyword) => {
                self.warn(|| {
                    let since = keyword
                        .since
                        .map(|since| since.to_string())
                        .unwrap_or_default();
                    let message =
                        format!("'{}' is unknown before {since}, and ignored", keyword.name);
                    Note::warning(FindingCode::TooNew, line.position(0), message)
                });
            }
            None => self.unknown(line, name),
        }
    }

    /// Complains about what may stand once only.
    fn check_duplicate(&mut self, line: &Line<'_, '_>, name: &'static str) {
        let mut frame = self.frames.last_mut();
        if frame.as_mut().is_some_and(|frame| !frame.seen.insert(name)) {
            self.warn(|| {
                let message =
                    format!("'{name}' stands here for the second time: the later one wins");
                Note::warning(FindingCode::Duplicate, line.position(0), message)
            });
        }
    }

    fn unknown(&mut self, line: &Line<'_, '_>, name: &[u8]) {
        let section = self.section();
        if line
            .tokens
            .iter()
            .any(|token| token.kind == TokenKind::Open)
        {
            self.refuse(|| unknown_section(section, name, line.position(0)));
            return;
        }
        self.similar += 1;
        let with_similar = self.similar <= MOST_SIMILAR;
        self.warn(|| unknown_keyword(section, name, line.position(0), with_similar));
    }

    fn set(&mut self, line: &Line<'_, '_>, keyword: &'static Keyword) {
        let value = value_of(line);
        let value = ByteString::from_bytes(&value);
        let at = line.position(1);
        let read = values::read(
            keyword.name,
            keyword.kind_in(self.version),
            value.as_str(),
            self.version,
        );
        for remark in read.remarks {
            self.warn(|| Note {
                instead: remark.instead,
                ..Note::warning(remark.code, at, remark.message)
            });
        }
        let section = self.section();
        let harm = harm::of(section, keyword.name, &read.stored, &mut self.polling, at);
        if let Some(note) = harm {
            self.add(note.severity, || note);
        }

        if self.purpose != Purpose::Values {
            let expression = Expression::of(section, keyword.name, value.as_str(), at);
            self.reading.expressions.extend(expression);
        }

        // of entries it matters what they have
        let is_entry = !matches!(section, Section::Defaults | Section::Overrides);
        if self.purpose != Purpose::Values && !is_entry {
            return;
        }
        let name = keyword.printed.unwrap_or(keyword.name);
        let values = match section {
            Section::Blacklist | Section::Exceptions => {
                return self.filter(section, keyword.name, read.stored, at);
            }
            Section::Defaults => Some(&mut self.reading.effective.defaults),
            Section::Overrides => Some(&mut self.reading.effective.overrides),
            _ => self.frames.last_mut().map(|frame| &mut frame.values),
        };
        let Some(values) = values else { return };
        match read.stored {
            Stored::Value(value) => {
                values.insert(name.to_owned(), value);
            }
            Stored::Unset => {
                values.remove(name);
            }
            Stored::Nothing => {}
        }
    }

    fn filter(&mut self, section: Section, name: &'static str, stored: Stored, at: Position) {
        let Stored::Value(value) = stored else { return };
        match self.purpose {
            Purpose::Check { .. } => {
                let rule = match name {
                    "devnode" => Rule::Devnode(value),
                    "property" => Rule::Property(value),
                    "protocol" => Rule::Protocol(value),
                    _ => Rule::Wwid(value),
                };
                self.try_later(Origin::of(section), rule, at);
            }
            Purpose::Values => {
                let effective = &mut self.reading.effective;
                let filter = match section {
                    Section::Blacklist => &mut effective.blacklist,
                    _ => &mut effective.blacklist_exceptions,
                };
                let entries = filter.entries.entry(name.to_owned());
                entries.or_default().push(value);
            }
        }
    }

    /// Keeps an entry to see what it hits.
    fn try_later(&mut self, origin: Origin, rule: Rule, position: Position) {
        if self.purpose == (Purpose::Check { filters: true }) {
            self.reading.filters.push(FilterEntry {
                origin,
                rule,
                position,
            });
        }
    }

    /// Takes over what an entry has set.
    fn store(&mut self, frame: Frame) {
        let has = |name: &str| frame.values.contains_key(name);
        let (complete, needs) = match frame.section {
            // one without either is dropped without a word
            Section::BlacklistDevice | Section::ExceptionsDevice
                if !has("vendor") && !has("product") =>
            {
                return;
            }
            Section::BlacklistDevice | Section::ExceptionsDevice => (true, ""),
            Section::Device => (has("vendor") && has("product"), "vendor and product"),
            Section::Protocol => (has("type"), "type"),
            Section::Multipath => (has("wwid"), "wwid"),
            _ => return,
        };
        if !complete {
            let message = format!("this entry is dropped: it needs {needs}");
            self.warn(|| Note::warning(FindingCode::IncompleteEntry, frame.opened, message));
            return;
        }
        match self.purpose {
            Purpose::Check { .. } => self.check_entry(frame),
            Purpose::Values => {
                let effective = &mut self.reading.effective;
                let entries = match frame.section {
                    Section::BlacklistDevice => &mut effective.blacklist.devices,
                    Section::ExceptionsDevice => &mut effective.blacklist_exceptions.devices,
                    Section::Device => &mut effective.devices,
                    Section::Protocol => &mut effective.protocols,
                    _ => &mut effective.multipaths,
                };
                entries.push(frame.values);
            }
        }
    }

    /// Looks at what an entry has as a whole.
    fn check_entry(&mut self, frame: Frame) {
        let (mut values, at) = (frame.values, frame.opened);
        match frame.section {
            Section::BlacklistDevice | Section::ExceptionsDevice => {
                let [vendor, product] = ["vendor", "product"].map(|name| values.remove(name));
                let rule = Rule::Device { vendor, product };
                self.try_later(Origin::of(frame.section), rule, at);
            }
            Section::Device => {
                let harm = harm::of_device(&values, self.version, at);
                let is_refused = harm.iter().any(|note| note.severity == Severity::Error);
                for note in harm {
                    self.add(note.severity, || note);
                }
                let product = values.remove("product_blacklist");
                if let Some(product) = product.filter(|_| !is_refused) {
                    let rule = Rule::Device {
                        vendor: values.get("vendor").cloned(),
                        product: Some(product),
                    };
                    self.try_later(Origin::Devices, rule, at);
                }
                let key = ["vendor", "product", "revision"].map(|name| values.remove(name));
                if self.devices.add(key, at) {
                    let message = "an entry for the same devices stands above: \
                        both are joined, and the later one wins";
                    self.warn(|| Note::warning(FindingCode::Duplicate, at, message));
                }
            }
            _ => {}
        }
    }

    fn file(&mut self, lines: &Lines<'_>) {
        let start = Position { line: 1, column: 1 };
        self.frames = vec![Frame::new(Section::Top, start)];
        for line in lines.iter() {
            self.line(&line);
        }
        if let Some(frame) = self.frames.last().filter(|_| self.frames.len() > 1) {
            let name = frame.section.name();
            let message = format!("unbalanced braces: section '{name}' is not closed");
            let opened = frame.opened;
            self.refuse(|| Note::error(FindingCode::UnbalancedBraces, opened, message));
        }
        while let Some(frame) = self.frames.pop() {
            self.store(frame);
        }
    }

    fn end(&mut self) {
        let harm = self.polling.end(&mut self.reading.effective.defaults);
        self.reading.notes.extend(harm);
        self.reading.notes.extend(self.devices.check());
        if self.purpose == Purpose::Values {
            self.reading.effective.merge();
        }
    }
}

fn unknown_section(section: Section, name: &[u8], at: Position) -> Note {
    let name = quoted(name);
    if section == Section::Top {
        let message = format!("unknown top-level section {name}: its lines are lost");
        return Note::error(FindingCode::UnknownSection, at, message)
            .instead("known are defaults, blacklist, blacklist_exceptions, devices, overrides");
    }
    let outer = section.name();
    let message = format!(
        "unknown section {name}: its lines count for '{outer}', which its closing brace will end"
    );
    Note::error(FindingCode::UnknownSection, at, message).instead("check the braces above")
}

fn unknown_keyword(section: Section, name: &[u8], at: Position, with_similar: bool) -> Note {
    let shown = quoted(name);
    let place = match section {
        Section::Top => "outside of all sections".to_owned(),
        _ => format!("in section '{}'", section.name()),
    };
    let known_in = KEYWORDS
        .iter()
        .filter(|keyword| keyword.name.as_bytes() == name);
    let mut places: Vec<String> = known_in
        .flat_map(|keyword| keyword.sections)
        .map(|section| format!("'{}'", section.name()))
        .collect();
    places.dedup();
    if !places.is_empty() {
        let message = format!("{shown} is ignored {place}");
        return Note::warning(FindingCode::WrongSection, at, message)
            .instead(format!("it belongs into {}", places.join(", ")));
    }
    let similar = with_similar.then(|| similar(name, section)).flatten();
    let message = format!("{shown} is no keyword {place}, and is ignored");
    let note = Note::warning(FindingCode::UnknownKeyword, at, message);
    match similar {
        Some(similar) => note.instead(format!("was '{similar}' meant?")),
        None => note,
    }
}

/// The value on a line, as `set_value` takes it.
fn value_of<'l>(line: &Line<'l, '_>) -> Cow<'l, [u8]> {
    let token = match line.tokens.get(1) {
        Some(token) if token.is_quote() => line.tokens.get(2),
        token => token,
    };
    token.map_or(&b""[..], Token::text).into()
}

/// The keyword of a section that looks most like a name.
fn similar(name: &[u8], section: Section) -> Option<&'static str> {
    let name = std::str::from_utf8(name).ok()?;
    let candidates = KEYWORDS
        .iter()
        .filter(|keyword| keyword.sections.contains(&section));
    let distance = |keyword: &&Keyword| strsim::damerau_levenshtein(keyword.name, name);
    let closest = candidates.min_by_key(distance)?;
    (distance(&closest) <= 1 + closest.name.len() / 5).then_some(closest.name)
}
