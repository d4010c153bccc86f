//! One use of a LUN on a node.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::types::label::Label;
use crate::types::reason::Device;
use crate::wire::scalar::Scalar;

/// Most uses of a map that are told one by one.
pub const MAX_USES: usize = 8;

/// Most logical volumes of a group that are named.
pub const MAX_VOLUMES: usize = 3;

/// What holds a map, as `{ code, ...facts }`.
///
/// `on` says where, if it is not the map itself: a partition (`part1`), a logical volume (`vg-a/lv-one`), an
/// array (`md7`), another device above the map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Use {
    /// It belongs to a volume group of LVM.
    VolumeGroup {
        /// Name of the group; none if it is not known.
        #[serde(skip_serializing_if = "Option::is_none")]
        vg: Option<Label>,
        /// Number of the group's logical volumes that are active and lie on this LUN, also in part.
        active: u32,
        /// The first of them by name, at most [`MAX_VOLUMES`].
        #[serde(skip_serializing_if = "Vec::is_empty")]
        volumes: Vec<Label>,
        /// Where the physical volume is.
        #[serde(skip_serializing_if = "Option::is_none")]
        on: Option<Label>,
    },
    /// It is a physical volume of LVM that belonged to no group when LVM last looked.
    PhysicalVolume {
        /// Where it is.
        #[serde(skip_serializing_if = "Option::is_none")]
        on: Option<Label>,
    },
    /// An array of md has it as a member.
    Md {
        /// Kernel name of the array.
        dev: Device,
        /// What the member is.
        #[serde(skip_serializing_if = "Option::is_none")]
        on: Option<Label>,
    },
    /// A file system is mounted.
    Mount {
        /// Mount point; of several, the first.
        at: Label,
        /// Type of the file system.
        #[serde(skip_serializing_if = "Option::is_none")]
        fs: Option<Label>,
        /// In how many other places it is mounted as well.
        #[serde(skip_serializing_if = "is_zero")]
        others: u32,
        /// What is mounted.
        #[serde(skip_serializing_if = "Option::is_none")]
        on: Option<Label>,
    },
    /// The node swaps to it.
    Swap {
        /// Where the swap space is.
        #[serde(skip_serializing_if = "Option::is_none")]
        on: Option<Label>,
    },
    /// It is open more often than all other uses explain: a process, a virtual machine, ZFS.
    Open {
        /// How often.
        count: u32,
        /// The content by its signature, such as `zfs_member`.
        #[serde(skip_serializing_if = "Option::is_none")]
        fs: Option<Label>,
        /// What is open.
        #[serde(skip_serializing_if = "Option::is_none")]
        on: Option<Label>,
    },
    /// Another block device lies on it, and no more is known of that.
    Device {
        /// Kernel name of the device.
        dev: Device,
        /// Name in device-mapper.
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<Label>,
        /// What it lies on.
        #[serde(skip_serializing_if = "Option::is_none")]
        on: Option<Label>,
    },
    /// It has a partition that nothing is known to use.
    Partition {
        /// Name of the partition.
        on: Label,
    },
    /// Something uses one of its paths instead of the map.
    Path {
        /// Kernel name of the path.
        dev: Device,
        /// The volume group that does.
        #[serde(skip_serializing_if = "Option::is_none")]
        vg: Option<Label>,
        /// What else does.
        #[serde(skip_serializing_if = "Option::is_none")]
        by: Option<Label>,
    },
    /// A use that a newer version has sent, which this one does not know.
    Other,
    /// So many uses more, which are not told one by one.
    More {
        /// How many.
        count: u32,
    },
    /// So many uses, none of which is told: the node's report would be too long.
    Counted {
        /// How many.
        count: u32,
    },
    /// No use is known, and whether there is one could not be found out.
    NotKnown {
        /// What could not be read.
        input: Input,
    },
}

/// What the uses of a node are derived from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Input {
    /// The block devices in sysfs.
    Sysfs,
    /// How often devices are open, from `dmsetup info`.
    OpenCounts,
    /// udev's database.
    Udev,
    /// `/proc/self/mountinfo`.
    Mounts,
    /// `/proc/swaps`.
    Swaps,
    /// `/run/lvm/hints`.
    LvmHints,
    /// `/etc/lvm/backup`.
    LvmBackup,
    /// One that a newer version has.
    #[serde(other)]
    Other,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Use {
    /// Whether it is certain that the LUN is used.
    pub fn is_known(&self) -> bool {
        !matches!(self, Self::NotKnown { .. })
    }

    /// The volume group that the LUN belongs to.
    pub fn volume_group(&self) -> Option<&Label> {
        match self {
            Self::VolumeGroup { vg, .. } | Self::Path { vg, .. } => vg.as_ref(),
            _ => None,
        }
    }

    /// A word or two for a table: `VG vg-a`, `/mnt/f`, `md7`.
    pub fn short(&self) -> String {
        match self {
            Self::VolumeGroup { vg: Some(vg), .. } | Self::Path { vg: Some(vg), .. } => {
                format!("VG {vg}")
            }
            Self::VolumeGroup { vg: None, .. } => "LVM".to_owned(),
            Self::PhysicalVolume { .. } => "LVM PV".to_owned(),
            Self::Md { dev, .. } | Self::Device { dev, .. } => dev.as_str().to_owned(),
            Self::Mount { at, .. } => at.to_string(),
            Self::Swap { .. } => "swap".to_owned(),
            Self::Open { .. } => "open".to_owned(),
            Self::Partition { on } => on.to_string(),
            Self::Path { dev, .. } => format!("path {}", dev.as_str()),
            Self::Other => "other".to_owned(),
            Self::More { count } => format!("{count} more"),
            Self::Counted { count } => format!("{count} uses"),
            Self::NotKnown { .. } => "not known".to_owned(),
        }
    }

    /// The order in which uses are told; what counts most comes first.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::VolumeGroup { .. } => 0,
            Self::PhysicalVolume { .. } => 1,
            Self::Path { .. } => 2,
            Self::Md { .. } => 3,
            Self::Swap { .. } => 4,
            Self::Mount { .. } => 5,
            Self::Open { .. } => 6,
            Self::Device { .. } => 7,
            Self::Partition { .. } => 8,
            Self::Other => 9,
            Self::More { .. } => 10,
            Self::Counted { .. } => 11,
            Self::NotKnown { .. } => 12,
        }
    }
}

impl Input {
    /// What it is, for a sentence.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Sysfs => "the block devices in sysfs",
            Self::OpenCounts => "how often its devices are open",
            Self::Udev => "udev's data",
            Self::Mounts => "the mounts",
            Self::Swaps => "the swap spaces",
            Self::LvmHints => "LVM's hints",
            Self::LvmBackup => "LVM's backups",
            Self::Other => "something that this version does not know",
        }
    }
}

/// One phrase, such as `LVM volume group vg-a with 2 active logical volumes (lv-one, vm-100-disk-0)`.
impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on = |on: &Option<Label>| match on {
            Some(on) => format!(" on {on}"),
            None => String::new(),
        };
        let named = |name: &Option<Label>| match name {
            Some(name) => format!("volume group {name}"),
            None => "volume group whose name is not known".to_owned(),
        };
        match self {
            Self::VolumeGroup {
                vg,
                active,
                volumes,
                on: place,
            } => {
                write!(f, "LVM {}{}", named(vg), on(place))?;
                let names: Vec<&str> = volumes.iter().map(Label::as_str).collect();
                let more = usize::try_from(*active).is_ok_and(|active| active > names.len());
                let names = match (names.is_empty(), more) {
                    (true, _) => String::new(),
                    (false, false) => format!(" ({})", names.join(", ")),
                    (false, true) => format!(" ({}, ...)", names.join(", ")),
                };
                match active {
                    0 => write!(f, ", no logical volume is active"),
                    1 => write!(f, " with 1 active logical volume{names}"),
                    _ => write!(f, " with {active} active logical volumes{names}"),
                }
            }
            Self::PhysicalVolume { on: place } => {
                write!(
                    f,
                    "LVM physical volume that belongs to no group{}",
                    on(place)
                )
            }
            Self::Md { dev, on: place } => {
                write!(f, "member of the md array {}{}", dev.as_str(), on(place))
            }
            Self::Mount {
                at,
                fs,
                others,
                on: place,
            } => {
                let fs = fs.as_ref().map_or("file system", Label::as_str);
                write!(f, "{fs}{} mounted at {at}", on(place))?;
                match others {
                    0 => Ok(()),
                    1 => write!(f, " and in another place"),
                    _ => write!(f, " and in {others} other places"),
                }
            }
            Self::Swap { on: place } => write!(f, "swap space{}", on(place)),
            Self::Open {
                count,
                fs,
                on: place,
            } => {
                let times = match count {
                    1 => "once".to_owned(),
                    _ => format!("{count} times"),
                };
                let place = place.as_ref().map(|place| format!("{place} is "));
                let place = place.unwrap_or_default();
                write!(f, "{place}opened {times} by a process or another program")?;
                match fs {
                    Some(fs) => write!(f, " (content: {fs})"),
                    None => Ok(()),
                }
            }
            Self::Device {
                dev,
                name,
                on: place,
            } => {
                write!(f, "block device {}", dev.as_str())?;
                if let Some(name) = name {
                    write!(f, " ({name})")?;
                }
                write!(f, " lies on {}", place.as_ref().map_or("it", Label::as_str))
            }
            Self::Partition { on } => write!(f, "partition {on}"),
            Self::Path { dev, vg, by } => {
                let who = match (vg, by) {
                    (None, Some(by)) => by.to_string(),
                    (None, None) => "something".to_owned(),
                    (vg, _) => named(vg),
                };
                let dev = dev.as_str();
                write!(f, "{who} uses its path {dev} instead of the map")
            }
            Self::Other => write!(f, "a use that only a newer version knows"),
            Self::More { count: 1 } => write!(f, "1 more use"),
            Self::More { count } => write!(f, "{count} more uses"),
            Self::Counted { count } => {
                let plural = if *count == 1 { "" } else { "s" };
                write!(
                    f,
                    "{count} use{plural}, left out of the node's report, which would be too long"
                )
            }
            Self::NotKnown { input } => {
                write!(f, "not known: {} could not be read", input.describe())
            }
        }
    }
}

/// A use with its phrase, as `{ code, ...facts, text }`.
#[derive(Clone, Debug, Serialize)]
pub struct Described<'u> {
    #[serde(flatten)]
    used: &'u Use,
    text: String,
}

impl<'u> From<&'u Use> for Described<'u> {
    fn from(used: &'u Use) -> Self {
        let text = used.to_string();
        Self { used, text }
    }
}

/// A use as a peer sent it: anything may be in there.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WireUse<'a> {
    #[serde(borrow)]
    code: Scalar<'a>,
    #[serde(borrow)]
    vg: Scalar<'a>,
    #[serde(borrow)]
    active: Scalar<'a>,
    #[serde(borrow)]
    volumes: Option<Vec<Scalar<'a>>>,
    #[serde(borrow)]
    on: Scalar<'a>,
    #[serde(borrow)]
    dev: Scalar<'a>,
    #[serde(borrow)]
    at: Scalar<'a>,
    #[serde(borrow)]
    fs: Scalar<'a>,
    #[serde(borrow)]
    others: Scalar<'a>,
    #[serde(borrow)]
    count: Scalar<'a>,
    #[serde(borrow)]
    name: Scalar<'a>,
    #[serde(borrow)]
    by: Scalar<'a>,
    #[serde(borrow)]
    input: Scalar<'a>,
}

impl WireUse<'_> {
    /// The use. One that makes no sense is a use all the same, of which no more is known.
    pub(super) fn read(&self) -> Use {
        let label = |scalar: &Scalar<'_>| Label::name(scalar.as_text()?.as_bytes());
        let number = |scalar: &Scalar<'_>| u32::try_from(scalar.as_int()?).ok();
        let device = |scalar: &Scalar<'_>| Device::new(&scalar.as_text()?);
        let on = label(&self.on);
        let read = || match self.code.as_text()?.as_ref() {
            "volume-group" => {
                let volumes = self.volumes.iter().flatten().filter_map(label);
                Some(Use::VolumeGroup {
                    vg: label(&self.vg),
                    active: number(&self.active).unwrap_or_default(),
                    volumes: volumes.take(MAX_VOLUMES).collect(),
                    on: on.clone(),
                })
            }
            "physical-volume" => Some(Use::PhysicalVolume { on: on.clone() }),
            "md" => Some(Use::Md {
                dev: device(&self.dev)?,
                on: on.clone(),
            }),
            "mount" => Some(Use::Mount {
                at: label(&self.at)?,
                fs: label(&self.fs),
                others: number(&self.others).unwrap_or_default(),
                on: on.clone(),
            }),
            "swap" => Some(Use::Swap { on: on.clone() }),
            "open" => Some(Use::Open {
                count: number(&self.count).unwrap_or(1),
                fs: label(&self.fs),
                on: on.clone(),
            }),
            "device" => Some(Use::Device {
                dev: device(&self.dev)?,
                name: label(&self.name),
                on: on.clone(),
            }),
            "partition" => Some(Use::Partition { on: on.clone()? }),
            "path" => Some(Use::Path {
                dev: device(&self.dev)?,
                vg: label(&self.vg),
                by: label(&self.by),
            }),
            "more" => Some(Use::More {
                count: number(&self.count).unwrap_or(1),
            }),
            "counted" => Some(Use::Counted {
                count: number(&self.count).unwrap_or(1),
            }),
            "not-known" => {
                let input = self.input.as_text().unwrap_or_default();
                let input = serde_json::from_value(input.into_owned().into());
                Some(Use::NotKnown {
                    input: input.unwrap_or(Input::Other),
                })
            }
            _ => None,
        };
        read().unwrap_or(Use::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(name: &str) -> Label {
        Label::name(name.as_bytes()).unwrap()
    }

    #[test]
    fn phrases_and_wire_forms() {
        let dev = |name| Device::new(name).unwrap();
        let at = |name| Some(label(name));
        let group = |vg, active, volumes: &[&str], on| Use::VolumeGroup {
            vg,
            active,
            volumes: volumes.iter().map(|name| label(name)).collect(),
            on,
        };
        for (used, json, phrase, short) in [
            (
                group(at("vg-a"), 2, &["lv-one", "vm-100-disk-0"], None),
                r#"{"code":"volume-group","vg":"vg-a","active":2,"volumes":["lv-one","vm-100-disk-0"]}"#,
                "LVM volume group vg-a with 2 active logical volumes (lv-one, vm-100-disk-0)",
                "VG vg-a",
            ),
            (
                group(at("vg-c"), 4, &["a", "b", "c"], at("part1")),
                r#"{"code":"volume-group","vg":"vg-c","active":4,"volumes":["a","b","c"],"on":"part1"}"#,
                "LVM volume group vg-c on part1 with 4 active logical volumes (a, b, c, ...)",
                "VG vg-c",
            ),
            (
                group(None, 0, &[], None),
                r#"{"code":"volume-group","active":0}"#,
                "LVM volume group whose name is not known, no logical volume is active",
                "LVM",
            ),
            (
                Use::PhysicalVolume { on: None },
                r#"{"code":"physical-volume"}"#,
                "LVM physical volume that belongs to no group",
                "LVM PV",
            ),
            (
                Use::Md {
                    dev: dev("md7"),
                    on: at("part1"),
                },
                r#"{"code":"md","dev":"md7","on":"part1"}"#,
                "member of the md array md7 on part1",
                "md7",
            ),
            (
                Use::Mount {
                    at: label("/mnt/f"),
                    fs: at("ext4"),
                    others: 2,
                    on: at("vg-a/lv"),
                },
                r#"{"code":"mount","at":"/mnt/f","fs":"ext4","others":2,"on":"vg-a/lv"}"#,
                "ext4 on vg-a/lv mounted at /mnt/f and in 2 other places",
                "/mnt/f",
            ),
            (
                Use::Swap { on: None },
                r#"{"code":"swap"}"#,
                "swap space",
                "swap",
            ),
            (
                Use::Open {
                    count: 1,
                    fs: None,
                    on: None,
                },
                r#"{"code":"open","count":1}"#,
                "opened once by a process or another program",
                "open",
            ),
            (
                Use::Open {
                    count: 2,
                    fs: at("zfs_member"),
                    on: at("part1"),
                },
                r#"{"code":"open","count":2,"fs":"zfs_member","on":"part1"}"#,
                "part1 is opened 2 times by a process or another program (content: zfs_member)",
                "open",
            ),
            (
                Use::Device {
                    dev: dev("dm-9"),
                    name: at("luks-x"),
                    on: None,
                },
                r#"{"code":"device","dev":"dm-9","name":"luks-x"}"#,
                "block device dm-9 (luks-x) lies on it",
                "dm-9",
            ),
            (
                Use::Partition { on: label("part2") },
                r#"{"code":"partition","on":"part2"}"#,
                "partition part2",
                "part2",
            ),
            (
                Use::Path {
                    dev: dev("sdh"),
                    vg: at("vg-held"),
                    by: None,
                },
                r#"{"code":"path","dev":"sdh","vg":"vg-held"}"#,
                "volume group vg-held uses its path sdh instead of the map",
                "VG vg-held",
            ),
            (
                Use::Path {
                    dev: dev("sdi"),
                    vg: None,
                    by: at("md7"),
                },
                r#"{"code":"path","dev":"sdi","by":"md7"}"#,
                "md7 uses its path sdi instead of the map",
                "path sdi",
            ),
            (
                Use::More { count: 3 },
                r#"{"code":"more","count":3}"#,
                "3 more uses",
                "3 more",
            ),
            (
                Use::Counted { count: 3 },
                r#"{"code":"counted","count":3}"#,
                "3 uses, left out of the node's report, which would be too long",
                "3 uses",
            ),
            (
                Use::NotKnown { input: Input::Udev },
                r#"{"code":"not-known","input":"udev"}"#,
                "not known: udev's data could not be read",
                "not known",
            ),
        ] {
            assert_eq!(serde_json::to_string(&used).unwrap(), json);
            assert_eq!(used.to_string(), phrase);
            assert_eq!(used.short(), short);
            let wire: WireUse<'_> = serde_json::from_str(json).unwrap();
            assert_eq!(wire.read(), used);
        }
    }

    #[test]
    fn what_a_peer_sends_is_clamped() {
        let read = |json: &str| {
            let wire: WireUse<'_> = serde_json::from_str(json).unwrap();
            wire.read()
        };
        for json in [
            r#"{"code":"zpool","name":"tank"}"#,
            r#"{"code":["volume-group"]}"#,
            r#"{"code":"md","dev":"../md7"}"#,
            r#"{"code":"mount"}"#,
            "{}",
        ] {
            assert_eq!(read(json), Use::Other, "{json}");
        }
        let long = format!(
            r#"{{"code":"volume-group","vg":"a\u001b[2J","active":-1,"volumes":["a","b",{{}},"c","d"],"on":"{}"}}"#,
            "x".repeat(1000)
        );
        let Use::VolumeGroup {
            vg,
            active,
            volumes,
            on,
        } = read(&long)
        else {
            panic!("it is a group")
        };
        assert_eq!(vg, Some(label("a\\x{1b}[2J")));
        assert_eq!((active, volumes.len()), (0, 3));
        assert_eq!(on.unwrap().as_str().len(), 128);
        assert_eq!(
            read(r#"{"code":"not-known","input":"zfs"}"#),
            Use::NotKnown {
                input: Input::Other
            }
        );
    }
}
