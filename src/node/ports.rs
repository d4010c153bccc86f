//! The two ends of a path: the initiator's port on the node, and the target's port on the array.
//!
//! Fibre Channel has names for both (WWPN). An iSCSI path runs from the address of an interface to a portal
//! of a target. For other transports only the SCSI host is known.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::de::MapAccess;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

use super::maps::Path;
use crate::Transport;
use crate::types::words::checked_text;
use crate::wire::lenient::{Lenient, Parts, fields, skip};
use crate::wire::scalar::Scalar;

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

impl Parts<'_> for PortName {
    fn from_text(text: &str) -> Option<Self> {
        Self::new(text)
    }
}

/// A port of the node. One with a name is the same whatever its SCSI host is called at the time.
#[derive(Clone, Debug)]
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

impl Initiator {
    /// The port with this name, else on this SCSI host; none without either.
    pub fn new(name: Option<PortName>, host: Option<u32>) -> Option<Self> {
        match name {
            Some(name) => Some(Self::Named { name, host }),
            None => host.map(Self::Host),
        }
    }

    /// Its name.
    pub fn name(&self) -> Option<&PortName> {
        match self {
            Self::Named { name, .. } => Some(name),
            Self::Host(_) => None,
        }
    }

    /// Number of its SCSI host.
    pub fn host(&self) -> Option<u32> {
        match self {
            Self::Named { host, .. } => *host,
            Self::Host(host) => Some(*host),
        }
    }

    fn key(&self) -> Result<&PortName, Option<u32>> {
        self.name().ok_or(self.host())
    }
}

impl PartialEq for Initiator {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Initiator {}

impl PartialOrd for Initiator {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Initiator {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl Hash for Initiator {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
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

impl Serialize for Ends {
    /// As `{ initiator, host, target }`, without what is not known.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(initiator) = &self.initiator {
            if let Some(name) = initiator.name() {
                map.serialize_entry("initiator", name)?;
            }
            if let Some(host) = initiator.host() {
                map.serialize_entry("host", &host)?;
            }
        }
        if let Some(target) = &self.target {
            map.serialize_entry("target", target)?;
        }
        map.end()
    }
}

/// The ends while their fields are read.
#[derive(Default)]
pub(crate) struct EndsFields {
    initiator: Option<PortName>,
    host: Option<u32>,
    target: Option<PortName>,
}

impl EndsFields {
    /// Reads a field of unchecked content, and skips those of other names.
    pub(crate) fn read<'de, A>(&mut self, name: &str, from: &mut A) -> Result<(), A::Error>
    where
        A: MapAccess<'de>,
    {
        match name {
            "initiator" => Lenient(self.initiator) = from.next_value()?,
            "target" => Lenient(self.target) = from.next_value()?,
            "host" => {
                let host = from.next_value::<Scalar<'_>>()?.as_int();
                self.host = host.and_then(|host| u32::try_from(host).ok());
            }
            _ => skip(from)?,
        }
        Ok(())
    }

    pub(crate) fn ends(self) -> Ends {
        Ends {
            initiator: Initiator::new(self.initiator, self.host),
            target: self.target,
        }
    }
}

impl<'de> Parts<'de> for Ends {
    fn from_object<A: MapAccess<'de>>(object: A) -> Result<Option<Self>, A::Error> {
        let mut ends = EndsFields::default();
        fields(object, |name, from| ends.read(name, from))?;
        Ok(Some(ends.ends()).filter(|ends| *ends != Self::default()))
    }
}

impl Ends {
    /// The ends of a path.
    ///
    /// `link` is the link text of `/sys/block/<path>`, `portal` address and TCP port of its iSCSI
    /// session's connection, such as `10.0.0.5:3260`.
    fn of(path: &Path, link: Option<&str>, portal: Option<&str>) -> Self {
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
        Self {
            initiator: Initiator::new(name(&path.host_wwpn), host),
            target: name(&path.target_wwpn),
        }
    }
}

/// What sysfs says of the node's ports and sessions, as it stands there.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct PortFacts {
    /// Content of `/sys/class/fc_host/<host>/port_name`, by the host's name (`host1`).
    pub fc_hosts: BTreeMap<String, String>,
    /// The iSCSI connections by name (`connection1:0`).
    pub connections: BTreeMap<String, Connection>,
}

/// Files below `/sys/class/iscsi_connection/<connection>`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Connection {
    /// `persistent_address`: the address of the portal that the session was told to use.
    pub address: String,
    /// `persistent_port`: its TCP port.
    pub port: String,
}

impl PortFacts {
    /// The ends of a path. `links` has the link texts of `/sys/block/<path>` that are known.
    pub fn ends(&self, path: &Path, links: &BTreeMap<String, String>) -> Ends {
        let link = links.get(&path.dev).map(String::as_str);
        let mut ends = Ends::of(
            path,
            link,
            link.and_then(|link| self.portal(link)).as_deref(),
        );
        if let Some(Initiator::Named { name, host }) = &mut ends.initiator {
            if path.transport != Some(Transport::Iscsi) && host.is_none() {
                let mut hosts = self.fc_hosts.iter();
                let found = hosts.find(|(_, port)| port.trim() == name.as_str());
                *host = found.and_then(|(host, _)| number(host, "host"));
            }
        }
        ends
    }

    /// The portal of the session in the link to an iSCSI disk.
    fn portal(&self, link: &str) -> Option<String> {
        let mut parts = link.split('/');
        let session = parts.find_map(|part| number(part, "session"))?;
        let connection = self.connections.get(&format!("connection{session}:0"))?;
        let (address, port) = (connection.address.trim(), connection.port.trim());
        match address {
            "" => None,
            address if address.contains(':') => Some(format!("[{address}]:{port}")),
            address => Some(format!("{address}:{port}")),
        }
    }
}

/// The number in `.../host1/...` of the link to a SCSI disk.
fn host_number(link: &str) -> Option<u32> {
    link.split('/').find_map(|part| number(part, "host"))
}

/// The number in a name such as `host1`.
fn number(name: &str, prefix: &str) -> Option<u32> {
    name.strip_prefix(prefix)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::maps;

    const FC_LINK: &str =
        "../devices/pci0000:00/0000:00:03.0/host1/rport-1:0-2/target1:0:2/1:0:2:3/block/sdb";
    const ISCSI_LINK: &str = "../devices/platform/host7/session5/target7:0:0/7:0:0:1/block/sdc";

    fn ends(fields: &str, link: Option<&str>, ports: &PortFacts) -> (String, String) {
        let text = format!(
            r#"{{"maps": [{{"uuid": "a", "path_groups": [{{"paths": [{{"dev": "sdb", {fields}}}]}}]}}]}}"#
        );
        let list = maps::parse(text.as_bytes()).unwrap();
        let mut path = list.maps[0].paths().next().unwrap().clone();
        path.transport = link.and_then(Transport::from_sysfs_link);
        let links = link.map(|link| ("sdb".to_owned(), link.to_owned()));
        let ends = ports.ends(&path, &links.into_iter().collect());
        let text = |end: Option<String>| end.unwrap_or_default();
        (
            text(ends.initiator.map(|port| port.to_string())),
            text(ends.target.map(|port| port.to_string())),
        )
    }

    #[test]
    fn ends_of_paths() {
        let none = PortFacts::default();
        let ports = r#"{
            "fc-hosts": { "host0": "0x2100001b32817fe0\n", "host1": "0x2100001b32817fe1\n" },
            "connections": {
                "connection5:0": { "address": "10.0.0.5\n", "port": "3260\n" },
                "connection6:0": { "address": "fe80::1\n", "port": "3260\n" }
            }
        }"#;
        let ports: PortFacts = serde_json::from_str(ports).unwrap();

        let fc = r#""host_wwpn": "0x2100001b32817fe1", "target_wwpn": "0x5005076801102b4e""#;
        let named = ("host1 (0x2100001b32817fe1)", "0x5005076801102b4e");
        for (link, ports) in [(Some(FC_LINK), &none), (None, &ports)] {
            assert_eq!(ends(fc, link, ports), owned(named));
        }
        let nameless = ("0x2100001b32817fe1", "0x5005076801102b4e");
        assert_eq!(ends(fc, None, &none), owned(nameless));

        let iscsi = r#""host_adapter": "10.0.0.1", "target_wwnn": "iqn.2003-01.org.example:san""#;
        let portal = "10.0.0.5:3260 iqn.2003-01.org.example:san";
        assert_eq!(
            ends(iscsi, Some(ISCSI_LINK), &ports),
            owned(("10.0.0.1", portal))
        );
        let other = ISCSI_LINK.replace("session5", "session6");
        let portal = "[fe80::1]:3260 iqn.2003-01.org.example:san";
        assert_eq!(
            ends(iscsi, Some(&other), &ports),
            owned(("10.0.0.1", portal))
        );
        // Without the portal the target's ports cannot be told apart.
        assert_eq!(
            ends(iscsi, Some(ISCSI_LINK), &none),
            owned(("10.0.0.1", ""))
        );

        let unknown = r#""host_wwpn": "[unknown]", "target_wwpn": "[undef]""#;
        assert_eq!(ends(unknown, Some(FC_LINK), &ports), owned(("host1", "")));
        assert_eq!(ends(unknown, None, &ports), owned(("", "")));
    }

    fn owned((initiator, target): (&str, &str)) -> (String, String) {
        (initiator.to_owned(), target.to_owned())
    }

    /// A port with a name is the same on another host.
    #[test]
    fn a_port_keeps_its_name() {
        let port = |name, host| Initiator::new(PortName::new(name), host);
        assert_eq!(port("0x1", Some(1)), port("0x1", None));
        assert_ne!(port("0x1", Some(1)), port("0x2", Some(1)));
        assert_ne!(port("0x1", Some(1)), port("", Some(1)));
        assert_eq!(port("", None), None);
    }

    #[test]
    fn ends_are_read_back() {
        for text in [
            r#"{"initiator":"0x21","host":3,"target":"0x50"}"#,
            r#"{"initiator":"10.0.0.1"}"#,
            r#"{"host":0}"#,
            r#"{"target":"0x50"}"#,
        ] {
            let Lenient(ends) = serde_json::from_str::<Lenient<Ends>>(text).unwrap();
            assert_eq!(serde_json::to_string(&ends.unwrap()).unwrap(), text);
        }
        for text in [
            "{}",
            "[]",
            r#"{"target":"a\nb","host":-1}"#,
            r#"{"host":"x"}"#,
        ] {
            let Lenient(ends) = serde_json::from_str::<Lenient<Ends>>(text).unwrap();
            assert_eq!(ends, None, "{text}");
        }
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
}
