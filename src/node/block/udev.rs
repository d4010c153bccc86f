//! What udev knows of a device: `/run/udev/data/bMAJOR:MINOR`.

/// Most bytes of a value that are looked at. udev itself takes up to 16 KiB.
const MAX_VALUE_LEN: usize = 4096;

/// The text of such a file. A line is a property (`E:NAME=VALUE`), a link below /dev (`S:...`), or
/// something else.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Udev<'a>(&'a [u8]);

impl<'a> Udev<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self(text)
    }

    /// Names and values of the properties. Names that are no text are left out.
    pub(crate) fn properties(self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.of_kind(b"E:").filter_map(|property| {
            let equals = property.iter().position(|&byte| byte == b'=')?;
            let (name, value) = property.split_at_checked(equals)?;
            Some((std::str::from_utf8(name).ok()?, value.get(1..)?))
        })
    }

    /// The value of a property: of several for one name, the first that is not empty.
    pub(crate) fn property(self, name: &str) -> Option<&'a [u8]> {
        let mut values = self.properties().filter(|(of, _)| *of == name);
        let (_, value) = values.find(|(_, value)| (1..=MAX_VALUE_LEN).contains(&value.len()))?;
        Some(value)
    }

    /// The UUID of what is on the device; of an LVM physical volume, that of the volume. After a path event of a
    /// map, udev keeps only `ID_FS_UUID_ENC`. The two differ in characters that no UUID of LVM has.
    pub(crate) fn fs_uuid(self) -> Option<&'a [u8]> {
        self.property("ID_FS_UUID")
            .or_else(|| self.property("ID_FS_UUID_ENC"))
    }

    /// The links to the device, below /dev. Those that are no text are left out.
    pub(crate) fn links(self) -> impl Iterator<Item = &'a str> {
        self.of_kind(b"S:")
            .filter_map(|link| std::str::from_utf8(link).ok())
    }

    fn of_kind(self, prefix: &'static [u8]) -> impl Iterator<Item = &'a [u8]> {
        let lines = self.0.split(|&byte| byte == b'\n');
        lines.filter_map(move |line| line.strip_prefix(prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_and_links() {
        let udev = Udev::new(
            b"S:disk/by-id/wwn-0x5000c50000000a00\nS:disk/by-label/\xff\nI:1\nE:A=b=c\nE:EMPTY=\n\
              E:ODD\nE:LABEL=\xff\nG:systemd\nE:A=later",
        );
        assert_eq!(udev.property("A"), Some(&b"b=c"[..]));
        assert_eq!(udev.property("LABEL"), Some(&b"\xff"[..]));
        assert_eq!((udev.property("EMPTY"), udev.property("ODD")), (None, None));
        let links: Vec<_> = udev.links().collect();
        assert_eq!(links, ["disk/by-id/wwn-0x5000c50000000a00"]);
        assert_eq!(Udev::default().properties().count(), 0);
    }

    #[test]
    fn properties_of_a_physical_volume() {
        let text = b"S:disk/by-id/dm-name-san-a\nI:220709190\nE:DM_NAME=san-a\n\
            E:ID_FS_UUID=AN26GJ-Xwba-t2xu-wQn7-gr3J-Ijy0-SdPICi\nE:ID_FS_TYPE=LVM2_member\nG:systemd\n";
        let found = Udev::new(text);
        assert_eq!(found.property("ID_FS_TYPE"), Some(&b"LVM2_member"[..]));
        assert_eq!(
            found.fs_uuid(),
            Some(&b"AN26GJ-Xwba-t2xu-wQn7-gr3J-Ijy0-SdPICi"[..])
        );
        assert_eq!(found.property("DM_VG_NAME"), None);
        assert_eq!(found.property("DM_LV_NAME"), None);
    }

    /// As recorded after the last path was lost.
    #[test]
    fn after_a_path_event() {
        let text = b"E:MPATH_DEVICE_READY=0\nE:MPATH_UNCHANGED=1\nE:ID_FS_TYPE=LVM2_member\nE:ID_FS_USAGE=raid\n\
            E:ID_FS_UUID_ENC=jDrUcX-yCJ6-9kk3-2SNK-r9VN-E5xF-u8KKCW\n";
        assert_eq!(
            Udev::new(text).fs_uuid(),
            Some(&b"jDrUcX-yCJ6-9kk3-2SNK-r9VN-E5xF-u8KKCW"[..])
        );
    }

    #[test]
    fn hostile_values_stay_values() {
        let text = b"E:ID_FS_LABEL=E:ID_FS_TYPE=LVM2_member\nE:ID_FS_TYPE=\nE:ID_FS_TYPE=a=b\xff\n\
            E:ID_FS_TYPE=c\nE:DM_VG_NAME\nID_FS_UUID=x\nE:DM_LV_NAME=lv";
        let found = Udev::new(text);
        assert_eq!(found.property("ID_FS_TYPE"), Some(&b"a=b\xff"[..]));
        assert_eq!(
            (found.fs_uuid(), found.property("DM_VG_NAME")),
            (None, None)
        );
        assert_eq!(found.property("DM_LV_NAME"), Some(&b"lv"[..]));
        assert_eq!(Udev::new(b"").property("DM_LV_NAME"), None);
    }
}
