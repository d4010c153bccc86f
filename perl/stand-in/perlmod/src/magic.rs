//! Rust values that perl code holds as objects.
//!
//! An object is a blessed hash that perl code cannot look into: the value hangs on it as magic, and is
//! dropped with the hash. Copies of the hash, and those in other threads, have no value.

use std::any::Any;
use std::ffi::c_void;
use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::Error;
use crate::native as ffi;
use crate::native::Perl;
use crate::sv::OwnedSv;
use crate::value::Value;

/// Tells the objects of one type from others; made by [`declare_magic!`](crate::declare_magic).
pub struct MagicSpec<T> {
    /// So that each has an address of its own.
    _some: u8,
    content: PhantomData<fn() -> T>,
}

/// That a value is not an object of the type that is wanted.
#[derive(Debug)]
pub enum MagicError {
    /// The value is not a reference.
    NotAReference(&'static str),
    /// The value has no Rust value of this type.
    NotFound(&'static str),
}

impl fmt::Display for MagicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAReference(class) => {
                write!(f, "value blessed into {class} was not a reference")
            }
            Self::NotFound(class) => write!(
                f,
                "value blessed into {class} did not contain its declared magic pointer"
            ),
        }
    }
}

impl std::error::Error for MagicError {}

impl<T: 'static> MagicSpec<Box<T>> {
    #[doc(hidden)]
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        Self {
            _some: 0,
            content: PhantomData,
        }
    }

    fn address(&'static self) -> *const c_void {
        std::ptr::from_ref(self).cast()
    }

    #[doc(hidden)]
    pub fn instantiate(&'static self, class: &Value, value: Box<T>) -> Result<Value, Error> {
        unsafe extern "C" fn drop_value<T>(value: *mut c_void) {
            // SAFETY: made by `Box::into_raw` below, and perl frees its magic once.
            let value = unsafe { Box::from_raw(value.cast::<T>()) };
            forget_panic(catch_unwind(AssertUnwindSafe(|| drop(value))));
        }

        let class: String = crate::from_ref_value(class)?;
        let perl = Perl::current();
        // SAFETY: makes a new value, whose only count is handed over; it takes over the box, which
        // `drop_value` knows the type of.
        Ok(Value::from_owned(unsafe {
            let sv = ffi::standin_new_object(
                perl,
                class.as_ptr(),
                class.len(),
                Box::into_raw(value).cast(),
                drop_value::<T>,
                self.address(),
            );
            OwnedSv::from_raw(perl, sv)
        }))
    }

    #[doc(hidden)]
    pub fn find<'v>(
        &'static self,
        value: &'v Value,
        class: &'static str,
    ) -> Result<&'v T, MagicError> {
        let sv = value.owned();
        // SAFETY: the value is alive. Of the objects with this address the content is a `T`, which
        // lives as long as the hash, which the reference holds.
        unsafe {
            let mut is_reference = false;
            let found =
                ffi::standin_object(sv.perl(), sv.as_raw(), self.address(), &mut is_reference);
            match found.cast::<T>().as_ref() {
                Some(content) => Ok(content),
                None if is_reference => Err(MagicError::NotFound(class)),
                None => Err(MagicError::NotAReference(class)),
            }
        }
    }
}

/// The payload of a panic may panic when it is dropped.
fn forget_panic(outcome: Result<(), Box<dyn Any + Send>>) {
    if let Err(payload) = outcome {
        std::mem::forget(payload);
    }
}

/// Declares a type whose values perl code holds as objects: `MAGIC` for
/// [`instantiate_magic!`](crate::instantiate_magic), and `TryFrom<&Value>` for `#[try_from_ref]`.
///
/// ```ignore
/// perlmod::declare_magic!(Box<Counter> : &Counter as "My::Counter");
/// ```
#[macro_export]
macro_rules! declare_magic {
    (Box<$inner:ty> : &$same:ty as $class:literal) => {
        const CLASSNAME: &str = $class;
        static MAGIC: $crate::MagicSpec<Box<$inner>> = $crate::MagicSpec::<Box<$inner>>::new();

        impl<'a> ::std::convert::TryFrom<&'a $crate::Value> for &'a $same {
            type Error = $crate::error::MagicError;

            fn try_from(value: &'a $crate::Value) -> Result<Self, $crate::error::MagicError> {
                MAGIC.find(value, CLASSNAME)
            }
        }
    };
}

/// A new object of a class with a value, for the package's `new`.
#[macro_export]
macro_rules! instantiate_magic {
    ($class:expr, $magic:expr => $value:expr) => {
        $magic.instantiate($class, $value)?
    };
}
