//! Decoding: perl values into `serde::Deserialize` types.

use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};

use crate::depth::Depth;
use crate::error::Error;
use crate::raw_value;
use crate::sv::OwnedSv;
use crate::value::Value;
use crate::view::{self, Array, Entry, Hash, Input, View, Walk, Want};

/// Decodes a value.
pub fn from_value<T: DeserializeOwned>(input: Value) -> Result<T, Error> {
    from_ref_value(&input)
}

/// Decodes a value; the result may borrow strings from it.
pub fn from_ref_value<'de, T: Deserialize<'de>>(input: &'de Value) -> Result<T, Error> {
    let sv = input.owned();
    // SAFETY: the value owns a count for as long as it is borrowed.
    decode(unsafe { Input::new(sv.perl(), sv.as_raw()) })
}

pub(crate) fn decode<'de, T: Deserialize<'de>>(input: Input<'de>) -> Result<T, Error> {
    T::deserialize(Decoder::new(input, Depth::default()))
}

/// Decodes one perl value.
#[derive(Clone, Copy)]
struct Decoder<'de> {
    input: Input<'de>,
    depth: Depth,
    /// An Option directly inside an Option is not told apart from it.
    inside_option: bool,
}

impl<'de> Decoder<'de> {
    #[inline]
    fn new(input: Input<'de>, depth: Depth) -> Self {
        Self {
            input,
            depth,
            inside_option: false,
        }
    }

    /// Hands over what the value holds when `want` is preferred.
    #[inline]
    fn visit<V: Visitor<'de>>(self, want: Want, visitor: V) -> Result<V::Value, Error> {
        match self.input.view(want)? {
            View::Text(text) => visitor.visit_borrowed_str(text),
            View::Integer(value) => visitor.visit_i64(value),
            View::Float(value) => visitor.visit_f64(value),
            View::Bytes(bytes) => visitor.visit_borrowed_bytes(bytes),
            View::Bool(value) => visitor.visit_bool(value),
            View::Undef => match want {
                Want::String | Want::Name => visitor.visit_none(),
                _ => visitor.visit_unit(),
            },
            View::Array(array) => self.visit_array(array, visitor),
            View::Hash(hash) => self.visit_hash(hash, visitor),
        }
    }

    fn visit_array<V: Visitor<'de>>(
        self,
        array: Array<'de>,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_seq(Items {
            array,
            next: 0,
            depth: self.depth.enter()?,
        })
    }

    fn visit_hash<V: Visitor<'de>>(self, hash: Hash<'de>, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(Entries {
            walk: hash.walk(),
            left: hash.len(),
            value: None,
            depth: self.depth.enter()?,
        })
    }
}

/// Methods that differ only in the form they prefer.
macro_rules! visit {
    ($($method:ident => $want:ident,)*) => {
        $(
            #[inline]
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
                self.visit(Want::$want, visitor)
            }
        )*
    };
}

impl<'de> de::Deserializer<'de> for Decoder<'de> {
    type Error = Error;

    visit! {
        deserialize_any => String,
        deserialize_bool => Bool,
        deserialize_i8 => Integer,
        deserialize_i16 => Integer,
        deserialize_i32 => Integer,
        deserialize_i64 => Integer,
        deserialize_u8 => Integer,
        deserialize_u16 => Integer,
        deserialize_u32 => Integer,
        deserialize_u64 => Integer,
        deserialize_f32 => Float,
        deserialize_f64 => Float,
        deserialize_str => String,
        deserialize_string => String,
        deserialize_bytes => Bytes,
        deserialize_byte_buf => Bytes,
        deserialize_unit => String,
        deserialize_seq => String,
        deserialize_map => String,
        deserialize_identifier => String,
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.input.view(Want::Integer)? {
            // A small integer is taken for a character's code, whatever its sign.
            View::Integer(value) if value < 0x100 => visitor.visit_char(char::from(value as u8)),
            View::Text(text) => {
                let mut chars = text.chars();
                match (chars.next(), chars.next()) {
                    (Some(only), None) => visitor.visit_char(only),
                    _ => visitor.visit_borrowed_str(text),
                }
            }
            _ => self.visit(Want::Integer, visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.inside_option {
            return self.deserialize_any(visitor);
        }
        let (view, target) = self.input.view_with_target(Want::String)?;
        if let View::Undef = view {
            return visitor.visit_none();
        }
        visitor.visit_some(Self {
            input: target,
            depth: self.depth.wrap()?,
            inside_option: true,
        })
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if raw_value::is_value(name) {
            // SAFETY: the input is a live value.
            raw_value::put(unsafe { OwnedSv::share(self.input.perl(), self.input.as_raw()) });
            return visitor.visit_unit();
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(Self {
            depth: self.depth.wrap()?,
            ..self
        })
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_any(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_any(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_any(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.input.view(Want::Name)? {
            View::Text(name) => visitor.visit_enum(Variant {
                name: name.into_deserializer(),
                content: None,
            }),
            View::Hash(hash) => {
                let entry = match hash.len() {
                    1 => hash.walk().next()?,
                    _ => None,
                };
                let Some(entry) = entry else {
                    return Error::fail("expected hash with a single key");
                };
                let content = Some(Decoder::new(entry.value, self.depth.enter()?));
                // Keys are taken as they are stored, so Latin-1 may come as bytes.
                match std::str::from_utf8(entry.raw_key) {
                    Ok(name) => visitor.visit_enum(Variant {
                        name: name.into_deserializer(),
                        content,
                    }),
                    Err(_) => visitor.visit_enum(Variant {
                        name: entry.raw_key.to_vec().into_deserializer(),
                        content,
                    }),
                }
            }
            _ => Error::fail("expected a string or hash for an enum"),
        }
    }

    /// Values that are not asked for are not looked at.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }
}

/// The items of an array.
struct Items<'de> {
    array: Array<'de>,
    next: usize,
    depth: Depth,
}

impl<'de> de::SeqAccess<'de> for Items<'de> {
    type Error = Error;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        if self.next >= self.array.len() {
            return Ok(None);
        }
        let item = self.array.get(self.next)?;
        self.next += 1;
        seed.deserialize(Decoder::new(item, self.depth)).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.array.len().saturating_sub(self.next))
    }
}

/// The entries of a hash.
struct Entries<'de> {
    walk: Walk<'de>,
    left: usize,
    value: Option<Input<'de>>,
    depth: Depth,
}

impl<'de> de::MapAccess<'de> for Entries<'de> {
    type Error = Error;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        if self.value.is_some() {
            return Error::fail("map access value skipped");
        }
        let Some(entry) = self.walk.next()? else {
            return Ok(None);
        };
        self.left = self.left.saturating_sub(1);
        self.value = Some(entry.value);
        seed.deserialize(Key {
            entry,
            inside_option: false,
        })
        .map(Some)
    }

    #[inline]
    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Error> {
        match self.value.take() {
            Some(value) => seed.deserialize(Decoder::new(value, self.depth)),
            None => Error::fail("map access key skipped"),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// A hash key: always a string.
struct Key<'de> {
    entry: Entry<'de>,
    inside_option: bool,
}

impl<'de> de::Deserializer<'de> for Key<'de> {
    type Error = Error;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_borrowed_str(self.entry.key)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Error> {
        Error::fail("expected bool value")
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let mut chars = self.entry.key.chars();
        match (chars.next(), chars.next()) {
            (Some(only), None) => visitor.visit_char(only),
            _ => visitor.visit_borrowed_str(self.entry.key),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Entry {
            key,
            raw_key,
            stored_utf8,
            was_utf8,
            ..
        } = self.entry;
        if stored_utf8 && raw_key.iter().any(|&byte| byte > 0xc3) {
            return Err(view::wide());
        }
        visitor.visit_borrowed_bytes(if was_utf8 { key.as_bytes() } else { raw_key })
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.inside_option {
            return self.deserialize_any(visitor);
        }
        visitor.visit_some(Self {
            inside_option: true,
            ..self
        })
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if raw_value::is_value(name) {
            return Error::fail("a hash key cannot be taken as a perl value");
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(Variant {
            name: self.entry.key.into_deserializer(),
            content: None,
        })
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 str string unit seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

/// A variant of an enum: its name, and its content if it came as a hash.
struct Variant<'de, N> {
    name: N,
    content: Option<Decoder<'de>>,
}

impl<'de, N: de::Deserializer<'de, Error = Error>> de::EnumAccess<'de> for Variant<'de, N> {
    type Error = Error;
    type Variant = Content<'de>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Content<'de>), Error> {
        Ok((seed.deserialize(self.name)?, Content(self.content)))
    }
}

/// The content of a variant.
struct Content<'de>(Option<Decoder<'de>>);

impl<'de> de::VariantAccess<'de> for Content<'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        self.0.map_or(Ok(()), Deserialize::deserialize)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        match self.0 {
            Some(content) => seed.deserialize(content),
            None => Error::fail("expected newtype variant, found unit variant"),
        }
    }

    /// perlmod takes only a bare array here, but a hash holds references.
    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, _visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Some(_) => Error::fail("expected tuple variant"),
            None => Error::fail("expected tuple variant, found unit"),
        }
    }

    /// As for tuples: perlmod takes only a bare hash here.
    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Error> {
        Error::fail("expected struct variant")
    }
}
