//! How a path reaches its LUN.

use super::words::words;

words! {
    /// Transport of a path. Paths over virtio, NVMe and others have none of these.
    #[non_exhaustive]
    Transport {
        /// Fibre Channel, also over Ethernet.
        Fc = "fc",
        /// iSCSI.
        Iscsi = "iscsi",
        /// Serial attached SCSI.
        Sas = "sas",
    }
}

impl Transport {
    /// Fibre Channel, if a path's `target_wwpn` is `0x` and hex digits. For other transports multipathd
    /// prints `[undef]` there.
    pub fn from_target_wwpn(wwpn: &str) -> Option<Self> {
        let digits = wwpn.strip_prefix("0x")?;
        let hex = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
        hex.then_some(Self::Fc)
    }

    /// The transport by the link text of `/sys/block/<dev>`: `/rport-` is Fibre Channel, `/session<N>/`
    /// iSCSI, `/end_device-` SAS.
    pub fn from_sysfs_link(link: &str) -> Option<Self> {
        link.split('/').find_map(|part| {
            if part.starts_with("rport-") {
                Some(Self::Fc)
            } else if part.starts_with("end_device-") {
                Some(Self::Sas)
            } else {
                let number = part.strip_prefix("session")?;
                let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
                digits.then_some(Self::Iscsi)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Links that the kernel of a Debian 13 guest showed.
    #[test]
    fn recorded_links() {
        let cases = [
            (
                "../devices/virtual/net/ini1/ctlr_3/host9/rport-9:0-0/target9:0:0/9:0:0:0/block/sda",
                Some(Transport::Fc),
            ),
            (
                "../devices/platform/host6/session1/target6:0:0/6:0:0:0/block/sda",
                Some(Transport::Iscsi),
            ),
            (
                "../devices/pci0000:00/0000:00:04.0/host8/port-8:0/end_device-8:0/target8:0:0/8:0:0:0/block/sdr",
                Some(Transport::Sas),
            ),
            (
                "../devices/pci0000:00/0000:00:02.0/virtio1/host0/target0:0:0/0:0:0:0/block/sda",
                None,
            ),
            (
                "../devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1",
                None,
            ),
            ("../devices/pci0000:00/sessionx/block/sda", None),
            ("", None),
        ];
        for (link, transport) in cases {
            assert_eq!(Transport::from_sysfs_link(link), transport, "{link}");
        }
    }

    #[test]
    fn a_port_name_is_a_number() {
        assert_eq!(
            Transport::from_target_wwpn("0x2000020000000002"),
            Some(Transport::Fc)
        );
        for text in ["[undef]", "[unknown]", "", "0x", "0xzz", "2000020000000002"] {
            assert_eq!(Transport::from_target_wwpn(text), None, "{text:?}");
        }
    }
}
