//! What LVM has left in files about its volume groups, for a node that must not ask its devices.
//!
//! `/run/lvm/hints` has what the last scan of the devices found. `/etc/lvm/backup/VG` has the metadata of
//! a group as this node last wrote or activated it. Either may be older than what is on the devices.

use std::collections::BTreeMap;

use crate::types::label::Label;

/// Longest name of a group or volume, lib/metadata/metadata-exported.h: NAME_LEN.
const MAX_NAME_LEN: usize = 127;

/// A UUID of LVM, without the hyphens: 32 characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Uuid(Box<str>);

impl Uuid {
    /// Takes it with hyphens or without.
    pub(crate) fn new(text: &[u8]) -> Option<Self> {
        let characters = text.iter().filter(|&&byte| byte != b'-');
        let uuid: String = characters.map(|&byte| char::from(byte)).take(33).collect();
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"!#".contains(&b);
        (uuid.len() == 32 && uuid.bytes().all(allowed)).then(|| Self(uuid.into()))
    }
}

/// A name of a volume group or a logical volume, if LVM could have given it.
pub(crate) fn name(name: &[u8]) -> Option<Label> {
    let allowed = |b: &u8| b.is_ascii_alphanumeric() || b"+_.-".contains(b);
    let valid = (1..=MAX_NAME_LEN).contains(&name.len())
        && name.iter().all(allowed)
        && !name.starts_with(b"-")
        && name != b"."
        && name != b"..";
    valid.then(|| Label::name(name)).flatten()
}

/// Splits the name that LVM gives a logical volume in device-mapper: `vg--a-lv--one` is `lv-one` in `vg-a`.
///
/// Hyphens in names are doubled, a single one separates the group, the volume and, of a part that is not
/// seen by users, the layer.
pub(crate) fn split_dm_name(name: &[u8]) -> Option<(Label, Label)> {
    let mut parts: Vec<Vec<u8>> = vec![Vec::new()];
    let mut rest = name;
    while let Some((&byte, tail)) = rest.split_first() {
        let is_double = byte == b'-' && tail.first() == Some(&b'-');
        if byte == b'-' && !is_double {
            parts.push(Vec::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(byte);
        }
        rest = if is_double {
            tail.get(1..).unwrap_or_default()
        } else {
            tail
        };
    }
    let mut parts = parts.iter();
    let (vg, lv) = (parts.next()?, parts.next()?);
    Some((self::name(vg)?, self::name(lv)?))
}

/// Which volume group a physical volume belongs to, by what LVM has left in files.
#[derive(Clone, Debug, Default)]
pub struct VolumeGroups {
    /// By physical volume.
    hints: BTreeMap<Uuid, Option<Label>>,
    /// By physical volume, the UUID and the name of its group.
    backups: BTreeMap<Uuid, (Option<Uuid>, Label)>,
    /// By UUID.
    names: BTreeMap<Uuid, Label>,
}

impl VolumeGroups {
    /// Reads `/run/lvm/hints`, and the texts of the files in `/etc/lvm/backup`, of which the beginning is
    /// enough. What is of another form is left out.
    pub fn new<'a>(hints: &[u8], backups: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut groups = Self {
            hints: self::hints(hints),
            ..Self::default()
        };
        for backup in backups.into_iter().filter_map(backup) {
            if let Some(id) = &backup.id {
                groups.names.insert(id.clone(), backup.vg.clone());
            }
            let group = (backup.id, backup.vg);
            let volumes = backup.pvs.into_iter().map(|pv| (pv, group.clone()));
            groups.backups.extend(volumes);
        }
        groups
    }

    /// The name of a physical volume's group.
    pub(crate) fn name_of(&self, pv: &Uuid) -> Option<&Label> {
        let hint = self.hints.get(pv).and_then(Option::as_ref);
        hint.or_else(|| self.backups.get(pv).map(|(_, name)| name))
    }

    /// The UUID of a physical volume's group.
    pub(crate) fn id_of(&self, pv: &Uuid) -> Option<&Uuid> {
        self.backups.get(pv)?.0.as_ref()
    }

    /// Whether LVM's last scan found that a physical volume belongs to no group.
    pub(crate) fn is_free(&self, pv: &Uuid) -> bool {
        self.hints.get(pv) == Some(&None)
    }

    /// The name of the group with this UUID.
    pub(crate) fn name(&self, id: &Uuid) -> Option<&Label> {
        self.names.get(id)
    }
}

/// The volume groups of the physical volumes that the last scan found; none for one that is in no group.
///
/// Lines are `scan:DEVICE pvid:UUID devn:MAJOR:MINOR vg:NAME`, in which DEVICE may be any text.
fn hints(text: &[u8]) -> BTreeMap<Uuid, Option<Label>> {
    let hint = |line: &[u8]| {
        let line = line.strip_prefix(b"scan:")?;
        let mut words = line.rsplitn(4, |&byte| byte == b' ');
        let vg = words.next()?.strip_prefix(b"vg:")?;
        words.next()?.strip_prefix(b"devn:")?;
        let pv = Uuid::new(words.next()?.strip_prefix(b"pvid:")?)?;
        words.next()?;
        match vg {
            b"-" => Some((pv, None)),
            vg => Some((pv, Some(name(vg)?))),
        }
    };
    let lines = text.split(|&byte| byte == b'\n');
    lines.filter_map(hint).collect()
}

/// A volume group by its backup.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Backup {
    vg: Label,
    id: Option<Uuid>,
    pvs: Vec<Uuid>,
}

/// Reads the group of a backup as far as the end of its physical volumes. What comes after them is not
/// looked at, so the beginning of a long text is enough.
fn backup(text: &[u8]) -> Option<Backup> {
    let mut vg = None;
    let mut id = None;
    let mut pvs = Vec::new();
    let mut sections: Vec<&[u8]> = Vec::new();
    let (mut last, mut key): (Option<&[u8]>, Option<&[u8]>) = (None, None);
    for token in Tokens(text) {
        match token {
            Token::Text(text) => {
                if key == Some(b"id") {
                    match sections.as_slice() {
                        [_] => id = Uuid::new(text),
                        [_, b"physical_volumes", _] => pvs.extend(Uuid::new(text)),
                        _ => (),
                    }
                }
                (last, key) = (Some(text), None);
            }
            Token::Sign(b'=') => key = last.take(),
            Token::Sign(b'{') => {
                let section = last.take().unwrap_or_default();
                if sections.is_empty() {
                    vg = name(section);
                }
                sections.push(section);
            }
            Token::Sign(b'}') => {
                let ended = sections.pop();
                if sections.len() < 2 && ended == Some(b"physical_volumes") || sections.is_empty() {
                    break;
                }
            }
            Token::Sign(_) => (last, key) = (None, None),
        }
    }
    vg.map(|vg| Backup { vg, id, pvs })
}

/// What LVM's own format consists of. Texts are words, and strings without their quotes.
enum Token<'a> {
    Text(&'a [u8]),
    Sign(u8),
}

struct Tokens<'a>(&'a [u8]);

impl<'a> Tokens<'a> {
    /// Takes so many bytes.
    fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at_checked(len).unwrap_or((self.0, &[]));
        self.0 = rest;
        taken
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let is_sign = |byte: u8| b"{}[]=,".contains(&byte);
        loop {
            let &first = self.0.first()?;
            match first {
                b'#' => {
                    let end = self.0.iter().position(|&byte| byte == b'\n');
                    self.take(end.unwrap_or(self.0.len()));
                }
                b'"' => {
                    self.take(1);
                    let mut escaped = false;
                    let end = self.0.iter().position(|&byte| {
                        let ends = byte == b'"' && !escaped;
                        escaped = byte == b'\\' && !escaped;
                        ends
                    });
                    let text = self.take(end.unwrap_or(self.0.len()));
                    self.take(1);
                    return Some(Token::Text(text));
                }
                sign if is_sign(sign) => {
                    self.take(1);
                    return Some(Token::Sign(sign));
                }
                blank if blank.is_ascii_whitespace() => {
                    self.take(1);
                }
                _ => {
                    let ends =
                        |&byte: &u8| byte.is_ascii_whitespace() || is_sign(byte) || byte == b'#';
                    let end = self.0.iter().position(ends).unwrap_or(self.0.len());
                    return Some(Token::Text(self.take(end)));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(name: &[u8]) -> Option<(String, String)> {
        split_dm_name(name).map(|(vg, lv)| (vg.to_string(), lv.to_string()))
    }

    #[test]
    fn names_of_logical_volumes() {
        for (name, vg, lv) in [
            (&b"vg--a-lv--one"[..], "vg-a", "lv-one"),
            (b"pve-root", "pve", "root"),
            (b"vg--a-vm--100--disk--0", "vg-a", "vm-100-disk-0"),
            (b"pve-data_tdata", "pve", "data_tdata"),
            (b"pve-data-tpool", "pve", "data"),
        ] {
            assert_eq!(split(name), Some((vg.to_owned(), lv.to_owned())));
        }
        for name in [&b"san"[..], b"", b"-lv", b"vg-", b"vg--a", b"v\ng-lv"] {
            assert_eq!(split(name), None);
        }
    }

    fn uuid(text: &str) -> Uuid {
        Uuid::new(text.as_bytes()).unwrap()
    }

    const PV: &str = "AN26GJ-Xwba-t2xu-wQn7-gr3J-Ijy0-SdPICi";

    #[test]
    fn uuids() {
        assert_eq!(uuid(PV), uuid("AN26GJXwbat2xuwQn7gr3JIjy0SdPICi"));
        for text in [&b"AN26GJ"[..], b"", &[b'a'; 33], &[b'\n'; 32]] {
            assert_eq!(Uuid::new(text), None);
        }
    }

    #[test]
    fn hints_of_a_scan() {
        let text = b"# Created by pvs pid 2696 Tue Nov 24 19:59:05 2026\nhints_version: 2.1\nscan_lvs:0\n\
            scan:/dev/mapper/san-a pvid:AN26GJXwbat2xuwQn7gr3JIjy0SdPICi devn:252:0 vg:vg-a\n\
            scan:/dev/mapper/san-k pvid:khqqzLxApANfdNH4Xb0NkfJCbugKRekW devn:252:2 vg:-\n\
            scan:/dev/x pvid:AN26GJXwbat2xuwQn7gr3JIjy0SdPICi devn:1:1 vg:evil pvid:2xuwQn7gr3JIjy0SdPICiAN26GJXwbat devn:252:9 vg:vg-x\n\
            scan:/dev/y pvid:short devn:252:9 vg:vg-y\nscan:/dev/z\ndevs_hash: 1756354777 42\n";
        let hints = hints(text);
        let vg = |pv: &str| {
            hints
                .get(&uuid(pv))
                .map(|vg| vg.as_ref().map(Label::as_str))
        };
        assert_eq!(vg(PV), Some(Some("vg-a")));
        assert_eq!(vg("khqqzLxApANfdNH4Xb0NkfJCbugKRekW"), Some(None));
        assert_eq!(vg("2xuwQn7gr3JIjy0SdPICiAN26GJXwbat"), Some(Some("vg-x")));
        assert_eq!(hints.len(), 3);
        assert!(super::hints(b"# Created empty by pvs\n# info: duplicate_pvs\n").is_empty());
    }

    const BACKUP: &[u8] = b"# Generated by LVM2\n\ncontents = \"Text Format Volume Group\"\nversion = 1\n\
        description = \"Created \\\"after\\\" 'vgcreate vg { id = '\"\n\
        vg-de {\n\tid = \"Kj8uD8-q1d9-BfEH-vpHN-zkvn-Xiel-5sSW2Z\"\n\tstatus = [\"RESIZEABLE\", \"READ\"]\n\
        \tphysical_volumes {\n\n\t\tpv0 {\n\t\t\tid = \"KL33b4-Lg1o-gqKc-TAbq-xWF2-LG9w-0dTUVq\"\n\
        \t\t\tdevice = \"/dev/mapper/san-d\"\t# Hint only\n\n\t\t\tflags = []\n\t\t}\n\
        \t\tpv1 {\n\t\t\tid = \"wppm2j-tO24-XJjX-TaWf-2lbO-L6Dl-8Q0KOZ\"\n\t\t}\n\t}\n\
        \tlogical_volumes {\n\t\tlv-d {\n\t\t\tid = \"7r9xbA-2Ljy-gQe6-xWcL-gcNF-Jf98-At9i0d\"\n\t\t}\n\t}\n}\n";

    #[test]
    fn a_backup() {
        let found = backup(BACKUP).unwrap();
        assert_eq!(found.vg.as_str(), "vg-de");
        assert_eq!(
            found.id,
            Some(uuid("Kj8uD8-q1d9-BfEH-vpHN-zkvn-Xiel-5sSW2Z"))
        );
        let pvs = [
            "KL33b4-Lg1o-gqKc-TAbq-xWF2-LG9w-0dTUVq",
            "wppm2j-tO24-XJjX-TaWf-2lbO-L6Dl-8Q0KOZ",
        ];
        assert_eq!(found.pvs, pvs.map(uuid));
    }

    #[test]
    fn a_backup_that_is_cut_or_none() {
        // The beginning names the group, and all volumes that stand in it.
        let end = BACKUP.windows(3).position(|part| part == b"pv1").unwrap();
        assert_eq!(backup(&BACKUP[..end]).unwrap().pvs.len(), 1);
        for len in 0..BACKUP.len() {
            let found = backup(&BACKUP[..len]);
            assert!(found.is_none_or(|found| found.vg.as_str() == "vg-de" && found.pvs.len() <= 2));
        }
        for text in [
            &b""[..],
            b"}",
            b"{",
            b"vg",
            b"\"",
            b"{{{{}}}}",
            b"a b {",
            b"\xff {",
        ] {
            assert!(backup(text).is_none_or(|found| found.pvs.is_empty()));
        }
    }
}
