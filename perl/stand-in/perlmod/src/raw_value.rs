//! How a [`Value`] travels through serde unchanged.
//!
//! serde knows nothing of perl values, so a `Value` announces itself to the
//! encoder and decoder of this crate by a private name and is handed over in a
//! slot of the thread. Other formats do not look at the name: they leave the slot
//! alone, which is noticed and reported as an error.

use std::cell::Cell;
use std::fmt;
use std::mem::ManuallyDrop;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use crate::sv::OwnedSv;
use crate::value::Value;

/// Recognised by its address, which no data can imitate.
static NAME: &str = "perlmod::Value";

thread_local! {
    /// Never dropped with the thread: the interpreter may be gone by then.
    static SLOT: Cell<Option<ManuallyDrop<OwnedSv>>> = const { Cell::new(None) };
}

/// Whether this is the name under which a [`Value`] announces itself.
#[inline]
pub(crate) fn is_value(name: &'static str) -> bool {
    std::ptr::eq(name, NAME)
}

/// Leaves a value in the slot.
pub(crate) fn put(sv: OwnedSv) {
    drop(take());
    SLOT.set(Some(ManuallyDrop::new(sv)));
}

/// Takes the value out of the slot.
pub(crate) fn take() -> Option<OwnedSv> {
    SLOT.take().map(ManuallyDrop::into_inner)
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        put(self.share());
        let result = serializer.serialize_unit_struct(NAME);
        // Our own encoder has emptied the slot.
        match take() {
            None => result,
            Some(_) => Err(ser::Error::custom(
                "a perl value can only be serialized by perlmod",
            )),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a raw perl value")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
                match take() {
                    Some(sv) => Ok(Value::from_owned(sv)),
                    None => Err(E::custom(
                        "a perl value can only be deserialized by perlmod",
                    )),
                }
            }
        }

        drop(take());
        deserializer.deserialize_unit_struct(NAME, Visitor)
    }
}
