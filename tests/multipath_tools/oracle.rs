//! The real `multipath -t` of several Debian releases: see tests/tools/multipath-tools.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pve_multipath::types::tools_version::ToolsVersion;

/// A tree of a Debian release with its multipath-tools.
pub(crate) struct Tree {
    pub(crate) version: ToolsVersion,
    path: PathBuf,
}

/// What the program printed.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The effective configuration.
    pub(crate) dump: Vec<u8>,
    /// Its complaints, without time stamps.
    pub(crate) complaints: Vec<String>,
    /// Whether it exited by itself and with the expected code.
    pub(crate) ended_well: bool,
}

impl Tree {
    /// A private copy of each tree below the project's `target`. `make oracle` makes them.
    pub(crate) fn all(target: &Path, name: &str) -> Vec<Self> {
        let folder = target.join("multipath-tools");
        ["bookworm", "trixie", "sid"]
            .map(|suite| Self::copy(&folder, suite, name))
            .into()
    }

    fn copy(folder: &Path, suite: &str, name: &str) -> Self {
        let original = folder.join(suite);
        let version = fs::read_to_string(original.join("VERSION"));
        let version = version.unwrap_or_else(|err| panic!("{suite}: {err}; run 'make oracle'"));
        let path = folder.join(format!("{suite}.{name}"));
        let _ = fs::remove_dir_all(&path);
        let status = Command::new("cp")
            .arg("-al")
            .args([&original, &path])
            .status();
        assert!(status.unwrap().success());
        Self {
            version: version.trim().parse().unwrap(),
            path,
        }
    }

    /// Runs `multipath -t` with these files in `conf.d`.
    pub(crate) fn ask(&self, files: &[(&str, &[u8])]) -> Answer {
        self.run("-t", files, 0)
    }

    /// Runs `multipath -ll` with these files. It fails without device-mapper, but only after it has
    /// loaded its libraries.
    pub(crate) fn list(&self, files: &[(&str, &[u8])]) -> Answer {
        self.run("-ll", files, 1)
    }

    fn run(&self, option: &str, files: &[(&str, &[u8])], code: i32) -> Answer {
        let folder = self.path.join("etc/multipath/conf.d");
        for entry in fs::read_dir(&folder).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
        for (name, text) in files {
            fs::write(folder.join(name), text).unwrap();
        }
        let output = Command::new("sh")
            .args([
                "-c",
                &format!("ulimit -v {MOST_MEMORY} && exec \"$@\""),
                "sh",
            ])
            .args(["timeout", "5", "chroot"])
            .arg(&self.path)
            .args(["/usr/sbin/multipath", option])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let complaint = |line: &str| match line.split_once(" | ") {
            Some((_, text)) => text.to_owned(),
            None => line.to_owned(),
        };
        Answer {
            dump: output.stdout,
            complaints: String::from_utf8_lossy(&output.stderr)
                .lines()
                .map(complaint)
                .collect(),
            ended_well: output.status.code() == Some(code),
        }
    }
}

/// The program's memory limit in KiB, of which it needs 20 MB for itself.
const MOST_MEMORY: u32 = 120_000;

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}
