//! Rendering of the drop-ins for multipathd.
//!
//! multipathd reads `/etc/multipath/conf.d/*.conf` line by line, in byte order of the file names.
//! All values come from [`Settings`] and [`Wwid`]s, so that none can open a section, close one or
//! add a line. What [`quote`] cannot represent is refused here as well.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use thiserror::Error;

use super::lexer::MAX_LINE;
use super::text::trimmed;
use crate::Wwid;
use crate::config::settings::{Setting, Settings};
use crate::types::tools_version::ToolsVersion;

/// Marks a file as managed. It is in the header of each drop-in; a file without it is never
/// removed.
const MANAGED: &str = "managed by Proxmox VE";

/// Number of bytes in which the mark has to be.
const MAX_HEADER: usize = 200;

/// The header of the drop-ins that are rendered from multipath.cfg.
fn header() -> String {
    format!(
        "# This file is {MANAGED}: changes to it will be lost.\n\
        # Edit /etc/pve/multipath.cfg instead, or use 'pvemultipath'.\n\n"
    )
}

/// Whether a file has the header of a managed drop-in.
pub fn is_managed(file: &[u8]) -> bool {
    let header = file.get(..MAX_HEADER).unwrap_or(file);
    memchr::memmem::find(header, MANAGED.as_bytes()).is_some()
}

/// Why something cannot be rendered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RenderError {
    /// A value contains a line break, a NUL or another control character.
    #[error("a value with control characters cannot be given to multipathd: {0:?}")]
    ControlCharacter(String),
    /// A line is longer than [`MAX_LINE`], so that multipathd would split it.
    #[error("the line for '{keyword}' has {len} bytes; multipathd takes at most {MAX_LINE}")]
    TooLong {
        /// The keyword.
        keyword: &'static str,
        /// Length of the line in bytes, without the line feed.
        len: usize,
    },
}

/// Text of `pve-defaults.conf`: the global knobs.
///
/// Knobs that this version of multipath-tools ignores are left out; without a version, all are
/// rendered.
pub fn defaults(settings: &Settings, version: Option<ToolsVersion>) -> Result<String, RenderError> {
    let mut text = format!("{}defaults {{\n", header());
    push_settings(&mut text, "\t", settings, version)?;
    text.push_str("}\n");
    Ok(text)
}

/// The section `multipaths`, with an entry for each LUN that has an alias or a knob; `None` if
/// there is no such LUN.
///
/// Knobs that this version of multipath-tools ignores are left out; without a version, all are
/// rendered.
pub fn multipaths(
    luns: &BTreeMap<Wwid, Settings>,
    version: Option<ToolsVersion>,
) -> Result<Option<String>, RenderError> {
    let mut text = String::from("multipaths {\n");
    let mut any = false;
    for (wwid, settings) in luns {
        let mut lines = String::new();
        push_settings(&mut lines, "\t\t", settings, version)?;
        if !lines.is_empty() {
            any = true;
            text.push_str("\tmultipath {\n");
            push_line(&mut text, "\t\t", "wwid", wwid.as_str())?;
            text.push_str(&lines);
            text.push_str("\t}\n");
        }
    }
    text.push_str("}\n");
    Ok(any.then_some(text))
}

/// Text of `pve-aliases.conf`: the header and [`multipaths`]; `None` if there is no entry.
pub fn aliases(
    luns: &BTreeMap<Wwid, Settings>,
    version: Option<ToolsVersion>,
) -> Result<Option<String>, RenderError> {
    let block = multipaths(luns, version)?;
    Ok(block.map(|block| header() + &block))
}

/// Text of `pve-overrides.conf`: a header and the administrator's text, unchanged; `None` if it is
/// empty.
pub fn overrides(text: &[u8]) -> Option<Vec<u8>> {
    let header =
        format!("# This file is {MANAGED}: edit /etc/pve/multipath-overrides.conf instead.\n");
    let text = trimmed(text);
    (!text.is_empty()).then(|| [header.as_bytes(), &text].concat())
}

fn push_settings(
    text: &mut String,
    indent: &str,
    settings: &Settings,
    version: Option<ToolsVersion>,
) -> Result<(), RenderError> {
    let is_known = |setting: &&Setting| !version.is_some_and(|v| setting.knob().is_ignored_by(v));
    for setting in settings.iter().filter(is_known) {
        if let Some(keyword) = setting.knob().keyword {
            push_line(text, indent, keyword, &setting.to_text())?;
        }
    }
    Ok(())
}

fn push_line(
    text: &mut String,
    indent: &str,
    keyword: &'static str,
    value: &str,
) -> Result<(), RenderError> {
    let start = text.len();
    // writing into a String does not fail
    let _ = writeln!(text, "{indent}{keyword} {}", quote(value)?);
    match text.len() - start - 1 {
        len if len > MAX_LINE => Err(RenderError::TooLong { keyword, len }),
        _ => Ok(()),
    }
}

/// Quotes a value so that multipathd reads it back: bare if it consists of `[A-Za-z0-9._:/+-]`,
/// else in double quotes with `"` doubled.
///
/// A value with control characters is refused, since multipathd has no escapes for them.
pub fn quote(value: &str) -> Result<String, RenderError> {
    if value.chars().any(char::is_control) {
        return Err(RenderError::ControlCharacter(value.to_owned()));
    }
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/+-".contains(&byte);
    if !value.is_empty() && value.bytes().all(is_bare) {
        Ok(value.to_owned())
    } else {
        Ok(format!("\"{}\"", value.replace('"', "\"\"")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::knobs::SectionType;

    fn settings(section: SectionType, values: &[(&str, &str)]) -> Settings {
        let values = values
            .iter()
            .map(|(name, value)| (*name, Some((*value).to_owned())));
        Settings::from_values(section, values).unwrap_or_default()
    }

    #[test]
    fn defaults_are_sorted_keywords() {
        let settings = settings(
            SectionType::Defaults,
            &[
                ("polling-interval", "10"),
                ("path-selector", "service-time 0"),
                ("expected-paths", "4"),
                ("find-multipaths", "strict"),
            ],
        );
        let expected = format!(
            "{}defaults {{\n\tfind_multipaths strict\n\tpath_selector \"service-time 0\"\n\
            \tpolling_interval 10\n}}\n",
            header()
        );
        assert!(is_managed(expected.as_bytes()));
        assert_eq!(defaults(&settings, None), Ok(expected));
    }

    #[test]
    fn luns_without_values_are_left_out() {
        let lun = |values| settings(SectionType::Wwid, values);
        let luns = [
            (
                "3600b",
                lun(&[("rr-weight", "uniform"), ("alias", "san-a")]),
            ),
            ("3600a", lun(&[("expected-paths", "4")])),
            ("3600c", lun(&[])),
        ];
        let luns = luns
            .into_iter()
            .filter_map(|(wwid, settings)| Some((Wwid::new(wwid).ok()?, settings)))
            .collect();
        let expected = "multipaths {\n\tmultipath {\n\t\twwid 3600b\n\t\talias san-a\n\
            \t\trr_weight uniform\n\t}\n}\n";
        assert_eq!(multipaths(&luns, None), Ok(Some(expected.to_owned())));
        let newer = multipaths(&luns, Some(ToolsVersion::new(0, 15, 1)));
        assert_eq!(
            newer,
            Ok(Some(expected.replace("\t\trr_weight uniform\n", "")))
        );
        assert_eq!(multipaths(&BTreeMap::new(), None), Ok(None));
    }

    #[test]
    fn overrides_are_managed() {
        assert_eq!(overrides(b"\n"), None);
        assert!(overrides(b"a").is_some_and(|text| is_managed(&text)));
    }

    #[test]
    fn quoting() {
        for (value, quoted) in [
            ("san-a.b_c:1/2+3", "san-a.b_c:1/2+3"),
            ("", "\"\""),
            ("service-time 0", "\"service-time 0\""),
            ("a\"b", "\"a\"\"b\""),
            ("a#b!c{d}", "\"a#b!c{d}\""),
            ("l\u{fc}n", "\"l\u{fc}n\""),
        ] {
            assert_eq!(quote(value).as_deref(), Ok(quoted));
        }
        for value in ["a\nb", "a\rb", "a\0", "\u{7f}", "\u{85}", "a\tb"] {
            assert!(quote(value).is_err(), "{value:?}");
        }
        let long = "x".repeat(MAX_LINE);
        assert!(matches!(
            push_line(&mut String::new(), "\t", "alias", &long),
            Err(RenderError::TooLong { .. })
        ));
    }
}
