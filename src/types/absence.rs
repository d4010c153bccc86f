//! Why an allow-listed LUN has no map on a node.

use std::fmt;

use serde::de::MapAccess;
use serde::{Deserialize, Deserializer, Serialize};

use super::label::Label;
use super::reason::{Device, MAX_DEVICES};
use crate::Wwid;
use crate::wire::lenient::{Lenient, Parts, fields, list, skip};
use crate::wire::scalar::Scalar;

/// What keeps a node from having the map of an allow-listed LUN, as `{ code, ...facts }`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Absence {
    /// No disk of the node has this WWID.
    NotVisible,
    /// The node sees the LUN, and multipathd has another WWID for it.
    OtherWwid {
        /// The WWID that multipathd has.
        wwid: Wwid,
    },
    /// A rule of multipathd's blacklist hides its paths.
    Blacklisted {
        /// The rule.
        rule: Label,
        /// Where it stands, as `FILE:LINE`; none for a rule of multipathd's own.
        #[serde(skip_serializing_if = "Option::is_none")]
        place: Option<Label>,
    },
    /// Its paths have none of the udev properties by which multipathd tells LUNs.
    MissingProperty,
    /// multipathd has no WWID of its paths.
    NoWwid {
        /// State of a path, as the kernel has it, if that is the cause.
        #[serde(skip_serializing_if = "Option::is_none")]
        state: Option<Label>,
    },
    /// multipathd does not have its paths, for a reason that is not known.
    NotMonitored,
    /// It is an NVMe namespace whose paths the kernel joins.
    NativeNvme,
    /// Something uses its paths without a map, so that the kernel does not let multipathd have them.
    Held {
        /// The paths that are used.
        devs: Vec<Device>,
        /// What uses them.
        by: Label,
        /// The volume group of a logical volume that uses them.
        #[serde(skip_serializing_if = "Option::is_none")]
        group: Option<Label>,
    },
    /// It is not in `/etc/multipath/wwids`.
    NotInWwidsFile,
    /// Another device has its alias.
    AliasTaken {
        /// The alias.
        alias: Label,
        /// UUID of the other device in device-mapper, else its kernel name.
        by: Label,
    },
    /// None of its paths can be reached.
    PathsOffline {
        /// How many there are.
        count: usize,
    },
}

impl<'de> Parts<'de> for Absence {
    /// As a peer sends it, if its facts make sense.
    fn from_object<A: MapAccess<'de>>(object: A) -> Result<Option<Self>, A::Error> {
        let (mut code, mut wwid, mut count) = (Scalar::Null, Scalar::Null, Scalar::Null);
        let (mut rule, mut place, mut state) = (None, None, None);
        let (mut by, mut group, mut alias) = (None, None, None);
        let mut devs = Vec::new();
        fields(object, |name, from| {
            match name {
                "code" => code = from.next_value()?,
                "wwid" => wwid = from.next_value()?,
                "count" => count = from.next_value()?,
                "devs" => devs = list::<_, MAX_DEVICES, _>(from)?,
                "rule" => Lenient(rule) = from.next_value()?,
                "place" => Lenient(place) = from.next_value()?,
                "state" => Lenient(state) = from.next_value()?,
                "by" => Lenient(by) = from.next_value()?,
                "group" => Lenient(group) = from.next_value()?,
                "alias" => Lenient(alias) = from.next_value()?,
                _ => skip(from)?,
            }
            Ok(())
        })?;
        let text = |scalar: &Scalar<'_>| scalar.as_text().and_then(|text| Wwid::new(&text).ok());
        Ok(match code.as_str() {
            Some("not-visible") => Some(Self::NotVisible),
            Some("other-wwid") => text(&wwid).map(|wwid| Self::OtherWwid { wwid }),
            Some("blacklisted") => rule.map(|rule| Self::Blacklisted { rule, place }),
            Some("missing-property") => Some(Self::MissingProperty),
            Some("no-wwid") => Some(Self::NoWwid { state }),
            Some("not-monitored") => Some(Self::NotMonitored),
            Some("native-nvme") => Some(Self::NativeNvme),
            Some("held") => by.map(|by| Self::Held { devs, by, group }),
            Some("not-in-wwids-file") => Some(Self::NotInWwidsFile),
            Some("alias-taken") => alias
                .zip(by)
                .map(|(alias, by)| Self::AliasTaken { alias, by }),
            Some("paths-offline") => { count.as_int() }
                .and_then(|count| usize::try_from(count).ok())
                .map(|count| Self::PathsOffline { count }),
            _ => None,
        })
    }
}

/// A reason as the cluster's status has it, if it is one of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told(pub Option<Absence>);

impl<'de> Deserialize<'de> for Told {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Lenient::deserialize(deserializer).map(|Lenient(absence)| Self(absence))
    }
}

impl fmt::Display for Absence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotVisible => f.write_str("no path to it: no disk of the node has its WWID"),
            Self::OtherWwid { wwid } => write!(f, "multipathd's WWID of this LUN is '{wwid}'"),
            Self::Blacklisted { rule, place } => match place {
                Some(place) => write!(f, "blacklisted by {place} ({rule})"),
                None => write!(f, "blacklisted by a built-in rule of multipathd ({rule})"),
            },
            Self::MissingProperty => f.write_str(
                "blacklisted: its paths have none of the udev properties that multipathd asks for \
                 (blacklist_exceptions, property)",
            ),
            Self::NoWwid { state } => {
                f.write_str("multipathd has no WWID for its paths")?;
                match state {
                    Some(state) => write!(f, ", which are {state}"),
                    None => Ok(()),
                }
            }
            Self::NotMonitored => f.write_str(
                "multipathd does not monitor its paths, and none of its blacklist rules explains why",
            ),
            Self::NativeNvme => f.write_str("the kernel manages its paths (native NVMe multipath)"),
            Self::Held { devs, by, .. } => {
                f.write_str("multipathd cannot have its paths: ")?;
                for (number, dev) in devs.iter().enumerate() {
                    write!(f, "{}{dev}", if number > 0 { ", " } else { "" })?;
                }
                write!(f, " {by}")
            }
            Self::NotInWwidsFile => f.write_str("not in /etc/multipath/wwids yet"),
            Self::AliasTaken { alias, by } => {
                write!(f, "its alias '{alias}' is the name of another device ({by})")
            }
            Self::PathsOffline { count: 1 } => f.write_str("its only path is offline"),
            Self::PathsOffline { count } => write!(f, "all its {count} paths are offline"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::lenient::read;

    fn label(text: &str) -> Label {
        Label::name(text.as_bytes()).unwrap()
    }

    /// What is sent is what is read.
    #[test]
    fn each_comes_back_as_it_was_sent() {
        let devs = || Device::new("sdb").into_iter().collect();
        for absence in [
            Absence::NotVisible,
            Absence::OtherWwid {
                wwid: Wwid::new("3600a").unwrap(),
            },
            Absence::Blacklisted {
                rule: label("wwid \"3600a\""),
                place: Some(label("/etc/multipath.conf:7")),
            },
            Absence::Blacklisted {
                rule: label("devnode \"^zd\""),
                place: None,
            },
            Absence::MissingProperty,
            Absence::NoWwid {
                state: Some(label("offline")),
            },
            Absence::NoWwid { state: None },
            Absence::NotMonitored,
            Absence::NativeNvme,
            Absence::Held {
                devs: devs(),
                by: label("held by 'md7'"),
                group: None,
            },
            Absence::Held {
                devs: devs(),
                by: label("held by logical volume 'vg/lv'"),
                group: Some(label("vg")),
            },
            Absence::NotInWwidsFile,
            Absence::AliasTaken {
                alias: label("san-a"),
                by: label("LVM-x"),
            },
            Absence::PathsOffline { count: 2 },
        ] {
            let text = serde_json::to_string(&absence).unwrap();
            assert_eq!(read(&text).unwrap(), Some(absence), "{text}");
        }
    }

    #[test]
    fn what_a_peer_may_send() {
        for text in [
            "[]",
            r#"{"code":"future"}"#,
            r#"{"code":["not-visible"]}"#,
            r#"{"code":"other-wwid","wwid":"a b"}"#,
            r#"{"code":"blacklisted"}"#,
            r#"{"code":"held","by":""}"#,
            r#"{"code":"alias-taken","alias":"a"}"#,
            r#"{"code":"paths-offline","count":-1}"#,
        ] {
            assert_eq!(read::<Absence>(text).unwrap(), None, "{text}");
        }
        let steering = r#"{"code":"held","by":"\u001b[2J","devs":["sdb","../x",7],"group":7}"#;
        let told = read::<Absence>(steering)
            .unwrap()
            .map(|absence| absence.to_string());
        let wanted = "multipathd cannot have its paths: sdb \\x{1b}[2J";
        assert_eq!(told.as_deref(), Some(wanted));
    }
}
