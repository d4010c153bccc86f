//! Which LUN a person means: arrays and tools print the same identifier in different forms.
//!
//! multipathd's WWID of a SCSI disk is that of udev's `scsi_id`: a digit for the kind of the identifier (3
//! for NAA, 2 for EUI-64, 1 for T10, 8 for a SCSI name) and the identifier in small letters. An array
//! prints it without that digit, as `naa.600a...`, `0x600A...` or `60:0A:...`. That of an NVMe namespace is
//! `uuid.`, `eui.` or `nvme.` and the identifier (<https://docs.kernel.org>, `nvme_wwid_show`).

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;
use thiserror::Error;

use super::{Candidate, Reported};
use crate::types::label::Label;
use crate::types::reason::Device;
use crate::types::wwid::InvalidWwid;
use crate::{NodeName, Wwid};

/// Most LUNs that an error names.
const MAX_NAMED: usize = 4;

/// A LUN that a node sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen<'a> {
    /// Its WWID as multipathd has it.
    pub wwid: &'a str,
    /// Kernel names of its paths and its map.
    pub devs: BTreeSet<Device>,
    /// Names below /dev: links to its paths, `mapper/NAME` of its map.
    pub names: BTreeSet<String>,
}

impl<'a> From<&'a Candidate> for Seen<'a> {
    fn from(candidate: &'a Candidate) -> Self {
        Self {
            wwid: candidate.lun.known_wwid().unwrap_or_default(),
            devs: candidate.all_devs.clone(),
            names: candidate.names.clone(),
        }
    }
}

/// The LUN that is meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Its WWID.
    pub wwid: Wwid,
    /// How it was found.
    pub how: How,
}

/// How a LUN was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum How {
    /// A LUN with this very WWID is seen.
    Exact,
    /// A LUN is seen whose WWID is the same identifier in another form.
    Form,
    /// It is the name of a path or a map of a LUN that is seen.
    Device,
    /// No LUN is seen that could be meant.
    Unseen,
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exact => "this very WWID",
            Self::Form => "the same identifier in another form",
            Self::Device => "a device of this LUN",
            Self::Unseen => "no node sees such a LUN",
        })
    }
}

/// Why no LUN was found.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NotFound {
    /// It is the name of a device, which stands for another LUN after each boot and on each node.
    #[error("'{typed}' is the name of a device, not a WWID{}", hint(.wwid.as_ref()))]
    DeviceName {
        /// What was typed.
        typed: Label,
        /// The WWID of the LUN that has this name on this node now.
        wwid: Option<Label>,
    },
    /// The path of a device that is neither a path nor a map of a LUN that the node sees.
    #[error(
        "'{0}' is not a path of a LUN that this node sees: 'pvemultipath candidates --all' lists them"
    )]
    UnknownDevice(Label),
    /// The link to a partition.
    #[error("'{0}' is a partition: name the whole LUN")]
    Partition(Label),
    /// Several LUNs may be meant.
    #[error("'{typed}' may mean several LUNs: {}", .wwids.join(", "))]
    Ambiguous {
        /// What was typed.
        typed: Label,
        /// WWIDs of some of them.
        wwids: Vec<String>,
    },
    /// No WWID, whatever form it is of.
    #[error(transparent)]
    Invalid(#[from] InvalidWwid),
}

fn hint(wwid: Option<&Label>) -> String {
    match wwid {
        Some(wwid) => format!("; on this node it is currently a path of '{wwid}'"),
        None => String::new(),
    }
}

/// The LUN that is meant, with what to know before it is put on the allow-list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Meant {
    /// Its WWID, and how it was found.
    #[serde(flatten)]
    pub found: Found,
    /// Its size in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Its serial number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<Label>,
    /// Why it should not be put there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// Why it is of no use there, for now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caution: Option<String>,
}

/// A LUN that another node sees.
#[derive(Clone, Copy, Debug)]
pub struct Elsewhere<'a> {
    /// The node.
    pub node: &'a NodeName,
    /// The LUN's WWID.
    pub wwid: &'a str,
    /// What the node says of it as a candidate; none if it has a map of it.
    pub lun: Option<&'a Reported>,
}

/// Finds the LUN that a person means among the candidates of this node, which may be on the allow-list
/// already, and what other nodes see.
pub fn meant(
    typed: &str,
    candidates: &[Candidate],
    elsewhere: &[Elsewhere<'_>],
) -> Result<Meant, NotFound> {
    let mut seen: Vec<Seen<'_>> = candidates.iter().map(Seen::from).collect();
    // names of devices are those of one node
    seen.extend(elsewhere.iter().map(|lun| Seen {
        wwid: lun.wwid,
        devs: BTreeSet::new(),
        names: BTreeSet::new(),
    }));
    let found = identify(typed, &seen)?;
    let wwid = found.wwid.as_str();
    let luns = || {
        let luns = candidates.iter().zip(&seen);
        luns.filter(|(_, lun)| lun.wwid == wwid)
            .map(|(candidate, _)| candidate)
    };
    let others = || elsewhere.iter().filter(|lun| lun.wwid == wwid);
    let told = |harmless: bool| {
        let mut reasons = luns().filter_map(|lun| lun.reason.as_ref());
        let here = reasons.find(|reason| reason.is_harmless() == harmless);
        here.map(ToString::to_string).or_else(|| {
            others().find_map(|Elsewhere { node, lun, .. }| {
                let lun = (*lun)?;
                let reason = lun.reason.as_ref()?;
                let why = lun.told.first().unwrap_or(&reason.code);
                (reason.harmless == u8::from(harmless)).then(|| format!("{node}: {why}"))
            })
        })
    };
    let (refusal, caution) = (told(false), told(true));
    let is_usable = luns().any(Candidate::is_offered)
        || others().any(|other| other.lun.is_none_or(Reported::is_offered));
    let listed = || others().filter_map(|other| Some(&other.lun?.lun));
    let known = || luns().map(|candidate| &candidate.lun).chain(listed());
    Ok(Meant {
        size: known().find_map(|lun| lun.size),
        serial: known().find_map(|lun| lun.serial.clone()),
        refusal,
        caution: caution.filter(|_| !is_usable),
        found,
    })
}

/// Finds the LUN that a person means, among those that are seen.
///
/// The WWID as it is typed comes first, then the forms in which others write it. If none of them is seen,
/// the WWID that the text stands for by itself is given, and [`How::Unseen`].
pub fn identify(typed: &str, seen: &[Seen<'_>]) -> Result<Found, NotFound> {
    let typed = typed.trim_matches(' ');
    let label = || Label::text(typed.as_bytes()).ok_or(InvalidWwid::Empty);
    if seen
        .iter()
        .any(|lun| !lun.wwid.is_empty() && lun.wwid == typed)
    {
        return found(typed, How::Exact);
    }
    if let Some(name) = typed.strip_prefix("/dev/") {
        let is_it = |lun: &&Seen<'_>| {
            lun.names.contains(name) || Device::new(name).is_some_and(|dev| lun.devs.contains(&dev))
        };
        if let Some(wwid) = only(label()?, seen.iter().filter(is_it))? {
            return found(wwid, How::Device);
        }
        let link = name.strip_prefix("disk/by-id/");
        let Some(identifier) = link.and_then(without_kind) else {
            return Err(NotFound::UnknownDevice(label()?));
        };
        if is_partition_link(identifier) {
            return Err(NotFound::Partition(label()?));
        }
        return by_form(identifier, label()?, seen);
    }
    let by_name = |lun: &&Seen<'_>| {
        let device = Device::new(typed).is_some_and(|device| lun.devs.contains(&device));
        device || lun.names.contains(&format!("mapper/{typed}"))
    };
    if is_device_name(typed) {
        let lun = only(label()?, seen.iter().filter(by_name))?;
        return Err(NotFound::DeviceName {
            typed: label()?,
            wwid: lun.and_then(|wwid| Label::text(wwid.as_bytes())),
        });
    }
    by_form(typed, label()?, seen)
}

fn found(wwid: &str, how: How) -> Result<Found, NotFound> {
    let wwid = Wwid::new(wwid)?;
    Ok(Found { wwid, how })
}

/// The WWID of these LUNs, if all have the same.
fn only<'s>(
    typed: Label,
    luns: impl Iterator<Item = &'s Seen<'s>>,
) -> Result<Option<&'s str>, NotFound> {
    let wwids: BTreeSet<&str> = luns
        .map(|lun| lun.wwid)
        .filter(|wwid| !wwid.is_empty())
        .collect();
    match wwids.len() {
        0 => Ok(None),
        1 => Ok(wwids.first().copied()),
        _ => Err(NotFound::Ambiguous {
            typed,
            wwids: wwids
                .into_iter()
                .take(MAX_NAMED)
                .map(str::to_owned)
                .collect(),
        }),
    }
}

fn by_form(text: &str, typed: Label, seen: &[Seen<'_>]) -> Result<Found, NotFound> {
    let forms = Forms::of(text);
    let is_meant = |lun: &&Seen<'_>| {
        forms
            .possible
            .iter()
            .any(|form| lun.wwid.eq_ignore_ascii_case(form))
    };
    match only(typed, seen.iter().filter(is_meant))? {
        Some(wwid) => found(wwid, How::Form),
        None => found(&forms.certain, How::Unseen),
    }
}

/// What WWIDs an identifier may stand for.
struct Forms {
    /// Any of them.
    possible: Vec<String>,
    /// The one that it stands for if none is seen.
    certain: String,
}

impl Forms {
    fn of(text: &str) -> Self {
        let mut possible = vec![text.to_owned()];
        let mut certain = None;
        let lower = text.to_ascii_lowercase();
        let (prefix, rest) = ["naa.", "eui.", "uuid.", "nvme.", "0x", "t10."]
            .into_iter()
            .find_map(|prefix| Some((prefix, lower.strip_prefix(prefix)?)))
            .unwrap_or(("", &lower));
        let digits: String = rest
            .chars()
            .filter(|c| !matches!(c, ':' | '-' | ' '))
            .collect();
        let is_hex = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        // lengths of NAA identifiers, and of an EUI-64, a NGUID or a UUID
        let is_long = matches!(digits.len(), 16 | 32);
        match prefix {
            "nvme." => certain = Some(lower.clone()),
            "t10." => {
                possible.push(format!("1{}", text.get(4..).unwrap_or_default()));
            }
            _ if !is_hex => {}
            "naa." | "0x" if is_long => certain = Some(format!("3{digits}")),
            "eui." => {
                possible.push(format!("2{digits}"));
                certain = Some(format!("eui.{digits}"));
            }
            "uuid." if digits.len() == 32 => {
                certain = Some(format!("uuid.{}", hyphenated(&digits)))
            }
            "" => {
                if is_long {
                    possible.push(format!("3{digits}"));
                    possible.push(format!("2{digits}"));
                    possible.push(format!("eui.{digits}"));
                }
                if digits.len() == 32 {
                    possible.push(format!("uuid.{}", hyphenated(&digits)));
                }
                possible.push(digits.clone());
                // 5 and 6 are kinds of NAA identifiers, and none of scsi_id's digits
                let is_naa = is_long && digits.starts_with(['5', '6']);
                // with the digit in front: the same in small letters, without separators
                let is_whole = matches!(digits.len(), 17 | 33) && digits.starts_with(['2', '3']);
                if is_naa && text.split('-').count() != 5 {
                    certain = Some(format!("3{digits}"));
                } else if is_whole {
                    certain = Some(digits);
                }
            }
            _ => {}
        }
        possible.extend(certain.clone());
        Self {
            certain: certain.unwrap_or_else(|| text.to_owned()),
            possible,
        }
    }
}

/// 8-4-4-4-12 digits.
fn hyphenated(digits: &str) -> String {
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    let parts = [
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32),
    ];
    parts.join("-")
}

/// The identifier in the name of a link in /dev/disk/by-id.
fn without_kind(link: &str) -> Option<&str> {
    let kinds = ["dm-uuid-mpath-", "scsi-SATA_", "scsi-", "wwn-", "nvme-"];
    let rest = kinds.iter().find_map(|kind| link.strip_prefix(kind))?;
    (!rest.contains('/')).then_some(rest)
}

/// Whether the name of a link ends as those to partitions do: `-part1`.
fn is_partition_link(name: &str) -> bool {
    let number = name.rsplit_once("-part").map(|(_, number)| number);
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether this is how the kernel or multipathd call devices: `sdb`, `sdb1`, `nvme0n1`, `dm-3`, `8:16`,
/// `0:0:1:0`, `mpatha`.
fn is_device_name(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    let is_number = |part: &&str| {
        (1..=5).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    if matches!(parts.len(), 2 | 4) && parts.iter().all(is_number) {
        return true;
    }
    crate::Alias::new(text).is_ok_and(|alias| {
        use crate::types::alias::Reserved;
        let reserved = alias.reserved();
        matches!(reserved, Some(Reserved::Device | Reserved::FriendlyName))
    }) || ["sr", "loop", "md"].iter().any(|prefix| {
        text.strip_prefix(prefix)
            .is_some_and(|rest| is_number(&rest))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAA: &str = "3600a098038303053453f463045727a4c";
    const SHORT: &str = "35000c50000000b01";
    const UUID: &str = "uuid.6d6f6e65-0000-4000-8000-00000000a001";
    const EUI: &str = "eui.5254000000000000a0020000deadbeef";

    fn seen() -> Vec<Seen<'static>> {
        let lun = |wwid, dev: &str, names: &[&str]| Seen {
            wwid,
            devs: Device::new(dev).into_iter().collect(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
        };
        vec![
            lun(
                NAA,
                "sda",
                &["disk/by-id/wwn-0x600a098038303053453f463045727a4c"],
            ),
            lun(
                SHORT,
                "sdb",
                &[
                    "mapper/mpatha",
                    "disk/by-path/pci-0000:00:02.0-scsi-0:0:1:0",
                ],
            ),
            lun(UUID, "nvme0n1", &["disk/by-id/nvme-LABARRAY_SERA0001_1"]),
            lun(EUI, "nvme0n2", &[]),
            lun("1Linux_scsi_debug_2000", "sdc", &[]),
            lun("20025385b71b00a3c", "sdd", &[]),
        ]
    }

    fn told(typed: &str) -> String {
        match identify(typed, &seen()) {
            Ok(Found { wwid, how }) => format!("{wwid} {how:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn forms_in_which_arrays_and_tools_print_it() {
        for (typed, wwid) in [
            ("0x600a098038303053453f463045727a4c", NAA),
            ("naa.600a098038303053453f463045727a4c", NAA),
            ("naa.600A098038303053453F463045727A4C", NAA),
            ("600a098038303053453f463045727a4c", NAA),
            ("600A0980-38303053-453F4630-45727A4C", NAA),
            ("60:0a:09:80:38:30:30:53:45:3f:46:30:45:72:7a:4c", NAA),
            ("3600A098038303053453F463045727A4C", NAA),
            (
                "/dev/disk/by-id/scsi-3600a098038303053453f463045727a4c",
                NAA,
            ),
            (
                "/dev/disk/by-id/dm-uuid-mpath-3600a098038303053453f463045727a4c",
                NAA,
            ),
            ("5000C500:00000B01", SHORT),
            ("0x5000c50000000b01", SHORT),
            ("/dev/disk/by-id/wwn-0x5000c50000000b01", SHORT),
            ("UUID.6D6F6E65-0000-4000-8000-00000000A001", UUID),
            ("6d6f6e65-0000-4000-8000-00000000a001", UUID),
            ("6d6f6e6500004000800000000000a001", UUID),
            (
                "/dev/disk/by-id/nvme-uuid.6d6f6e65-0000-4000-8000-00000000a001",
                UUID,
            ),
            ("5254000000000000A0020000DEADBEEF", EUI),
            ("52540000-0000-0000-a002-0000deadbeef", EUI),
            (
                "/dev/disk/by-id/nvme-eui.5254000000000000a0020000deadbeef",
                EUI,
            ),
            ("t10.Linux_scsi_debug_2000", "1Linux_scsi_debug_2000"),
            ("eui.0025385b71b00a3c", "20025385b71b00a3c"),
        ] {
            assert_eq!(told(typed), format!("{wwid} Form"), "{typed}");
        }
        for wwid in [NAA, SHORT, UUID, EUI] {
            assert_eq!(told(wwid), format!("{wwid} Exact"));
            assert_eq!(told(&format!(" {wwid} ")), format!("{wwid} Exact"));
        }
    }

    #[test]
    fn devices_of_luns() {
        for (typed, wwid) in [
            ("/dev/sdb", SHORT),
            ("/dev/nvme0n1", UUID),
            ("/dev/mapper/mpatha", SHORT),
            ("/dev/disk/by-path/pci-0000:00:02.0-scsi-0:0:1:0", SHORT),
            (
                "/dev/disk/by-id/wwn-0x600a098038303053453f463045727a4c",
                NAA,
            ),
            ("/dev/disk/by-id/nvme-LABARRAY_SERA0001_1", UUID),
        ] {
            assert_eq!(told(typed), format!("{wwid} Device"), "{typed}");
        }
        let unknown = "is not a path of a LUN that this node sees";
        for typed in [
            "/dev/sdz",
            "/dev/sdb1",
            "/dev/mapper/x",
            "/dev/../dev/sdb",
            "/dev/",
        ] {
            assert!(told(typed).contains(unknown), "{typed}");
        }
        let partition = "/dev/disk/by-id/scsi-3600a098038303053453f463045727a4c-part1";
        assert_eq!(
            told(partition),
            format!("'{partition}' is a partition: name the whole LUN")
        );
    }

    #[test]
    fn names_that_change_are_no_wwid() {
        let sdb = format!(
            "'sdb' is the name of a device, not a WWID; on this node it is currently a path of '{SHORT}'"
        );
        assert_eq!(told("sdb"), sdb);
        assert!(told("mpatha").ends_with(&format!("a path of '{SHORT}'")));
        for typed in [
            "sdz", "8:0", "8:16", "0:0:1:0", "dm-3", "nvme9n1", "mpathb", "sr0", "vda",
        ] {
            assert_eq!(
                told(typed),
                format!("'{typed}' is the name of a device, not a WWID")
            );
        }
    }

    #[test]
    fn what_is_not_seen_is_given_as_multipathd_would_write_it() {
        for (typed, wwid) in [
            (
                "36001405aabbccddeeff00112233445566",
                "36001405aabbccddeeff00112233445566",
            ),
            (
                "0x6001405AABBCCDDEEFF0011223344556",
                "36001405aabbccddeeff0011223344556",
            ),
            ("naa.5000c500000000ff", "35000c500000000ff"),
            (
                "6001405aabbccddeeff0011223344556",
                "36001405aabbccddeeff0011223344556",
            ),
            (
                "60:01:40:5a:ab:bc:cd:de:ef:f0:01:12:23:34:45:56",
                "36001405aabbccddeeff0011223344556",
            ),
            (
                "36001405AABBCCDDEEFF0011223344556",
                "36001405aabbccddeeff0011223344556",
            ),
            // the kind cannot be told from these
            ("20025385b71b00a3", "20025385b71b00a3"),
            ("0QEMU_disk", "0QEMU_disk"),
            ("3600a", "3600a"),
            ("eui.00000000000000aa", "eui.00000000000000aa"),
            (
                "UUID.6D6F6E65-0000-4000-8000-0000000000FF",
                "uuid.6d6f6e65-0000-4000-8000-0000000000ff",
            ),
            ("nvme.8086-4254", "nvme.8086-4254"),
        ] {
            assert_eq!(told(typed), format!("{wwid} Unseen"), "{typed}");
        }
        for typed in ["", "  ", "a b", "3600a\n", "x\u{1b}[31m", "../x", "-w"] {
            assert!(
                matches!(identify(typed, &seen()), Err(NotFound::Invalid(_))),
                "{typed:?}"
            );
        }
    }

    #[test]
    fn several_may_be_meant() {
        let mut seen = seen();
        seen.push(Seen {
            wwid: "35254000000000000a0020000deadbeef",
            devs: BTreeSet::new(),
            names: BTreeSet::new(),
        });
        let error = identify("5254000000000000a0020000deadbeef", &seen).unwrap_err();
        let message = "'5254000000000000a0020000deadbeef' may mean several LUNs: \
            35254000000000000a0020000deadbeef, eui.5254000000000000a0020000deadbeef";
        assert_eq!(error.to_string(), message);
        assert!(identify("naa.5254000000000000a0020000deadbeef", &seen).is_ok());
    }
}
