//! Aliases for several LUNs at once: `san-{n:03}`, `db-{serial}`, `{size}-{n}`.

use std::collections::BTreeSet;

use thiserror::Error;

/// Most digits that a number is filled up to.
const MAX_DIGITS: usize = 9;

/// A text with fields in braces, from which each LUN gets an alias.
///
/// - `{n}` counts the LUNs from 1 and leaves out what would give an alias that is taken; `{n:03}` fills it
///   up with zeros.
/// - `{serial}` is the serial number; characters that an alias cannot have become hyphens.
/// - `{size}` is the size with the largest unit that fits, such as `500G` or `1.5T` (1G is 1024M).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AliasTemplate(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Number { digits: usize },
    Serial,
    Size,
}

/// What is known of a LUN that is to have an alias.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lun<'a> {
    /// Its WWID, for messages.
    pub wwid: &'a str,
    /// Its serial number.
    pub serial: Option<&'a str>,
    /// Its size in bytes.
    pub size: Option<u64>,
}

/// Why there are no aliases.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// A brace without its counterpart; positions count characters from 1.
    #[error("template has a brace without its counterpart at position {0}")]
    Brace(usize),
    /// No field of that name.
    #[error(
        "template has the unknown field '{field}' at position {position}; known are {{n}}, {{n:03}}, \
         {{serial}}, {{size}}"
    )]
    Field {
        /// What stands between the braces.
        field: String,
        /// Where it begins, in characters from 1.
        position: usize,
    },
    /// The LUNs would all have one alias.
    #[error("several LUNs cannot have the same alias: write for example '{0}-{{n}}'")]
    NoField(String),
    /// The serial number is not known.
    #[error("the serial number of '{0}' is not known, so {{serial}} cannot be filled in")]
    NoSerial(String),
    /// The size is not known.
    #[error("the size of '{0}' is not known, so {{size}} cannot be filled in")]
    NoSize(String),
}

impl AliasTemplate {
    /// Reads a template. A text without braces is the alias itself.
    pub fn new(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut characters = text.chars().zip(1..);
        while let Some((character, position)) = characters.next() {
            match character {
                '{' => {
                    let mut field = String::new();
                    loop {
                        match characters.next() {
                            Some(('}', _)) => break,
                            Some(('{', _)) | None => return Err(TemplateError::Brace(position)),
                            Some((character, _)) => field.push(character),
                        }
                    }
                    if !literal.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut literal)));
                    }
                    parts.push(part(&field).ok_or(TemplateError::Field { field, position })?);
                }
                '}' => return Err(TemplateError::Brace(position)),
                other => literal.push(other),
            }
        }
        if !literal.is_empty() || parts.is_empty() {
            parts.push(Part::Text(literal));
        }
        Ok(Self(parts))
    }

    /// The aliases of these LUNs, in their order. Whether an alias is valid is checked where it is set.
    ///
    /// `taken` has the aliases of other LUNs, which numbers avoid.
    pub fn aliases(
        &self,
        luns: &[Lun<'_>],
        taken: &BTreeSet<String>,
    ) -> Result<Vec<String>, TemplateError> {
        if let ([Part::Text(text)], [_, _, ..]) = (self.0.as_slice(), luns) {
            return Err(TemplateError::NoField(text.clone()));
        }
        let counts = self
            .0
            .iter()
            .any(|part| matches!(part, Part::Number { .. }));
        let mut number: usize = 0;
        let alias = |lun: &Lun<'_>| {
            // one of these is free: each number gives another alias
            for _ in 0..=taken.len() {
                number = number.saturating_add(1);
                let alias = self.fill(lun, number)?;
                if !counts || !taken.contains(&alias) {
                    return Ok(alias);
                }
            }
            self.fill(lun, number)
        };
        luns.iter().map(alias).collect()
    }

    fn fill(&self, lun: &Lun<'_>, number: usize) -> Result<String, TemplateError> {
        let mut alias = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => alias += text,
                Part::Number { digits } => alias += &format!("{number:0digits$}"),
                Part::Serial => {
                    let serial = lun.serial.map(safe).filter(|serial| !serial.is_empty());
                    alias += &serial.ok_or_else(|| TemplateError::NoSerial(lun.wwid.to_owned()))?;
                }
                Part::Size => {
                    let size = lun
                        .size
                        .ok_or_else(|| TemplateError::NoSize(lun.wwid.to_owned()))?;
                    alias += &short_size(size);
                }
            }
        }
        Ok(alias)
    }
}

fn part(field: &str) -> Option<Part> {
    match field {
        "n" => Some(Part::Number { digits: 0 }),
        "serial" => Some(Part::Serial),
        "size" => Some(Part::Size),
        _ => {
            let digits = field.strip_prefix("n:0")?;
            let digits = digits
                .parse()
                .ok()
                .filter(|digits| (1..=MAX_DIGITS).contains(digits))?;
            (field.len() == 4).then_some(Part::Number { digits })
        }
    }
}

/// Without characters that an alias cannot have.
fn safe(text: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_');
    let words = text.split(|c| !allowed(c)).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

/// With the largest unit of which there is one, and at most two digits behind the point.
fn short_size(bytes: u64) -> String {
    let units = ["", "K", "M", "G", "T", "P", "E"];
    let place = (bytes.max(1).ilog2() / 10) as usize;
    let unit = units.get(place).copied().unwrap_or_default();
    let one = 1_u128 << (10 * place);
    let hundredths = (u128::from(bytes) * 100 + one / 2) / one;
    let text = format!("{}.{:02}", hundredths / 100, hundredths % 100);
    format!("{}{unit}", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aliases(template: &str, luns: &[Lun<'_>], taken: &[&str]) -> Result<Vec<String>, String> {
        let taken = taken.iter().map(|alias| (*alias).to_owned()).collect();
        let template = AliasTemplate::new(template).map_err(|error| error.to_string())?;
        template
            .aliases(luns, &taken)
            .map_err(|error| error.to_string())
    }

    fn lun(serial: &str, size: u64) -> Lun<'_> {
        Lun {
            wwid: "3600a",
            serial: Some(serial),
            size: Some(size),
        }
    }

    #[test]
    fn each_lun_gets_its_alias() {
        let luns = [lun("SER 1/a", 64 << 20), lun("SERb", 3 << 39)];
        let made = |template| aliases(template, &luns, &["san-1", "san-003"]);
        assert_eq!(made("san-{n}"), Ok(vec!["san-2".into(), "san-3".into()]));
        assert_eq!(
            made("san-{n:03}"),
            Ok(vec!["san-001".into(), "san-002".into()])
        );
        assert_eq!(made("{serial}"), Ok(vec!["SER-1-a".into(), "SERb".into()]));
        assert_eq!(
            made("{size}.{n}x"),
            Ok(vec!["64M.1x".into(), "1.5T.2x".into()])
        );
        let three = [lun("", 0); 3];
        let numbers = aliases("san-{n:03}", &three, &["san-001", "san-003"]);
        assert_eq!(
            numbers,
            Ok(vec!["san-002".into(), "san-004".into(), "san-005".into()])
        );
    }

    #[test]
    fn a_text_without_fields_is_for_one_lun() {
        assert_eq!(
            aliases("san-a", &[lun("", 0)], &[]),
            Ok(vec!["san-a".into()])
        );
        // whoever sets it says that it is taken
        assert_eq!(
            aliases("san-a", &[lun("", 0)], &["san-a"]),
            Ok(vec!["san-a".into()])
        );
        assert_eq!(
            aliases("san-a", &[lun("", 0); 2], &[]),
            Err("several LUNs cannot have the same alias: write for example 'san-a-{n}'".into())
        );
    }

    #[test]
    fn what_cannot_be_filled_in() {
        let of = |template: &str| {
            aliases(
                template,
                &[Lun {
                    wwid: "3600a",
                    ..Lun::default()
                }],
                &[],
            )
        };
        for (template, error) in [
            (
                "{serial}",
                "the serial number of '3600a' is not known, so {serial} cannot be filled in",
            ),
            (
                "{size}",
                "the size of '3600a' is not known, so {size} cannot be filled in",
            ),
            (
                "a{n",
                "template has a brace without its counterpart at position 2",
            ),
            (
                "a}",
                "template has a brace without its counterpart at position 2",
            ),
            (
                "{{n}}",
                "template has a brace without its counterpart at position 1",
            ),
            (
                "é{N}",
                "template has the unknown field 'N' at position 2; known are {n}, {n:03}, {serial}, {size}",
            ),
        ] {
            assert_eq!(of(template), Err(error.to_owned()), "{template}");
        }
        for field in ["{}", "{n:3}", "{n:00}", "{n:012}", "{n:0x}", "{n:0+1}"] {
            assert!(of(field).is_err(), "{field}");
        }
        let no_letters = lun("//", 0);
        assert!(aliases("{serial}", &[no_letters], &[]).is_err());
    }

    #[test]
    fn sizes() {
        for (bytes, text) in [
            (0, "0"),
            (1_023, "1023"),
            (1_024, "1K"),
            (500 << 30, "500G"),
            (2_199_023_255_552, "2T"),
            (2_000_000_000_000, "1.82T"),
            ((1 << 40) - 1, "1024G"),
            (u64::MAX, "16E"),
        ] {
            assert_eq!(short_size(bytes), text, "{bytes}");
        }
    }
}
