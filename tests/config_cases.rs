//! Configurations with the expected text, problems and LUNs: fixtures/config.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::fs;
use std::path::{Path, PathBuf};

use pve_multipath::config;

fn configurations() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/config");
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let is_input = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.ends_with(".cfg") && !name.ends_with(".written.cfg")
    };
    let mut files: Vec<_> = files.filter(is_input).collect();
    files.sort();
    assert!(files.len() >= 4);
    files
}

#[test]
fn cases() {
    for file in configurations() {
        let text = fs::read_to_string(&file).unwrap();
        let config = config::parse("multipath.cfg", text.as_bytes()).config;

        let written = String::from_utf8(config::write(&config).unwrap().text).unwrap();
        let expected = fs::read_to_string(file.with_extension("written.cfg"));
        assert_eq!(written, expected.unwrap_or(text.clone()), "{file:?}");

        let problems = config::problems(&config, None).into_iter().map(|problem| {
            let name = |value| serde_json::to_value(value).unwrap();
            let (severity, code) = (
                name(serde_json::json!(problem.severity)),
                name(serde_json::json!(problem.code)),
            );
            let or_dash = |text: Option<String>| text.unwrap_or("-".to_owned());
            format!(
                "{} {} {} {}\n",
                severity.as_str().unwrap(),
                code.as_str().unwrap(),
                or_dash(problem.section),
                or_dash(problem.property)
            )
        });
        let expected = fs::read_to_string(file.with_extension("problems")).unwrap();
        assert_eq!(problems.collect::<String>(), expected, "{file:?}");

        let luns = config::luns(&config).into_iter().map(|(wwid, settings)| {
            let settings = settings
                .iter()
                .map(|setting| format!(" {}={}", setting.knob().name, setting.to_text()));
            format!("{wwid}{}\n", settings.collect::<String>())
        });
        let expected = fs::read_to_string(file.with_extension("luns")).unwrap();
        assert_eq!(luns.collect::<String>(), expected, "{file:?}");
    }
}
