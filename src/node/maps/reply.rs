//! The outcome of a `multipathd show ...` command: its text, or one of the daemon's error replies.

use thiserror::Error;

use super::parse::plain_reply;
use super::sysfs::{SysfsFacts, WantedDevices};
use super::{MapList, ParseError, parse};
use crate::types::daemon::DaemonState;

/// Outcome of a run of `multipathd`.
///
/// stdout and stderr are kept apart: complaints about configuration files come on stderr beside a
/// good reply.
#[derive(Clone, Debug, Default)]
pub struct Reply<'a> {
    /// Exit code; none if a signal killed the client.
    pub exit_code: Option<i32>,
    /// Its stdout.
    pub stdout: &'a [u8],
    /// Its stderr.
    pub stderr: &'a [u8],
    /// Whether the caller stopped the client because it took too long.
    pub timed_out: bool,
}

/// Why the outcome gives no maps.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// The client took longer than the caller allowed.
    #[error("multipathd did not answer in time")]
    TimedOut,
    /// A signal killed the client. With `polling_interval 0`, multipath-tools 0.11 and later die of
    /// SIGFPE, the client included.
    #[error(
        "multipathd's client was killed by a signal{}; an invalid polling_interval in /etc/multipath.conf or \
         /etc/multipath/conf.d is known to do that", detail(.stderr)
    )]
    Killed {
        /// The last line that it printed on stderr.
        stderr: String,
    },
    /// The daemon answered with one of its error replies, such as `timeout` or `fail`.
    #[error("multipathd answered '{reply}'{}{}", exit(*.exit_code), detail(.stderr))]
    Refused {
        /// The reply.
        reply: String,
        /// Exit code of the client.
        exit_code: i32,
        /// The last line that it printed on stderr.
        stderr: String,
    },
    /// The client got no reply.
    #[error(
        "no answer from multipathd{}{}: is it running? ('systemctl status multipathd')",
        exit(*.exit_code), detail(.stderr)
    )]
    NoAnswer {
        /// Exit code of the client.
        exit_code: i32,
        /// The last line that it printed on stderr.
        stderr: String,
    },
    /// The text does not give maps.
    #[error(transparent)]
    Parse(#[from] ParseError),
}

impl ReplyError {
    /// Whether asking again at once may help: the daemon was busy, or a map vanished while it put the
    /// reply together, which fails the reply as a whole.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Refused { reply, .. } => !reply.starts_with("permission"),
            Self::Parse(_) => true,
            Self::TimedOut | Self::Killed { .. } | Self::NoAnswer { .. } => false,
        }
    }
}

fn exit(code: i32) -> String {
    if code == 0 {
        String::new()
    } else {
        format!(" (exit code {code})")
    }
}

fn detail(stderr: &str) -> String {
    if stderr.is_empty() {
        String::new()
    } else {
        format!(" [{stderr}]")
    }
}

/// The last line of stderr, which tells why, without control characters.
fn last_line(stderr: &[u8]) -> String {
    let line = stderr
        .trim_ascii_end()
        .rsplit(|&b| b == b'\n')
        .next()
        .unwrap_or_default();
    String::from_utf8_lossy(line)
        .chars()
        .filter(|c| !c.is_control())
        .take(200)
        .collect()
}

impl<'a> Reply<'a> {
    /// The text of a successful reply: exit code 0, and something on stdout.
    ///
    /// # Errors
    ///
    /// The command failed, or printed one of the daemon's error replies.
    pub fn text(&self) -> Result<&'a [u8], ReplyError> {
        if self.timed_out {
            return Err(ReplyError::TimedOut);
        }
        let stderr = last_line(self.stderr);
        let Some(exit_code) = self.exit_code else {
            return Err(ReplyError::Killed { stderr });
        };
        let stdout = self.stdout.trim_ascii();
        if let Some(reply) = plain_reply(stdout) {
            return Err(ReplyError::Refused {
                reply,
                exit_code,
                stderr,
            });
        }
        if stdout.is_empty() || exit_code != 0 {
            return Err(ReplyError::NoAnswer { exit_code, stderr });
        }
        Ok(self.stdout)
    }
}

/// Reads the outcome of `multipathd show maps json`, and completes the maps from sysfs if that is given.
///
/// # Errors
///
/// The command failed, or its text gives no maps, see [`parse`].
pub fn parse_reply(reply: &Reply<'_>, sysfs: Option<&SysfsFacts>) -> Result<MapList, ReplyError> {
    let mut list = parse(reply.text()?)?;
    if let Some(sysfs) = sysfs {
        sysfs.complete(&mut list.maps);
    }
    Ok(list)
}

/// Names the block devices to look up in sysfs for [`parse_reply`].
///
/// # Errors
///
/// Those of [`parse_reply`].
pub fn wanted_devices(reply: &Reply<'_>) -> Result<WantedDevices, ReplyError> {
    Ok(WantedDevices::of(&parse_reply(reply, None)?.maps))
}

/// Reads the outcome of `multipathd show daemon`.
pub fn daemon_state(reply: &Reply<'_>) -> DaemonState {
    match reply.exit_code {
        _ if reply.timed_out => DaemonState::NoAnswer,
        Some(0) if is_pid_line(reply.stdout) => DaemonState::Running,
        // a client that cannot connect prints nothing on stdout
        Some(1..) if reply.stdout.trim_ascii().is_empty() => DaemonState::Stopped,
        _ => DaemonState::NoAnswer,
    }
}

fn is_pid_line(text: &[u8]) -> bool {
    let first = text.split(|&b| b == b'\n').next().unwrap_or_default();
    let pid = first
        .strip_prefix(b"pid ")
        .and_then(|rest| rest.split(|&b| b == b' ').next());
    pid.is_some_and(|pid| !pid.is_empty() && pid.iter().all(u8::is_ascii_digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply<'a>(exit_code: i32, stdout: &'a str, stderr: &'a str) -> Reply<'a> {
        Reply {
            exit_code: Some(exit_code),
            stdout: stdout.as_bytes(),
            stderr: stderr.as_bytes(),
            timed_out: false,
        }
    }

    #[test]
    fn error_replies_are_quoted() {
        let cases = [
            (
                reply(1, "timeout\n", ""),
                "multipathd answered 'timeout' (exit code 1)",
                true,
            ),
            (
                reply(0, "timeout\n", ""),
                "multipathd answered 'timeout'",
                true,
            ),
            (
                reply(1, "fail\n", ""),
                "multipathd answered 'fail' (exit code 1)",
                true,
            ),
            (
                reply(1, "timeout receiving packet\n", ""),
                "multipathd answered 'timeout receiving packet' (exit code 1)",
                true,
            ),
            (
                reply(1, "permission deny: need to be root\n", ""),
                "multipathd answered 'permission deny: need to be root' (exit code 1)",
                false,
            ),
            (
                reply(1, "", "ERROR: failed to connect to multipathd\n"),
                "no answer from multipathd (exit code 1) [ERROR: failed to connect to multipathd]: \
                 is it running? ('systemctl status multipathd')",
                false,
            ),
            (
                reply(1, "", ""),
                "no answer from multipathd (exit code 1): \
                 is it running? ('systemctl status multipathd')",
                false,
            ),
        ];
        for (reply, message, transient) in cases {
            let error = parse_reply(&reply, None).err();
            assert_eq!(
                error.as_ref().map(ToString::to_string).as_deref(),
                Some(message)
            );
            assert_eq!(
                error.is_some_and(|error| error.is_transient()),
                transient,
                "{message}"
            );
        }
    }

    #[test]
    fn a_signal_and_a_timeout() {
        let killed = Reply {
            stderr: b"x\n",
            ..Reply::default()
        };
        assert!(matches!(
            parse_reply(&killed, None),
            Err(ReplyError::Killed { .. })
        ));
        let late = Reply {
            timed_out: true,
            exit_code: Some(0),
            ..Reply::default()
        };
        assert_eq!(parse_reply(&late, None), Err(ReplyError::TimedOut));
    }

    #[test]
    fn daemon_states() {
        use DaemonState::{NoAnswer, Running, Stopped};
        let killed = Reply::default();
        let late = Reply {
            timed_out: true,
            ..reply(0, "pid 1189 idle\n", "")
        };
        let no_daemon = "ERROR: failed to connect to multipathd\n";
        for (answer, state) in [
            (reply(0, "pid 1189 idle\n", ""), Running),
            (
                reply(0, "pid 1 running (reconfigure pending)\n", ""),
                Running,
            ),
            (reply(1, "", no_daemon), Stopped),
            (reply(1, "", ""), Stopped),
            (late, NoAnswer),
            (killed, NoAnswer),
            (reply(1, "pid 1189 idle\n", ""), NoAnswer),
            (reply(0, "timeout\n", ""), NoAnswer),
            (reply(1, "timeout\n", ""), NoAnswer),
            (reply(1, "timeout receiving packet\n", ""), NoAnswer),
            (reply(1, "permission deny: need to be root\n", ""), NoAnswer),
            (reply(0, "", ""), NoAnswer),
            (reply(0, "pid x\n", ""), NoAnswer),
        ] {
            assert_eq!(daemon_state(&answer), state, "{answer:?}");
        }
    }
}
