//! Values of unchecked type and encoding, from JSON and Perl.

pub mod byte_string;
pub(crate) mod lenient;
pub mod number;
pub(crate) mod object;
pub mod raw_text;
pub mod scalar;
