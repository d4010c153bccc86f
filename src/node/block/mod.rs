//! What the kernel, udev and LVM have written down about block devices. None of it is read from a device, so
//! all of it is there while a map queues.

pub(crate) mod lvm;
pub(crate) mod mounts;
pub(crate) mod udev;
