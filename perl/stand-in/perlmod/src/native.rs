//! Declarations of the functions in `glue.c`, and the interpreter handle.

use std::ffi::{c_char, c_uint, c_void};

/// A value of perl's, of any kind; only ever handled by pointer.
#[repr(C)]
pub struct SV {
    _opaque: [u8; 0],
    _not_send: std::marker::PhantomData<*mut u8>,
}

/// The call of an exported sub, as `glue.c` describes it.
#[doc(hidden)]
#[repr(C)]
pub struct Call {
    pub(crate) perl: Perl,
    pub(crate) args: *const *mut SV,
    pub(crate) count: usize,
    ax: isize,
    returned: isize,
    pub(crate) error: *mut SV,
}

/// The Rust side of an exported sub.
#[doc(hidden)]
pub(crate) type Body = unsafe extern "C" fn(call: *mut Call);

/// The interpreter that the current thread runs, as an opaque handle.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Perl(*mut c_void);

impl Perl {
    /// The interpreter of this thread.
    ///
    /// # Panics
    ///
    /// On threads that perl did not start: there is no interpreter to work with.
    pub(crate) fn current() -> Self {
        Self::try_current().expect("perl values can only be handled on a thread of perl's")
    }

    /// The interpreter of this thread, if it has one.
    pub(crate) fn try_current() -> Option<Self> {
        // SAFETY: has no preconditions.
        let perl = unsafe { standin_current() };
        (!perl.is_null()).then_some(Self(perl))
    }
}

/// What a walk over a hash has found.
#[repr(C)]
pub(crate) struct Entry {
    pub(crate) value: *mut SV,
    pub(crate) raw: *const u8,
    pub(crate) raw_len: usize,
    pub(crate) pv: *const u8,
    pub(crate) len: usize,
    pub(crate) flags: c_uint,
}

/// The state of a walk over a hash.
#[repr(C)]
pub(crate) struct Walk {
    hash: *mut c_void,
    entry: *mut c_void,
    bucket: usize,
}

/// What `standin_view` has found; which fields are set depends on its tag.
#[repr(C)]
pub(crate) struct RawView {
    pub(crate) sv: *mut SV,
    pub(crate) pv: *const u8,
    pub(crate) len: usize,
    pub(crate) iv: i64,
    pub(crate) nv: f64,
}

// `glue.c` is built for perls with 64 bit integers only; Debian has no others
// on the architectures of Proxmox VE.
const _: () = assert!(size_of::<usize>() == 8, "only 64 bit perls are supported");

unsafe extern "C" {
    pub(crate) fn standin_install(
        perl: Perl,
        name: *const c_char,
        body: Body,
        file: *const c_char,
        prototype: *const c_char,
    );
    pub(crate) fn standin_boot_enter(perl: Perl) -> isize;
    pub(crate) fn standin_die(perl: Perl, error: *mut SV);
    pub(crate) fn standin_return(call: *mut Call, values: *const *mut SV, count: usize);

    fn standin_current() -> *mut c_void;
    pub(crate) fn standin_gimme(perl: Perl) -> u8;

    pub(crate) fn standin_words_begin();
    pub(crate) fn standin_words_end(perl: Perl);

    pub(crate) fn standin_undef(perl: Perl) -> *mut SV;
    pub(crate) fn standin_nothing(perl: Perl) -> *mut SV;
    pub(crate) fn standin_new_iv(perl: Perl, value: i64) -> *mut SV;
    pub(crate) fn standin_new_uv(perl: Perl, value: u64) -> *mut SV;
    pub(crate) fn standin_new_nv(perl: Perl, value: f64) -> *mut SV;
    pub(crate) fn standin_new_string(perl: Perl, pv: *const u8, len: usize, utf8: bool) -> *mut SV;
    pub(crate) fn standin_inc(perl: Perl, sv: *mut SV) -> *mut SV;
    pub(crate) fn standin_dec(perl: Perl, sv: *mut SV);
    pub(crate) fn standin_mortal(perl: Perl, sv: *mut SV) -> *mut SV;
    pub(crate) fn standin_is_scalar(sv: *mut SV) -> bool;
    pub(crate) fn standin_new_ref(perl: Perl, referent: *mut SV) -> *mut SV;
    pub(crate) fn standin_new_array(perl: Perl, items: usize) -> *mut SV;
    pub(crate) fn standin_array_push(perl: Perl, array: *mut SV, item: *mut SV);
    pub(crate) fn standin_new_hash(perl: Perl, keys: usize) -> *mut SV;
    pub(crate) fn standin_hash_store(
        perl: Perl,
        hash: *mut SV,
        key: *const u8,
        len: usize,
        utf8: bool,
        value: *mut SV,
    );

    pub(crate) fn standin_new_object(
        perl: Perl,
        class: *const u8,
        len: usize,
        value: *mut c_void,
        drop: unsafe extern "C" fn(*mut c_void),
        spec: *const c_void,
    ) -> *mut SV;
    pub(crate) fn standin_object(
        perl: Perl,
        sv: *mut SV,
        spec: *const c_void,
        is_reference: *mut bool,
    ) -> *mut c_void;

    pub(crate) fn standin_view(perl: Perl, sv: *mut SV, want: c_uint, view: *mut RawView)
    -> c_uint;
    pub(crate) fn standin_array_get(array: *mut SV, index: usize) -> *mut SV;
    pub(crate) fn standin_walk_start(perl: Perl, hash: *mut SV, walk: *mut Walk);
    pub(crate) fn standin_walk_next(perl: Perl, walk: *mut Walk, entry: *mut Entry) -> c_uint;
    pub(crate) fn standin_float_key(perl: Perl, value: f64, len: *mut usize) -> *const u8;
}
