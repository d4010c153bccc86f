//! The two ends of a path: the initiator's port on the node, and the target's port on the array.
//!
//! Fibre Channel has names for both (WWPN). An iSCSI path runs from the address of an interface to a portal
//! of a target. For other transports only the SCSI host is known.

use std::fmt;

use super::maps::Path;
use crate::Transport;
use crate::types::words::checked_text;

/// Longest name of a port in bytes: an IQN has at most 223 (RFC 3720, 3.2.6.1), a portal at most 47 more.
pub const MAX_PORT_NAME_LEN: usize = 272;

/// Name of a port, such as `0x500507680b21ac5d` or `10.0.0.5:3260 iqn.2003-01.org.example:san`: printable
/// ASCII, 1 to [`MAX_PORT_NAME_LEN`] bytes, no quotes or backslashes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortName(Box<str>);

impl PortName {
    /// The port of that name; none if it cannot be one.
    pub fn new(name: &str) -> Option<Self> {
        let allowed = |b: u8| (b' '..=b'~').contains(&b) && !b"\"'`\\".contains(&b);
        let valid = (1..=MAX_PORT_NAME_LEN).contains(&name.len())
            && name.bytes().all(allowed)
            && name.trim() == name;
        valid.then(|| Self(name.into()))
    }
}

checked_text!(PortName);

/// A port of the node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Initiator {
    /// A port with a name: a WWPN, with the SCSI host that it has at present, or an iSCSI interface's
    /// address, which each session reaches through a host of its own.
    Named {
        /// The WWPN or address.
        name: PortName,
        /// Number of the SCSI host.
        host: Option<u32>,
    },
    /// A SCSI host whose port has no name.
    Host(u32),
}

impl fmt::Display for Initiator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named {
                name,
                host: Some(host),
            } => write!(f, "host{host} ({name})"),
            Self::Named { name, host: None } => name.fmt(f),
            Self::Host(host) => write!(f, "host{host}"),
        }
    }
}

/// The two ends of a path, as far as they are known.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ends {
    /// The port of the node.
    pub initiator: Option<Initiator>,
    /// The port of the array.
    pub target: Option<PortName>,
}

impl Ends {
    /// The ends of a path.
    ///
    /// `link` is the link text of `/sys/block/<path>`, `portal` address and TCP port of its iSCSI
    /// session's connection, such as `10.0.0.5:3260`.
    pub fn of(path: &Path, link: Option<&str>, portal: Option<&str>) -> Self {
        let host = link.and_then(host_number);
        let name = |text: &Option<String>| text.as_deref().and_then(PortName::new);
        if path.transport == Some(Transport::Iscsi) {
            let initiator = match name(&path.host_adapter) {
                Some(name) => Some(Initiator::Named { name, host: None }),
                None => host.map(Initiator::Host),
            };
            let target = portal.and_then(|portal| match &path.target_wwnn {
                Some(iqn) => PortName::new(&format!("{portal} {iqn}")),
                None => PortName::new(portal),
            });
            return Self { initiator, target };
        }
        let initiator = match name(&path.host_wwpn) {
            Some(name) => Some(Initiator::Named { name, host }),
            None => host.map(Initiator::Host),
        };
        Self {
            initiator,
            target: name(&path.target_wwpn),
        }
    }
}

/// The number in `.../host1/...` of the link to a SCSI disk.
fn host_number(link: &str) -> Option<u32> {
    let numbers = link.split('/').filter_map(|part| part.strip_prefix("host"));
    numbers.filter_map(|number| number.parse().ok()).next()
}

/// The session in `.../session1/...` of the link to an iSCSI disk.
pub fn iscsi_session(link: &str) -> Option<&str> {
    link.split('/').find(|part| {
        part.strip_prefix("session")
            .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::maps;

    const FC_LINK: &str =
        "../devices/pci0000:00/0000:00:03.0/host1/rport-1:0-2/target1:0:2/1:0:2:3/block/sdb";
    const ISCSI_LINK: &str = "../devices/platform/host7/session5/target7:0:0/7:0:0:1/block/sdc";

    fn ends(fields: &str, link: Option<&str>, portal: Option<&str>) -> (String, String) {
        let text = format!(
            r#"{{"maps": [{{"uuid": "a", "path_groups": [{{"paths": [{{"dev": "sdb", {fields}}}]}}]}}]}}"#
        );
        let list = maps::parse(text.as_bytes()).unwrap();
        let mut path = list.maps[0].paths().next().unwrap().clone();
        path.transport = link.and_then(Transport::from_sysfs_link);
        let ends = Ends::of(&path, link, portal);
        let text = |end: Option<String>| end.unwrap_or_default();
        (
            text(ends.initiator.map(|port| port.to_string())),
            text(ends.target.map(|port| port.to_string())),
        )
    }

    #[test]
    fn ends_of_paths() {
        let fc = r#""host_wwpn": "0x2100001b32817fe1", "target_wwpn": "0x5005076801102b4e""#;
        let named = "host1 (0x2100001b32817fe1)".to_owned();
        let port = "0x5005076801102b4e".to_owned();
        assert_eq!(ends(fc, Some(FC_LINK), None), (named, port.clone()));
        assert_eq!(
            ends(fc, None, None),
            ("0x2100001b32817fe1".to_owned(), port)
        );

        let iscsi = r#""host_adapter": "10.0.0.1", "target_wwnn": "iqn.2003-01.org.example:san""#;
        assert_eq!(
            ends(iscsi, Some(ISCSI_LINK), Some("10.0.0.5:3260")),
            (
                "10.0.0.1".to_owned(),
                "10.0.0.5:3260 iqn.2003-01.org.example:san".to_owned()
            )
        );
        // without the portal the target's ports cannot be told apart
        assert_eq!(
            ends(iscsi, Some(ISCSI_LINK), None),
            ("10.0.0.1".to_owned(), String::new())
        );

        let unknown = r#""host_wwpn": "[unknown]", "target_wwpn": "[undef]""#;
        let host = ("host1".to_owned(), String::new());
        assert_eq!(ends(unknown, Some(FC_LINK), None), host);
        assert_eq!(ends(unknown, None, None), Default::default());
    }

    #[test]
    fn hostile_names_are_not_names() {
        for name in [
            "",
            " ",
            "a\nb",
            "a\u{1b}[31m",
            "a\"b",
            "ä",
            " a",
            &"a".repeat(273),
        ] {
            assert_eq!(PortName::new(name), None, "{name:?}");
        }
        assert!(PortName::new(&"a".repeat(272)).is_some());
    }

    #[test]
    fn sessions() {
        assert_eq!(iscsi_session(ISCSI_LINK), Some("session5"));
        for link in [FC_LINK, "", "a/session/b", "a/session1x/b"] {
            assert_eq!(iscsi_session(link), None);
        }
    }
}
