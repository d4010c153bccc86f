//! Hand-made files and the drop-ins made of them: the real program has the same values.

use std::fs;
use std::path::Path;

use pve_multipath::multipath_conf::{ConfValues, Why, import, render};

use crate::trees;

/// Keywords that are the same in every cluster, and the names of maps.
const LEFT_OUT: [&str; 3] = ["alias", "find_multipaths", "user_friendly_names"];

/// None if the program cannot read back what it prints, such as an entry without a vendor.
fn values(dump: &[u8]) -> Option<ConfValues> {
    let mut values = ConfValues::from_dump(dump).ok()?;
    let ConfValues {
        defaults,
        devices,
        overrides,
        protocols,
        multipaths,
        ..
    } = &mut values;
    let sections = [defaults, overrides].into_iter();
    for section in sections.chain(devices).chain(protocols).chain(multipaths) {
        section.retain(|keyword, _| !LEFT_OUT.contains(&&**keyword));
    }
    values.multipaths.retain(|entry| entry.len() > 1);
    Some(values)
}

#[test]
#[ignore = "needs the trees of `make oracle`"]
fn imported_files_have_the_same_values() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let files = ["import", "overrides"].map(|folder| fs::read_dir(fixtures.join(folder)).unwrap());
    let paths = files.into_iter().flatten().map(|file| file.unwrap().path());
    let mut paths: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|ext| ext == "conf"))
        .collect();
    paths.sort();
    assert!(paths.len() > 60);
    let mut compared = 0;
    for tree in trees("imports") {
        for path in &paths {
            let text = fs::read(path).unwrap();
            let before = tree.ask(&[("site.conf", &text)]);
            if !before.ended_well {
                continue;
            }
            let import = import(&[&text], tree.version);
            // compared by tests/import.rs
            if import
                .left_out
                .iter()
                .any(|left| matches!(left.why, Why::Render(_)))
            {
                continue;
            }
            let drop_ins = [
                (
                    "pve-aliases.conf",
                    render::aliases(&import.luns, Some(tree.version))
                        .unwrap()
                        .unwrap_or_default()
                        .into_bytes(),
                ),
                (
                    "pve-defaults.conf",
                    render::defaults(&import.defaults, Some(tree.version))
                        .unwrap()
                        .into_bytes(),
                ),
                (
                    "pve-overrides.conf",
                    render::overrides(&import.overrides).unwrap_or_default(),
                ),
            ];
            let after = tree.ask(
                &drop_ins
                    .each_ref()
                    .map(|(name, text)| (*name, text.as_slice())),
            );
            assert!(
                after.ended_well,
                "{} {}: {after:?}",
                path.display(),
                tree.version
            );
            let Some(mut wanted) = values(&before.dump) else {
                continue;
            };
            compared += 1;
            for left in &import.left_out {
                for entry in &mut wanted.multipaths {
                    if entry.get("wwid") == left.wwid.as_ref() {
                        entry.remove(&left.keyword);
                    }
                }
            }
            wanted.multipaths.retain(|entry| entry.len() > 1);
            assert_eq!(
                values(&after.dump).as_ref(),
                Some(&wanted),
                "{} {}",
                path.display(),
                tree.version
            );
        }
    }
    assert!(compared > 180, "{compared}");
}
