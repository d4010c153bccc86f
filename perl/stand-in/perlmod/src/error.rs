//! The error type of this crate.

pub use crate::magic::MagicError;

use std::fmt;

/// An error of encoding or decoding; displayed with `error: ` in front.
#[derive(Clone, Debug)]
pub struct Error(String);

impl Error {
    /// An error with this message.
    #[inline]
    pub fn new(message: &str) -> Self {
        Self(message.to_owned())
    }

    /// An error with this message, which need not be copied.
    #[inline]
    pub fn new_owned(message: String) -> Self {
        Self(message)
    }

    /// A failed result with this message.
    #[inline]
    pub fn fail<T>(message: &str) -> Result<T, Self> {
        Err(Self::new(message))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("error: ")?;
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl serde::ser::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}
