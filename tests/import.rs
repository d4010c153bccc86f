//! Hand-made configurations, and what they become.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use pve_multipath::multipath_conf::{
    ConfValues, Import, VERSIONS, check, effective, import, render,
};
use pve_multipath::types::severity::Severity;
use pve_multipath::types::tools_version::ToolsVersion;

/// Debian 13's.
const VERSION: ToolsVersion = VERSIONS[1];

fn conf_files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(folder);
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path());
    let mut files: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|ext| ext == "conf"))
        .collect();
    files.sort();
    files
}

/// In the form of the fixtures.
fn described(import: &Import) -> String {
    let mut text = String::new();
    for setting in import.defaults.iter() {
        writeln!(
            text,
            "defaults {} {}",
            setting.knob().name,
            setting.to_text()
        )
        .unwrap();
    }
    for (wwid, settings) in &import.luns {
        if settings.is_empty() {
            writeln!(text, "lun {wwid}").unwrap();
        }
        for setting in settings.iter() {
            writeln!(
                text,
                "lun {wwid} {} {}",
                setting.knob().name,
                setting.to_text()
            )
            .unwrap();
        }
    }
    for left in &import.left_out {
        let wwid = left
            .wwid
            .as_ref()
            .map(|wwid| format!("{wwid} "))
            .unwrap_or_default();
        writeln!(
            text,
            "left out: {} {wwid}{} {}: {}",
            left.section, left.keyword, left.value, left.why
        )
        .unwrap();
    }
    text + "overrides:\n" + &String::from_utf8_lossy(&import.overrides)
}

#[test]
fn hand_made_files_become_a_configuration() {
    let mut compared = 0;
    for path in conf_files("import") {
        let Ok(wanted) = fs::read_to_string(path.with_extension("import")) else {
            continue;
        };
        let found = described(&import(&[&fs::read(&path).unwrap()], VERSION));
        assert_eq!(found, wanted, "{}", path.display());
        compared += 1;
    }
    assert!(compared > 2);
}

/// The values that the files set, apart from what is left out.
fn values_of(texts: &[&[u8]], import: &Import, version: ToolsVersion) -> ConfValues {
    let mut values = effective(texts, version);
    for left in &import.left_out {
        let sections: Vec<&mut BTreeMap<String, String>> = match left.section {
            "defaults" => vec![&mut values.defaults],
            "overrides" => vec![&mut values.overrides],
            "device" => values.devices.iter_mut().collect(),
            "protocol" => values.protocols.iter_mut().collect(),
            "multipath" => values
                .multipaths
                .iter_mut()
                .filter(|entry| entry.get("wwid") == left.wwid.as_ref())
                .collect(),
            other => panic!("{other}"),
        };
        for section in sections {
            section.remove(&left.keyword);
        }
    }
    // an entry without any value has no effect
    values.multipaths.retain(|entry| entry.len() > 1);
    for managed in ["find_multipaths", "user_friendly_names"] {
        let sections = [&mut values.defaults, &mut values.overrides].into_iter();
        for section in sections
            .chain(&mut values.devices)
            .chain(&mut values.protocols)
        {
            section.remove(managed);
        }
    }
    values
}

/// The drop-ins made of an import set what the files set.
fn assert_same_values(texts: &[&[u8]], version: ToolsVersion, name: &str) {
    let import = import(texts, version);
    let drop_ins = [
        render::defaults(&import.defaults, Some(version))
            .unwrap()
            .into_bytes(),
        render::overrides(&import.overrides).unwrap_or_default(),
        render::aliases(&import.luns, Some(version))
            .unwrap()
            .unwrap_or_default()
            .into_bytes(),
    ];
    let found = effective(&drop_ins.each_ref().map(Vec::as_slice), version);
    assert_eq!(
        found,
        values_of(texts, &import, version),
        "{name} {version}"
    );
}

#[test]
fn the_drop_ins_set_what_the_files_set() {
    for path in conf_files("import")
        .into_iter()
        .chain(conf_files("overrides"))
    {
        let text = fs::read(&path).unwrap();
        for version in VERSIONS {
            assert_same_values(&[&text], version, &path.display().to_string());
        }
    }
}

#[test]
fn the_overrides_pass_the_check() {
    for path in conf_files("import") {
        let import = import(&[&fs::read(&path).unwrap()], VERSION);
        let findings = check(&import.overrides, &VERSIONS, &[]);
        let errors: Vec<_> = findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .collect();
        assert!(errors.is_empty(), "{}: {errors:?}", path.display());
    }
}

/// A keyword and a value, mostly one that it can have.
fn assignment() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "alias san-a",
        "delay_watch_checks 5",
        "dev_loss_tmo infinity",
        "dev_loss_tmo 60",
        "detect_prio no",
        "failback -1",
        "failback 10",
        "fast_io_fail_tmo off",
        "features \"1 queue_if_no_path\"",
        "find_multipaths yes",
        "flush_on_last_del always",
        "gid 0x10",
        "hardware_handler \"1 alua\"",
        "marginal_pathgroups fpin",
        "max_fds max",
        "max_polling_interval 15",
        "mode 0640",
        "no_path_retry 0",
        "no_path_retry queue",
        "path_grouping_policy multibus",
        "path_grouping_policy group_by_tpg",
        "path_selector \"round-robin 0\"",
        "polling_interval 7",
        "prio_args \"a \"\"b\"\" c\"",
        "product a.*",
        "product \"x y\"",
        "reservation_key 0x1a",
        "revision 1",
        "rr_min_io_rq 0",
        "rr_weight uniform",
        "san_path_err_threshold 3",
        "type scsi:fcp",
        "type nvme:tcp",
        "uid 1000",
        "uid_attrs \"sd:ID_SERIAL nvme:ID_WWN\"",
        "user_friendly_names yes",
        "vendor A",
        "vendor B",
        "wwid 3600a",
        "wwid 3600b",
        "wwid \"a b\"",
        "devnode ^sd",
        "property ID_.*",
        "protocol scsi:ata",
    ]);
    prop_oneof![4 => known.prop_map(str::to_owned), 1 => "(no_path_retry|uid|alias|vendor|failback|user_friendly_names) \"?[ -~]{0,6}\"?"]
}

fn section() -> impl Strategy<Value = String> {
    let names = prop::sample::select(vec![
        ["", "defaults"],
        ["", "blacklist"],
        ["blacklist", "device"],
        ["blacklist_exceptions", "device"],
        ["devices", "device"],
        ["", "overrides"],
        ["overrides", "protocol"],
        ["multipaths", "multipath"],
    ]);
    (names, proptest::collection::vec(assignment(), 0..6)).prop_map(|([outer, name], lines)| {
        let inner = format!("{name} {{\n{}\n}}\n", lines.join("\n"));
        match outer {
            "" => inner,
            outer => format!("{outer} {{\n{inner}}}\n"),
        }
    })
}

proptest! {
    #[test]
    fn any_text_is_imported(text in proptest::collection::vec(any::<u8>(), 0..400)) {
        assert_same_values(&[&text], VERSION, "random");
    }

    #[test]
    fn any_assignments_are_imported(sections in proptest::collection::vec(section(), 0..8)) {
        for version in VERSIONS {
            assert_same_values(&[sections.concat().as_bytes()], version, "assignments");
        }
    }
}
