//! Stand-in for Proxmox's crate of the same name.
//!
//! It offers the part of perlmod's interface that plain data needs: packages,
//! exported functions, and perl values in and out through serde. What it offers
//! behaves like perlmod 0.14; what it does not offer is not there at all, so that
//! code which builds here builds there. See `README.md` next to this workspace.

#![deny(unsafe_op_in_unsafe_fn)]
#![deny(clippy::undocumented_unsafe_blocks)]

pub mod de;
pub mod error;
pub mod ser;
pub mod value;

mod call;
mod depth;
mod gimme;
mod magic;
mod raw_value;
mod sv;
mod view;

/// Types of perl's that appear in signatures.
pub mod ffi {
    #[doc(inline)]
    pub use crate::native::SV;
}

mod native;

pub use de::{from_ref_value, from_value};
pub use error::Error;
pub use gimme::{Gimme, wantarray};
pub use magic::MagicSpec;
pub use ser::to_value;
pub use value::Value;

/// Makes a perl package of an inline module.
///
/// * `name = "Some::Package"`: the package. Required.
/// * `lib = "name"`: the library it is found in; for documentation.
/// * `boot = "function"`: run when the package is loaded.
#[cfg(feature = "exporter")]
pub use perlmod_macro::package;

/// Makes a sub of a function in a package's module.
///
/// * `name = "..."`: the sub's name in Perl.
/// * `prototype = "..."`: instead of the one made from the parameters.
/// * `xs_name = "..."`: the name of the generated function.
/// * `raw_return`: the result is a [`Value`] and returned as it is.
/// * `serialize_error`: die with the error as a structure, not with its text.
///
/// A parameter may be `#[raw]` to be passed as a [`Value`], or `#[try_from_ref]`
/// to be made with `TryFrom<&Value>`.
#[cfg(feature = "exporter")]
pub use perlmod_macro::export;

/// For the code that the macros generate; not an interface.
#[doc(hidden)]
pub mod __private__ {
    pub use crate::call::{
        Args, Failure, Item, PackageNote, Returned, Sub, boot, enter, unwind_safe,
    };
    pub use crate::native::Call;
}
