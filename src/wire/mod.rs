//! Values of unchecked type and encoding, as JSON and Perl hand them in.

pub mod byte_string;
pub(crate) mod lenient;
pub mod number;
pub(crate) mod object;
pub mod scalar;
