//! The paths that multipathd knows: `multipathd show paths raw format ...`.
//!
//! multipathd pastes texts into its lines without escaping them. So nothing is asked for that an array
//! can choose, such as a vendor, a product or a serial number: these are read from files of their own.
//! The one text that is not from the kernel or multipathd itself, the WWID, stands last on its line.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use crate::Wwid;
use crate::node::maps::Reply;
use crate::types::label::Label;
use crate::types::reason::Device;
use crate::types::wwid::InvalidWwid;

/// Arguments of `multipathd` for the text that [`Listing::of_reply`] reads: name, number, state of the
/// initialization, device-mapper's state, protocol and WWID of each path.
pub const COMMAND: [&str; 5] = ["show", "paths", "raw", "format", "%d|%D|%I|%t|%P|%w"];

/// Number of fields on a line.
const FIELDS: usize = 6;

/// Why there is no list of paths.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ListingError {
    /// The client did not end in the time that the caller gave it.
    #[error("multipathd did not answer in time")]
    TimedOut,
    /// A signal ended the client.
    #[error("multipathd's client was killed by a signal")]
    Killed,
    /// The daemon answered with something else than a list.
    #[error("multipathd answered '{0}' when asked for its paths")]
    Refused(Label),
    /// The client got no reply.
    #[error(
        "no answer from multipathd (exit code {0}): is it running? ('systemctl status multipathd')"
    )]
    NoAnswer(i32),
}

/// What multipathd has as the WWID of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathWwid {
    /// This one.
    Known(Wwid),
    /// None: the path was offline when multipathd found it, or udev has not told yet.
    Missing,
    /// A text that cannot stand on an allow-list.
    Invalid(Label, InvalidWwid),
    /// Lines that contradict each other.
    Contradictory,
}

/// A path as multipathd lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its number, `MAJOR:MINOR`, if multipathd knows it.
    pub number: Option<Box<str>>,
    /// The state of its initialization: `ok`, `new`, `missing udev` and others.
    pub init: Box<str>,
    /// Its protocol, such as `scsi:fcp`, if multipathd knows it.
    pub protocol: Option<Box<str>>,
    /// Its WWID.
    pub wwid: PathWwid,
}

/// The paths that multipathd lists, by kernel name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The paths.
    pub paths: BTreeMap<Device, Listed>,
    /// Number of lines that multipathd would not print by itself: a WWID had a line feed, or the format
    /// is another one.
    pub odd_lines: usize,
}

impl Listing {
    /// Reads the outcome of [`COMMAND`].
    pub fn of_reply(reply: &Reply<'_>) -> Result<Self, ListingError> {
        if reply.timed_out {
            return Err(ListingError::TimedOut);
        }
        let exit_code = reply.exit_code.ok_or(ListingError::Killed)?;
        let text = reply.stdout.trim_ascii();
        // this is what it prints where there is nothing to list
        if exit_code == 0 && text == b"ok" {
            return Ok(Self::default());
        }
        let Some(first) = Label::text(text.split(|&byte| byte == b'\n').next().unwrap_or_default())
        else {
            return Err(ListingError::NoAnswer(exit_code));
        };
        let listing = Self::parse(reply.stdout);
        if exit_code != 0 || listing.paths.is_empty() {
            return Err(ListingError::Refused(first));
        }
        Ok(listing)
    }

    fn parse(text: &[u8]) -> Self {
        let mut listing = Self::default();
        let mut contradictory = BTreeSet::new();
        for line in text
            .split(|&byte| byte == b'\n')
            .filter(|line| !line.is_empty())
        {
            let Some((device, listed)) = path(line) else {
                listing.odd_lines += 1;
                continue;
            };
            if listing.paths.insert(device.clone(), listed).is_some() {
                contradictory.insert(device);
            }
        }
        for device in contradictory {
            listing.odd_lines += 1;
            if let Some(listed) = listing.paths.get_mut(&device) {
                listed.wwid = PathWwid::Contradictory;
            }
        }
        listing
    }
}

fn path(line: &[u8]) -> Option<(Device, Listed)> {
    let fields: Vec<&[u8]> = line.splitn(FIELDS, |&byte| byte == b'|').collect();
    let [name, number, init, state, protocol, wwid] = fields.try_into().ok()?;
    let text = |field| std::str::from_utf8(field).ok();
    let device = Device::new(text(name)?)?;
    let number = match text(number)? {
        "#:#" | "" => None,
        number if is_number(number) => Some(number.into()),
        _ => return None,
    };
    if !matches!(state, b"active" | b"failed" | b"undef" | b"") {
        return None;
    }
    let word = |text: &str| {
        text.bytes()
            .all(|b| b.is_ascii_lowercase() || b" :_".contains(&b))
    };
    let init = Some(text(init)?).filter(|init| init.len() <= 32 && word(init))?;
    let protocol =
        Some(text(protocol)?).filter(|protocol| protocol.len() <= 32 && word(protocol))?;
    let protocol = Some(protocol).filter(|protocol| !matches!(*protocol, "" | "undef"));
    let wwid = match (text(wwid).map(Wwid::new), Label::text(wwid)) {
        (Some(Ok(wwid)), _) => PathWwid::Known(wwid),
        (_, None) => PathWwid::Missing,
        (Some(Err(why)), Some(label)) => PathWwid::Invalid(label, why),
        (None, Some(label)) => {
            let why = InvalidWwid::Character {
                character: char::REPLACEMENT_CHARACTER,
                position: wwid
                    .utf8_chunks()
                    .next()
                    .map_or(0, |chunk| chunk.valid().len())
                    + 1,
            };
            PathWwid::Invalid(label, why)
        }
    };
    let listed = Listed {
        number,
        init: init.into(),
        protocol: protocol.map(Into::into),
        wwid,
    };
    Some((device, listed))
}

/// Whether it is `MAJOR:MINOR`.
fn is_number(text: &str) -> bool {
    let digits = |text: &str| {
        (1..=10).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    text.split_once(':')
        .is_some_and(|(major, minor)| digits(major) && digits(minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(stdout: &[u8]) -> Reply<'_> {
        Reply {
            exit_code: Some(0),
            stdout,
            ..Reply::default()
        }
    }

    fn listing(text: &[u8]) -> Listing {
        Listing::of_reply(&reply(text)).unwrap()
    }

    fn wwid(listing: &Listing, device: &str) -> Option<PathWwid> {
        let device = Device::new(device)?;
        listing.paths.get(&device).map(|listed| listed.wwid.clone())
    }

    // Columns of recordings/candidates/02-allow-listed-but-held and nvme/50-dm-multipath-live.
    #[test]
    fn recorded_lines() {
        let text = b"sda|8:0|ok|active|scsi:unspec|35000c50000000a00\n\
            sdk|8:160|new|undef|scsi:unspec|\n\
            nvme0n1|259:0|ok|active|nvme:tcp|uuid.6d6f6e65-0000-4000-8000-00000000a001\n";
        let listing = listing(text);
        assert_eq!((listing.paths.len(), listing.odd_lines), (3, 0));
        let known = |text| Some(PathWwid::Known(Wwid::new(text).unwrap()));
        assert_eq!(wwid(&listing, "sda"), known("35000c50000000a00"));
        assert_eq!(wwid(&listing, "sdk"), Some(PathWwid::Missing));
        let nvme = "uuid.6d6f6e65-0000-4000-8000-00000000a001";
        assert_eq!(wwid(&listing, "nvme0n1"), known(nvme));
        let sda = listing.paths.get(&Device::new("sda").unwrap()).unwrap();
        assert_eq!(sda.number.as_deref(), Some("8:0"));
        assert_eq!(sda.protocol.as_deref(), Some("scsi:unspec"));
        assert_eq!(&*sda.init, "ok");
    }

    #[test]
    fn a_wwid_cannot_become_another_field_or_path() {
        let text = b"sda|8:0|ok|undef|scsi:fcp|3600a|sdb|8:16\n\
            sdc|8:32|ok|undef|scsi:fcp|3600c\n\
            sdd|8:48|ok|undef|scsi:fcp|3600d\nsdc|8:32|ok|undef|scsi:fcp|3600e\n\
            sde|8:64|ok|undef|scsi:fcp|3600\xff\n\
            sdf|8:80|ok|undef|scsi:fcp|3600f\nfoo|bar\n";
        let listing = listing(text);
        assert!(matches!(wwid(&listing, "sda"), Some(PathWwid::Invalid(..))));
        assert_eq!(wwid(&listing, "sdb"), None);
        assert_eq!(wwid(&listing, "sdc"), Some(PathWwid::Contradictory));
        let Some(PathWwid::Invalid(label, why)) = wwid(&listing, "sde") else {
            panic!("sde has a WWID that is not a text");
        };
        assert_eq!(label.as_str(), "3600\u{fffd}");
        assert!(matches!(why, InvalidWwid::Character { position: 5, .. }));
        assert_eq!(listing.odd_lines, 2);
    }

    #[test]
    fn what_is_no_list() {
        assert_eq!(listing(b"ok\n"), Listing::default());
        let error = |reply: Reply<'_>| Listing::of_reply(&reply).unwrap_err().to_string();
        let refused = "multipathd answered 'timeout' when asked for its paths";
        assert_eq!(error(reply(b"timeout\n")), refused);
        let no_answer = Reply {
            exit_code: Some(1),
            ..reply(b"")
        };
        assert!(error(no_answer).starts_with("no answer from multipathd (exit code 1)"));
        let timed_out = Reply {
            timed_out: true,
            ..reply(b"sda|8:0|ok|undef|scsi:fcp|3600a\n")
        };
        assert_eq!(error(timed_out), "multipathd did not answer in time");
        let killed = Reply {
            exit_code: None,
            ..reply(b"")
        };
        assert_eq!(error(killed), "multipathd's client was killed by a signal");
        // multipathd's help, which an unknown command prints before 0.9.8 with exit code 0
        let refused = "multipathd answered 'multipath-tools v0.9.4' when asked for its paths";
        assert_eq!(
            error(reply(b"multipath-tools v0.9.4\nCLI commands:\n")),
            refused
        );
    }
}
