//! What several LUNs have lost in common: a port of the node or of the array.
//!
//! A port of which every path is lost is a cause if that concerns at least two LUNs. A lost path whose two
//! ports are both causes belongs to the one that has lost more paths. Where both have lost as many, the
//! node cannot tell which one broke: such paths are a cause with both ports, and the cluster decides, see
//! [`cluster::causes`](crate::cluster::causes).

use std::collections::{BTreeMap, BTreeSet};

use serde::de::MapAccess;
use serde::{Serialize, Serializer};

use super::ports::{Ends, EndsFields, Initiator, PortName};
use crate::Wwid;
use crate::types::label::Label;
use crate::wire::lenient::{Lenient, Parts, fields, skip};
use crate::wire::scalar::Scalar;

/// Most causes that a node reports. The ones with the fewest paths are left out; their paths count as
/// failures of the LUN.
pub const MAX_CAUSES: usize = 64;

/// A path of a LUN that is there, or that the node remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownPath {
    /// Its ports.
    pub ends: Ends,
    /// Whether it is gone, or device-mapper does not use it.
    pub is_lost: bool,
}

/// The port that broke.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LostPort {
    /// A port of the node.
    Initiator(Initiator),
    /// A port of the array.
    Target(PortName),
    /// One of these two: all paths of either are lost, and they are the same number of paths.
    Either(Initiator, PortName),
}

impl LostPort {
    /// The port as ends of a path; none of both is no port.
    pub fn new(ends: Ends) -> Option<Self> {
        match (ends.initiator, ends.target) {
            (Some(initiator), Some(target)) => Some(Self::Either(initiator, target)),
            (Some(initiator), None) => Some(Self::Initiator(initiator)),
            (None, Some(target)) => Some(Self::Target(target)),
            (None, None) => None,
        }
    }

    fn ends(&self) -> Ends {
        let (initiator, target) = match self {
            Self::Initiator(initiator) => (Some(initiator), None),
            Self::Target(target) => (None, Some(target)),
            Self::Either(initiator, target) => (Some(initiator), Some(target)),
        };
        Ends {
            initiator: initiator.cloned(),
            target: target.cloned(),
        }
    }
}

/// What an array says of itself, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Array {
    /// Vendor (SCSI INQUIRY).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<Label>,
    /// Product.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<Label>,
    /// Node name, or the IQN of the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wwnn: Option<PortName>,
}

impl<'de> Parts<'de> for Array {
    fn from_object<A: MapAccess<'de>>(object: A) -> Result<Option<Self>, A::Error> {
        let mut array = Self::default();
        fields(object, |name, from| {
            let mut label = || {
                let text = from.next_value::<Scalar<'_>>()?;
                Ok(text.as_str().and_then(|text| Label::text(text.as_bytes())))
            };
            match name {
                "vendor" => array.vendor = label()?,
                "product" => array.product = label()?,
                "wwnn" => Lenient(array.wwnn) = from.next_value()?,
                _ => skip(from)?,
            }
            Ok(())
        })?;
        Ok(Some(array).filter(|array| *array != Self::default()))
    }
}

/// A port that broke, and what that took away. A node reports it as `{ initiator, host, target, array,
/// paths }`, without what is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The port.
    pub port: LostPort,
    /// The array of the LUNs that lost paths, if they have one in common.
    pub array: Option<Array>,
    /// The number of paths that were lost with it.
    pub paths: u32,
}

impl Serialize for Cause {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Fields<'a> {
            #[serde(flatten)]
            ends: Ends,
            #[serde(skip_serializing_if = "Option::is_none")]
            array: &'a Option<Array>,
            paths: u32,
        }
        let fields = Fields {
            ends: self.port.ends(),
            array: &self.array,
            paths: self.paths,
        };
        fields.serialize(serializer)
    }
}

impl<'de> Parts<'de> for Cause {
    fn from_object<A: MapAccess<'de>>(object: A) -> Result<Option<Self>, A::Error> {
        let mut ends = EndsFields::default();
        let (mut array, mut paths) = (None, None);
        fields(object, |name, from| match name {
            "array" => from.next_value().map(|Lenient(value)| array = value),
            "paths" => {
                let number = from.next_value::<Scalar<'_>>()?.as_int();
                paths = number.and_then(|number| u32::try_from(number).ok());
                Ok(())
            }
            _ => ends.read(name, from),
        })?;
        let port = LostPort::new(ends.ends());
        Ok(port
            .zip(paths)
            .map(|(port, paths)| Self { port, array, paths }))
    }
}

/// A port that can be a cause by itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Port<'a> {
    Initiator(&'a Initiator),
    Target(&'a PortName),
}

#[derive(Default)]
struct Count<'a> {
    lost: u32,
    used: bool,
    luns: BTreeSet<&'a Wwid>,
}

/// The causes of a node's lost paths with the LUNs that had these: at least two. The ones with most paths
/// come first.
pub fn causes<'a>(
    luns: impl IntoIterator<Item = (&'a Wwid, &'a [KnownPath])> + Clone,
) -> Vec<(Cause, BTreeSet<&'a Wwid>)> {
    let mut ports: BTreeMap<Port<'a>, Count<'a>> = BTreeMap::new();
    for (wwid, path) in paths(luns.clone()) {
        for port in path.ends.ports() {
            let count = ports.entry(port).or_default();
            if path.is_lost {
                count.lost = count.lost.saturating_add(1);
                count.luns.insert(wwid);
            } else {
                count.used = true;
            }
        }
    }
    ports.retain(|_, count| !count.used && count.luns.len() > 1);

    let mut found: BTreeMap<LostPort, (u32, BTreeSet<&'a Wwid>)> = BTreeMap::new();
    for (wwid, path) in paths(luns).filter(|(_, path)| path.is_lost) {
        if let Some(port) = blamed(&path.ends, &ports) {
            let (paths, luns) = found.entry(port).or_default();
            *paths = paths.saturating_add(1);
            luns.insert(wwid);
        }
    }
    // What another port explains may leave a port with a single LUN.
    found.retain(|_, (_, luns)| luns.len() > 1);
    let causes = found.into_iter().map(|(port, (paths, luns))| {
        let array = None;
        (Cause { port, array, paths }, luns)
    });
    let mut causes: Vec<_> = causes.collect();
    causes.sort_by_key(|(cause, _)| std::cmp::Reverse(cause.paths));
    causes.truncate(MAX_CAUSES);
    causes
}

fn paths<'a>(
    luns: impl IntoIterator<Item = (&'a Wwid, &'a [KnownPath])>,
) -> impl Iterator<Item = (&'a Wwid, &'a KnownPath)> {
    let luns = luns.into_iter();
    luns.flat_map(|(wwid, paths)| paths.iter().map(move |path| (wwid, path)))
}

impl Ends {
    fn ports(&self) -> impl Iterator<Item = Port<'_>> {
        let initiator = self.initiator.as_ref().map(Port::Initiator);
        initiator
            .into_iter()
            .chain(self.target.as_ref().map(Port::Target))
    }
}

/// The port to which a lost path belongs.
fn blamed(ends: &Ends, ports: &BTreeMap<Port<'_>, Count<'_>>) -> Option<LostPort> {
    let lost = |port| ports.get(&port).map(|count| count.lost);
    let initiator = ends.initiator.as_ref();
    let initiator = initiator.and_then(|port| Some((port, lost(Port::Initiator(port))?)));
    let target = ends.target.as_ref();
    let target = target.and_then(|port| Some((port, lost(Port::Target(port))?)));
    match (initiator, target) {
        (Some((initiator, by_initiator)), Some((target, by_target))) => {
            Some(match by_initiator.cmp(&by_target) {
                std::cmp::Ordering::Greater => LostPort::Initiator(initiator.clone()),
                std::cmp::Ordering::Less => LostPort::Target(target.clone()),
                std::cmp::Ordering::Equal => LostPort::Either(initiator.clone(), target.clone()),
            })
        }
        (Some((initiator, _)), None) => Some(LostPort::Initiator(initiator.clone())),
        (None, Some((target, _))) => Some(LostPort::Target(target.clone())),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_read_back() {
        let read = |text: &str| {
            let Lenient(cause) = serde_json::from_str::<Lenient<Cause>>(text).unwrap();
            cause.map(|cause| serde_json::to_string(&cause).unwrap())
        };
        for text in [
            r#"{"initiator":"0x21","host":1,"paths":200}"#,
            r#"{"initiator":"0x21","target":"0x50","array":{"vendor":"IBM","product":"2145","wwnn":"0x51"},"paths":2}"#,
            r#"{"target":"10.0.0.5:3260 iqn.2003-01.org.example:san","paths":4294967295}"#,
        ] {
            assert_eq!(read(text).as_deref(), Some(text));
        }
        for text in [
            r#"{"paths":2}"#,
            r#"{"host":1}"#,
            r#"{"host":1,"paths":-1}"#,
            r#"{"target":"a\nb","paths":2}"#,
            r#"["0x21"]"#,
            "7",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        let odd = r#"{"host":1,"target":[],"array":{"vendor":"  ","product":7,"wwnn":"\""},"paths":2,"x":{}}"#;
        assert_eq!(read(odd).as_deref(), Some(r#"{"host":1,"paths":2}"#));
    }
}
