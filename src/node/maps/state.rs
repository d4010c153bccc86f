//! States that multipathd prints as words.
//!
//! The words are those of multipath-tools 0.9 to 0.15 (libmultipath/print.c, checkers.c). A word that
//! is not listed here is kept as printed, so that a state of a later version still reaches the user.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

/// Defines an enum of words, which is read from and printed as these words.
macro_rules! states {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
            /// Any other word, as multipathd printed it.
            Other(String),
        }

        impl $name {
            /// The word, as multipathd prints it.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)*
                    Self::Other(word) => word,
                }
            }
        }

        impl From<Cow<'_, str>> for $name {
            fn from(word: Cow<'_, str>) -> Self {
                match &*word {
                    $($word => Self::$variant,)*
                    _ => Self::Other(word.into_owned()),
                }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    )*};
}

states! {
    /// State of a map's device-mapper device (`dm_st` of a map).
    MapState {
        /// I/O is served.
        Active = "active",
        /// All I/O waits until the map is resumed.
        Suspended = "suspend",
        /// multipathd could not ask the kernel, or does not print the field.
        Undefined = "undef",
    }

    /// State of a path group (`dm_st` of a group).
    GroupState {
        /// The group that carries I/O.
        Active = "active",
        /// Ready to take over.
        Enabled = "enabled",
        /// Not to be used.
        Disabled = "disabled",
        /// Unknown, or the field is missing.
        Undefined = "undef",
    }

    /// What device-mapper makes of a path (`dm_st` of a path).
    PathState {
        /// The path is used.
        Active = "active",
        /// The path failed and is not used.
        Failed = "failed",
    }

    /// State of a path's block device in sysfs (`dev_st`).
    DeviceState {
        /// The device takes commands.
        Running = "running",
        /// The kernel took the device offline.
        Offline = "offline",
    }

    /// The last result of the path checker (`chk_st`). It may be a polling interval old.
    CheckerState {
        /// The path is usable.
        Ready = "ready",
        /// The path is usable, but only after a failover: the passive side of the array.
        Ghost = "ghost",
        /// The path is unusable.
        Faulty = "faulty",
        /// The path is unusable for now.
        Shaky = "shaky",
        /// The check is still running.
        Pending = "i/o pending",
        /// The check took too long: unusable.
        TimedOut = "i/o timeout",
        /// Usable again, but held back for a while.
        Delayed = "delayed",
        /// The LUN was unmapped on the array: unusable (0.14.0 and later).
        Disconnected = "disconnected",
    }

    /// Whether a path or group is used last because it fails now and then (`marginal_st`).
    MarginalState {
        /// Used like any other.
        Normal = "normal",
        /// Used only when nothing else is left.
        Marginal = "marginal",
    }
}

impl CheckerState {
    /// Whether the checker found the path unusable. A check that is running or delayed found nothing.
    pub fn is_unusable(&self) -> bool {
        matches!(
            self,
            Self::Faulty | Self::Shaky | Self::TimedOut | Self::Disconnected
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_printed_as_they_were_read() {
        for word in ["active", "suspend", "undef", "", "a word to come"] {
            assert_eq!(MapState::from(Cow::Borrowed(word)).as_str(), word);
        }
        assert_eq!(
            MapState::from(Cow::Borrowed("suspend")),
            MapState::Suspended
        );
    }

    #[test]
    fn unusable_checker_states() {
        for (word, unusable) in [
            ("faulty", true),
            ("shaky", true),
            ("i/o timeout", true),
            ("disconnected", true),
            ("ready", false),
            ("ghost", false),
            ("i/o pending", false),
            ("delayed", false),
            ("undef", false),
            ("from the future", false),
        ] {
            let state = CheckerState::from(Cow::Borrowed(word));
            assert_eq!(state.is_unusable(), unusable, "{word}");
        }
    }
}
