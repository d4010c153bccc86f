//! What udev knows of a device: `/run/udev/data/bMAJOR:MINOR`.

/// The text of such a file. A line is a property (`E:NAME=VALUE`), a link below /dev (`S:...`), or
/// something else.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Udev<'a>(&'a [u8]);

impl<'a> Udev<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self(text)
    }

    /// Names and values of the properties. Names that are no text are left out.
    pub(super) fn properties(self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.of_kind(b"E:").filter_map(|property| {
            let equals = property.iter().position(|&byte| byte == b'=')?;
            let (name, value) = property.split_at_checked(equals)?;
            Some((std::str::from_utf8(name).ok()?, value.get(1..)?))
        })
    }

    /// The value of a property; an empty one is none.
    pub(super) fn property(self, name: &str) -> Option<&'a [u8]> {
        let (_, value) = self.properties().find(|(of, _)| *of == name)?;
        (!value.is_empty()).then_some(value)
    }

    /// The links to the device, below /dev. Those that are no text are left out.
    pub(super) fn links(self) -> impl Iterator<Item = &'a str> {
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
}
