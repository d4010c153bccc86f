//! multipathd's built-in entries of `devices`.

use std::cmp::Ordering;

use crate::types::tools_version::ToolsVersion;

/// Whether this version has a built-in entry with this vendor, product and revision, and merges an
/// entry of a text with it.
pub(super) fn is_built_in(key: [Option<&str>; 3], version: ToolsVersion) -> bool {
    let [Some(vendor), Some(product), None] = key else {
        return false;
    };
    let compare = |row: &Row| (row.0, row.1).cmp(&(vendor, product));
    let start = BUILT_IN.partition_point(|row| compare(row) == Ordering::Less);
    let row = BUILT_IN
        .get(start)
        .filter(|row| compare(row) == Ordering::Equal);
    row.is_some_and(|(_, _, versions)| match versions {
        In::All => true,
        In::Since(since) => version >= *since,
        In::Before(before) => version < *before,
    })
}

/// Vendor, product, and the versions that have the entry.
type Row = (&'static str, &'static str, In);

/// Versions of multipath-tools, as far as Debian has them.
enum In {
    All,
    Since(ToolsVersion),
    Before(ToolsVersion),
}

const ALL: In = In::All;
const FROM_0_11: In = In::Since(ToolsVersion::new(0, 11, 0));
const FROM_0_15: In = In::Since(ToolsVersion::new(0, 15, 0));
const BEFORE_0_11: In = In::Before(ToolsVersion::new(0, 11, 0));
const BEFORE_0_15: In = In::Before(ToolsVersion::new(0, 15, 0));

/// All built-in entries, sorted: what `multipath -t` prints without a configuration
/// (fixtures/multipath-config).
const BUILT_IN: &[Row] = &[
    (
        "(COMPAQ|HP)",
        "(HSV1[01]1|HSV2[01]0|HSV3[046]0|HSV4[05]0)",
        ALL,
    ),
    ("(COMPAQ|HP)", "(MSA|HSV)1[01]0", ALL),
    ("(COMPAQ|HP)", "MSA VOLUME", ALL),
    ("(EUROLOGC|EuroLogc)", "FC2502", ALL),
    ("(HITACHI|HP|HPE)", "^OPEN-", ALL),
    ("(HP|HPE)", "MSA [12]0[4567]0 (SAN|SAS|FC|iSCSI)", FROM_0_11),
    (
        "(HP|HPE)",
        "MSA [12]0[456]0 (SAN|SAS|FC|iSCSI)",
        BEFORE_0_11,
    ),
    ("(Intel|INTEL)", "Multi-Flex", ALL),
    ("(LIO-ORG|SUSE)", ".*", ALL),
    ("(NETAPP|LSI|ENGENIO)", "INF-01-00", ALL),
    ("(NexGen|Pivot3)", "(TierStore|vSTAC)", ALL),
    ("(TMS|IBM)", "(RamSan|FlashSystem)", ALL),
    ("(XIOTECH|XIOtech)", "IGLU DISK", ALL),
    ("(XIOTECH|XIOtech)", "ISE", ALL),
    ("(XIOTECH|XIOtech)", "Magnitude", ALL),
    ("(XIV|IBM)", "(NEXTRA|2810XIV)", ALL),
    (".*", "dellemc-powerstore", BEFORE_0_15),
    ("3PARdata", "VV", ALL),
    ("AIX", "NVDISK", ALL),
    ("AIX", "VDASD", ALL),
    ("APPLE", "Xserve RAID", ALL),
    ("AStor", "NeoSapphire", ALL),
    ("COMPELNT", "Compellent Vol", ALL),
    ("DDN", "SAN DataDirector", ALL),
    ("DDN", "^(EF3015|S2A|SFA)", ALL),
    ("DDN", "^EF3010", ALL),
    ("DEC", "HSG80", ALL),
    ("DELL", "^MD3", ALL),
    ("DataCore", "SANmelody", ALL),
    ("DataCore", "Virtual Disk", ALL),
    ("DellEMC", "PowerStore", ALL),
    ("DellEMC", "^ME", ALL),
    ("DotHill", "R/Evo", ALL),
    ("DotHill", "SANnet", ALL),
    ("DotHill", "^DH", ALL),
    ("EMC", "Invista", ALL),
    ("EMC", "SYMMETRIX", ALL),
    ("EQLOGIC", "100E-00", FROM_0_15),
    ("FSC", "CentricStor", ALL),
    ("FUJITSU", "ETERNUS_AHB", ALL),
    ("FUJITSU", "ETERNUS_DX(H|L|M|400|8000)", ALL),
    ("FUJITSU", "E[234]000", ALL),
    ("FUJITSU", "E[68]000", ALL),
    ("HITACHI", "Hi-SDS", FROM_0_15),
    ("HITACHI", "^DF", ALL),
    ("HITACHI", "^DF600F", ALL),
    ("HP", "(HSVX700|HSVX740)", ALL),
    (
        "HP",
        "(MSA2012sa|MSA23(12|24)(fc|i|sa)|MSA2000s VOLUME)",
        ALL,
    ),
    ("HP", "(MSA2[02]12fc|MSA2012i)", ALL),
    (
        "HP",
        "(P2000 G3 FC|P2000G3 FC/iSCSI|P2000 G3 SAS|P2000 G3 iSCSI)",
        ALL,
    ),
    ("HP", "A6189A", ALL),
    ("HP", "LOGICAL VOLUME", ALL),
    ("HUAWEI", "XSG1", BEFORE_0_11),
    ("IBM", "1820N00", ALL),
    ("IBM", "3303[ ]+NVDISK", ALL),
    ("IBM", "ProFibre 4000R", ALL),
    ("IBM", "S/390 DASD ECKD", ALL),
    ("IBM", "S/390 DASD FBA", ALL),
    ("IBM", "^(3542|3552)", ALL),
    ("IBM", "^(DCS9900|2851)", ALL),
    ("IBM", "^1722-600", ALL),
    ("IBM", "^1724", ALL),
    ("IBM", "^1726", ALL),
    ("IBM", "^1742", ALL),
    ("IBM", "^1746", ALL),
    ("IBM", "^1750500", ALL),
    ("IBM", "^1813", ALL),
    ("IBM", "^1814", ALL),
    ("IBM", "^1815", ALL),
    ("IBM", "^1818", ALL),
    ("IBM", "^2105", ALL),
    ("IBM", "^2107900", ALL),
    ("IBM", "^2145", ALL),
    ("IBM", "^3526", ALL),
    ("IBM", "^IPR", ALL),
    ("INSPUR", "MCS", ALL),
    ("KMNRIO", "K2", ALL),
    ("KOVE", "XPD", ALL),
    ("LEFTHAND", "(P4000|iSCSIDisk|FCDISK)", ALL),
    ("LENOVO", "DE_Series", ALL),
    ("MacroSAN", "LU", ALL),
    ("NEC", "DISK ARRAY", ALL),
    ("NETAPP", "LUN", ALL),
    ("NEXENTA", "COMSTAR", ALL),
    ("NEXSAN", "NXS-B0", ALL),
    ("NEXSAN", "SATAB", ALL),
    ("NFINIDAT", "InfiniBox", ALL),
    ("NVME", "EMC PowerMax", ALL),
    ("NVME", "FlashSystem", FROM_0_15),
    ("NVME", "HITACHI SVOS-RF-System", FROM_0_15),
    ("NVME", "HPE Alletra", ALL),
    ("NVME", "Huawei-XSG1", FROM_0_15),
    ("NVME", "IBM[ ]+2145", ALL),
    ("NVME", "InfiniBox", FROM_0_15),
    ("NVME", "Pure Storage FlashArray", ALL),
    ("NVME", "VASTData", FROM_0_15),
    ("NVME", "^NetApp ONTAP Controller", ALL),
    ("NVME", "dellemc-powerstore", FROM_0_15),
    ("NVM[eE]", ".*", BEFORE_0_15),
    ("NVM[eE]", "Huawei-XSG1", BEFORE_0_15),
    ("NVMe", "FlashSystem", BEFORE_0_15),
    ("Nexsan", "(NestOS|NST5000)", ALL),
    ("Nimble", "Server", ALL),
    ("PIVOT3", "RAIGE VOLUME", ALL),
    ("PURE", "FlashArray", ALL),
    ("Promise", "VTrak", ALL),
    ("Promise", "Vess", ALL),
    ("QUANTUM", "^(F|P|H)[24]", FROM_0_15),
    ("QUANTUM", "^F1", FROM_0_15),
    ("Quantum", "(StorNext QX|QXS)", FROM_0_15),
    ("SEAGATE", "STJX", FROM_0_15),
    ("SEAGATE", "^[456]", FROM_0_15),
    ("SGI", "IS", ALL),
    ("SGI", "TP9100", ALL),
    ("SGI", "TP9[3457]00", ALL),
    ("SGI", "^DD[46]A-", ALL),
    ("STK", "BladeCtlr", ALL),
    ("STK", "FLEXLINE 380", ALL),
    ("STK", "OPENstorage", ALL),
    ("SUN", "(Sun Storage|ZFS Storage|COMSTAR)", ALL),
    ("SUN", "ArrayStorage", ALL),
    ("SUN", "CSM[12]00_R", ALL),
    ("SUN", "LCSM100_[IEFS]", ALL),
    ("SUN", "STK6580_6780", ALL),
    ("SUN", "SUN_6180", ALL),
    ("SUN", "StorEdge 3", ALL),
    ("SolidFir", "SSD SAN", ALL),
    ("TEGILE", "(ZEBI-(FC|ISCSI)|INTELLIFLASH)", ALL),
    ("VIOLIN", "CONCERTO ARRAY", ALL),
    ("VIOLIN", "SAN ARRAY ALUA", ALL),
    ("VIOLIN", "SAN ARRAY$", ALL),
    ("VSTORAGE", "VSTOR-DISK", FROM_0_15),
    ("Vexata", "VX", ALL),
    ("XtremIO", "XtremApp", ALL),
    (
        "^(HUAWEI|AnyStor|Marstor|NETPOSA|SanM|SUGON|UDsafe)",
        "XSG1",
        FROM_0_11,
    ),
    (
        "^(HUAWEI|HUASY|HS)",
        "^(Dorado[25]|HVS8|S[23568]|V1[568]|VIS6000)",
        FROM_0_11,
    ),
    ("^DGC", "^(RAID|DISK|VRAID)", ALL),
    ("^IFT", ".*", ALL),
    ("^NVME", ".*", FROM_0_15),
    ("^Oracle", "^Oracle FS", ALL),
    ("^Pillar", "^Axiom", ALL),
    ("^Qsan", ".*", FROM_0_15),
    ("^SCST_", ".*", FROM_0_11),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::multipath_conf::keywords::DEVICE_KEY;
    use crate::multipath_conf::{Attributes, ConfValues, VERSIONS};

    /// The entries of the recorded dumps, and no others.
    #[test]
    fn entries_are_the_recorded_ones() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/multipath-config");
        for version in VERSIONS {
            let dump = std::fs::read(format!("{folder}/defaults-{version}.txt"));
            let devices = dump
                .ok()
                .and_then(|dump| ConfValues::from_dump(&dump).ok())
                .map(|dump| dump.devices)
                .unwrap_or_default();
            let key =
                |entry| DEVICE_KEY.map(|name| Attributes::get(entry, name).map(String::as_str));
            let known = devices
                .iter()
                .filter(|entry| is_built_in(key(entry), version));
            assert_eq!(known.count(), devices.len(), "{version}");
            let here = BUILT_IN.iter().filter(|(vendor, product, _)| {
                is_built_in([Some(vendor), Some(product), None], version)
            });
            assert_eq!(here.count(), devices.len(), "{version}");
            assert!(devices.len() > 100);
        }
        assert!(BUILT_IN.is_sorted_by_key(|(vendor, product, _)| (*vendor, *product)));
    }
}
