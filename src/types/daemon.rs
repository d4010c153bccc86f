//! The state of multipathd.

use super::words::words;

words! {
    /// State of the daemon, from `multipathd show daemon`.
    DaemonState {
        /// It answered: `pid 1189 idle`.
        Running = "running",
        /// The client could not connect to it.
        Stopped = "stopped",
        /// It did not answer in time, or answered something else. It may hang, or be busy.
        NoAnswer = "no-answer",
        /// There is no multipathd.
        NotInstalled = "not-installed",
    }
}
