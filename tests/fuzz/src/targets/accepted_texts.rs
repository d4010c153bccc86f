//! Texts that the check accepts, given to the real `multipath -t` of each version.
//!
//! It has to exit by itself and without an error, and so has `multipath -ll`, which also compiles
//! `enable_foreign`. `make oracle` gets the programs.

use pve_multipath::{Severity, multipath_conf};

use crate::Target;

#[path = "../../../multipath_tools/oracle.rs"]
#[allow(dead_code, reason = "what they answer is looked at elsewhere")]
mod oracle;

pub(crate) const TARGET: Target = Target {
    name: "accepted_texts",
    start: || {
        let target = crate::root().join("target");
        if !target.join("multipath-tools/sid/VERSION").exists() {
            return Err("it needs what 'make oracle' makes, and root".to_owned());
        }
        let trees = oracle::Tree::all(&target, &format!("fuzz-{}", std::process::id()));
        Ok(Box::new(move |text| check(text, &trees)))
    },
    inputs: 1_000,
    ..super::overrides::TARGET
};

fn check(text: &[u8], trees: &[oracle::Tree]) -> bool {
    let mut accepted = false;
    for tree in trees {
        let findings = multipath_conf::check(text, &[tree.version], &[]);
        if findings.iter().any(|f| f.severity == Severity::Error) {
            continue;
        }
        accepted = true;
        let files = [("pve-overrides.conf", text)];
        let has_foreign = text.windows(14).any(|part| part == b"enable_foreign");
        let is_well = tree.ask(&files).ended_well && (!has_foreign || tree.list(&files).ended_well);
        assert!(
            is_well,
            "multipath {} dies or spins, and the text is accepted: {findings:?}",
            tree.version
        );
    }
    accepted
}
