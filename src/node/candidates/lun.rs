//! What a LUN or another disk is, and how a node reaches it.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::types::label::Label;
use crate::types::reason::{Device, MAX_DEVICES};
use crate::{Transport, Wwid};

/// A LUN, or another disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Lun {
    /// WWID as multipathd has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wwid: Option<Wwid>,
    /// WWID as udev has it, where multipathd has none: that of multipathd may be another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub udev_wwid: Option<Label>,
    /// Size in bytes, if it is known; the smallest one if paths differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Vendor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<Label>,
    /// Product.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<Label>,
    /// Serial number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<Label>,
    /// How it is reached, if all paths agree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport: Option<Transport>,
    /// The protocol as multipathd writes it, such as `nvme:tcp`, if all paths agree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Label>,
    /// Number of paths.
    pub paths: usize,
    /// Kernel names of the paths, at most [`MAX_DEVICES`].
    pub devs: Vec<Device>,
}

impl Lun {
    /// The WWID: that of multipathd, else that of udev.
    pub fn known_wwid(&self) -> Option<&str> {
        let of_udev = || self.udev_wwid.as_ref().map(Label::as_str);
        self.wwid.as_ref().map(Wwid::as_str).or_else(of_udev)
    }

    /// Reads what a peer has sent: what makes no sense is left out.
    pub(super) fn read(fields: &Map<String, Value>) -> Self {
        let text = |name: &str| fields.get(name)?.as_str();
        let label = |name: &str| Label::name(text(name)?.as_bytes());
        let number = |name: &str| fields.get(name).and_then(Value::as_u64);
        let devs = fields.get("devs").and_then(Value::as_array);
        let devs = devs.into_iter().flatten().filter_map(Value::as_str);
        Self {
            wwid: text("wwid").and_then(|wwid| Wwid::new(wwid).ok()),
            udev_wwid: label("udev-wwid"),
            size: number("size"),
            vendor: label("vendor"),
            product: label("product"),
            serial: label("serial"),
            transport: text("transport").and_then(Transport::from_name),
            protocol: label("protocol"),
            paths: number("paths").map_or(0, |paths| usize::try_from(paths).unwrap_or(usize::MAX)),
            devs: devs.filter_map(Device::new).take(MAX_DEVICES).collect(),
        }
    }
}
