//! Which rule of a blacklist hides a device from multipathd, and on which line of which file it stands.
//!
//! multipathd compares devices with rules of five kinds, one after the other, and an exception of a kind
//! lifts the rules of that kind (libmultipath/blacklist.c, discovery.c `pathinfo`). It says which of its
//! rules are in force (`show config local`), but not where they stand, so the files are read as well.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::matching::{Budget, Expression, NotTried, Texts};
use super::{Rule, RuleKind, Source};
use crate::multipath_conf::conf_values::{ConfValues, Filter};
use crate::multipath_conf::events::{self, EventKind};
use crate::multipath_conf::keywords::{ConfSection, Role};
use crate::multipath_conf::values::{self, Attributes, Stored};
use crate::types::tools_version::ToolsVersion;

/// How much is tried at most on each kind: compiling an expression counts some hundreds, each text one.
const BUDGET: usize = 500_000;

/// Most characters of a rule that are given back.
const MAX_RULE: usize = 200;

/// A device as multipathd compares it with rules. Each character of a text stands for a byte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Kernel name; empty if it is not known.
    pub name: String,
    /// WWID, if it is known.
    pub wwid: Option<String>,
    /// Vendor, with the blanks behind it taken off.
    pub vendor: String,
    /// Product, with the blanks behind it taken off.
    pub product: String,
    /// Protocol as multipathd writes it, if it is known.
    pub protocol: Option<String>,
    /// Names of the device's udev properties; none if they are not known.
    pub properties: Option<Vec<String>>,
}

/// A file of multipathd's configuration.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    /// Its name, for a person.
    pub name: &'a str,
    /// What stands in it.
    pub text: &'a [u8],
}

/// What hides a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Hit {
    /// The rule as it is written; control characters are escaped, and a long one is cut.
    pub rule: String,
    /// Where it stands; none for one that multipathd has of its own, or that no file has any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file's name.
    pub file: String,
    /// The line's number, from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// What the rules make of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No rule hides it.
    Free,
    /// This one does.
    Hit(Hit),
    /// It has none of the udev properties that multipathd asks for (the exceptions of the kind `property`).
    MissingProperty,
    /// There were rules that could not be tried on it, and no other hides it.
    NotTried,
}

/// The rules that are in force.
#[derive(Debug, Default)]
pub struct Rules {
    blacklist: Vec<Placed>,
    exceptions: Vec<Placed>,
}

#[derive(Debug)]
struct Placed {
    rule: Rule<'static>,
    place: Option<Place>,
}

impl Rules {
    /// The rules that multipathd has in force (`show config local`), with their places in the files. If it
    /// does not tell, those of the files, as this version of multipath-tools reads them.
    pub fn new(in_force: Option<&ConfValues>, files: &[File<'_>], version: ToolsVersion) -> Self {
        let mut of_files = Self::default();
        for file in files {
            of_files.read(file, version);
        }
        match in_force {
            None => of_files,
            Some(effective) => Self {
                blacklist: placed(&effective.blacklist, of_files.blacklist),
                exceptions: placed(&effective.blacklist_exceptions, of_files.exceptions),
            },
        }
    }

    fn read(&mut self, file: &File<'_>, version: ToolsVersion) {
        let mut entry: BTreeMap<&'static str, Cow<'_, str>> = BTreeMap::new();
        let mut add = |source, rule, line| {
            let rules = match source {
                Source::Exceptions => &mut self.exceptions,
                Source::Blacklist | Source::Devices => &mut self.blacklist,
            };
            let place = Some(Place {
                file: file.name.to_owned(),
                line,
            });
            rules.push(Placed { rule, place });
        };
        let owned = |text: Option<Cow<'_, str>>| text.map(|text| Cow::Owned(text.into_owned()));
        events::read(file.text, |event| match event.kind {
            EventKind::Start { .. } => entry.clear(),
            EventKind::End => {
                let entry = std::mem::take(&mut entry);
                let value = |name| owned(entry.get(name).cloned());
                let (source, product) = match event.section {
                    _ if !event.section.is_kept(|name| entry.contains_key(name)) => return,
                    ConfSection::BlacklistDevice => (Source::Blacklist, value("product")),
                    ConfSection::ExceptionsDevice => (Source::Exceptions, value("product")),
                    ConfSection::Device if entry.contains_key("product_blacklist") => {
                        (Source::Devices, value("product_blacklist"))
                    }
                    _ => return,
                };
                let rule = Rule::device(value("vendor"), product);
                add(source, rule, event.position.line);
            }
            EventKind::Assignment(assignment) => {
                let keyword = assignment.keyword;
                let Some(syntax) = keyword.syntax_in(version) else {
                    return;
                };
                let stored = values::read(keyword.name, syntax, &assignment.text).stored;
                match (stored, keyword.role) {
                    (Stored::Value(text), Role::Rule(kind)) => {
                        let source = match event.section {
                            ConfSection::Exceptions => Source::Exceptions,
                            _ => Source::Blacklist,
                        };
                        let rule = Rule::new(kind, Cow::Owned(text.into_owned()));
                        add(source, rule, assignment.position.line);
                    }
                    (Stored::Value(_), _) if event.section.is_entry() => {
                        entry.insert(keyword.name, assignment.text);
                    }
                    (Stored::Unset, _) => {
                        entry.remove(keyword.name);
                    }
                    _ => {}
                }
            }
            EventKind::UnknownKeyword { .. } | EventKind::Complaint(_) => {}
        });
    }

    /// What the rules make of each of these devices, in their order.
    pub fn verdicts(&self, devices: &[Facts]) -> Vec<Verdict> {
        self.of_kinds(
            &[
                RuleKind::Devnode,
                RuleKind::Property,
                RuleKind::Device,
                RuleKind::Protocol,
                RuleKind::Wwid,
            ],
            devices,
        )
    }

    /// The same by the devices' kernel names and WWIDs alone.
    pub fn verdicts_by_name(&self, devices: &[Facts]) -> Vec<Verdict> {
        self.of_kinds(&[RuleKind::Devnode, RuleKind::Wwid], devices)
    }

    fn of_kinds(&self, kinds: &[RuleKind], devices: &[Facts]) -> Vec<Verdict> {
        let mut found = vec![Verdict::Free; devices.len()];
        for &kind in kinds {
            let of_kind = match kind {
                RuleKind::Property => self.of_properties(devices),
                _ => self.of_kind(kind, devices),
            };
            for (found, verdict) in found.iter_mut().zip(of_kind) {
                let is_worse = match found {
                    Verdict::Free => true,
                    Verdict::NotTried => verdict != Verdict::Free,
                    Verdict::Hit(_) | Verdict::MissingProperty => false,
                };
                if is_worse {
                    *found = verdict;
                }
            }
        }
        found
    }

    fn of_kind(&self, kind: RuleKind, devices: &[Facts]) -> Vec<Verdict> {
        let first = |device: &Facts| {
            Some(match kind {
                RuleKind::Devnode => Some(device.name.clone()).filter(|name| !name.is_empty())?,
                RuleKind::Wwid => device.wwid.clone()?,
                RuleKind::Protocol => device.protocol.clone()?,
                RuleKind::Device => device.vendor.clone(),
                RuleKind::Property => return None,
            })
        };
        // those of which the text is not known cannot be told from others by it
        let known: Vec<(usize, String, &str)> = { devices.iter().enumerate() }
            .filter_map(|(number, device)| Some((number, first(device)?, device.product.as_str())))
            .collect();
        let texts = Texts::new(known.iter().map(|(_, text, _)| text.as_str()));
        let products = Texts::new(known.iter().map(|(_, _, product)| *product));
        let matched = self.matched(kind, &texts, &products);

        let mut verdicts = vec![Verdict::Free; devices.len()];
        for ((number, ..), matched) in known.iter().zip(&matched) {
            if let Some(verdict) = verdicts.get_mut(*number) {
                *verdict = self.verdict(*matched);
            }
        }
        verdicts
    }

    /// multipathd looks at one property after the other, by name, and the first that is hit decides.
    fn of_properties(&self, devices: &[Facts]) -> Vec<Verdict> {
        let properties = devices.iter().flat_map(|device| &device.properties);
        let mut numbers: BTreeMap<&str, usize> = properties
            .flatten()
            .map(|name| (name.as_str(), 0))
            .collect();
        for (number, of_name) in numbers.values_mut().enumerate() {
            *of_name = number;
        }
        let texts = Texts::new(numbers.keys().copied());
        let matched = self.matched(RuleKind::Property, &texts, &Texts::new([]));
        let asks = self
            .exceptions
            .iter()
            .any(|exception| exception.rule.kind == RuleKind::Property);

        let verdict = |device: &Facts| {
            let Some(names) = &device.properties else {
                return Verdict::Free;
            };
            let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
            names.sort_unstable();
            let mut not_tried = false;
            for name in &names {
                let matched = numbers.get(name).and_then(|number| matched.get(*number));
                match matched.copied().unwrap_or_default() {
                    Matched { excepted: true, .. } => return Verdict::Free,
                    Matched {
                        rule: Some(rule), ..
                    } => return self.hit(rule),
                    Matched {
                        not_tried: true, ..
                    } => not_tried = true,
                    Matched { .. } => {}
                }
            }
            match (not_tried, asks && names.contains(&"ID_SERIAL")) {
                (true, _) => Verdict::NotTried,
                (false, true) => Verdict::MissingProperty,
                (false, false) => Verdict::Free,
            }
        };
        devices.iter().map(verdict).collect()
    }

    /// What rules of a kind say of each text; of vendors together with the products.
    fn matched(&self, kind: RuleKind, texts: &Texts<'_>, products: &Texts<'_>) -> Vec<Matched> {
        let mut matched = vec![Matched::default(); texts.len()];
        let mut budget = Budget(BUDGET);
        for exception in of(&self.exceptions, kind).map(|(_, placed)| placed) {
            match hits(&exception.rule, texts, products, &mut budget) {
                Ok(hits) => {
                    for text in hits {
                        if let Some(matched) = matched.get_mut(text) {
                            matched.excepted = true;
                        }
                    }
                }
                Err(_) => matched
                    .iter_mut()
                    .for_each(|matched| matched.not_tried = true),
            }
        }
        for (number, entry) in of(&self.blacklist, kind) {
            match hits(&entry.rule, texts, products, &mut budget) {
                Ok(hits) => {
                    for text in hits {
                        if let Some(matched) = matched.get_mut(text) {
                            matched.rule.get_or_insert(number);
                        }
                    }
                }
                Err(_) => matched
                    .iter_mut()
                    .for_each(|matched| matched.not_tried = true),
            }
        }
        matched
    }

    fn verdict(&self, matched: Matched) -> Verdict {
        match matched {
            Matched { excepted: true, .. } => Verdict::Free,
            Matched {
                rule: Some(rule), ..
            } => self.hit(rule),
            Matched {
                not_tried: true, ..
            } => Verdict::NotTried,
            Matched { .. } => Verdict::Free,
        }
    }

    fn hit(&self, rule: usize) -> Verdict {
        match self.blacklist.get(rule) {
            Some(placed) => Verdict::Hit(Hit {
                rule: written(&placed.rule),
                place: placed.place.clone(),
            }),
            None => Verdict::NotTried,
        }
    }
}

/// What is known of a text.
#[derive(Clone, Copy, Debug, Default)]
struct Matched {
    excepted: bool,
    /// The first rule that hits it.
    rule: Option<usize>,
    /// Whether there was a rule or an exception that could not be tried.
    not_tried: bool,
}

/// Those of a kind, with their numbers.
fn of(rules: &[Placed], kind: RuleKind) -> impl Iterator<Item = (usize, &Placed)> {
    let rules = rules.iter().enumerate();
    rules.filter(move |(_, placed)| placed.rule.kind == kind)
}

fn hits(
    rule: &Rule<'_>,
    texts: &Texts<'_>,
    products: &Texts<'_>,
    budget: &mut Budget,
) -> Result<Vec<usize>, NotTried> {
    let [first, second] = rule
        .texts
        .each_ref()
        .map(|text| text.as_deref().map(Expression::new));
    let of_first = match first {
        Some(expression) => expression.hits(texts, budget)?.list(texts.len()),
        None => (0..texts.len()).collect(),
    };
    match second {
        Some(expression) if !of_first.is_empty() => {
            let hits = expression.hits(products, budget)?;
            Ok({ of_first.into_iter() }
                .filter(|text| hits.contains(*text))
                .collect())
        }
        _ => Ok(of_first),
    }
}

/// The rules that are in force, each with the place of an equal one of the files.
fn placed(filter: &Filter, of_files: Vec<Placed>) -> Vec<Placed> {
    let owned = |value: &String| Cow::Owned(value.clone());
    let entries = filter.entries.iter().flat_map(|(keyword, values)| {
        let kind = match keyword.as_str() {
            "devnode" => Some(RuleKind::Devnode),
            "property" => Some(RuleKind::Property),
            "protocol" => Some(RuleKind::Protocol),
            "wwid" => Some(RuleKind::Wwid),
            _ => None,
        };
        let rule = move |value| kind.map(|kind| Rule::new(kind, owned(value)));
        values.iter().filter_map(rule)
    });
    let device = |values: &Attributes| {
        let value = |name| values.get(name).map(owned);
        Rule::device(value("vendor"), value("product"))
    };
    let mut places = std::collections::HashMap::with_capacity(of_files.len());
    for Placed { rule, place } in of_files {
        // the first one counts
        places.entry(rule).or_insert(place);
    }
    { entries.chain(filter.devices.iter().map(device)) }
        .map(|rule| {
            let place = places.get(&rule).cloned().flatten();
            Placed { rule, place }
        })
        .collect()
}

/// A rule as it stands in a file, safe to print.
fn written(rule: &Rule<'_>) -> String {
    let keyword = match rule.kind {
        RuleKind::Devnode => "devnode",
        RuleKind::Wwid => "wwid",
        RuleKind::Property => "property",
        RuleKind::Protocol => "protocol",
        RuleKind::Device => "device",
    };
    let text = match rule.texts.each_ref().map(Option::as_deref) {
        [Some(first), Some(second)] => format!("vendor {first:?}, product {second:?}"),
        [Some(first), None] if rule.kind == RuleKind::Device => format!("vendor {first:?}"),
        [None, Some(second)] => format!("product {second:?}"),
        [first, _] => format!("{:?}", first.unwrap_or_default()),
    };
    let text = format!("{keyword} {text}");
    match text.char_indices().nth(MAX_RULE) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::multipath_conf::VERSIONS;

    const CONF: &[u8] = b"blacklist {\n\
        \tdevnode \"^(sdl|sdy)$\"\n\
        \twwid \"35000c50000000f05\"\n\
        \tdevice {\n\t\tvendor \"BADVEND\"\n\t\tproduct \".*\"\n\t}\n\
        \tproperty \"ID_PART_TABLE_TYPE\"\n\
        \tprotocol \"scsi:ata\"\n\
        }\n";

    fn disk(name: &str, wwid: &str) -> Facts {
        let properties = ["DEVNAME", "ID_SERIAL", "ID_WWN", "SCSI_IDENT_SERIAL"];
        Facts {
            name: name.into(),
            wwid: Some(wwid.into()),
            vendor: "LAB".into(),
            product: "VIRTUAL-a".into(),
            protocol: Some("scsi:unspec".into()),
            properties: Some(properties.map(str::to_owned).into()),
        }
    }

    /// The rules of Debian 13's multipath-tools, and those of a file behind them.
    fn in_force(conf: &[u8]) -> ConfValues {
        let path = "/fixtures/multipath-config/defaults-0.11.1.txt";
        let dump = std::fs::read(format!("{}{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let mut effective = ConfValues::from_dump(&dump).unwrap();
        let own = crate::multipath_conf::effective(&[conf], VERSIONS[1]);
        for (of_all, of_file) in [
            (&mut effective.blacklist, own.blacklist),
            (
                &mut effective.blacklist_exceptions,
                own.blacklist_exceptions,
            ),
        ] {
            for (keyword, values) in of_file.entries {
                of_all.entries.entry(keyword).or_default().extend(values);
            }
            of_all.devices.extend(of_file.devices);
        }
        effective
    }

    fn told(conf: &[u8], device: Facts) -> String {
        let effective = in_force(conf);
        let file = File {
            name: "/etc/multipath.conf",
            text: conf,
        };
        let rules = Rules::new(Some(&effective), &[file], VERSIONS[1]);
        match rules.verdicts(&[device]).remove(0) {
            Verdict::Hit(Hit { rule, place }) => {
                let place = place.map(|place| place.to_string());
                format!("{} {rule}", place.unwrap_or("built-in".into()))
            }
            other => format!("{other:?}"),
        }
    }

    // The devices and what hides them are recorded: recordings/candidates/01-candidates.
    #[test]
    fn each_kind_of_rule_with_its_line() {
        let other = "35000c50000000a00";
        assert_eq!(told(CONF, disk("sda", other)), "Free");
        assert_eq!(
            told(CONF, disk("sdf", "35000c50000000f05")),
            "/etc/multipath.conf:3 wwid \"35000c50000000f05\""
        );
        assert_eq!(
            told(CONF, disk("sdl", other)),
            "/etc/multipath.conf:2 devnode \"^(sdl|sdy)$\""
        );
        let mut of_vendor = disk("sdg", other);
        of_vendor.vendor = "BADVEND".into();
        assert_eq!(
            told(CONF, of_vendor),
            "/etc/multipath.conf:4 device vendor \"BADVEND\", product \".*\""
        );
        let mut with_partitions = disk("sde", other);
        let properties = with_partitions.properties.get_or_insert_default();
        properties.push("ID_PART_TABLE_TYPE".into());
        assert_eq!(
            told(CONF, with_partitions),
            "/etc/multipath.conf:8 property \"ID_PART_TABLE_TYPE\""
        );
        let mut sata = disk("sdac", other);
        sata.protocol = Some("scsi:ata".into());
        assert_eq!(
            told(CONF, sata),
            "/etc/multipath.conf:9 protocol \"scsi:ata\""
        );
        assert_eq!(
            told(CONF, disk("sr0", other)),
            "built-in devnode \"!^(sd[a-z]|dasd[a-z]|nvme[0-9])\""
        );
        let mut lunz = disk("sda", other);
        (lunz.vendor, lunz.product) = ("DGC".into(), "LUNZ".into());
        assert_eq!(
            told(CONF, lunz),
            "built-in device vendor \"^DGC\", product \"LUNZ\""
        );
    }

    #[test]
    fn exceptions_lift_rules_of_their_kind() {
        let conf = b"blacklist {\nwwid \".*\"\ndevnode \"^sdb$\"\n}\n\
            blacklist_exceptions {\nwwid \"^3600a\"\n}\n";
        assert_eq!(told(conf, disk("sda", "3600a")), "Free");
        assert_eq!(
            told(conf, disk("sda", "3600b")),
            "/etc/multipath.conf:2 wwid \".*\""
        );
        assert_eq!(
            told(conf, disk("sdb", "3600a")),
            "/etc/multipath.conf:3 devnode \"^sdb$\""
        );
    }

    #[test]
    fn properties_that_are_asked_for() {
        let mut without = disk("sda", "0QEMU");
        without.properties = Some(["ID_SERIAL", "DEVNAME"].map(str::to_owned).into());
        assert_eq!(told(b"", without.clone()), "MissingProperty");
        without.properties = None;
        assert_eq!(told(b"", without), "Free");
        // multipathd has stopped at ID_WWN before it comes to this one
        let conf = b"blacklist {\nproperty \"SCSI_IDENT_SERIAL\"\n}\n";
        assert_eq!(told(conf, disk("sda", "3600a")), "Free");
    }

    #[test]
    fn without_multipathd_the_files_tell() {
        let files = ["a.conf", "b.conf"].map(|name| File {
            name,
            text: b"blacklist {\n\n wwid 3600a\n}\n",
        });
        let rules = Rules::new(None, &files, VERSIONS[1]);
        let verdicts = rules.verdicts(&[disk("sr0", "3600a"), disk("sr0", "3600b")]);
        let hit = Hit {
            rule: "wwid \"3600a\"".into(),
            place: Some(Place {
                file: "a.conf".into(),
                line: 3,
            }),
        };
        assert_eq!(verdicts, [Verdict::Hit(hit), Verdict::Free]);
    }

    #[test]
    fn too_much_is_not_tried() {
        let mut conf = b"blacklist {\n".to_vec();
        for number in 0..5_000 {
            conf.extend(format!("wwid \"[3][0-9]*[a-f]z[{number}g]$\"\n").bytes());
        }
        conf.extend(b"}\n");
        let file = File {
            name: "long.conf",
            text: &conf,
        };
        let devices = vec![disk("sda", "3600az"); 3];
        let rules = Rules::new(None, &[file], VERSIONS[1]);
        let verdicts = rules.verdicts(&devices);
        assert_eq!(verdicts, vec![Verdict::NotTried; 3]);
    }
}
