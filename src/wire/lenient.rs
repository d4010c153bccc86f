//! Structures of unchecked content, in which one odd part does not cost the others.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::wire::scalar::Scalar;

/// A type that is read from an object, a list or a text, whatever is in there.
///
/// The readers that a type does not have skip what is there and give nothing. None of them reports an
/// error of its own, only those of the format.
pub(crate) trait Parts<'de>: Sized {
    /// Reads an object, usually with [`fields`].
    fn from_object<A: MapAccess<'de>>(mut object: A) -> Result<Option<Self>, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    /// Reads a list.
    fn from_list<A: SeqAccess<'de>>(mut list: A) -> Result<Option<Self>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    /// Reads a text.
    fn from_text(_text: &str) -> Option<Self> {
        None
    }
}

/// Calls `read` for each field of an object with its name; it takes the value. Of a field that occurs
/// several times, the last one counts, as JSON parsers have it.
pub(crate) fn fields<'de, A: MapAccess<'de>>(
    mut object: A,
    mut read: impl FnMut(&str, &mut A) -> Result<(), A::Error>,
) -> Result<(), A::Error> {
    while let Some(name) = object.next_key::<Scalar<'de>>()? {
        read(name.as_str().unwrap_or_default(), &mut object)?;
    }
    Ok(())
}

/// Takes the value of a field that is not known.
pub(crate) fn skip<'de, A: MapAccess<'de>>(object: &mut A) -> Result<(), A::Error> {
    object.next_value::<IgnoredAny>().map(|_| ())
}

/// Nothing where something else than the type wants was found.
pub(crate) struct Lenient<T>(pub(crate) Option<T>);

impl<'de, T: Parts<'de>> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_any(LenientVisitor(PhantomData))
            .map(Self)
    }
}

struct LenientVisitor<T>(PhantomData<T>);

/// Scalars of which no type of [`Parts`] is made.
macro_rules! no_parts {
    ($($visit:ident($($argument:ty)?),)*) => {
        $(
            fn $visit<E: Error>(self $(, _: $argument)?) -> Result<Self::Value, E> {
                Ok(None)
            }
        )*
    };
}

impl<'de, T: Parts<'de>> Visitor<'de> for LenientVisitor<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    no_parts! {
        visit_bool(bool),
        visit_i64(i64),
        visit_u64(u64),
        visit_f64(f64),
        visit_bytes(&[u8]),
        visit_none(),
        visit_unit(),
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(T::from_text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        T::from_list(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Self::Value, A::Error> {
        T::from_object(object)
    }
}

/// A list of at most `MOST` values, without those that are none.
pub(crate) struct List<T, const MOST: usize>(pub(crate) Vec<T>);

impl<'de, T: Parts<'de>, const MOST: usize> Parts<'de> for List<T, MOST> {
    fn from_list<A: SeqAccess<'de>>(mut list: A) -> Result<Option<Self>, A::Error> {
        let mut items = Vec::new();
        while let Some(Lenient(item)) = list.next_element()? {
            items.extend(item.filter(|_| items.len() < MOST));
        }
        Ok(Some(Self(items)))
    }
}

/// Takes the list that is the value of a field; an empty one where it is something else.
pub(crate) fn list<'de, T: Parts<'de>, const MOST: usize, A: MapAccess<'de>>(
    object: &mut A,
) -> Result<Vec<T>, A::Error> {
    let Lenient(list) = object.next_value::<Lenient<List<T, MOST>>>()?;
    Ok(list.map_or_else(Vec::new, |List(items)| items))
}

/// Reads a JSON text; none if it holds something else than a `T`. The errors are those of JSON's
/// syntax.
pub(crate) fn read<T: for<'de> Parts<'de>>(text: &str) -> serde_json::Result<Option<T>> {
    let value = serde_json::from_str::<Lenient<T>>(text);
    let Lenient(value) = value.or_else(|_| serde_json::from_str(&repaired(text)))?;
    Ok(value)
}

/// The JSON text without what JSON allows and serde_json refuses: escapes of half a surrogate pair
/// become U+FFFD, one for each of the bytes that would encode it, and numbers beyond the range of a
/// floating point number become null.
fn repaired(text: &str) -> String {
    let mut whole = String::with_capacity(text.len());
    let mut rest = text;
    let mut in_text = false;
    while let Some(c) = rest.chars().next() {
        let (len, put) = match c {
            '"' => {
                in_text = !in_text;
                (1, None)
            }
            '\\' if in_text => match escape(rest) {
                (Some(0xd800..=0xdbff), len) => match rest.get(len..).map(escape) {
                    Some((Some(0xdc00..=0xdfff), second)) => (len + second, None),
                    _ => (len, Some("\u{fffd}\u{fffd}\u{fffd}")),
                },
                (Some(0xdc00..=0xdfff), len) => (len, Some("\u{fffd}\u{fffd}\u{fffd}")),
                (_, len) => (len, None),
            },
            '-' | '0'..='9' if !in_text => {
                let is_part = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
                let len = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
                let number = rest.get(..len).and_then(|number| number.parse().ok());
                (
                    len,
                    number
                        .filter(|number: &f64| number.is_infinite())
                        .map(|_| "null"),
                )
            }
            c => (c.len_utf8(), None),
        };
        let (taken, after) = rest.split_at_checked(len).unwrap_or((rest, ""));
        whole.push_str(put.unwrap_or(taken));
        rest = after;
    }
    whole
}

/// The UTF-16 code unit of the escape at the beginning of the text, if it is such a one, and the length of
/// the escape.
fn escape(text: &str) -> (Option<u16>, usize) {
    let digits = text.strip_prefix("\\u").and_then(|rest| rest.get(..4));
    match digits.map(|digits| u16::from_str_radix(digits, 16)) {
        Some(Ok(unit)) => (Some(unit), 6),
        _ => (None, 1 + text.chars().nth(1).map_or(0, char::len_utf8)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_serde_json_refuses_is_replaced() {
        let lone = "\u{fffd}\u{fffd}\u{fffd}";
        for (text, wanted) in [
            (
                r#"{"a\ud800":"\udc00b"}"#,
                format!(r#"{{"a{lone}":"{lone}b"}}"#),
            ),
            (
                r#"["\ud83d\ude00","\ud83d\ud83d\ude00"]"#,
                format!(r#"["\ud83d\ude00","{lone}\ud83d\ude00"]"#),
            ),
            (
                r#"["\\ud800","\"\ud800\"","\ud8"]"#,
                format!(r#"["\\ud800","\"{lone}\"","\ud8"]"#),
            ),
            (
                r#"[1e999,-1e999,1e3,0,"1e999"]"#,
                r#"[null,null,1e3,0,"1e999"]"#.to_owned(),
            ),
            ("\"\\", "\"\\".to_owned()),
            ("\\ud800 ä", "\\ud800 ä".to_owned()),
        ] {
            assert_eq!(repaired(text), wanted, "{text}");
        }
        assert_eq!(repaired(&"9".repeat(400)), "null");
    }
}
