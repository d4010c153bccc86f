//! Time of the check of overrides for texts of several shapes, and how it grows with their length.
//!
//! `make bench` runs it. A text of twice the length should take twice the time, a ratio of 2.0.

use std::hint::black_box;
use std::time::Duration;

mod measure;

use measure::mean_time;
use pve_multipath::Wwid;
use pve_multipath::multipath_conf::{MAX_LEN, VERSIONS, check};

/// Target for the longest text, for all versions together.
const TARGET: Duration = Duration::from_millis(10);

/// Shapes of texts: a name, a start, and a part that is repeated with `#` replaced by a number.
const SHAPES: [(&str, &str, &str); 41] = [
    (
        "devices of a vendor",
        "devices {\n",
        "\tdevice {\n\t\tvendor \"ACME\"\n\t\tproduct \"DISK #\"\n\t\tpath_grouping_policy group_by_prio\n\
        \t\tpath_selector \"service-time 0\"\n\t\tprio alua\n\t\tfailback immediate\n\
        \t\tno_path_retry 18\n\t}\n",
    ),
    (
        "smallest devices",
        "devices {\n",
        "device {\nvendor #\nproduct x\n}\n",
    ),
    ("one keyword", "defaults {\n", "no_path_retry 5\n"),
    ("one bad value", "defaults {\n", "no_path_retry x\n"),
    (
        "path selectors",
        "defaults {\n",
        "path_selector \"nonsense 1 #\"\n",
    ),
    ("sections", "", "defaults {\n}\n"),
    ("unknown keywords", "defaults {\n", "no_path_retr# 5\n"),
    ("unknown sections", "", "section# {\n}\n"),
    ("words", "", "a\n"),
    ("words in a line", "", "a "),
    ("letters in a line", "", "a"),
    ("opening braces", "", "{"),
    ("opening braces in lines", "", "{\n"),
    ("closing braces in lines", "", "}\n"),
    ("quotes", "", "\""),
    ("quotes in lines", "", "a \"\"\"\"\n"),
    ("comments", "", "! comment\n"),
    ("non-ASCII bytes", "", "a \u{fc}\n"),
    ("NULs", "", "\0"),
    (
        "expressions",
        "blacklist {\n",
        "wwid \"(a|b#)*[c-d]+x{1,9}\"\n",
    ),
    (
        "large expressions",
        "blacklist {\n",
        "wwid \"(((a{99}){99}){9}|#)\"\n",
    ),
    (
        "expressions of many states",
        "blacklist {\n",
        "wwid \"[02468ace].{28}[13579](#x)?$\"\n",
    ),
    ("WWIDs", "blacklist {\n", "wwid 36001405#\n"),
    ("short WWIDs", "blacklist {\n", "wwid #\n"),
    ("inverted WWIDs", "blacklist {\n", "wwid \"!3#\"\n"),
    ("prefixes of WWIDs", "blacklist {\n", "wwid \"^3600#.*\"\n"),
    (
        "WWIDs in exceptions",
        "blacklist_exceptions {\n",
        "wwid 3#\n",
    ),
    (
        "expressions without a match",
        "blacklist {\n",
        "wwid \"[0-9]+x#\"\n",
    ),
    (
        "expressions in exceptions",
        "blacklist_exceptions {\n",
        "wwid \"^[g-z]+#?$\"\n",
    ),
    (
        "names of disks",
        "blacklist {\n",
        "devnode \"^(sd|hd)[a-z]#?$\"\n",
    ),
    (
        "vendors",
        "blacklist {\n",
        "device {\nvendor \"A#\"\nproduct \"[a-z]*$\"\n}\n",
    ),
    (
        "vendors of product_blacklist",
        "devices {\n",
        "device {\nvendor \"A#\"\nproduct x\nproduct_blacklist \"^[A-Z]+$\"\n}\n",
    ),
    ("properties", "blacklist {\n", "property \"^ID_[A-Z]*#\"\n"),
    (
        "refused expressions",
        "blacklist {\n",
        "wwid \"x{0,32767}#\"\n",
    ),
    (
        "almost too many steps",
        "blacklist {\n",
        "wwid \"x{0,310}#\"\n",
    ),
    ("too many steps", "blacklist {\n", "wwid \"x{0,460}#\"\n"),
    (
        "too many states",
        "blacklist {\n",
        "wwid \".*[02468ace].{28}[13579]#\"\n",
    ),
    (
        "too many states of many bytes",
        "blacklist {\n",
        "wwid \".*[02468ace].{200}[13579]#\"\n",
    ),
    (
        "almost too many nodes",
        "blacklist {\n",
        "wwid \"[a-z]{4990}#\"\n",
    ),
    (
        "arguments",
        "defaults {\n",
        "prio_args \"hbtl (a|b)*#+ 1 (c|d){1,9} 2 x{9,} 3\"\n",
    ),
    (
        "everything and exceptions",
        "blacklist_exceptions {\nwwid \"^a\"\n}\nblacklist {\n",
        "wwid \"^.*#?$\"\n",
    ),
];

fn text((start, part): (&str, &str), len: usize) -> Vec<u8> {
    let mut text = start.to_owned();
    for number in 0.. {
        let part = part.replace('#', &number.to_string());
        if text.len() + part.len() > len {
            break;
        }
        text.push_str(&part);
    }
    text.into_bytes()
}

fn main() {
    // WWIDs with random-looking digits
    let digits =
        |number: u128| (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    let wwids = (0..1000).map(|number| format!("3{:032x}", digits(number)));
    let allow_list: Vec<Wwid> = wwids.filter_map(|wwid| Wwid::new(&wwid).ok()).collect();
    println!(
        "checking {} KiB for {} versions, {} LUNs allow-listed (target: {} ms)",
        MAX_LEN / 1024,
        VERSIONS.len(),
        allow_list.len(),
        TARGET.as_millis()
    );
    println!(
        "{:28} {:>8} {:>15} {:>15}",
        "", "", "64 to 32 KiB", "128 to 64 KiB"
    );
    for (name, start, part) in SHAPES {
        let [quarter, half, whole] = [4, 2, 1].map(|share| {
            let text = text((start, part), MAX_LEN / share);
            mean_time(|| check(black_box(&text), &VERSIONS, &allow_list))
        });
        let ratio =
            |longer: Duration, shorter: Duration| longer.as_secs_f64() / shorter.as_secs_f64();
        println!(
            "{name:28} {:5.1} ms {:>15.1} {:>15.1}{}",
            whole.as_secs_f64() * 1000.0,
            ratio(half, quarter),
            ratio(whole, half),
            if whole > TARGET {
                "   above the target"
            } else {
                ""
            }
        );
    }
}
