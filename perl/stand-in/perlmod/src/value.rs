//! A perl value as an opaque handle.

use std::fmt;

use crate::native::{Perl, SV};
use crate::sv::OwnedSv;

/// A counted reference to a perl value.
///
/// It can be made, passed on and returned, but not looked into: arguments are
/// looked into by deserializing them.
pub struct Value(OwnedSv);

impl Value {
    /// The undefined value.
    pub fn new_undef() -> Self {
        Self(OwnedSv::undef(Perl::current()))
    }

    /// A new integer.
    pub fn new_int(value: isize) -> Self {
        Self(OwnedSv::integer(Perl::current(), value as i64))
    }

    /// A new unsigned integer.
    pub fn new_uint(value: usize) -> Self {
        Self(OwnedSv::unsigned(Perl::current(), value as u64))
    }

    /// A new floating point number.
    pub fn new_float(value: f64) -> Self {
        Self(OwnedSv::float(Perl::current(), value))
    }

    /// A new string of characters.
    pub fn new_string(value: &str) -> Self {
        Self(OwnedSv::text(Perl::current(), value))
    }

    /// A new string of bytes.
    pub fn new_bytes(value: &[u8]) -> Self {
        Self(OwnedSv::bytes(Perl::current(), value))
    }

    /// Another handle of the same value.
    pub fn clone_ref(&self) -> Self {
        Self(self.0.clone())
    }

    /// Takes over one count of `sv`.
    ///
    /// # Safety
    ///
    /// `sv` is a live value of this thread's interpreter, and the caller gives up
    /// one count of it.
    pub unsafe fn from_raw_move(sv: *mut SV) -> Self {
        // SAFETY: the caller guarantees it.
        Self(unsafe { OwnedSv::from_raw(Perl::current(), sv) })
    }

    /// Shares `sv`, raising its count.
    ///
    /// # Safety
    ///
    /// `sv` is a live value of this thread's interpreter.
    pub unsafe fn from_raw_ref(sv: *mut SV) -> Self {
        // SAFETY: the caller guarantees it.
        Self(unsafe { OwnedSv::share(Perl::current(), sv) })
    }

    /// Gives up ownership of the count without changing it.
    pub fn into_raw(self) -> *mut SV {
        self.0.into_raw()
    }

    pub(crate) fn from_owned(sv: OwnedSv) -> Self {
        Self(sv)
    }

    pub(crate) fn into_owned(self) -> OwnedSv {
        self.0
    }

    pub(crate) fn share(&self) -> OwnedSv {
        self.0.clone()
    }

    pub(crate) fn owned(&self) -> &OwnedSv {
        &self.0
    }
}

impl Clone for Value {
    fn clone(&self) -> Self {
        self.clone_ref()
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<perl value>")
    }
}
