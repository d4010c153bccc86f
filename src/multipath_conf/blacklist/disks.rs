//! Samples of SCSI disks as multipathd sees them, to try the entries of blacklists on.
//!
//! multipathd looks at each kind of entry separately, and an exception counts only against entries
//! of the same kind (libmultipath/blacklist.c).

use super::matching::{Budget, Expression, NotTried, Texts};

/// The property of a disk that a rule is matched with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in super::super) enum RuleKind {
    Devnode,
    Wwid,
    Property,
    Protocol,
    /// Vendor and product.
    Device,
}

/// Samples for one kind of rule.
pub(super) struct Samples {
    pub(super) kind: RuleKind,
    /// Names, WWIDs, properties, protocols or vendors.
    texts: Texts<'static>,
    /// Products of the same disks, where these are vendors.
    products: Texts<'static>,
    /// Whether each sample is one of a LUN's path and matches no exception.
    is_left: Vec<bool>,
    /// Whether there are exceptions.
    pub(super) has_exceptions: bool,
}

impl Samples {
    pub(super) fn new(kind: RuleKind) -> Self {
        let (texts, products, lun_paths): (Vec<_>, Vec<_>, _) = match kind {
            RuleKind::Devnode => {
                let names = NAMES.split(' ').chain(OTHER_NAMES);
                (names.collect(), Vec::new(), NAMES.split(' ').count())
            }
            RuleKind::Wwid => {
                let wwids = WWIDS.into_iter().chain(OTHER_WWIDS);
                (wwids.collect(), Vec::new(), WWIDS.len())
            }
            RuleKind::Property => {
                let is_first = |name: &&str| name.starts_with(EXCEPTED);
                let excepted = PROPERTIES.iter().position(is_first);
                let lun_paths = excepted.unwrap_or(PROPERTIES.len());
                (PROPERTIES.into(), Vec::new(), lun_paths)
            }
            RuleKind::Protocol => {
                let protocols = PROTOCOLS.into_iter().map(|(protocol, _)| protocol);
                let protocols = protocols.chain(OTHER_PROTOCOLS);
                (protocols.collect(), Vec::new(), PROTOCOLS.len())
            }
            RuleKind::Device => {
                let vendors = DISKS.into_iter().map(|(_, vendor, _)| vendor);
                let products = DISKS.into_iter().map(|(_, _, product)| product);
                let vendors = vendors.chain([OTHER_DEVICE]);
                let products = products.chain([OTHER_DEVICE]);
                (vendors.collect(), products.collect(), DISKS.len())
            }
        };
        Self {
            kind,
            is_left: (0..texts.len()).map(|text| text < lun_paths).collect(),
            texts: Texts::new(texts),
            products: Texts::new(products),
            has_exceptions: false,
        }
    }

    /// Indices of the samples that the expressions of a rule match, sorted.
    pub(super) fn hit_by(
        &self,
        expressions: &[Option<Expression<'_>>; 2],
        budget: &mut Budget,
    ) -> Result<Vec<usize>, NotTried> {
        let [first, second] = expressions;
        let of_first = match first {
            Some(expression) => expression.hits(&self.texts, budget)?.list(self.texts.len()),
            None => (0..self.texts.len()).collect(),
        };
        match second {
            Some(expression) if !of_first.is_empty() => {
                let hits = expression.hits(&self.products, budget)?;
                let of_both = of_first.into_iter().filter(|sample| hits.contains(*sample));
                Ok(of_both.collect())
            }
            _ => Ok(of_first),
        }
    }

    /// Excludes what an exception matches.
    pub(super) fn except(&mut self, hit: &[usize]) {
        self.has_exceptions = true;
        // multipathd looks at one property after another and stops at the first match
        let lasts = self.kind == RuleKind::Property;
        for sample in hit {
            let behind = if lasts {
                self.is_left.len()
            } else {
                sample + 1
            };
            for is_left in self.is_left.get_mut(*sample..behind).into_iter().flatten() {
                *is_left = false;
            }
        }
    }

    /// Whether these are all samples.
    pub(super) fn are_all(&self, hit: &[usize]) -> bool {
        hit.len() == self.texts.len()
    }

    /// Those of these samples that are of LUNs' paths and match no exception.
    pub(super) fn left_of(&self, hit: &[usize]) -> Vec<usize> {
        let is_left = |sample: &usize| self.is_left.get(*sample) == Some(&true);
        hit.iter().copied().filter(is_left).collect()
    }

    /// Whether these include nearly all samples of LUNs' paths that match no exception.
    pub(super) fn are_all_left(&self, hit: &[usize]) -> bool {
        let counts =
            |sample: &usize| self.kind != RuleKind::Devnode || sample % NAMES_OF_A_LETTER == 0;
        let left =
            (0..self.is_left.len()).filter(|sample| self.is_left.get(*sample) == Some(&true));
        let mut left = left.filter(counts).peekable();
        left.peek().is_some() && left.all(|sample| hit.binary_search(&sample).is_ok())
    }

    /// Whether a rule that matches these samples of LUNs' paths is worth a warning.
    pub(super) fn are_many(&self, hit: &[usize]) -> bool {
        match self.kind {
            RuleKind::Devnode => !are_few_names(hit),
            RuleKind::Wwid => hit.len() >= MAKERS_OF_WWIDS,
            RuleKind::Device => makers(hit).len() > 1,
            RuleKind::Property | RuleKind::Protocol => !hit.is_empty(),
        }
    }

    /// Describes these samples.
    pub(super) fn named(&self, hit: &[usize]) -> String {
        let first = hit.first().copied().unwrap_or_default();
        let last = hit.last().copied().unwrap_or_default();
        let (name, last_name) = (self.texts.text(first), self.texts.text(last));
        match self.kind {
            RuleKind::Devnode => {
                format!("SCSI disks by their names, such as '{name}' and '{last_name}'")
            }
            RuleKind::Wwid => {
                format!("WWIDs of several vendors, such as '{name}' and '{last_name}'")
            }
            RuleKind::Property => format!("SCSI disks, which have the udev property '{name}'"),
            RuleKind::Protocol => {
                let hit = hit.iter().filter_map(|sample| PROTOCOLS.get(*sample));
                let names: Vec<_> = hit.map(|(_, name)| *name).collect();
                format!("all disks over {}", joined(&names))
            }
            RuleKind::Device => match makers(hit)[..] {
                [first, .., last] => {
                    format!("disks of several vendors, such as {first} and {last}")
                }
                _ => format!("disks, such as '{name}' '{}'", self.products.text(first)),
            },
        }
    }
}

/// Joins names with commas and 'and'.
fn joined(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

/// Whether these are the names of one or two disks, such as a node's internal ones. Further
/// characters do not count: `^sda[0-9]*` means a disk and its partitions, but matches `sdaa` too.
fn are_few_names(hit: &[usize]) -> bool {
    let mut letters: Vec<_> = hit.iter().map(|name| name / NAMES_OF_A_LETTER).collect();
    letters.dedup();
    let is_hit = |letter: &usize| hit.binary_search(&(letter * NAMES_OF_A_LETTER)).is_ok();
    hit.len() <= 2 || letters.len() <= 2 && letters.iter().all(is_hit)
}

fn makers(hit: &[usize]) -> Vec<&'static str> {
    let hit = hit.iter().filter_map(|sample| DISKS.get(*sample));
    let mut makers: Vec<_> = hit.map(|(maker, _, _)| *maker).collect();
    makers.dedup();
    makers
}

/// Names of SCSI disks: for each letter the one with this letter alone, then longer ones.
const NAMES: &str = "\
    sda sdaa sdam sdaz sdb sdba sdbm sdbz sdc sdca sdcm sdcz sdd sdda sddm sddz sde sdea \
    sdem sdez sdf sdfa sdfm sdfz sdg sdga sdgm sdgz sdh sdha sdhm sdhz sdi sdia sdim sdiz \
    sdj sdja sdjm sdjz sdk sdka sdkm sdkz sdl sdla sdlm sdlz sdm sdma sdmm sdmz sdn sdna \
    sdnm sdnz sdo sdoa sdom sdoz sdp sdpa sdpm sdpz sdq sdqa sdqm sdqz sdr sdra sdrm sdrz \
    sds sdsa sdsm sdsz sdt sdta sdtm sdtz sdu sdua sdum sduz sdv sdva sdvm sdvz sdw sdwa \
    sdwm sdwz sdx sdxa sdxm sdxz sdy sdya sdym sdyz sdz sdza sdzm sdzz";

/// Number of names for each letter.
const NAMES_OF_A_LETTER: usize = 4;

/// Names of other disks.
const OTHER_NAMES: [&str; 3] = ["nvme0n1", "dasda", "vdb"];

/// WWIDs of the form that most arrays have, each of another vendor.
const WWIDS: [&str; 10] = [
    "360000970000197700086533030303246",
    "3600000e00d2c0000002c184700120000",
    "360002ac0000000000000001f00021f7a",
    "36000d31000d7e2000000000000000014",
    "36001405aabbccdd8f7e4c1b9d02e6a35",
    "3600144f0c8f2d1e7000058a6b19e0003",
    "36005076810810a14c800000000000037",
    "36006016089704b00d6c7f25e9a18b2f4",
    "360060e8007e2f1000030e2f1000000c8",
    "3600a098038304437415d4b6a59685a4c",
];

/// Number of these WWIDs from which on an entry is worth a warning.
const MAKERS_OF_WWIDS: usize = 3;

/// WWIDs of other forms.
const OTHER_WWIDS: [&str; 3] = ["eui.0025385b71b00a3c", "0QEMU", "x 1"];

/// The udev properties of a SCSI disk on Debian with sg3-utils-udev, sorted as libudev returns
/// them, and a last one that no disk has.
const PROPERTIES: [&str; 44] = [
    "CURRENT_TAGS",
    "DEVLINKS",
    "DEVNAME",
    "DEVPATH",
    "DEVTYPE",
    "DISKSEQ",
    "DM_MULTIPATH_DEVICE_PATH",
    "ID_BUS",
    "ID_FS_TYPE",
    "ID_MODEL",
    "ID_MODEL_ENC",
    "ID_PATH",
    "ID_PATH_TAG",
    "ID_REVISION",
    "ID_SCSI",
    "ID_SCSI_INQUIRY",
    "ID_SCSI_SERIAL",
    "ID_SERIAL",
    "ID_SERIAL_SHORT",
    "ID_TARGET_PORT",
    "ID_TYPE",
    "ID_VENDOR",
    "ID_VENDOR_ENC",
    "ID_WWN",
    "ID_WWN_WITH_EXTENSION",
    "MAJOR",
    "MINOR",
    "MPATH_SBIN_PATH",
    "SCSI_IDENT_LUN_NAA_REGEXT",
    "SCSI_IDENT_PORT_RELATIVE",
    "SCSI_IDENT_PORT_TARGET_PORT_GROUP",
    "SCSI_IDENT_SERIAL",
    "SCSI_MODEL",
    "SCSI_MODEL_ENC",
    "SCSI_REVISION",
    "SCSI_TPGS",
    "SCSI_TYPE",
    "SCSI_VENDOR",
    "SCSI_VENDOR_ENC",
    "SUBSYSTEM",
    "SYSTEMD_READY",
    "TAGS",
    "USEC_INITIALIZED",
    "x",
];

/// multipathd has a built-in exception for properties that begin like this (`setup_default_blist`).
/// Each SCSI disk with a WWN has one.
const EXCEPTED: &str = "ID_WWN";

/// Protocols as multipathd writes them, and their usual names.
const PROTOCOLS: [(&str, &str); 4] = [
    ("scsi:fcp", "Fibre Channel"),
    ("scsi:iscsi", "iSCSI"),
    ("scsi:sas", "SAS"),
    ("scsi:srp", "SRP"),
];

const OTHER_PROTOCOLS: [&str; 2] = ["nvme:tcp", "undef"];

/// Manufacturers, with the vendor and product of their disks; sorted by manufacturer.
const DISKS: [(&str, &str, &str); 31] = [
    ("DataCore", "DataCore", "Virtual Disk"),
    ("Dell", "COMPELNT", "Compellent Vol"),
    ("Dell", "DELL", "MD38xxf"),
    ("Dell", "DGC", "VRAID"),
    ("Dell", "DellEMC", "ME4"),
    ("Dell", "DellEMC", "PowerStore"),
    ("Dell", "EMC", "SYMMETRIX"),
    ("Dell", "EQLOGIC", "100E-00"),
    ("Dell", "XtremIO", "XtremApp"),
    ("Fujitsu", "FUJITSU", "ETERNUS_DXL"),
    ("HPE", "3PARdata", "VV"),
    ("HPE", "HP", "HSV360"),
    ("HPE", "HPE", "MSA 2060 FC"),
    ("HPE", "Nimble", "Server"),
    ("Hitachi", "HITACHI", "OPEN-V"),
    ("Huawei", "HUAWEI", "XSG1"),
    ("IBM", "IBM", "2107900"),
    ("IBM", "IBM", "2145"),
    ("IBM", "IBM", "FlashSystem-9840"),
    ("Infinidat", "NFINIDAT", "InfiniBox"),
    ("Lenovo", "LENOVO", "DE_Series"),
    ("LIO", "LIO-ORG", "lun1"),
    ("NEC", "NEC", "DISK ARRAY"),
    ("NetApp", "NETAPP", "INF-01-00"),
    ("NetApp", "NETAPP", "LUN C-Mode"),
    ("Pure", "PURE", "FlashArray"),
    ("QNAP", "QNAP", "iSCSI Storage"),
    ("StarWind", "STARWIND", "STARWIND"),
    ("Synology", "SYNOLOGY", "Storage"),
    ("TrueNAS", "FreeNAS", "iSCSI Disk"),
    ("TrueNAS", "TrueNAS", "iSCSI Disk"),
];

/// Vendor and product that no disk has.
const OTHER_DEVICE: &str = "x";
