//! Which LUNs guests use as disks.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::storages::volume_wwid;
use crate::Wwid;
use crate::cluster::expectations::Storage;
use crate::types::label::Label;
use crate::wire::scalar::Scalar;

/// A guest with a disk that is a LUN.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct GuestUse {
    /// ID of the guest.
    pub guest: Label,
    /// The storage that its disk is a volume of.
    pub storage: String,
}

/// The guests that use each LUN, by their configurations: by ID, the properties with their values.
///
/// A disk is `[file=|volume=]STORAGE:VOLUME[,OPTION...]`, under whatever property. Values of any other form, and
/// volumes of storages other than of type `multipath` and `iscsi`, are none of a LUN.
pub fn guest_uses(
    guests: &BTreeMap<String, BTreeMap<String, Scalar<'_>>>,
    storages: &BTreeMap<String, Storage<'_>>,
) -> BTreeMap<Wwid, BTreeSet<GuestUse>> {
    let mut found: BTreeMap<Wwid, BTreeSet<GuestUse>> = BTreeMap::new();
    for (id, properties) in guests {
        let Some(guest) = Label::name(id.as_bytes()) else {
            continue;
        };
        let volumes = properties.values().filter_map(|value| {
            let value = value.as_str()?;
            let volume = value
                .split(',')
                .find_map(|part| match part.split_once('=') {
                    Some(("file" | "volume", volume)) => Some(volume),
                    Some(_) => None,
                    None => Some(part),
                });
            let (storage, volume) = volume?.split_once(':')?;
            let kind = storages.get(storage)?.kind.as_text()?;
            Some((storage, volume_wwid(&kind, volume)?))
        });
        for (storage, wwid) in volumes {
            found.entry(wwid).or_default().insert(GuestUse {
                guest: guest.clone(),
                storage: storage.to_owned(),
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_that_are_luns() {
        let guests = r#"{
            "100": { "scsi0": "san:3600a,discard=on,size=1T", "scsi1": "lvm:vm-100-disk-0", "name": "a:b", "cores": 4 },
            "101": { "virtio0": "cache=none,file=portal:0.0.0.scsi-3600b", "unused0": "portal:0.0.0.scsi-3600b" },
            "102": { "mp0": "volume=san:3600a,mp=/data", "description": "san:", "snapshots": { "x": {} } },
            "103": { "scsi0": "gone:3600a", "scsi1": "san:../x", "scsi2": "portal:0.0.scsi-3600b", "net0": "virtio=52:54" }
        }"#;
        let storages = r#"{"san": {"type": "multipath"}, "portal": {"type": "iscsi"}, "lvm": {"type": "lvm"}}"#;
        let found = guest_uses(
            &serde_json::from_str(guests).unwrap(),
            &serde_json::from_str(storages).unwrap(),
        );
        assert_eq!(
            serde_json::to_string(&found).unwrap(),
            r#"{"3600a":[{"guest":"100","storage":"san"},{"guest":"102","storage":"san"}],"3600b":[{"guest":"101","storage":"portal"}]}"#
        );
    }
}
