//! What udev knows of a device: the file `/run/udev/data/bMAJOR:MINOR`.

/// Most bytes of a value that are looked at. udev itself takes up to 16 KiB.
const MAX_VALUE_LEN: usize = 4096;

/// The properties that tell what is on a device, as udev has them. What is empty is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Properties<'a> {
    /// Signature of the content: `LVM2_member`, `ext4`, `zfs_member`.
    pub(super) fs_type: Option<&'a [u8]>,
    /// Its UUID; of an LVM physical volume, that of the volume. It is taken from `ID_FS_UUID_ENC` as well: after
    /// a path event of a map, udev keeps only that one. The two differ in characters that no UUID of LVM has.
    pub(super) fs_uuid: Option<&'a [u8]>,
    /// Volume group of a logical volume.
    pub(super) vg: Option<&'a [u8]>,
    /// Name of a logical volume in its group.
    pub(super) lv: Option<&'a [u8]>,
}

impl<'a> Properties<'a> {
    /// Reads the lines `E:NAME=VALUE`; of several for one name, the first.
    pub(super) fn parse(text: &'a [u8]) -> Self {
        let mut found = Self::default();
        for line in text.split(|&byte| byte == b'\n') {
            let Some(property) = line.strip_prefix(b"E:") else {
                continue;
            };
            let mut parts = property.splitn(2, |&byte| byte == b'=');
            let (Some(name), Some(value)) = (parts.next(), parts.next()) else {
                continue;
            };
            let place = match name {
                b"ID_FS_TYPE" => &mut found.fs_type,
                b"ID_FS_UUID" | b"ID_FS_UUID_ENC" => &mut found.fs_uuid,
                b"DM_VG_NAME" => &mut found.vg,
                b"DM_LV_NAME" => &mut found.lv,
                _ => continue,
            };
            if place.is_none() && (1..=MAX_VALUE_LEN).contains(&value.len()) {
                *place = Some(value);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_of_a_physical_volume() {
        let text = b"S:disk/by-id/dm-name-san-a\nI:220709190\nE:DM_NAME=san-a\n\
            E:ID_FS_UUID=AN26GJ-Xwba-t2xu-wQn7-gr3J-Ijy0-SdPICi\nE:ID_FS_TYPE=LVM2_member\nG:systemd\n";
        let found = Properties::parse(text);
        assert_eq!(found.fs_type, Some(&b"LVM2_member"[..]));
        assert_eq!(
            found.fs_uuid,
            Some(&b"AN26GJ-Xwba-t2xu-wQn7-gr3J-Ijy0-SdPICi"[..])
        );
        assert_eq!((found.vg, found.lv), (None, None));
    }

    /// As recorded after the last path was lost.
    #[test]
    fn after_a_path_event() {
        let text = b"E:MPATH_DEVICE_READY=0\nE:MPATH_UNCHANGED=1\nE:ID_FS_TYPE=LVM2_member\nE:ID_FS_USAGE=raid\n\
            E:ID_FS_UUID_ENC=jDrUcX-yCJ6-9kk3-2SNK-r9VN-E5xF-u8KKCW\n";
        assert_eq!(
            Properties::parse(text).fs_uuid,
            Some(&b"jDrUcX-yCJ6-9kk3-2SNK-r9VN-E5xF-u8KKCW"[..])
        );
    }

    #[test]
    fn hostile_values_stay_values() {
        let text = b"E:ID_FS_LABEL=E:ID_FS_TYPE=LVM2_member\nE:ID_FS_TYPE=\nE:ID_FS_TYPE=a=b\xff\n\
            E:ID_FS_TYPE=c\nE:DM_VG_NAME\nID_FS_UUID=x\nE:DM_LV_NAME=lv";
        let found = Properties::parse(text);
        assert_eq!(found.fs_type, Some(&b"a=b\xff"[..]));
        assert_eq!((found.fs_uuid, found.vg), (None, None));
        assert_eq!(found.lv, Some(&b"lv"[..]));
        assert_eq!(Properties::parse(b""), Properties::default());
    }
}
