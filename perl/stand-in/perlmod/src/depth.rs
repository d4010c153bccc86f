//! The limit of nesting, which keeps recursion off the end of the stack.

use crate::error::Error;

/// Arrays and hashes may be nested this deep, both ways; JSON's customary limit
/// in Perl. Cyclic data ends here, too.
const MAX_CONTAINERS: u16 = 512;

/// Between two containers this many wrappers (Option, newtype) may follow each
/// other. Only recursive types get there.
const MAX_WRAPPERS: u16 = 128;

/// How deep a value lies below the one that was passed or returned.
#[derive(Clone, Copy, Default)]
pub(crate) struct Depth {
    containers: u16,
    wrappers: u16,
    result: bool,
}

impl Depth {
    /// The depth of the value that an exported function returns.
    pub(crate) fn of_result() -> Self {
        Self {
            result: true,
            ..Self::default()
        }
    }

    /// Whether this is the very value that a function returns.
    pub(crate) fn is_result(self) -> bool {
        self.result
    }

    /// The depth of the items of a container that lies here.
    #[inline]
    pub(crate) fn enter(self) -> Result<Self, Error> {
        if self.containers >= MAX_CONTAINERS {
            return Error::fail("data is cyclic or nested deeper than 512 levels");
        }
        Ok(Self {
            containers: self.containers + 1,
            wrappers: 0,
            result: false,
        })
    }

    /// The depth of what is inside a wrapper that lies here.
    #[inline]
    pub(crate) fn wrap(self) -> Result<Self, Error> {
        if self.wrappers >= MAX_WRAPPERS {
            return Error::fail("value is wrapped in more than 128 layers");
        }
        Ok(Self {
            containers: self.containers,
            wrappers: self.wrappers + 1,
            result: false,
        })
    }
}
