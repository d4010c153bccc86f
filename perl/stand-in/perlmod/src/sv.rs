//! One owned count of a perl value.

use crate::error::Error;
use crate::native::{self as ffi, Perl, SV};

/// A perl value of which one reference count is owned.
pub(crate) struct OwnedSv {
    perl: Perl,
    sv: *mut SV,
}

impl OwnedSv {
    /// Takes over one count of `sv`.
    ///
    /// # Safety
    ///
    /// `sv` is a live value of this interpreter, and the caller gives up one
    /// count of it.
    #[inline]
    pub(crate) unsafe fn from_raw(perl: Perl, sv: *mut SV) -> Self {
        Self { perl, sv }
    }

    /// Shares `sv`.
    ///
    /// # Safety
    ///
    /// `sv` is a live value of this interpreter.
    #[inline]
    pub(crate) unsafe fn share(perl: Perl, sv: *mut SV) -> Self {
        // SAFETY: the caller guarantees that `sv` is valid; the new count is the one owned.
        unsafe { Self::from_raw(perl, ffi::standin_inc(perl, sv)) }
    }

    #[inline]
    pub(crate) fn undef(perl: Perl) -> Self {
        // SAFETY: the undefined value is immortal, its count does not matter.
        unsafe { Self::from_raw(perl, ffi::standin_undef(perl)) }
    }

    /// Stands for no value at all; never gets into data.
    pub(crate) fn nothing(perl: Perl) -> Self {
        // SAFETY: the marker is immortal, its count does not matter.
        unsafe { Self::from_raw(perl, ffi::standin_nothing(perl)) }
    }

    pub(crate) fn is_nothing(&self) -> bool {
        // SAFETY: has no preconditions beyond a live interpreter.
        std::ptr::eq(self.sv, unsafe { ffi::standin_nothing(self.perl) })
    }

    #[inline]
    pub(crate) fn integer(perl: Perl, value: i64) -> Self {
        // SAFETY: makes a new value, whose only count is handed over.
        unsafe { Self::from_raw(perl, ffi::standin_new_iv(perl, value)) }
    }

    #[inline]
    pub(crate) fn unsigned(perl: Perl, value: u64) -> Self {
        // SAFETY: makes a new value, whose only count is handed over.
        unsafe { Self::from_raw(perl, ffi::standin_new_uv(perl, value)) }
    }

    #[inline]
    pub(crate) fn float(perl: Perl, value: f64) -> Self {
        // SAFETY: makes a new value, whose only count is handed over.
        unsafe { Self::from_raw(perl, ffi::standin_new_nv(perl, value)) }
    }

    /// A string of characters; flagged as UTF-8 only if it is not ASCII.
    #[inline]
    pub(crate) fn text(perl: Perl, value: &str) -> Self {
        Self::string(perl, value.as_bytes(), !value.is_ascii())
    }

    /// A string of bytes.
    #[inline]
    pub(crate) fn bytes(perl: Perl, value: &[u8]) -> Self {
        Self::string(perl, value, false)
    }

    #[inline]
    fn string(perl: Perl, value: &[u8], utf8: bool) -> Self {
        // SAFETY: copies the slice into a new value, whose only count is handed
        // over.
        unsafe {
            let sv = ffi::standin_new_string(perl, value.as_ptr(), value.len(), utf8);
            Self::from_raw(perl, sv)
        }
    }

    #[inline]
    pub(crate) fn perl(&self) -> Perl {
        self.perl
    }

    #[inline]
    pub(crate) fn as_raw(&self) -> *mut SV {
        self.sv
    }

    /// Gives up ownership without changing the count.
    #[inline]
    pub(crate) fn into_raw(self) -> *mut SV {
        let sv = self.sv;
        std::mem::forget(self);
        sv
    }

    /// A reference to this value.
    #[inline]
    pub(crate) fn into_ref(self) -> Self {
        let perl = self.perl;
        // SAFETY: the new reference takes over the count given up here.
        unsafe { Self::from_raw(perl, ffi::standin_new_ref(perl, self.into_raw())) }
    }
}

impl Clone for OwnedSv {
    fn clone(&self) -> Self {
        // SAFETY: the value is alive as long as `self` owns a count.
        unsafe { Self::share(self.perl, self.sv) }
    }
}

impl Drop for OwnedSv {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: gives back the count that was owned.
        unsafe { ffi::standin_dec(self.perl, self.sv) }
    }
}

/// An array under construction.
pub(crate) struct NewArray(OwnedSv);

impl NewArray {
    pub(crate) fn new(perl: Perl, items: usize) -> Self {
        // SAFETY: makes a new array, whose only count is handed over.
        Self(unsafe { OwnedSv::from_raw(perl, ffi::standin_new_array(perl, items)) })
    }

    #[inline]
    pub(crate) fn push(&mut self, item: OwnedSv) {
        // SAFETY: the value in here is an array that is not shared yet, and
        // the array takes over the count of the item.
        unsafe { ffi::standin_array_push(self.0.perl, self.0.sv, item.into_raw()) }
    }

    pub(crate) fn into_ref(self) -> OwnedSv {
        self.0.into_ref()
    }
}

/// A hash under construction.
pub(crate) struct NewHash(OwnedSv);

impl NewHash {
    pub(crate) fn new(perl: Perl, keys: usize) -> Self {
        // SAFETY: makes a new hash, whose only count is handed over.
        Self(unsafe { OwnedSv::from_raw(perl, ffi::standin_new_hash(perl, keys)) })
    }

    /// Stores a value under a key given as bytes, or as UTF-8 if so flagged.
    #[inline]
    pub(crate) fn store(&mut self, key: &[u8], utf8: bool, value: OwnedSv) -> Result<(), Error> {
        if key.len() > i32::MAX as usize {
            return Error::fail("hash key is too long");
        }
        // SAFETY: the value in here is a hash that is not shared yet, the
        // length fits perl's keys, and the hash takes over the count of the
        // value.
        unsafe {
            ffi::standin_hash_store(
                self.0.perl,
                self.0.sv,
                key.as_ptr(),
                key.len(),
                utf8,
                value.into_raw(),
            );
        }
        Ok(())
    }

    pub(crate) fn into_ref(self) -> OwnedSv {
        self.0.into_ref()
    }
}
