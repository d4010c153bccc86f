//! An administrator's own multipath.conf as configuration of the cluster.
//!
//! What has a knob becomes a setting, everything else a text for the cluster's overrides. Both are made
//! from the values as multipathd stores them, so that the drop-ins set the same values as the files.
//! Comments, and what multipathd ignores, are not carried over.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use thiserror::Error;

use super::conf_values::{Filter, effective};
use super::render::{RenderError, quote};
use super::values::Attributes;
use crate::Wwid;
use crate::config::knobs::{KNOBS, SectionType};
use crate::config::settings::{InvalidSetting, Setting, Settings};
use crate::types::tools_version::ToolsVersion;
use crate::types::wwid::InvalidWwid;
use crate::wire::byte_string::ByteString;

/// A configuration of the cluster that sets what a node's files set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Import {
    /// The global knobs.
    pub defaults: Settings,
    /// The LUNs that have an entry in `multipaths`, with their aliases and knobs.
    pub luns: BTreeMap<Wwid, Settings>,
    /// What has no knob, for the cluster's overrides; empty if there is nothing.
    pub overrides: Vec<u8>,
    /// What is in neither of these.
    pub left_out: Vec<LeftOut>,
}

/// A value that cannot be in the cluster's configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The section, such as `defaults`, `device` or `multipath`.
    pub section: &'static str,
    /// What the entry is for: of `multipath`, its `wwid`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wwid: Option<String>,
    /// multipathd's keyword.
    pub keyword: String,
    /// The value as multipathd prints it.
    pub value: String,
    /// Why it is left out, in a sentence.
    #[serde(serialize_with = "as_text")]
    pub why: Why,
}

/// Why a value is left out.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Why {
    /// The value of this keyword is the same in every cluster, see [`Knob::managed`](crate::config::knobs::Knob::managed).
    #[error("only allow-listed LUNs get maps, and these have the same name on all nodes")]
    Managed,
    /// LUNs have no such knob.
    #[error("LUNs have no such knob: it is in effect only while the old file is kept")]
    NoKnob,
    /// The knob cannot have the value.
    #[error(transparent)]
    Value(#[from] InvalidSetting),
    /// The entry is for something that is not a WWID.
    #[error(transparent)]
    Wwid(#[from] InvalidWwid),
    /// The value cannot be written.
    #[error(transparent)]
    Render(#[from] RenderError),
}

fn as_text<S: Serializer>(why: &Why, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(why)
}

/// Keywords that are not carried over, whatever the section.
const MANAGED: [&str; 2] = ["find_multipaths", "user_friendly_names"];

/// Makes a configuration of the cluster from a node's files, given their texts in the order in which
/// multipathd reads them, without the managed drop-ins.
///
/// `version` is the node's version of multipath-tools: what it ignores is not carried over. The overrides
/// have to pass [`check`](super::check()) like any other text.
pub fn import(texts: &[&[u8]], version: ToolsVersion) -> Import {
    let values = effective(texts, version);
    let mut import = Import::default();
    import.defaults(values.defaults);
    import.section("blacklist", |text| text.filter(values.blacklist));
    import.section("blacklist_exceptions", |text| {
        text.filter(values.blacklist_exceptions)
    });
    import.section("devices", |text| text.entries("device", values.devices));
    import.section("overrides", |text| {
        text.values("overrides", values.overrides);
        text.entries("protocol", values.protocols);
    });
    for entry in values.multipaths {
        import.lun(entry);
    }
    import
}

impl Import {
    fn lun(&mut self, mut entry: Attributes) {
        let id = entry.remove("wwid").unwrap_or_default();
        let mut settings = Settings::default();
        let wwid = Wwid::new(&id);
        for (keyword, value) in entry {
            let why = match (&wwid, setting(SectionType::Wwid, &keyword, &value)) {
                (Err(err), _) => err.clone().into(),
                (Ok(_), Ok(setting)) => {
                    settings.extend([setting]);
                    continue;
                }
                (Ok(_), Err(why)) => why,
            };
            self.leave_out("multipath", Some(&id), keyword, value, why);
        }
        if let Ok(wwid) = wwid {
            self.luns.insert(wwid, settings);
        }
    }

    /// What no knob can have may be among the overrides as well.
    fn defaults(&mut self, values: Attributes) {
        let mut others = Attributes::new();
        for (keyword, value) in values {
            match setting(SectionType::Defaults, &keyword, &value) {
                Ok(setting) => self.defaults.extend([setting]),
                Err(_) => {
                    others.insert(keyword, value);
                }
            }
        }
        // multipathd's own choice is four times the usual interval
        let usual = self
            .defaults
            .get("polling-interval")
            .and_then(Setting::number);
        let derived = usual.map(|usual| (4 * usual).to_string());
        if others.get("max_polling_interval") == derived.as_ref() {
            others.remove("max_polling_interval");
        }
        self.section("defaults", |text| text.values("defaults", others));
    }

    fn leave_out(
        &mut self,
        section: &'static str,
        wwid: Option<&str>,
        keyword: String,
        value: String,
        why: Why,
    ) {
        // the managed value is no loss
        let managed = KNOBS
            .iter()
            .find(|knob| knob.keyword == Some(&keyword))
            .and_then(|knob| knob.managed);
        if why != Why::Managed || managed != Some(&value) {
            let wwid = wwid.map(str::to_owned);
            self.left_out.push(LeftOut {
                section,
                wwid,
                keyword,
                value,
                why,
            });
        }
    }

    /// Writes a section of the overrides, if there is anything in it.
    fn section(&mut self, name: &str, write: impl FnOnce(&mut Text<'_>)) {
        let mut text = Text {
            import: self,
            lines: Vec::new(),
            indent: "\t",
        };
        write(&mut text);
        let lines = text.lines;
        if !lines.is_empty() {
            self.overrides
                .extend([name.as_bytes(), b" {\n", &lines, b"}\n"].concat());
        }
    }
}

/// The setting of the knob with this keyword.
fn setting(section: SectionType, keyword: &str, value: &str) -> Result<Setting, Why> {
    if MANAGED.contains(&keyword) {
        return Err(Why::Managed);
    }
    let knob = section
        .knobs()
        .find(|knob| knob.keyword == Some(keyword))
        .ok_or(Why::NoKnob)?;
    Ok(Setting::new(knob, value)?)
}

/// A value as multipathd reads it. It prints owners in octal, and reads them as decimal numbers.
fn as_read<'v>(keyword: &str, value: &'v str) -> Cow<'v, str> {
    let number = match keyword {
        "uid" | "gid" => u32::from_str_radix(value, 8).ok(),
        _ => None,
    };
    number.map_or(Cow::Borrowed(value), |number| {
        Cow::Owned(number.to_string())
    })
}

/// A section of the overrides.
struct Text<'i> {
    import: &'i mut Import,
    lines: Vec<u8>,
    indent: &'static str,
}

impl Text<'_> {
    fn values(&mut self, section: &'static str, values: Attributes) {
        for (keyword, value) in values {
            self.value(section, keyword, value);
        }
    }

    fn value(&mut self, section: &'static str, keyword: String, value: String) {
        let quoted = match MANAGED.contains(&&*keyword) {
            true => Err(Why::Managed),
            false => quote(&as_read(&keyword, &value)).map_err(Why::Render),
        };
        match quoted {
            Ok(quoted) => {
                let line = format!("{}{keyword} {quoted}\n", self.indent);
                // each character stands for a byte
                self.lines
                    .extend(ByteString::from(line).to_bytes().unwrap_or_default().iter());
            }
            Err(why) => self.import.leave_out(section, None, keyword, value, why),
        }
    }

    fn entries(&mut self, name: &'static str, entries: Vec<Attributes>) {
        for entry in entries {
            self.lines.extend(format!("\t{name} {{\n").bytes());
            self.indent = "\t\t";
            self.values(name, entry);
            self.indent = "\t";
            self.lines.extend(b"\t}\n");
        }
    }

    fn filter(&mut self, filter: Filter) {
        for (keyword, expressions) in filter.entries {
            for expression in expressions {
                self.value("blacklist", keyword.clone(), expression);
            }
        }
        self.entries("device", filter.devices);
    }
}
