//! Reading of multipathd's JSON where it is none.
//!
//! multipathd pastes texts between quotes without escaping them (`PRINT_JSON_*` in
//! libmultipath/print.c), in whatever encoding the array or the administrator used. One quote in an
//! alias makes the reply invalid for all maps. Its output has one field per line, though, so what
//! stands between the first `: "` and the last quote of a line is the text that was meant.

/// A text that was made JSON.
pub(super) struct Repaired {
    /// The repaired text.
    pub(super) text: String,
    /// Numbers of the lines that changed, from 1.
    pub(super) lines: Vec<usize>,
}

/// Repairs each line of the form `"key" : "text"` whose text is not valid between quotes.
///
/// Returns nothing where no line needs it: then something else is wrong.
pub(super) fn repair(text: &[u8]) -> Option<Repaired> {
    let mut repaired = Repaired {
        text: String::with_capacity(text.len()),
        lines: Vec::new(),
    };
    for (line, number) in text.split_inclusive(|&b| b == b'\n').zip(1..) {
        match Field::split(line) {
            Some(field) if !field.is_json() => {
                repaired.lines.push(number);
                repaired.text.push_str(field.head);
                push_escaped(&mut repaired.text, field.value);
                repaired.text.push_str(field.tail);
            }
            _ => repaired.text.push_str(std::str::from_utf8(line).ok()?),
        }
    }
    (!repaired.lines.is_empty()).then_some(repaired)
}

/// A line with one text field, split around the text.
struct Field<'a> {
    /// Up to and including the opening quote.
    head: &'a str,
    value: &'a [u8],
    /// From the closing quote on.
    tail: &'a str,
}

impl<'a> Field<'a> {
    fn split(line: &'a [u8]) -> Option<Self> {
        let key_start = line.iter().position(|&b| b == b'"')? + 1;
        let indent = line.get(..key_start - 1)?;
        let key_len = line.get(key_start..)?.iter().position(|&b| b == b'"')?;
        let key = line.get(key_start..key_start + key_len)?;
        let rest = line.get(key_start + key_len + 1..)?;
        let blanks = rest.iter().take_while(|&&b| b == b' ').count();
        let after_colon = rest.get(blanks..)?.strip_prefix(b":")?;
        let more_blanks = after_colon.iter().take_while(|&&b| b == b' ').count();
        after_colon.get(more_blanks..)?.strip_prefix(b"\"")?;
        let valid = indent.iter().all(|b| b" \t".contains(b))
            && !key.is_empty()
            && key.iter().all(|&b| b.is_ascii_lowercase() || b == b'_');
        if !valid {
            return None;
        }
        let value_start = key_start + key_len + 1 + blanks + 1 + more_blanks + 1;
        // What may follow the text: its quote, a comma unless it is the last field, the line's end.
        let end = line.trim_ascii_end();
        let end = end.strip_suffix(b",").unwrap_or(end).trim_ascii_end();
        let value_end = end.strip_suffix(b"\"")?.len();
        Some(Self {
            head: std::str::from_utf8(line.get(..value_start)?).ok()?,
            value: line.get(value_start..value_end)?,
            tail: std::str::from_utf8(line.get(value_end..)?).ok()?,
        })
    }

    fn is_json(&self) -> bool {
        let plain = |&b: &u8| b >= 0x20 && b != b'"' && b != b'\\';
        self.value.iter().all(plain) && std::str::from_utf8(self.value).is_ok()
    }
}

/// Appends `value` as the inside of a JSON text. Bytes that are no UTF-8 are read as Latin-1,
/// which loses nothing.
fn push_escaped(text: &mut String, value: &[u8]) {
    let mut push = |c: char| match c {
        '"' => text.push_str("\\\""),
        '\\' => text.push_str("\\\\"),
        c if c < ' ' => text.push_str(&format!("\\u{:04x}", u32::from(c))),
        c => text.push(c),
    };
    match std::str::from_utf8(value) {
        Ok(value) => value.chars().for_each(&mut push),
        Err(_) => value.iter().map(|&b| char::from(b)).for_each(&mut push),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repair_text(text: &[u8]) -> Option<(String, Vec<usize>)> {
        repair(text).map(|repaired| (repaired.text, repaired.lines))
    }

    #[test]
    fn only_the_line_that_needs_it_changes() {
        let text = b"{\n   \"vend\" : \"A\"B\",\n   \"prod\" : \"C\\\",\n   \"pri\" : 1\n}\n";
        let wanted = "{\n   \"vend\" : \"A\\\"B\",\n   \"prod\" : \"C\\\\\",\n   \"pri\" : 1\n}\n";
        assert_eq!(repair_text(text), Some((wanted.into(), vec![2, 3])));
    }

    #[test]
    fn latin1_is_kept() {
        let wanted = "\"name\" : \"l\u{fc}n\"";
        assert_eq!(
            repair_text(b"\"name\" : \"l\xfcn\""),
            Some((wanted.into(), vec![1]))
        );
    }

    #[test]
    fn nothing_to_repair() {
        for text in [
            &b""[..],
            b"{",
            b"{\"a\" : \"b\"}",
            b"\"paths\": [{\n",
            b"\"a\" : \"b\n",
        ] {
            assert_eq!(repair_text(text), None, "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn bytes_outside_of_texts_cannot_be_repaired() {
        assert_eq!(repair_text(b"\"a\" : \"\"\",\n\xff\n"), None);
    }
}
