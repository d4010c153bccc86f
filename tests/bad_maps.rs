//! Bad input instead of multipathd's JSON gives an error that says where, or, for a single bad map among
//! good ones, a warning and the other maps. It never panics.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use pve_multipath::node::maps::{MAX_TEXT_LEN, parse};

fn error(text: impl AsRef<[u8]>) -> String {
    let error = parse(text.as_ref()).expect_err("should not parse");
    // Perl prints the sources as well, so they must not repeat the text.
    assert!(std::error::Error::source(&error).is_none(), "{error}");
    let error = error.to_string();
    let prefix = "could not parse multipathd maps JSON: ";
    error
        .strip_prefix(prefix)
        .unwrap_or_else(|| panic!("no prefix: {error}"))
        .to_owned()
}

/// A document with these maps.
fn document(maps: &[&str]) -> String {
    format!("{{\n\"maps\": [\n{}\n]}}", maps.join(",\n"))
}

const GOOD: &str = r#"{"uuid": "3600a", "name": "mpatha", "sysfs": "dm-0", "dm_st": "active",
"path_groups": [{"pri": 1, "dm_st": "active", "group": 1,
"paths": [{"dev": "sda", "dm_st": "active"}]}]}"#;

/// The error for a document of only this map, and the warning where a good one is beside it.
fn odd(map: &str) -> (String, Vec<String>) {
    let text = document(&[map, GOOD]);
    let parsed = parse(text.as_bytes()).unwrap_or_else(|error| panic!("{map}: {error}"));
    let wwids: Vec<_> = parsed.maps.iter().map(|map| map.wwid.as_str()).collect();
    assert_eq!(wwids, ["3600a"], "{map}");
    (error(document(&[map])), parsed.warnings())
}

#[test]
fn an_empty_list_is_only_what_multipathd_prints_as_one() {
    let empty = b"{\n   \"major_version\": 0,\n   \"minor_version\": 1,\n   \"maps\": []\n}\n";
    assert_eq!(parse(empty).unwrap().maps, []);
    assert_eq!(error(""), "the text is empty (is multipathd running?)");
    assert_eq!(error(" \n"), "the text is empty (is multipathd running?)");
    assert_eq!(error("{}"), "missing field `maps` at line 1 column 2");
}

#[test]
fn the_daemons_error_replies_are_quoted() {
    for reply in [
        "timeout",
        "fail",
        "busy",
        "ok",
        "permission deny: need to be root",
    ] {
        assert_eq!(
            error(format!("{reply}\n")),
            format!("multipathd answered {reply:?}")
        );
    }
    assert_eq!(
        error("fail\ndevice not found\n"),
        "multipathd answered \"fail\""
    );
}

#[test]
fn other_texts() {
    let cases = [
        (
            "[]",
            "invalid type: sequence, expected an object at line 1 column 0",
        ),
        (
            "null",
            "invalid type: null, expected an object at line 1 column 4",
        ),
        (
            "7",
            "invalid type: integer `7`, expected an object at line 1 column 1",
        ),
        (
            "{\"maps\": 7}",
            "invalid type: integer `7`, expected a sequence at line 1 column 10",
        ),
        (
            "{\"maps\": null}",
            "invalid type: null, expected a sequence at line 1 column 13",
        ),
        (
            "{\"maps\": {}}",
            "invalid type: map, expected a sequence at line 1 column 9",
        ),
        (
            "{\n\"maps\": [\n",
            "EOF while parsing a list at line 3 column 0",
        ),
        (
            "{\"maps\": []} x",
            "trailing characters at line 1 column 14",
        ),
        (
            "{\"major_version\": 1, \"maps\": []}",
            "format version 1 is not known, only 0 is",
        ),
    ];
    for (text, message) in cases {
        assert_eq!(error(text), message, "{text}");
    }
    assert_eq!(
        error(b"{\n\"maps\": [\xff]}"),
        "invalid UTF-8 at line 2 column 10"
    );
}

#[test]
fn a_single_bad_map_does_not_cost_the_others() {
    let cases = [
        (
            "7",
            "map 1: invalid type: integer `7`, expected an object at line 3 column 1, left out",
        ),
        (
            r#"["mpatha", "3600b", "dm-1", "", "", "", "active", "", "", 0, "", "", "", 0, 0, 0, 0, []]"#,
            "map 1: invalid type: sequence, expected an object at line 3 column 1, left out",
        ),
        (
            "{}",
            "map 1: missing field `path_groups` at line 3 column 2, left out",
        ),
        (r#"{"path_groups": []}"#, "map 1: no uuid, left out"),
        (
            r#"{"uuid": "", "name": "x", "path_groups": []}"#,
            r#"map 1 ("x"): no uuid, left out"#,
        ),
        (
            r#"{"uuid": "[undef]", "path_groups": []}"#,
            "map 1: no uuid, left out",
        ),
        (
            r#"{"uuid": "a/../b", "path_groups": []}"#,
            r#"map 1 ("a/../b"): uuid "a/../b": WWID has an invalid character '/' at position 2, left out"#,
        ),
        (
            r#"{"uuid": "b", "path_groups": [{}]}"#,
            "map 1: missing field `paths` at line 3 column 32, left out",
        ),
        (
            r#"{"uuid": "b", "path_groups": [{"paths": [{}]}]}"#,
            r#"map 1 ("b"): a path without dev, left out"#,
        ),
        (
            r#"{"uuid": "b", "path_groups": [{"paths": [], "pri": 99999999999}]}"#,
            r#"map 1 ("b"): pri "99999999999" is not a number from -2147483648 to 2147483647, left out"#,
        ),
        (
            r#"{"uuid": "b", "path_groups": [], "path_faults": -1}"#,
            r#"map 1 ("b"): path_faults "-1" is not a number from 0 to 4294967295, left out"#,
        ),
        (
            r#"{"uuid": "b", "path_groups": [], "map_loads": 1e999}"#,
            "map 1: number out of range at line 3 column 51, left out",
        ),
        (
            r#"{"uuid": "b", "path_groups": [], "vend": ["x"]}"#,
            r#"map 1 ("b"): vend is not a text, left out"#,
        ),
    ];
    for (map, message) in cases {
        let (alone, warnings) = odd(map);
        assert_eq!(alone, message, "{map}");
        assert_eq!(
            warnings,
            [format!("multipathd maps JSON: {message}")],
            "{map}"
        );
    }
}

#[test]
fn numbers_may_be_texts() {
    let map = r#"{"uuid": "b", "path_groups": [{"paths": [{"dev": "sda", "pri": "-1"}], "pri": "50",
        "group": "2"}], "path_faults": "7"}"#;
    let text = document(&[map]);
    let parsed = parse(text.as_bytes()).unwrap();
    let group = &parsed.maps[0].path_groups[0];
    assert_eq!((group.group, group.priority), (2, 50));
    assert_eq!(group.paths[0].priority, Some(-1));
    assert_eq!(parsed.maps[0].path_faults, Some(7));
}

#[test]
fn fields_without_a_value_are_left_out() {
    let map = r###"{"uuid": "b", "path_groups": [{"paths": [{"dev": "sda", "dev_t": "#:#",
        "chk_st": "undef", "dev_st": "unknown", "checker": "(null)", "host_wwpn": "[unknown]",
        "target_wwpn": "[undef]", "host_adapter": ""}]}], "queueing": "-", "vend": "##",
        "prod": " X  ", "write_prot": "undef", "unknown": {"field": ["x"]}}"###;
    let text = document(&[map]);
    let parsed = parse(text.as_bytes()).unwrap();
    assert_eq!(
        serde_json::to_value(&parsed.maps[0]).unwrap(),
        serde_json::json!({
            "wwid": "b", "name": "b", "sysfs": "undef", "dm-state": "undef",
            "paths-total": 1, "paths-active": 0, "health": "failed",
            "reasons": [{ "code": "all-paths-failed", "count": 1 }],
            "path-groups": [{
                "group": 1, "dm-state": "undef", "priority": -1, "paths": [{ "dev": "sda" }],
            }],
            "product": "X",
        })
    );
}

#[test]
fn too_deep_and_too_long() {
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    assert!(
        error(&deep).starts_with("invalid type: sequence"),
        "{}",
        error(&deep)
    );
    let inside = format!("{{\"maps\": {deep}}}");
    assert!(error(inside).starts_with("map 1: invalid type: sequence"));
    let long = " ".repeat(MAX_TEXT_LEN) + "{}";
    assert!(error(long).starts_with("the text has 33554434 bytes"));
}

/// An array whose product name ends its own text and adds fields, or ends the map.
#[test]
fn a_hostile_product_name_stays_a_name() {
    for product in ["X\", \"uuid\" : \"3600b", "X\"}", "\"}, {\"uuid\" : \""] {
        let text = format!(
            "{{\n\"maps\": [{{\n\"uuid\" : \"3600a\",\n\"prod\" : \"{product}\",\n\
            \"path_groups\": [{{\n\"dm_st\" : \"active\",\n\"paths\": [{{\n\"dev\" : \"sda\",\n\
            \"dm_st\" : \"active\"\n}}]\n}}]\n}}]\n}}\n"
        );
        let parsed = parse(text.as_bytes()).unwrap();
        let maps: Vec<_> = parsed.maps.iter().map(|map| map.wwid.as_str()).collect();
        assert_eq!(maps, ["3600a"]);
        assert_eq!(parsed.maps[0].product.as_deref(), Some(product));
        assert_eq!(parsed.repaired_lines, [4]);
    }
}
