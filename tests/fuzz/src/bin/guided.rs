//! Feeds the target that `FUZZ_TARGET` names from libFuzzer: see `make fuzz`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pve_multipath_fuzz::{Run, Target};

thread_local! {
    static RUN: Run = {
        let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
        let target = Target::find(&name).unwrap_or_else(|| panic!("FUZZ_TARGET={name}: no target"));
        (target.start)().unwrap_or_else(|missing| panic!("{name}: {missing}"))
    };
}

fuzz_target!(|input: &[u8]| {
    RUN.with(|run| run(input));
});
