//! Types that differ between Perl and the core.

use std::borrow::Cow;

use pve_multipath::config::{Config, Value};
use pve_multipath::multipath_conf::blacklisted;
use pve_multipath::node::Content;
use pve_multipath::node::maps::{ReplyError, SysfsFacts};
use pve_multipath::node::paths;
use pve_multipath::types::tools_version::{InvalidToolsVersion, ToolsVersion};
use pve_multipath::wire::byte_string::ByteString;
use pve_multipath::wire::scalar::Scalar;
use serde::{Deserialize, Serialize, Serializer};

/// Bytes, which Perl gets as a string of bytes.
pub struct Bytes<'a>(pub Cow<'a, [u8]>);

impl From<Vec<u8>> for Bytes<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Cow::Owned(bytes))
    }
}

impl From<String> for Bytes<'_> {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl<'a> From<&'a [u8]> for Bytes<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self(Cow::Borrowed(bytes))
    }
}

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

/// A file that exists.
#[derive(Deserialize)]
pub struct File<'a> {
    #[serde(borrow, default)]
    text: Option<&'a [u8]>,
    /// Why it cannot be read.
    #[serde(borrow, default)]
    error: Option<ByteString<'a>>,
}

/// A file of multipathd's configuration.
#[derive(Deserialize)]
pub struct ConfFile<'a> {
    #[serde(borrow)]
    name: ByteString<'a>,
    #[serde(borrow)]
    text: &'a [u8],
}

impl ConfFile<'_> {
    pub fn borrowed(&self) -> blacklisted::File<'_> {
        blacklisted::File {
            name: self.name.as_str(),
            text: self.text,
        }
    }
}

/// What a file held; without one, it does not exist.
pub fn content(file: Option<File<'_>>) -> Content<'_> {
    match file {
        None => Content::Absent,
        Some(File {
            error: Some(error), ..
        }) => Content::Unreadable(error.to_string()),
        Some(File { text, .. }) => Content::Text(text.unwrap_or_default()),
    }
}

/// A command's outcome as the glue hands it over.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Reply<'a> {
    #[serde(borrow, default)]
    exit_code: Scalar<'a>,
    #[serde(borrow, default)]
    stdout: Option<&'a [u8]>,
    #[serde(borrow, default)]
    stderr: Option<&'a [u8]>,
    #[serde(borrow, default)]
    timed_out: Scalar<'a>,
}

impl<'a> From<Reply<'a>> for pve_multipath::node::maps::Reply<'a> {
    fn from(reply: Reply<'a>) -> Self {
        Self {
            exit_code: reply
                .exit_code
                .as_int()
                .and_then(|code| i32::try_from(code).ok()),
            stdout: reply.stdout.unwrap_or_default(),
            stderr: reply.stderr.unwrap_or_default(),
            timed_out: reply.timed_out.is_true(),
        }
    }
}

/// The outcome of `multipathd show maps json` with what else is known of a node's maps: what sysfs
/// says, the node's memory of paths, the cluster's configuration. What could not be read is
/// undefined.
#[derive(Deserialize)]
pub struct NodeMaps<'a> {
    #[serde(borrow)]
    reply: Reply<'a>,
    #[serde(default)]
    block: Option<SysfsFacts>,
    #[serde(borrow, default)]
    memory: Option<&'a [u8]>,
    #[serde(borrow, default)]
    config: Option<Config<'a>>,
}

impl<'a> NodeMaps<'a> {
    /// The maps.
    pub fn read(self) -> Result<paths::NodeMaps, ReplyError> {
        let reply = self.reply.into();
        paths::node_maps(
            &reply,
            self.block.as_ref(),
            self.memory,
            self.config.as_ref(),
        )
    }
}

/// The version of multipath-tools, if the caller knows it.
pub fn tools_version(value: &Value) -> Result<Option<ToolsVersion>, InvalidToolsVersion> {
    value.to_text().map(|text| text.parse()).transpose()
}
