//! Encoding: `serde::Serialize` types into perl values.

use serde::{Serialize, ser};

use crate::depth::Depth;
use crate::error::Error;
use crate::native::{self as ffi, Perl};
use crate::raw_value;
use crate::sv::{NewArray, NewHash, OwnedSv};
use crate::value::Value;

/// Encodes a value.
pub fn to_value<T: Serialize>(value: &T) -> Result<Value, Error> {
    encode(Perl::current(), value).map(Value::from_owned)
}

pub(crate) fn encode<T: ?Sized + Serialize>(perl: Perl, value: &T) -> Result<OwnedSv, Error> {
    let _words = Words::new(perl);
    value.serialize(Encoder {
        perl,
        depth: Depth::default(),
    })
}

/// Encodes what a function returns; nothing at all for `()`.
pub(crate) fn encode_result<T: ?Sized + Serialize>(
    perl: Perl,
    value: &T,
) -> Result<Option<OwnedSv>, Error> {
    let _words = Words::new(perl);
    let sv = value.serialize(Encoder {
        perl,
        depth: Depth::of_result(),
    })?;
    Ok((!sv.is_nothing()).then_some(sv))
}

/// The words of the result under construction, see `glue.c`.
struct Words(Perl);

impl Words {
    fn new(perl: Perl) -> Self {
        // SAFETY: only counts.
        unsafe { ffi::standin_words_begin() };
        Self(perl)
    }
}

impl Drop for Words {
    fn drop(&mut self) {
        // SAFETY: gives back what was kept since the matching call in `new`.
        unsafe { ffi::standin_words_end(self.0) };
    }
}

/// Makes one perl value.
#[derive(Clone, Copy)]
pub(crate) struct Encoder {
    pub(crate) perl: Perl,
    pub(crate) depth: Depth,
}

impl Encoder {
    fn enter(self) -> Result<Self, Error> {
        Ok(Self {
            depth: self.depth.enter()?,
            ..self
        })
    }

    fn wrap(self) -> Result<Self, Error> {
        Ok(Self {
            depth: self.depth.wrap()?,
            ..self
        })
    }

    fn items(self, len: usize) -> Result<Items, Error> {
        let inside = self.enter()?;
        Ok(Items {
            array: NewArray::new(self.perl, len),
            inside,
        })
    }

    fn entries(self, len: usize) -> Result<Entries, Error> {
        let inside = self.enter()?;
        Ok(Entries {
            hash: NewHash::new(self.perl, len),
            inside,
            key: None,
        })
    }
}

impl ser::Serializer for Encoder {
    type Ok = OwnedSv;
    type Error = Error;

    type SerializeSeq = Items;
    type SerializeTuple = Items;
    type SerializeTupleStruct = Items;
    type SerializeTupleVariant = InVariant<Items>;
    type SerializeMap = Entries;
    type SerializeStruct = Entries;
    type SerializeStructVariant = InVariant<Entries>;

    fn serialize_bool(self, v: bool) -> Result<OwnedSv, Error> {
        self.serialize_u64(u64::from(v))
    }

    fn serialize_i8(self, v: i8) -> Result<OwnedSv, Error> {
        self.serialize_i64(i64::from(v))
    }

    fn serialize_i16(self, v: i16) -> Result<OwnedSv, Error> {
        self.serialize_i64(i64::from(v))
    }

    fn serialize_i32(self, v: i32) -> Result<OwnedSv, Error> {
        self.serialize_i64(i64::from(v))
    }

    #[inline]
    fn serialize_i64(self, v: i64) -> Result<OwnedSv, Error> {
        Ok(OwnedSv::integer(self.perl, v))
    }

    fn serialize_u8(self, v: u8) -> Result<OwnedSv, Error> {
        self.serialize_u64(u64::from(v))
    }

    fn serialize_u16(self, v: u16) -> Result<OwnedSv, Error> {
        self.serialize_u64(u64::from(v))
    }

    fn serialize_u32(self, v: u32) -> Result<OwnedSv, Error> {
        self.serialize_u64(u64::from(v))
    }

    #[inline]
    fn serialize_u64(self, v: u64) -> Result<OwnedSv, Error> {
        Ok(OwnedSv::unsigned(self.perl, v))
    }

    fn serialize_f32(self, v: f32) -> Result<OwnedSv, Error> {
        self.serialize_f64(f64::from(v))
    }

    #[inline]
    fn serialize_f64(self, v: f64) -> Result<OwnedSv, Error> {
        Ok(OwnedSv::float(self.perl, v))
    }

    fn serialize_char(self, v: char) -> Result<OwnedSv, Error> {
        self.serialize_str(v.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, v: &str) -> Result<OwnedSv, Error> {
        Ok(OwnedSv::text(self.perl, v))
    }

    fn serialize_bytes(self, v: &[u8]) -> Result<OwnedSv, Error> {
        Ok(OwnedSv::bytes(self.perl, v))
    }

    fn serialize_none(self) -> Result<OwnedSv, Error> {
        Ok(OwnedSv::undef(self.perl))
    }

    #[inline]
    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Result<OwnedSv, Error> {
        value.serialize(self.wrap()?)
    }

    fn serialize_unit(self) -> Result<OwnedSv, Error> {
        Ok(if self.depth.is_result() {
            OwnedSv::nothing(self.perl)
        } else {
            OwnedSv::undef(self.perl)
        })
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<OwnedSv, Error> {
        if !raw_value::is_value(name) {
            return self.serialize_none();
        }
        let Some(sv) = raw_value::take() else {
            return Error::fail("raw value not properly serialized");
        };
        // SAFETY: the value is alive.
        if unsafe { ffi::standin_is_scalar(sv.as_raw()) } {
            Ok(sv)
        } else {
            Error::fail("an array or a hash can only be returned as a reference")
        }
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<OwnedSv, Error> {
        self.serialize_str(variant)
    }

    #[inline]
    fn serialize_newtype_struct<T: ?Sized + Serialize>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<OwnedSv, Error> {
        value.serialize(self.wrap()?)
    }

    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<OwnedSv, Error> {
        let value = value.serialize(self.enter()?)?;
        in_variant(self.perl, variant, value)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Items, Error> {
        self.items(len.unwrap_or(0))
    }

    fn serialize_tuple(self, len: usize) -> Result<Items, Error> {
        self.items(len)
    }

    fn serialize_tuple_struct(self, _name: &'static str, len: usize) -> Result<Items, Error> {
        self.items(len)
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<InVariant<Items>, Error> {
        Ok(InVariant {
            variant,
            content: self.enter()?.items(len)?,
        })
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Entries, Error> {
        self.entries(len.unwrap_or(0))
    }

    fn serialize_struct(self, _name: &'static str, len: usize) -> Result<Entries, Error> {
        self.entries(len)
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<InVariant<Entries>, Error> {
        Ok(InVariant {
            variant,
            content: self.enter()?.entries(len)?,
        })
    }
}

/// `{ variant => content }`
fn in_variant(perl: Perl, variant: &'static str, content: OwnedSv) -> Result<OwnedSv, Error> {
    let mut hash = NewHash::new(perl, 1);
    hash.store(variant.as_bytes(), false, content)?;
    Ok(hash.into_ref())
}

/// An array being filled.
pub(crate) struct Items {
    array: NewArray,
    inside: Encoder,
}

impl Items {
    #[inline]
    fn push<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
        self.array.push(value.serialize(self.inside)?);
        Ok(())
    }

    fn finish(self) -> OwnedSv {
        self.array.into_ref()
    }
}

impl ser::SerializeSeq for Items {
    type Ok = OwnedSv;
    type Error = Error;

    #[inline]
    fn serialize_element<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
        self.push(value)
    }

    fn end(self) -> Result<OwnedSv, Error> {
        Ok(self.finish())
    }
}

impl ser::SerializeTuple for Items {
    type Ok = OwnedSv;
    type Error = Error;

    fn serialize_element<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
        self.push(value)
    }

    fn end(self) -> Result<OwnedSv, Error> {
        Ok(self.finish())
    }
}

impl ser::SerializeTupleStruct for Items {
    type Ok = OwnedSv;
    type Error = Error;

    fn serialize_field<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
        self.push(value)
    }

    fn end(self) -> Result<OwnedSv, Error> {
        Ok(self.finish())
    }
}

/// A hash being filled.
pub(crate) struct Entries {
    hash: NewHash,
    inside: Encoder,
    /// A key that still waits for its value.
    key: Option<KeyBuffer>,
}

impl Entries {
    #[inline]
    fn field<T: ?Sized + Serialize>(&mut self, name: &str, value: &T) -> Result<(), Error> {
        let value = value.serialize(self.inside)?;
        // perlmod stores the names of fields as bytes.
        self.hash.store(name.as_bytes(), false, value)
    }

    fn finish(self) -> OwnedSv {
        self.hash.into_ref()
    }
}

impl ser::SerializeStruct for Entries {
    type Ok = OwnedSv;
    type Error = Error;

    #[inline]
    fn serialize_field<T: ?Sized + Serialize>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.field(name, value)
    }

    fn end(self) -> Result<OwnedSv, Error> {
        Ok(self.finish())
    }
}

impl ser::SerializeMap for Entries {
    type Ok = OwnedSv;
    type Error = Error;

    fn serialize_key<T: ?Sized + Serialize>(&mut self, key: &T) -> Result<(), Error> {
        if self.key.is_some() {
            return Error::fail("serialize_key called twice");
        }
        let mut buffer = KeyBuffer::default();
        key.serialize(KeyEncoder {
            perl: self.inside.perl,
            depth: self.inside.depth,
            then: |bytes: &[u8], utf8: bool| {
                buffer.bytes.extend_from_slice(bytes);
                buffer.utf8 = utf8;
                Ok(())
            },
        })?;
        self.key = Some(buffer);
        Ok(())
    }

    fn serialize_value<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
        let Some(key) = self.key.take() else {
            return Error::fail("serialize_value called without key");
        };
        let value = value.serialize(self.inside)?;
        self.hash.store(&key.bytes, key.utf8, value)
    }

    /// The usual case, in which the key need not be kept.
    #[inline]
    fn serialize_entry<K: ?Sized + Serialize, T: ?Sized + Serialize>(
        &mut self,
        key: &K,
        value: &T,
    ) -> Result<(), Error> {
        if self.key.is_some() {
            return Error::fail("serialize_key called twice");
        }
        let value = value.serialize(self.inside)?;
        let hash = &mut self.hash;
        key.serialize(KeyEncoder {
            perl: self.inside.perl,
            depth: self.inside.depth,
            then: |bytes: &[u8], utf8: bool| hash.store(bytes, utf8, value),
        })
    }

    fn end(self) -> Result<OwnedSv, Error> {
        if self.key.is_some() {
            return Error::fail("missing value for key");
        }
        Ok(self.finish())
    }
}

/// A variant's content being filled.
pub(crate) struct InVariant<C> {
    variant: &'static str,
    content: C,
}

impl ser::SerializeTupleVariant for InVariant<Items> {
    type Ok = OwnedSv;
    type Error = Error;

    fn serialize_field<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Error> {
        self.content.push(value)
    }

    fn end(self) -> Result<OwnedSv, Error> {
        in_variant(
            self.content.inside.perl,
            self.variant,
            self.content.finish(),
        )
    }
}

impl ser::SerializeStructVariant for InVariant<Entries> {
    type Ok = OwnedSv;
    type Error = Error;

    fn serialize_field<T: ?Sized + Serialize>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.content.field(name, value)
    }

    fn end(self) -> Result<OwnedSv, Error> {
        in_variant(
            self.content.inside.perl,
            self.variant,
            self.content.finish(),
        )
    }
}

/// A key that waits for its value.
#[derive(Default)]
struct KeyBuffer {
    bytes: Vec<u8>,
    utf8: bool,
}

/// Turns a scalar into a hash key and passes it on.
struct KeyEncoder<F> {
    perl: Perl,
    depth: Depth,
    then: F,
}

/// What cannot be a key: perl would use the address of the structure.
fn no_key<T>() -> Result<T, Error> {
    Error::fail("only scalars can be hash keys")
}

impl<F: FnOnce(&[u8], bool) -> Result<(), Error>> KeyEncoder<F> {
    fn display(self, key: impl std::fmt::Display) -> Result<(), Error> {
        (self.then)(key.to_string().as_bytes(), false)
    }
}

/// Integer keys, in decimal.
macro_rules! decimal_keys {
    ($($method:ident: $type:ty,)*) => {
        $(
            fn $method(self, v: $type) -> Result<(), Error> {
                self.display(v)
            }
        )*
    };
}

impl<F: FnOnce(&[u8], bool) -> Result<(), Error>> ser::Serializer for KeyEncoder<F> {
    type Ok = ();
    type Error = Error;

    type SerializeSeq = ser::Impossible<(), Error>;
    type SerializeTuple = ser::Impossible<(), Error>;
    type SerializeTupleStruct = ser::Impossible<(), Error>;
    type SerializeTupleVariant = ser::Impossible<(), Error>;
    type SerializeMap = ser::Impossible<(), Error>;
    type SerializeStruct = ser::Impossible<(), Error>;
    type SerializeStructVariant = ser::Impossible<(), Error>;

    decimal_keys! {
        serialize_i8: i8,
        serialize_i16: i16,
        serialize_i32: i32,
        serialize_i64: i64,
        serialize_u8: u8,
        serialize_u16: u16,
        serialize_u32: u32,
        serialize_u64: u64,
    }

    fn serialize_bool(self, v: bool) -> Result<(), Error> {
        self.display(u8::from(v))
    }

    fn serialize_f32(self, v: f32) -> Result<(), Error> {
        self.serialize_f64(f64::from(v))
    }

    fn serialize_f64(self, v: f64) -> Result<(), Error> {
        let mut len = 0;
        // SAFETY: gives a string that perl frees only after the call.
        let text = unsafe {
            let pv = ffi::standin_float_key(self.perl, v, &mut len);
            std::slice::from_raw_parts(pv, len)
        };
        (self.then)(text, false)
    }

    fn serialize_char(self, v: char) -> Result<(), Error> {
        self.serialize_str(v.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, v: &str) -> Result<(), Error> {
        (self.then)(v.as_bytes(), !v.is_ascii())
    }

    fn serialize_bytes(self, v: &[u8]) -> Result<(), Error> {
        (self.then)(v, false)
    }

    /// perl's key for an undefined value.
    fn serialize_none(self) -> Result<(), Error> {
        (self.then)(b"", false)
    }

    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Result<(), Error> {
        value.serialize(Self {
            depth: self.depth.wrap()?,
            ..self
        })
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.serialize_none()
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<(), Error> {
        if raw_value::is_value(name) {
            drop(raw_value::take());
            return no_key();
        }
        self.serialize_none()
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<(), Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: ?Sized + Serialize>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(Self {
            depth: self.depth.wrap()?,
            ..self
        })
    }

    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _value: &T,
    ) -> Result<(), Error> {
        no_key()
    }

    fn serialize_seq(self, _len: Option<usize>) -> Result<Self::SerializeSeq, Error> {
        no_key()
    }

    fn serialize_tuple(self, _len: usize) -> Result<Self::SerializeTuple, Error> {
        no_key()
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeTupleStruct, Error> {
        no_key()
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeTupleVariant, Error> {
        no_key()
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<Self::SerializeMap, Error> {
        no_key()
    }

    fn serialize_struct(
        self,
        _name: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeStruct, Error> {
        no_key()
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeStructVariant, Error> {
        no_key()
    }
}
