//! The context in which an exported function is called.

use crate::native::{self as ffi, Perl};

/// The context of a call: what perl's `wantarray` tells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Gimme {
    /// The result is not used.
    Void = 1,
    /// One value is expected.
    Scalar = 2,
    /// A list is expected.
    List = 3,
}

impl Gimme {
    /// The context of the current call.
    pub fn get() -> Self {
        // SAFETY: has no preconditions beyond a live interpreter.
        match unsafe { ffi::standin_gimme(Perl::current()) } {
            1 => Self::Void,
            3 => Self::List,
            _ => Self::Scalar,
        }
    }
}

/// Whether the current call is made in list context.
pub fn wantarray() -> bool {
    Gimme::get() == Gimme::List
}
