//! From the lines of a map to its fields.

use std::borrow::Cow;

use super::lines::{Close, FieldSets, Fields, Indent, LEVELS, Line, Lines, quoted};
use crate::node::maps::MapError;
use crate::node::maps::fields::{Printed, PrintedMap};
use crate::wire::object::Object;
use crate::wire::scalar::Scalar;

/// Reads one map after the other.
pub(super) struct Reader<'a> {
    /// The lines of all maps, if they are UTF-8.
    pub(super) utf8: Option<&'a str>,
    /// The lines of the present map.
    lines: Lines<'a>,
    indent: Indent,
    /// How the group or path that was read last ends.
    closed: Option<Close>,
    /// The known fields that any map, group and path has.
    pub(super) found: FieldSets,
    /// The known fields that all parts of the present map have.
    common: FieldSets,
    /// How many quotes multipathd itself has printed.
    pub(super) quotes: usize,
}

impl<'a> Reader<'a> {
    /// A reader for the maps in these lines, which follow the line with this number.
    pub(super) fn new(body: &'a [u8], line: usize, indent: Indent) -> Self {
        Self {
            utf8: std::str::from_utf8(body).ok(),
            lines: Lines {
                rest: b"",
                number: line,
            },
            indent,
            closed: None,
            found: [0; LEVELS],
            common: [0; LEVELS],
            quotes: 0,
        }
    }

    /// The map in these lines, and the known fields that all of its parts have.
    pub(super) fn map(&mut self, text: &'a [u8]) -> (Result<PrintedMap<'a>, MapError>, FieldSets) {
        self.lines.rest = text;
        self.closed = None;
        self.common = [u32::MAX; LEVELS];
        let map = self.object().map_err(|message| MapError::Shape {
            message,
            line: self.lines.number,
            column: 0,
        });
        // After an error, lines are left.
        self.lines.by_ref().for_each(drop);
        (map, self.common)
    }

    /// The object whose lines come next.
    fn object<T: Printed<'a>>(&mut self) -> Result<T, String> {
        let mut object = T::default();
        let mut fields = Fields::of(T::LEVEL);
        let mut has_list = false;
        while let Some((name, value)) = self.field::<T>(&mut fields)? {
            let list = object.list().filter(|(list, _)| *list == name);
            match (list, value) {
                (Some((_, list)), b"[{") => {
                    while {
                        list.push(Object(self.object()?));
                        self.closed.take() == Some(Close::Next)
                    } {}
                    has_list = true;
                }
                (Some(_), b"[]" | b"[],") => has_list = true,
                (Some(_), _) => return Err(format!("{name} is not a list")),
                (None, b"[{") => return Err(format!("{name} is a list")),
                (None, value) => {
                    let value = self.scalar(value)?;
                    object.set(name, value);
                }
            }
        }
        if let Some(common) = self.common.get_mut(T::LEVEL) {
            *common &= fields.found;
        }
        if let Some(found) = self.found.get_mut(T::LEVEL) {
            *found |= fields.found;
        }
        match object.list() {
            Some((name, _)) if !has_list => Err(format!("missing field `{name}`")),
            _ => Ok(object),
        }
    }

    /// The next field of an object; none at its end.
    fn field<T: Printed<'a>>(
        &mut self,
        fields: &mut Fields,
    ) -> Result<Option<(&'a str, &'a [u8])>, String> {
        let error = |message: &str| Err(message.to_owned());
        let Some(line) = self.lines.next() else {
            return match T::LEVEL {
                0 => Ok(None),
                _ => error("the map ends within a list"),
            };
        };
        match fields.read(line, self.indent) {
            Some(Line::Field {
                name,
                is_repeated: true,
                ..
            }) => Err(format!("duplicate field `{name}`")),
            Some(Line::Field { name, value, .. }) => {
                self.quotes += 2;
                Ok(Some((name, value)))
            }
            Some(Line::Close(close)) if T::LEVEL > 0 => {
                self.closed = Some(close);
                Ok(None)
            }
            Some(Line::Close(_)) if self.lines.rest.is_empty() => Ok(None),
            Some(Line::Close(_)) => error("the end of a list that did not begin"),
            None => error("this line is not a field"),
        }
    }

    fn scalar(&mut self, value: &'a [u8]) -> Result<Scalar<'a>, String> {
        if let Some(text) = quoted(value) {
            self.quotes += 2;
            return Ok(Scalar::Text(self.text(text)));
        }
        let value = value.strip_suffix(b",").unwrap_or(value);
        let value = std::str::from_utf8(value).map_err(|error| error.to_string())?;
        match value.parse() {
            Ok(number) => Ok(Scalar::Int(number)),
            Err(_) => serde_json::from_str(value).map_err(|error| error.to_string()),
        }
    }

    /// The characters between two quotes. Bytes that are not UTF-8 are read as Latin-1, which keeps
    /// all of them.
    fn text(&self, part: &'a [u8]) -> Cow<'a, str> {
        let text = match self.utf8 {
            // All of the lines are UTF-8, so this part is.
            Some(all) => (part.as_ptr() as usize)
                .checked_sub(all.as_ptr() as usize)
                .and_then(|start| all.get(start..start + part.len())),
            None => std::str::from_utf8(part).ok(),
        };
        match text {
            Some(text) => Cow::Borrowed(text),
            None => part.iter().copied().map(char::from).collect(),
        }
    }
}
