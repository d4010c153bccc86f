//! The lines of multipathd's layout.

use memchr::memchr;

/// A field as multipathd prints it.
struct Known {
    name: &'static str,
    /// What its line begins with, unless the value is a list.
    start: &'static str,
}

macro_rules! known {
    ($indent:literal $($name:literal)*) => {
        &[$(Known { name: $name, start: concat!($indent, "\"", $name, "\" : ") }),*]
    };
}

/// Number of levels: maps, path groups and paths.
pub(super) const LEVELS: usize = 3;

/// The fields of each level, in the order in which multipathd prints them.
const FIELDS: [&[Known]; LEVELS] = [
    known!("      " "name" "uuid" "sysfs" "failback" "queueing" "paths" "write_prot" "dm_st"
        "features" "hwhandler" "action" "path_faults" "vend" "prod" "rev" "switch_grp" "map_loads"
        "total_q_time" "q_timeouts" "path_groups"),
    known!("         " "selector" "pri" "dm_st" "marginal_st" "group" "paths"),
    known!("            " "dev" "dev_t" "dm_st" "dev_st" "chk_st" "checker" "pri" "host_wwnn"
        "target_wwnn" "host_wwpn" "target_wwpn" "host_adapter" "lun_hex" "marginal_st"),
];

/// The blanks before the end of a path; a group's and a map's end have fewer.
const INDENT: &[u8] = b"         ";

/// Sets of the known fields of each level, a bit for each field.
pub(super) type FieldSets = [u32; LEVELS];

/// How lines are indented.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Indent {
    /// As multipathd does it.
    Exact,
    /// Somehow, as in a text by hand; it means nothing.
    Any,
}

/// The lines of a text.
#[derive(Clone)]
pub(super) struct Lines<'a> {
    pub(super) rest: &'a [u8],
    /// Number of the line that was taken last, from 1.
    pub(super) number: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn of(text: &'a [u8]) -> Self {
        Self {
            rest: text,
            number: 0,
        }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        self.number += 1;
        let end = memchr(b'\n', self.rest).unwrap_or(self.rest.len());
        let (line, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest.get(1..).unwrap_or_default();
        Some(line)
    }
}

/// A line within the list of maps.
pub(super) enum Line<'a> {
    /// `"name" : value,`, where the value may be `[{`.
    Field {
        name: &'a str,
        value: &'a [u8],
        /// Whether the object had this field before.
        is_repeated: bool,
    },
    /// The end of a map, group or path.
    Close(Close),
}

impl<'a> Line<'a> {
    /// The name of the field.
    pub(super) fn name(&self) -> Option<&'a str> {
        match self {
            Self::Field { name, .. } => Some(name),
            Self::Close(_) => None,
        }
    }
}

/// What follows the end of a map, group or path.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Close {
    /// `},{`: another one.
    Next,
    /// `}]`: the end of the list.
    List,
}

/// Reads the lines of one map, group or path, and keeps track of the known fields that it has.
pub(super) struct Fields {
    level: usize,
    known: &'static [Known],
    /// A bit for each known field.
    pub(super) found: u32,
    /// Index of the field to expect next, which saves the search.
    next: usize,
}

impl Fields {
    pub(super) fn of(level: usize) -> Self {
        Self {
            level,
            known: FIELDS.get(level).copied().unwrap_or_default(),
            found: 0,
            next: 0,
        }
    }

    /// Reads a line; none if it is neither a field nor an end.
    pub(super) fn read<'a>(&mut self, line: &'a [u8], indent: Indent) -> Option<Line<'a>> {
        let content = match indent {
            Indent::Any => line.trim_ascii(),
            Indent::Exact => {
                if let Some(Known { name, start }) = self.known.get(self.next) {
                    if let Some(value) = line.strip_prefix(start.as_bytes()) {
                        return Some(Line::Field {
                            name,
                            value,
                            is_repeated: self.find(self.next),
                        });
                    }
                }
                line.strip_prefix(INDENT.get(..3 * self.level + 3)?)?
            }
        };
        match (content, indent) {
            (b"},{", _) => Some(Line::Close(Close::Next)),
            (b"}]", _) => Some(Line::Close(Close::List)),
            (_, Indent::Exact) => self.field(content.strip_prefix(b"   ")?),
            (_, Indent::Any) => self.field(content),
        }
    }

    fn field<'a>(&mut self, content: &'a [u8]) -> Option<Line<'a>> {
        let content = content.strip_prefix(b"\"")?;
        let (name, rest) = content.split_at_checked(memchr(b'"', content)?)?;
        let rest = rest.strip_prefix(b"\"")?;
        let rest = rest.strip_prefix(b" ").unwrap_or(rest);
        let value = rest.strip_prefix(b": ")?;
        let name = std::str::from_utf8(name).ok()?;
        let index = self.known.iter().position(|known| known.name == name);
        is_name(name.as_bytes()).then(|| Line::Field {
            name,
            value,
            is_repeated: index.is_some_and(|index| self.find(index)),
        })
    }

    /// Notes that there is a field, and tells whether it was there before.
    fn find(&mut self, index: usize) -> bool {
        let before = self.found;
        self.found |= 1 << index;
        self.next = index + 1;
        self.found == before
    }
}

/// Whether this can be the name of a field.
pub(super) fn is_name(name: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_lowercase() || *byte == b'_';
    !name.is_empty() && name.iter().all(allowed)
}

/// What stands between the quotes of a value, if it has any.
pub(super) fn quoted(value: &[u8]) -> Option<&[u8]> {
    let value = value.strip_suffix(b",").unwrap_or(value);
    value.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

/// The name of the field in the first of these lines.
pub(super) fn first_field(lines: &[u8]) -> Option<&str> {
    let line = lines.get(..memchr(b'\n', lines)?)?;
    Fields::of(0).read(line, Indent::Any)?.name()
}

/// The known fields of a map that the text begins with.
pub(super) fn first_fields(text: &[u8]) -> u32 {
    let mut fields = Fields::of(0);
    let names = Lines::of(text).map_while(|line| fields.read(line, Indent::Exact)?.name());
    names.for_each(drop);
    fields.found
}

/// The known fields of a map in all lines of the text.
pub(super) fn all_fields(text: &[u8]) -> u32 {
    let mut fields = Fields::of(0);
    let lines = Lines::of(text).filter_map(|line| fields.read(line, Indent::Exact));
    lines.for_each(drop);
    fields.found
}
