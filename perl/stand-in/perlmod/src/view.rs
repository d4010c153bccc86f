//! What a perl value holds, in the form that a decoder asks for.

use std::ffi::c_uint;
use std::marker::PhantomData;
use std::mem::MaybeUninit;

use crate::error::Error;
use crate::native::{self as ffi, Perl, RawView, SV};

/// The form that is preferred; the numbers are those of `enum want` in `glue.c`.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(crate) enum Want {
    /// Characters, else a number.
    String = 0,
    /// An integer, else a float, else characters.
    Integer = 1,
    /// A float, else an integer, else characters.
    Float = 2,
    /// The bytes of a string, else a number.
    Bytes = 3,
    /// A truth value, else an error.
    Bool = 4,
    /// Characters, else an error: the name of an enum's variant.
    Name = 5,
}

/// What a value turned out to hold. Strings live as long as the argument that
/// they are a part of.
pub(crate) enum View<'de> {
    Undef,
    Text(&'de str),
    Bytes(&'de [u8]),
    Integer(i64),
    Float(f64),
    Bool(bool),
    Array(Array<'de>),
    Hash(Hash<'de>),
}

/// A perl value inside an argument, not counted.
///
/// Nothing changes or frees an argument while Rust code looks at it: decoding
/// runs no Perl code, and the caller holds on to its arguments.
#[derive(Clone, Copy)]
pub(crate) struct Input<'de> {
    perl: Perl,
    sv: *mut SV,
    argument: PhantomData<&'de SV>,
}

/// An array, known to be plain (not tied).
#[derive(Clone, Copy)]
pub(crate) struct Array<'de> {
    perl: Perl,
    array: *mut SV,
    len: usize,
    argument: PhantomData<&'de SV>,
}

/// A hash, known to be plain (not tied).
#[derive(Clone, Copy)]
pub(crate) struct Hash<'de> {
    perl: Perl,
    hash: *mut SV,
    len: usize,
    argument: PhantomData<&'de SV>,
}

impl<'de> Input<'de> {
    /// # Safety
    ///
    /// `sv` is a live value of this interpreter, and stays alive and unchanged
    /// for `'de`.
    #[inline]
    pub(crate) unsafe fn new(perl: Perl, sv: *mut SV) -> Self {
        Self {
            perl,
            sv,
            argument: PhantomData,
        }
    }

    #[inline]
    pub(crate) fn perl(self) -> Perl {
        self.perl
    }

    #[inline]
    pub(crate) fn as_raw(self) -> *mut SV {
        self.sv
    }

    /// Looks at the value behind all references.
    #[inline]
    pub(crate) fn view(self, want: Want) -> Result<View<'de>, Error> {
        self.view_with_target(want).map(|(view, _)| view)
    }

    /// Also gives the value at the end of the chain of references.
    #[inline]
    pub(crate) fn view_with_target(self, want: Want) -> Result<(View<'de>, Self), Error> {
        let mut raw = RawView {
            sv: self.sv,
            pv: std::ptr::null(),
            len: 0,
            iv: 0,
            nv: 0.0,
        };
        // SAFETY: the value is alive (see `new`) and `raw` can be written to.
        let tag = unsafe { ffi::standin_view(self.perl, self.sv, want as c_uint, &mut raw) };
        let target = Self { sv: raw.sv, ..self };
        let view = match tag {
            0 => View::Undef,
            // SAFETY: a string of the argument or a copy that perl frees after
            // the call; checked to be ASCII.
            1 => View::Text(unsafe {
                std::str::from_utf8_unchecked(std::slice::from_raw_parts(raw.pv, raw.len))
            }),
            // SAFETY: as above, but perl's UTF-8 needs a check.
            2 => View::Text(checked(unsafe {
                std::slice::from_raw_parts(raw.pv, raw.len)
            })?),
            3 => View::Integer(raw.iv),
            4 => View::Float(raw.nv),
            // SAFETY: a string of the argument or a copy that perl frees after
            // the call.
            5 => View::Bytes(unsafe { std::slice::from_raw_parts(raw.pv, raw.len) }),
            6 => View::Bool(raw.iv != 0),
            7 => View::Array(Array {
                perl: self.perl,
                array: raw.sv,
                len: raw.len,
                argument: PhantomData,
            }),
            8 => View::Hash(Hash {
                perl: self.perl,
                hash: raw.sv,
                len: raw.len,
                argument: PhantomData,
            }),
            _ => return Err(refusal(tag, raw.iv)),
        };
        Ok((view, target))
    }
}

/// Why a value cannot be decoded.
#[cold]
fn refusal(tag: c_uint, body: i64) -> Error {
    match tag {
        9 => Error::new("expected bool value"),
        10 => Error::new("expected an enum value"),
        11 => wide(),
        12 => Error::new_owned(format!(
            "cannot deserialize weird magic perl values ({body})"
        )),
        13 => Error::new("cannot deserialize tied or otherwise computed perl values"),
        _ => Error::new("data is cyclic or nested deeper than 512 levels"),
    }
}

/// Characters that are no bytes.
#[cold]
pub(crate) fn wide() -> Error {
    Error::new("string has characters above 0xff where bytes are expected")
}

/// Perl's UTF-8 may hold what Unicode does not allow, such as surrogates.
#[inline]
fn checked(bytes: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(bytes).map_err(|_| Error::new("string is not valid Unicode text"))
}

impl<'de> Array<'de> {
    #[inline]
    pub(crate) fn len(self) -> usize {
        self.len
    }

    /// The item at `index`, which is below the length.
    #[inline]
    pub(crate) fn get(self, index: usize) -> Result<Input<'de>, Error> {
        // SAFETY: a live, plain array; the index is checked.
        let sv = unsafe { ffi::standin_array_get(self.array, index) };
        if sv.is_null() {
            return Error::fail("array has items that were never set");
        }
        // SAFETY: an item of the argument lives as long as the argument.
        Ok(unsafe { Input::new(self.perl, sv) })
    }
}

impl<'de> Hash<'de> {
    #[inline]
    pub(crate) fn len(self) -> usize {
        self.len
    }

    pub(crate) fn walk(self) -> Walk<'de> {
        let mut walk = MaybeUninit::uninit();
        // SAFETY: a live, plain hash; the walk is written in full.
        let walk = unsafe {
            ffi::standin_walk_start(self.perl, self.hash, walk.as_mut_ptr());
            walk.assume_init()
        };
        Walk {
            perl: self.perl,
            walk,
            argument: PhantomData,
        }
    }
}

/// A walk over the entries of a hash.
pub(crate) struct Walk<'de> {
    perl: Perl,
    walk: ffi::Walk,
    argument: PhantomData<&'de SV>,
}

/// An entry of a hash.
pub(crate) struct Entry<'de> {
    /// The key as it is stored, which may be Latin-1.
    pub(crate) raw_key: &'de [u8],
    /// Whether it is stored as UTF-8.
    pub(crate) stored_utf8: bool,
    /// Whether it is stored as Latin-1, but was given as UTF-8.
    pub(crate) was_utf8: bool,
    pub(crate) key: &'de str,
    pub(crate) value: Input<'de>,
}

impl<'de> Walk<'de> {
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<Entry<'de>>, Error> {
        let mut entry = MaybeUninit::<ffi::Entry>::uninit();
        // SAFETY: the hash is alive and unchanged since the walk began. The
        // entry is written in full unless the end is reported.
        let (tag, entry) = unsafe {
            match ffi::standin_walk_next(self.perl, &mut self.walk, entry.as_mut_ptr()) {
                0 => return Ok(None),
                tag => (tag, entry.assume_init()),
            }
        };
        // SAFETY: keys live as long as their hash, a converted key until perl
        // frees it after the call; the value lives in the argument.
        let (raw_key, key, value) = unsafe {
            (
                std::slice::from_raw_parts(entry.raw, entry.raw_len),
                std::slice::from_raw_parts(entry.pv, entry.len),
                Input::new(self.perl, entry.value),
            )
        };
        let key = match tag {
            // SAFETY: checked to be ASCII.
            1 => unsafe { std::str::from_utf8_unchecked(key) },
            _ => checked(key)?,
        };
        Ok(Some(Entry {
            raw_key,
            stored_utf8: entry.flags & 1 != 0,
            was_utf8: entry.flags & 2 != 0,
            key,
            value,
        }))
    }
}
