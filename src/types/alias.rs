//! The name that an administrator gives a LUN.

use thiserror::Error;

use super::words::checked_text;

/// Longest alias in bytes. device-mapper allows 127; 64 keeps tables and file names readable.
pub const MAX_LEN: usize = 64;

/// Regular expression that a whole alias matches.
pub const PATTERN: &str = "[a-zA-Z0-9][a-zA-Z0-9._-]*";

/// Alias of a LUN, `[a-zA-Z0-9][a-zA-Z0-9._-]*`, at most [`MAX_LEN`] bytes.
///
/// These characters reach `/dev/mapper` unchanged: device-mapper mangles most others, which makes
/// multipathd lose the map's paths, and quotes or backslashes break multipathd's JSON.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Alias(Box<str>);

/// Why a text is not an [`Alias`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidAlias {
    /// The text is empty.
    #[error("an alias may not be empty")]
    Empty,
    /// The text is longer than [`MAX_LEN`] bytes.
    #[error("alias is {0} bytes long, at most {MAX_LEN} are allowed")]
    TooLong(usize),
    /// A character that is not allowed there, counted in bytes from 1.
    #[error("alias has an invalid character {character:?} at position {position}")]
    Character {
        /// The first character that is not allowed.
        character: char,
        /// Its position in bytes, the first being 1.
        position: usize,
    },
}

impl Alias {
    /// The alias of this text.
    ///
    /// # Errors
    ///
    /// The text is not an alias, see [`InvalidAlias`].
    pub fn new(text: &str) -> Result<Self, InvalidAlias> {
        Self::check(text)?;
        Ok(Self(text.into()))
    }

    /// Checks whether `text` is an alias, without copying it.
    pub fn check(text: &str) -> Result<(), InvalidAlias> {
        if text.is_empty() {
            return Err(InvalidAlias::Empty);
        }
        if text.len() > MAX_LEN {
            return Err(InvalidAlias::TooLong(text.len()));
        }
        match find_invalid(text) {
            Some((offset, character)) => Err(InvalidAlias::Character {
                character,
                position: offset + 1,
            }),
            None => Ok(()),
        }
    }

    /// Whether `text` matches [`PATTERN`], however long it is.
    pub fn has_allowed_characters(text: &str) -> bool {
        !text.is_empty() && find_invalid(text).is_none()
    }

    /// Why this name would be taken for something else, if it would.
    pub fn reserved(&self) -> Option<Reserved> {
        let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        // No more letters than the kernel and multipathd use: 'vdisk' is a valid alias.
        let letters = |text: &str, most: usize| {
            (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase())
        };
        // sdb, sdb1
        let disk = |rest: &str, most: usize| {
            letters(rest.trim_end_matches(|c: char| c.is_ascii_digit()), most)
        };
        // 0n1, 0n1p2
        let nvme = |rest: &str| {
            let mut parts = rest.split(['n', 'p']);
            parts.next().is_some_and(number) && parts.next().is_some_and(number)
        };

        let name = self.as_str();
        if name == "control" {
            return Some(Reserved::Control);
        }
        let after = |prefix| name.strip_prefix(prefix);
        let device = after("dm-").is_some_and(number)
            || [("sd", 3), ("hd", 1), ("vd", 2), ("xvd", 2), ("dasd", 3)]
                .iter()
                .any(|&(prefix, most)| after(prefix).is_some_and(|rest| disk(rest, most)))
            || after("nvme").is_some_and(nvme);
        if device {
            return Some(Reserved::Device);
        }
        if after("mpath").is_some_and(|rest| letters(rest, 4)) {
            return Some(Reserved::FriendlyName);
        }
        match logical_volume(name)? {
            ("pve", _) => Some(Reserved::LocalVolume),
            (_, volume) => is_of_guest(volume).then_some(Reserved::GuestVolume),
        }
    }
}

/// Why an alias would be taken for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Reserved {
    /// `control`, device-mapper's own node in /dev/mapper.
    #[error("is device-mapper's own name")]
    Control,
    /// Like `dm-3` or `sdb`, which multipath's commands take for a device.
    #[error("looks like the name of a device")]
    Device,
    /// Like `mpatha`, which multipathd chooses for LUNs without an alias.
    #[error("looks like a name that multipathd gives by itself")]
    FriendlyName,
    /// Like `pve-root`: the device-mapper name of a logical volume in the volume group that the installer
    /// creates on every node. Only one of that volume and the LUN's map could have the name; at boot,
    /// the one without it may be the root file system.
    #[error("is the name of a logical volume in the volume group 'pve'; choose another one")]
    LocalVolume,
    /// Like `data-vm--100--disk--0`: the device-mapper name of a guest's logical volume in any volume
    /// group. Such a volume may be created at any time.
    #[error("is the name of a logical volume of a guest; choose another one")]
    GuestVolume,
}

/// Devices that LVM stacks below a logical volume: they have the volume's name, a hyphen and this.
const LAYERS: [&str; 7] = ["cdata", "cmeta", "cow", "cvol", "real", "tpool", "vpool"];

/// The volume group and the logical volume of a device-mapper name, as they are written there, if the
/// name has LVM's form: a hyphen between the two, and hyphens within them doubled.
///
/// `pve-san-a` does not have it, since LVM would write `pve-san--a`.
fn logical_volume(name: &str) -> Option<(&str, &str)> {
    let mut parts = Vec::new();
    let mut rest = name;
    let mut from = 0;
    while let Some(at) = rest.get(from..)?.find('-').map(|at| from + at) {
        let after = rest.get(at + 1..)?;
        if after.starts_with('-') {
            from = at + 2;
        } else {
            parts.push(rest.get(..at)?);
            (rest, from) = (after, 0);
        }
    }
    parts.push(rest);
    match parts[..] {
        [group, volume] if !volume.is_empty() => Some((group, volume)),
        [group, volume, layer] if LAYERS.contains(&layer) => Some((group, volume)),
        _ => None,
    }
}

/// Whether Proxmox VE gives such a name to a guest's logical volume: `vm--100--disk--0`,
/// `base--100--disk--0`, `snap_vm--100--disk--0_before`.
fn is_of_guest(volume: &str) -> bool {
    let volume = volume.strip_prefix("snap_").unwrap_or(volume);
    let rest = volume
        .strip_prefix("vm--")
        .or_else(|| volume.strip_prefix("base--"));
    rest.and_then(|rest| rest.split_once("--"))
        .is_some_and(|(id, _)| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()))
}

fn find_invalid(text: &str) -> Option<(usize, char)> {
    let allowed = |offset: usize, c: char| {
        c.is_ascii_alphanumeric() || (offset > 0 && matches!(c, '.' | '_' | '-'))
    };
    text.char_indices().find(|&(offset, c)| !allowed(offset, c))
}

checked_text!(Alias);

impl std::str::FromStr for Alias {
    type Err = InvalidAlias;

    fn from_str(text: &str) -> Result<Self, InvalidAlias> {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_device_mapper_keeps() {
        for text in ["san-a-lun0", "0", "A.b_c-d", &"x".repeat(MAX_LEN)] {
            assert!(Alias::new(text).is_ok(), "{text:?}");
        }
        for text in [
            "",
            "-a",
            ".",
            "_a",
            "a b",
            "a\n",
            "a/b",
            "lün",
            "a\"",
            &"x".repeat(65),
        ] {
            assert!(Alias::new(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn reserved_names() {
        let reserved = |text| Alias::new(text).ok().and_then(|alias| alias.reserved());
        assert_eq!(reserved("control"), Some(Reserved::Control));
        for text in [
            "dm-3",
            "sdb",
            "sdaa",
            "sdb1",
            "hda",
            "vda",
            "xvdb2",
            "dasda",
            "nvme0n1",
            "nvme0n1p1",
        ] {
            assert_eq!(reserved(text), Some(Reserved::Device), "{text}");
        }
        for text in ["mpatha", "mpathaz"] {
            assert_eq!(reserved(text), Some(Reserved::FriendlyName), "{text}");
        }
        for text in [
            "pve-root",
            "pve-swap",
            "pve-data",
            "pve-data_tmeta",
            "pve-data_tdata",
            "pve-data-tpool",
            "pve-lvol0_pmspare",
            "pve-root-real",
            "pve-iso",
            "pve-a",
            "pve-my--volume",
            "pve-vm--100--disk--0",
        ] {
            assert_eq!(reserved(text), Some(Reserved::LocalVolume), "{text}");
        }
        for text in [
            "data-vm--100--disk--0",
            "data-vm--9--cloudinit",
            "data-base--100--disk--1",
            "data-snap_vm--100--disk--0_before",
            "san--a-vm--100--state--before",
            "data-vm--100--disk--0-real",
        ] {
            assert_eq!(reserved(text), Some(Reserved::GuestVolume), "{text}");
        }
        for text in [
            "san-a-lun0",
            "dm-",
            "dm-x",
            "sd",
            "SDB",
            "sdb-data",
            "mpath",
            "mpath-a",
            "mpatha1",
            "nvme0",
            "controls",
            "sd1",
            "vdisk",
            "hdfs",
            "mpathology",
            // not names of LVM for the volume group 'pve' or a guest's volume
            "pve",
            "pve-",
            "pve--root",
            "pve-san-a",
            "pve-a-b-c",
            "pve-a-",
            "pve.root",
            "pve_root",
            "PVE-root",
            "mypve-root",
            "pve2-root",
            "san-pve-root",
            "vm--100--disk--0",
            "data--vm--100--disk--0",
            "data-vm--disk--0",
            "data-vm--100",
            "data-vm-100-disk-0",
            "san-a",
            "a-b",
        ] {
            assert_eq!(reserved(text), None, "{text}");
        }
    }
}
