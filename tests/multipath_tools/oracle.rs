//! The real `multipath -t` of several Debian releases: see tests/tools/multipath-tools.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use pve_multipath::tools_version::ToolsVersion;

/// Runs the same random cases each time, so that what fails was just broken. With ORACLE_TIMES set, it
/// runs others, so many times as many: that is how new faults are found.
pub(crate) fn runner(cases: u32) -> TestRunner {
    let times = std::env::var("ORACLE_TIMES").map(|times| times.parse::<u32>().unwrap());
    let config = Config {
        cases: cases * times.clone().unwrap_or(1),
        failure_persistence: None,
        max_shrink_iters: 2000,
        ..Config::default()
    };
    match times {
        Ok(_) => TestRunner::new(config),
        Err(_) => {
            let same = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
            TestRunner::new_with_rng(config, same)
        }
    }
}

/// A tree of a Debian release with its multipath-tools.
pub(crate) struct Tree {
    pub(crate) version: ToolsVersion,
    path: PathBuf,
}

/// What it said.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The effective configuration.
    pub(crate) dump: Vec<u8>,
    /// Its complaints, without time stamps.
    pub(crate) complaints: Vec<String>,
    /// Whether it ended by itself and well.
    pub(crate) ended_well: bool,
}

impl Tree {
    /// A private copy of each tree. `make oracle` makes them.
    pub(crate) fn all(name: &str) -> Vec<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/multipath-tools");
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

    /// Has it read these files, by their names in `conf.d`.
    pub(crate) fn ask(&self, files: &[(&str, &[u8])]) -> Answer {
        let folder = self.path.join("etc/multipath/conf.d");
        for entry in fs::read_dir(&folder).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
        for (name, text) in files {
            fs::write(folder.join(name), text).unwrap();
        }
        let output = Command::new("timeout")
            .args(["5", "chroot"])
            .arg(&self.path)
            .args(["/usr/sbin/multipath", "-t"])
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
            ended_well: output.status.code() == Some(0),
        }
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Values by keyword.
pub(crate) type Values = BTreeMap<String, String>;

/// The section `defaults` of a dump, and the entries of `multipaths` by WWID.
pub(crate) fn read_dump(dump: &[u8]) -> (Values, BTreeMap<String, Values>) {
    let (mut defaults, mut luns) = (Values::new(), BTreeMap::new());
    let mut section = "";
    let mut entry = Values::new();
    for line in String::from_utf8_lossy(dump).lines() {
        let text = line.trim_start();
        match line.len() - text.len() {
            0 => section = text.trim_end_matches(" {"),
            1 if section == "defaults" => {
                let (keyword, value) = keyword_and_value(text);
                defaults.insert(keyword, value);
            }
            2 if section == "multipaths" => {
                let (keyword, value) = keyword_and_value(text);
                entry.insert(keyword, value);
            }
            1 if section == "multipaths" && text == "}" => {
                let wwid = entry.remove("wwid").unwrap();
                assert_eq!(luns.insert(wwid, std::mem::take(&mut entry)), None);
            }
            _ => {}
        }
    }
    (defaults, luns)
}

fn keyword_and_value(text: &str) -> (String, String) {
    let (keyword, value) = text.split_once(' ').unwrap();
    let inner = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'));
    let value = inner.map_or(value.to_owned(), |value| value.replace("\"\"", "\""));
    (keyword.to_owned(), value)
}
