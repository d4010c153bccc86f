//! From the fields that multipathd prints to a [`Map`].

use std::borrow::Cow;

use serde::Deserialize;

use super::{Map, MapError, Path, PathGroup};
use crate::wire::object::Object;
use crate::wire::scalar::Scalar;
use crate::{Health, Transport, Wwid};

/// What multipathd prints in place of a missing value (print.c, dict.c, propsel.c).
const UNSET: [&str; 10] = [
    "",
    "-",
    "--",
    "#:#",
    "##",
    "(null)",
    "[undef]",
    "[unknown]",
    "undef",
    "unknown",
];

/// The longest of [`UNSET`]: most texts are longer, which saves the comparisons.
const MAX_UNSET_LEN: usize = 9;

/// An object of the reply, as far as its fields have been read.
pub(super) trait Printed<'a>: Default {
    /// How deep it stands in the reply: 0 for maps, 1 for path groups, 2 for paths.
    const LEVEL: usize;

    /// What its list holds.
    type Item: Printed<'a>;

    /// Sets a field. Fields that are not used are ignored.
    fn set(&mut self, name: &str, value: Scalar<'a>);

    /// The name of its list, and the list.
    fn list(&mut self) -> Option<(&'static str, &mut Vec<Object<Self::Item>>)>;
}

/// Defines such an object. All fields are optional, but the list is not.
macro_rules! printed {
    ($level:literal $name:ident { $($field:ident)* } [$item:ident] $($list:ident)?) => {
        #[derive(Default, Deserialize)]
        pub(super) struct $name<'a> {
            $(#[serde(borrow, default)] $field: Scalar<'a>,)*
            $(#[serde(borrow)] $list: Vec<Object<$item<'a>>>,)?
        }

        impl<'a> Printed<'a> for $name<'a> {
            const LEVEL: usize = $level;

            type Item = $item<'a>;

            fn set(&mut self, name: &str, value: Scalar<'a>) {
                match name {
                    $(stringify!($field) => self.$field = value,)*
                    _ => {}
                }
            }

            fn list(&mut self) -> Option<(&'static str, &mut Vec<Object<Self::Item>>)> {
                [$((stringify!($list), &mut self.$list))?].into_iter().next()
            }
        }
    };
}

printed! {
    0 PrintedMap {
        name uuid sysfs failback queueing write_prot dm_st features hwhandler path_faults vend prod
        rev switch_grp map_loads total_q_time q_timeouts
    }
    [PrintedGroup] path_groups
}

printed! {
    1 PrintedGroup { selector pri dm_st marginal_st group }
    [PrintedPath] paths
}

printed! {
    2 PrintedPath {
        dev dev_t dm_st dev_st chk_st checker pri host_wwnn target_wwnn host_wwpn target_wwpn
        host_adapter lun_hex marginal_st
    }
    [PrintedPath]
}

impl PrintedMap<'_> {
    /// The WWID or name that identifies the map to a person.
    pub(super) fn label(&self) -> Option<String> {
        let known = |field: &Scalar<'_>| {
            let text = field.as_text().filter(|text| !is_unset(text));
            text.map(Cow::into_owned)
        };
        known(&self.uuid).or_else(|| known(&self.name))
    }

    /// The map, with all that follows from these fields alone.
    pub(super) fn map(&self) -> Result<Map, MapError> {
        let uuid = value("uuid", &self.uuid)?.ok_or(MapError::NoWwid)?;
        let wwid = match Wwid::new(&uuid) {
            Ok(wwid) => wwid,
            Err(reason) => return Err(MapError::Wwid { uuid, reason }),
        };
        let groups = self.path_groups.iter().zip(1..);
        let path_groups: Result<_, _> = groups
            .map(|(Object(group), number)| group.group(number))
            .collect();
        let mut map = Map {
            name: value("name", &self.name)?.unwrap_or(uuid),
            wwid,
            sysfs: literal("sysfs", &self.sysfs)?.into_owned(),
            dm_state: literal("dm_st", &self.dm_st)?.into(),
            paths_total: 0,
            paths_active: 0,
            health: Health::Failed,
            reasons: Vec::new(),
            notes: Vec::new(),
            paths_expected: None,
            path_groups: path_groups?,
            transport: None,
            vendor: trimmed("vend", &self.vend)?,
            product: trimmed("prod", &self.prod)?,
            revision: trimmed("rev", &self.rev)?,
            queueing: value("queueing", &self.queueing)?,
            failback: value("failback", &self.failback)?,
            features: value("features", &self.features)?,
            hardware_handler: value("hwhandler", &self.hwhandler)?,
            write_protected: match text("write_prot", &self.write_prot)?.as_deref() {
                Some("ro") => Some(1),
                Some("rw") => Some(0),
                _ => None,
            },
            path_faults: counter("path_faults", &self.path_faults)?,
            group_switches: counter("switch_grp", &self.switch_grp)?,
            map_loads: counter("map_loads", &self.map_loads)?,
            queue_seconds: counter("total_q_time", &self.total_q_time)?,
            queue_timeouts: counter("q_timeouts", &self.q_timeouts)?,
            size: None,
            path: None,
            used: None,
        };
        map.derive();
        Ok(map)
    }
}

impl PrintedGroup<'_> {
    /// `position` stands in for a missing number of the group.
    fn group(&self, position: u32) -> Result<PathGroup, MapError> {
        let paths = self.paths.iter();
        Ok(PathGroup {
            group: counter("group", &self.group)?.unwrap_or(position),
            dm_state: literal("dm_st", &self.dm_st)?.into(),
            priority: priority(&self.pri)?.unwrap_or(-1),
            selector: value("selector", &self.selector)?,
            marginal_state: state("marginal_st", &self.marginal_st)?,
            paths: paths
                .map(|Object(path)| path.path())
                .collect::<Result<_, _>>()?,
        })
    }
}

impl PrintedPath<'_> {
    fn path(&self) -> Result<Path, MapError> {
        let target_wwpn = value("target_wwpn", &self.target_wwpn)?;
        Ok(Path {
            dev: value("dev", &self.dev)?.ok_or(MapError::NoDevice)?,
            dev_number: value("dev_t", &self.dev_t)?,
            dm_state: state("dm_st", &self.dm_st)?,
            dev_state: state("dev_st", &self.dev_st)?,
            check_state: state("chk_st", &self.chk_st)?,
            checker: value("checker", &self.checker)?,
            priority: priority(&self.pri)?,
            transport: target_wwpn.as_deref().and_then(Transport::from_target_wwpn),
            host_wwnn: value("host_wwnn", &self.host_wwnn)?,
            host_wwpn: value("host_wwpn", &self.host_wwpn)?,
            target_wwnn: value("target_wwnn", &self.target_wwnn)?,
            target_wwpn,
            host_adapter: value("host_adapter", &self.host_adapter)?,
            lun: value("lun_hex", &self.lun_hex)?,
            marginal_state: state("marginal_st", &self.marginal_st)?,
        })
    }
}

fn is_unset(text: &str) -> bool {
    text.len() <= MAX_UNSET_LEN && UNSET.contains(&text)
}

/// A text as printed. A number counts as one.
fn text<'s>(field: &'static str, scalar: &'s Scalar<'_>) -> Result<Option<Cow<'s, str>>, MapError> {
    match scalar {
        Scalar::Null => Ok(None),
        other => other.as_text().map(Some).ok_or(MapError::Text(field)),
    }
}

/// A text that is not one of the markers of a missing value.
fn set<'s>(field: &'static str, scalar: &'s Scalar<'_>) -> Result<Option<Cow<'s, str>>, MapError> {
    Ok(text(field, scalar)?.filter(|text| !is_unset(text)))
}

fn value(field: &'static str, scalar: &Scalar<'_>) -> Result<Option<String>, MapError> {
    Ok(set(field, scalar)?.map(Cow::into_owned))
}

fn state<'s, T: From<Cow<'s, str>>>(
    field: &'static str,
    scalar: &'s Scalar<'_>,
) -> Result<Option<T>, MapError> {
    Ok(set(field, scalar)?.map(T::from))
}

/// A text that every result has: as printed, or `undef` if it is missing, as multipathd says.
fn literal<'s>(field: &'static str, scalar: &'s Scalar<'_>) -> Result<Cow<'s, str>, MapError> {
    let present = text(field, scalar)?.filter(|text| !text.is_empty());
    Ok(present.unwrap_or(Cow::Borrowed("undef")))
}

/// As [`value`], without the blanks that INQUIRY data is padded with.
fn trimmed(field: &'static str, scalar: &Scalar<'_>) -> Result<Option<String>, MapError> {
    let text = text(field, scalar)?;
    let trimmed = text.as_deref().map(str::trim);
    Ok(trimmed.filter(|text| !is_unset(text)).map(str::to_owned))
}

fn number(
    field: &'static str,
    scalar: &Scalar<'_>,
    min: i64,
    max: i64,
) -> Result<Option<i64>, MapError> {
    match scalar {
        Scalar::Null => return Ok(None),
        Scalar::Text(text) if is_unset(text) => return Ok(None),
        _ => {}
    }
    match scalar.as_int() {
        Some(number) if (min..=max).contains(&number) => Ok(Some(number)),
        _ => Err(MapError::Number {
            field,
            value: show(scalar),
            min,
            max,
        }),
    }
}

/// An unsigned 32-bit number, as multipathd's counters are.
fn counter(field: &'static str, scalar: &Scalar<'_>) -> Result<Option<u32>, MapError> {
    Ok(number(field, scalar, 0, u32::MAX.into())?.and_then(|number| u32::try_from(number).ok()))
}

/// A priority, which multipathd keeps in an `int`; -1 means that there is none.
fn priority(scalar: &Scalar<'_>) -> Result<Option<i32>, MapError> {
    let number = number("pri", scalar, i32::MIN.into(), i32::MAX.into())?;
    Ok(number.and_then(|number| i32::try_from(number).ok()))
}

/// A value for a message.
pub(super) fn show(scalar: &Scalar<'_>) -> String {
    match scalar {
        Scalar::Float(number) => number.to_string(),
        Scalar::Bool(value) => value.to_string(),
        Scalar::Nested => "(a list or an object)".into(),
        other => other.as_text().unwrap_or_default().into_owned(),
    }
}
