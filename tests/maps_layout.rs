//! multipathd's own layout: whatever texts a reply contains, the maps and their values are exactly those
//! that multipathd has. The replies are printed here as libmultipath/print.c does it (`PRINT_JSON_*`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use proptest::collection::vec;
use proptest::prelude::*;
use pve_multipath::node::maps::{self, Map, MapList};
use serde_json::json;

/// What multipathd knows of a LUN: the texts that it prints unescaped, as bytes.
#[derive(Clone, Debug)]
struct Lun {
    wwid: String,
    name: Vec<u8>,
    features: Vec<u8>,
    handler: Vec<u8>,
    vendor: Vec<u8>,
    product: Vec<u8>,
    revision: Vec<u8>,
    groups: Vec<Group>,
}

#[derive(Clone, Debug)]
struct Group {
    selector: Vec<u8>,
    paths: Vec<Port>,
}

/// A path.
#[derive(Clone, Debug)]
struct Port {
    dev: String,
    active: bool,
    checker: Vec<u8>,
    target: Vec<u8>,
    adapter: Vec<u8>,
}

/// The reply, byte for byte as multipathd 0.9 to 0.15 prints it.
fn print(luns: &[Lun]) -> Vec<u8> {
    let mut text = Vec::new();
    let mut put = |bytes: &[u8]| text.extend_from_slice(bytes);
    put(b"{\n   \"major_version\": 0,\n   \"minor_version\": 1,\n   \"maps\": [");
    for (number, lun) in luns.iter().enumerate() {
        put(b"{\n");
        for (name, value) in [
            ("name", lun.name.as_slice()),
            ("uuid", lun.wwid.as_bytes()),
            ("sysfs", format!("dm-{number}").as_bytes()),
            ("failback", b"manual"),
            ("queueing", b"-"),
        ] {
            put(format!("      \"{name}\" : \"").as_bytes());
            put(value);
            put(b"\",\n");
        }
        put(b"      \"paths\" : 2,\n");
        for (name, value) in [
            ("write_prot", &b"rw"[..]),
            ("dm_st", b"active"),
            ("features", &lun.features),
            ("hwhandler", &lun.handler),
            ("action", b""),
        ] {
            put(format!("      \"{name}\" : \"").as_bytes());
            put(value);
            put(b"\",\n");
        }
        put(b"      \"path_faults\" : 7,\n");
        for (name, value) in [
            ("vend", &lun.vendor),
            ("prod", &lun.product),
            ("rev", &lun.revision),
        ] {
            put(format!("      \"{name}\" : \"").as_bytes());
            put(value);
            put(b"\",\n");
        }
        for name in ["switch_grp", "map_loads", "total_q_time", "q_timeouts"] {
            put(format!("      \"{name}\" : 0,\n").as_bytes());
        }
        put(b"      \"path_groups\": [");
        for (number, group) in lun.groups.iter().enumerate() {
            put(b"{\n         \"selector\" : \"");
            put(&group.selector);
            put(b"\",\n         \"pri\" : 50,\n         \"dm_st\" : \"active\",\n");
            put(b"         \"marginal_st\" : \"normal\",\n");
            put(format!(
                "         \"group\" : {},\n         \"paths\": [",
                number + 1
            )
            .as_bytes());
            for (number, port) in group.paths.iter().enumerate() {
                let state = if port.active { "active" } else { "failed" };
                put(b"{\n");
                for (name, value) in [
                    ("dev", port.dev.as_bytes()),
                    ("dev_t", b"8:0"),
                    ("dm_st", state.as_bytes()),
                    ("dev_st", b"running"),
                    ("chk_st", b"ready"),
                    ("checker", &port.checker),
                ] {
                    put(format!("            \"{name}\" : \"").as_bytes());
                    put(value);
                    put(b"\",\n");
                }
                put(b"            \"pri\" : 50,\n");
                for (name, value) in [
                    ("host_wwnn", &b"[undef]"[..]),
                    ("target_wwnn", &port.target),
                    ("host_wwpn", b"[undef]"),
                    ("target_wwpn", b"[undef]"),
                    ("host_adapter", &port.adapter),
                    ("lun_hex", b"0x0000000000000000"),
                ] {
                    put(format!("            \"{name}\" : \"").as_bytes());
                    put(value);
                    put(b"\",\n");
                }
                put(b"            \"marginal_st\" : \"normal\"\n         }");
                if number + 1 < group.paths.len() {
                    put(b",");
                }
            }
            put(b"]\n      }");
            if number + 1 < lun.groups.len() {
                put(b",");
            }
        }
        put(b"]\n   }");
        if number + 1 < luns.len() {
            put(b",");
        }
    }
    put(b"]\n}\n");
    text
}

/// A text as it should be read: UTF-8, else Latin-1; none for a marker of a missing value.
fn text(bytes: &[u8]) -> Option<String> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    };
    let unset = [
        "",
        "-",
        "--",
        "#:#",
        "##",
        "(null)",
        "[undef]",
        "[unknown]",
        "undef",
        "unknown",
    ];
    (!unset.contains(&text.as_str())).then_some(text)
}

fn trimmed(bytes: &[u8]) -> Option<String> {
    let text = text(bytes)?.trim().to_owned();
    self::text(text.as_bytes())
}

/// The values of a LUN that were printed from a text.
fn wanted(lun: &Lun) -> serde_json::Value {
    json!({
        "wwid": lun.wwid,
        "name": text(&lun.name).unwrap_or(lun.wwid.clone()),
        "features": text(&lun.features),
        "handler": text(&lun.handler),
        "vendor": trimmed(&lun.vendor),
        "product": trimmed(&lun.product),
        "revision": trimmed(&lun.revision),
        "groups": lun.groups.iter().map(|group| json!({
            "selector": text(&group.selector),
            "paths": group.paths.iter().map(|port| json!({
                "dev": port.dev,
                "active": port.active,
                "checker": text(&port.checker),
                "target": text(&port.target),
                "adapter": text(&port.adapter),
            })).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
    })
}

fn found(map: &Map) -> serde_json::Value {
    json!({
        "wwid": map.wwid,
        "name": map.name,
        "features": map.features,
        "handler": map.hardware_handler,
        "vendor": map.vendor,
        "product": map.product,
        "revision": map.revision,
        "groups": map.path_groups.iter().map(|group| json!({
            "selector": group.selector,
            "paths": group.paths.iter().map(|path| json!({
                "dev": path.dev,
                "active": path.is_active(),
                "checker": path.checker,
                "target": path.target_wwnn,
                "adapter": path.host_adapter,
            })).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
    })
}

fn parse(text: &[u8]) -> MapList {
    let show = || String::from_utf8_lossy(text).into_owned();
    maps::parse(text).unwrap_or_else(|err| panic!("{err}\n{}", show()))
}

/// Pieces of multipathd's own output and of JSON, and any bytes, without a line feed.
fn pasted() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "\"",
        "\\",
        "\",",
        "\": \"",
        "},{",
        "}]",
        "{",
        "[",
        ":",
        ",",
        " ",
        "\t",
        "\r",
        "a",
        "0",
        "\"name\" : \"",
        "\"uuid\" : \"",
        "\"dev\" : \"sdz\",",
        "\"paths\": [{",
        "\\n",
        "\\u0000",
        "\\ud800",
        "x\"},{\"uuid\":\"q",
        "\\\"",
        "[undef]",
        "##",
        "\u{fc}",
    ]);
    let piece = prop_oneof![
        9 => piece.prop_map(|piece| piece.as_bytes().to_vec()),
        1 => vec(prop::num::u8::ANY, 1..3),
    ];
    let text = vec(piece, 0..6).prop_map(|pieces| pieces.concat());
    text.prop_map(|text| {
        text.into_iter()
            .filter(|byte| !b"\n\0".contains(byte))
            .collect()
    })
}

fn luns() -> impl Strategy<Value = Vec<Lun>> {
    let port = (any::<bool>(), pasted(), pasted(), pasted());
    let port = port.prop_map(|(active, checker, target, adapter)| Port {
        dev: String::new(),
        active,
        checker,
        target,
        adapter,
    });
    let group = (pasted(), vec(port, 0..3));
    let group = group.prop_map(|(selector, paths)| Group { selector, paths });
    let texts = (pasted(), pasted(), pasted(), pasted(), pasted(), pasted());
    let lun = (texts, vec(group, 0..3)).prop_map(
        |((name, features, handler, vendor, product, revision), groups)| Lun {
            wwid: String::new(),
            name,
            features,
            handler,
            vendor,
            product,
            revision,
            groups,
        },
    );
    vec(lun, 1..4).prop_map(numbered)
}

/// With WWIDs and device names of their own.
fn numbered(mut luns: Vec<Lun>) -> Vec<Lun> {
    let mut devices = 0;
    for (number, lun) in luns.iter_mut().enumerate() {
        lun.wwid = format!("3600{number}");
        let ports = lun.groups.iter_mut().flat_map(|group| &mut group.paths);
        for port in ports {
            port.dev = format!("sd{devices}");
            devices += 1;
        }
    }
    luns
}

/// Two maps with two groups of two paths each, of an ordinary array.
fn ordinary() -> Vec<Lun> {
    let port = || Port {
        dev: String::new(),
        active: true,
        checker: b"tur".to_vec(),
        target: b"iqn.2003-01.org.example:a".to_vec(),
        adapter: b"192.0.2.1".to_vec(),
    };
    let group = || Group {
        selector: b"service-time 0".to_vec(),
        paths: vec![port(), port()],
    };
    let lun = || Lun {
        wwid: String::new(),
        name: b"san".to_vec(),
        features: b"0".to_vec(),
        handler: b"1 alua".to_vec(),
        vendor: b"LIO-ORG".to_vec(),
        product: b"disk".to_vec(),
        revision: b"4.0".to_vec(),
        groups: vec![group(), group()],
    };
    numbered(vec![lun(), lun(), lun()])
}

/// A field of a LUN whose text comes from elsewhere: an array, an administrator, the kernel.
type FieldOf = fn(&mut Lun) -> &mut Vec<u8>;

const FIELDS: [(&str, FieldOf); 9] = [
    ("name", |lun| &mut lun.name),
    ("features", |lun| &mut lun.features),
    ("hwhandler", |lun| &mut lun.handler),
    ("vend", |lun| &mut lun.vendor),
    ("prod", |lun| &mut lun.product),
    ("rev", |lun| &mut lun.revision),
    ("selector", |lun| &mut lun.groups[0].selector),
    ("target_wwnn", |lun| &mut lun.groups[0].paths[0].target),
    ("host_adapter", |lun| &mut lun.groups[0].paths[0].adapter),
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_maps_are_those_that_multipathd_has(luns in luns()) {
        let reply = print(&luns);
        let parsed = parse(&reply);
        let maps: Vec<_> = parsed.maps.iter().map(found).collect();
        let wanted: Vec<_> = luns.iter().map(wanted).collect();
        prop_assert_eq!(&parsed.skipped, &[]);
        prop_assert_eq!(maps, wanted, "{}", String::from_utf8_lossy(&reply));

        // Lines whose text JSON would escape are listed, and only these.
        let lines = reply.split(|byte| *byte == b'\n').zip(1..);
        let odd = lines.filter(|(line, _)| {
            let line = line.strip_suffix(b",").unwrap_or(line);
            let quotes = line.iter().filter(|byte| **byte == b'"').count();
            let special = line.iter().any(|byte| *byte < b' ' || *byte == b'\\');
            quotes > 4 || special || std::str::from_utf8(line).is_err()
        });
        let odd: Vec<usize> = odd.map(|(_, number)| number).collect();
        prop_assert_eq!(parsed.repaired_lines, odd);
    }

    /// A text with line feeds is not mistaken for multipathd's own lines, in any field that may have
    /// them: its map is left out, or is what it is without the text.
    #[test]
    fn a_line_feed_invents_nothing(
        place in 0..WITH_LINE_FEEDS.len(),
        lun in 0..3_usize,
        pieces in vec((prop::sample::select(LINES), any::<bool>()), 1..12),
    ) {
        let good = ordinary();
        let mut luns = good.clone();
        let mut text = Vec::new();
        for (piece, ends) in pieces {
            text.extend_from_slice(piece.as_bytes());
            if ends {
                text.push(b'\n');
            }
        }
        let (len, of) = WITH_LINE_FEEDS[place];
        text.truncate(len);
        *of(&mut luns[lun]) = text;
        check_others(&good, lun, &print(&luns));
    }
}

/// The fields that may have a line feed, with the number of bytes that multipathd keeps of them.
const WITH_LINE_FEEDS: [(usize, FieldOf); 5] = [
    (8, |lun| &mut lun.vendor),
    (40, |lun| &mut lun.product),
    (8, |lun| &mut lun.revision),
    (223, |lun| &mut lun.groups[0].paths[0].target),
    (39, |lun| &mut lun.groups[0].paths[0].adapter),
];

/// Lines and parts of lines as multipathd prints them.
const LINES: &[&str] = &[
    "x",
    "x\",",
    "x\"",
    "            \"pri\" : 50,",
    "            \"host_wwnn\" : \"x\",",
    "            \"target_wwnn\" : \"x\",",
    "            \"target_wwnn\" : \"",
    "            \"host_wwpn\" : \"\",",
    "            \"target_wwpn\" : \"\",",
    "            \"host_adapter\" : \"\",",
    "            \"lun_hex\" : \"\",",
    "            \"marginal_st\" : \"\"",
    "         },{",
    "         }]",
    "      },{",
    "      }]",
    "   },{",
    "   }]",
    "}",
    "            \"dev\" : \"sdz\",",
    "            \"dm_st\" : \"active\",",
    "      \"name\" : \"x\",",
    "      \"name\" : \"",
    "      \"uuid\" : \"3600z\",",
    "      \"uuid\" : \"",
    "      \"rev\" : \"",
    "      \"path_groups\": [{",
    "      \"path_groups\": []",
    "         \"paths\": [{",
    "         \"selector\" : \"",
];

/// The maps are those that multipathd has, except that the one with this number may be missing.
fn check_others(good: &[Lun], odd: usize, reply: &[u8]) {
    let parsed = parse(reply);
    let show = || String::from_utf8_lossy(reply).into_owned();
    let wwid = &good[odd].wwid;
    let facts = |map: &serde_json::Value| {
        let groups = map["groups"].as_array().unwrap().iter();
        let paths = groups.map(|group| {
            let paths = group["paths"].as_array().unwrap().iter();
            let facts = paths.map(|path| [path["dev"].clone(), path["active"].clone()]);
            facts.collect::<Vec<_>>()
        });
        (map["wwid"].clone(), paths.collect::<Vec<_>>())
    };
    let wanted: Vec<_> = good.iter().map(|lun| facts(&wanted(lun))).collect();
    let maps: Vec<_> = parsed.maps.iter().map(|map| facts(&found(map))).collect();
    if parsed.skipped.is_empty() {
        assert_eq!(maps, wanted, "{}", show());
    } else {
        let others: Vec<_> = wanted
            .into_iter()
            .filter(|(other, _)| other != wwid)
            .collect();
        assert_eq!(maps, others, "{}", show());
        assert_eq!(parsed.skipped.len(), 1, "{:?}\n{}", parsed.skipped, show());
        assert_eq!(parsed.skipped[0].number, odd + 1, "{}", show());
    }
}

/// Texts with which the reply stays valid JSON, or gets another meaning.
#[test]
fn a_text_is_what_stands_between_the_quotes() {
    for text in [
        "x\"},{\"uuid\":\"q",
        "x\", \"uuid\" : \"3600z",
        "x\", \"paths\" : \"",
        "x\"}]}]},{\"uuid\":\"q\",\"path_groups\":[{\"paths\":[{\"dev\":\"",
        "x\"},{\"dev\":\"sdz\",\"dm_st\":\"active",
        "x\",\"dm_st\":\"failed",
        "x\",\"dev\":\"sdz\",\"x\":\"",
        "\"",
        "\"\"",
        "\\",
        "\\\\",
        "\\\"",
        "C:\\n",
        "\\u0041",
        "\\ud800",
        "a\",",
        "},{",
        "\": \"",
        "\u{1f4a9}\"",
        " x\" ",
    ] {
        for (field, of) in FIELDS {
            for lun in 0..3 {
                let mut luns = ordinary();
                *of(&mut luns[lun]) = text.as_bytes().to_vec();
                let reply = print(&luns);
                let parsed = parse(&reply);
                let maps: Vec<_> = parsed.maps.iter().map(found).collect();
                let wanted: Vec<_> = luns.iter().map(wanted).collect();
                assert_eq!(maps, wanted, "{field}: {text}");
                assert_eq!(parsed.skipped, [], "{field}: {text}");
            }
        }
    }
}

/// Line feeds where they do most damage: each ends or begins something of multipathd's own.
#[test]
fn line_feeds_invent_no_path_and_no_map() {
    let rest_of_path = "x\",\n            \"host_wwpn\" : \"\",\n            \"target_wwpn\" : \"\",\n            \
        \"host_adapter\" : \"\",\n            \"lun_hex\" : \"\",\n            \"marginal_st\" : \"\"\n";
    let next_path =
        "         },{\n            \"dev\" : \"sdz\",\n            \"dm_st\" : \"active";
    let next_map = "         }]\n      }]\n   },{\n      \"name\" : \"";
    let end = "         }]\n      }]\n   }]\n}\n";
    for (text, lost) in [
        (format!("x\"\n{next_path}"), true),
        (format!("{rest_of_path}{next_path}"), true),
        (format!("x\"\n{next_map}"), true),
        (format!("{rest_of_path}{next_map}"), true),
        (
            format!("{rest_of_path}{next_map}\",\n      \"uuid\" : \""),
            true,
        ),
        (format!("x\"\n{end}"), true),
        (format!("{rest_of_path}{end}"), true),
        ("x\",\n            \"host_wwpn\" : \"".to_owned(), true),
        ("x\n".to_owned(), true),
        // An unknown field is ignored.
        ("x\",\n            \"y\" : \"".to_owned(), false),
    ] {
        for lun in 0..3 {
            let good = ordinary();
            let mut luns = good.clone();
            luns[lun].groups[0].paths[0].target = text.clone().into_bytes();
            let reply = print(&luns);
            check_others(&good, lun, &reply);
            assert_eq!(!parse(&reply).skipped.is_empty(), lost, "{text}");
        }
        // Also where there is no other map to compare with.
        let mut luns = ordinary();
        luns.truncate(1);
        luns[0].groups[0].paths[0].target = text.clone().into_bytes();
        let reply = print(&luns);
        assert_eq!(maps::parse(&reply).is_err(), lost, "{text}");
    }
}

/// The same as JSON that others have written, in which a backslash is an escape.
#[test]
fn other_layouts_are_json() {
    let text = "C:\\n \"x\"";
    let mut luns = ordinary();
    luns[0].product = text.as_bytes().to_vec();
    let reply = print(&luns);
    let repaired = String::from_utf8(reply.clone()).unwrap();
    let repaired = repaired.replace(text, &text.replace('\\', "\\\\").replace('"', "\\\""));
    let value: serde_json::Value = serde_json::from_str(&repaired).unwrap();
    let wanted: Vec<_> = luns.iter().map(wanted).collect();
    // As Perl's JSON::PP and JSON::XS print it: three blanks, and blanks around the colon.
    let pretty = serde_json::to_string_pretty(&value).unwrap();
    let perl: Vec<_> = pretty
        .lines()
        .map(|line| {
            let content = line.trim_start();
            let indent = " ".repeat((line.len() - content.len()) / 2 * 3);
            format!("{indent}{}\n", content.replacen("\": ", "\" : ", 1))
        })
        .collect();
    let jq = pretty.replace("  ", "   ");
    for other in [value.to_string(), pretty, perl.concat(), jq] {
        let parsed = parse(other.as_bytes());
        let maps: Vec<_> = parsed.maps.iter().map(found).collect();
        assert_eq!(maps, wanted, "{other}");
        assert!(parsed.repaired_lines.is_empty());
    }
    // The same texts in multipathd's layout are not.
    let parsed = parse(repaired.as_bytes());
    assert_eq!(parsed.maps[0].product.as_deref(), Some("C:\\\\n \\\"x\\\""));
}

#[test]
fn a_reply_that_is_cut_off_is_an_error() {
    let reply = print(&ordinary());
    for len in 0..reply.len() - 1 {
        assert!(maps::parse(&reply[..len]).is_err(), "{len}");
    }
    assert_eq!(parse(&reply[..reply.len() - 1]).maps.len(), 3);
}

#[test]
fn the_version_of_the_format() {
    let reply = String::from_utf8(print(&ordinary())).unwrap();
    let newer = reply.replace("\"major_version\": 0", "\"major_version\": 1");
    let error = maps::parse(newer.as_bytes()).unwrap_err().to_string();
    assert!(
        error.ends_with("format version 1 is not known, only 0 is"),
        "{error}"
    );
    // Fields of a later version.
    let more = reply.replace(
        "      \"vend\"",
        "      \"serial\" : \"1\",\n      \"count\" : 1.5,\n      \"vend\"",
    );
    let more = more.replace(
        "            \"pri\"",
        "            \"ana\" : null,\n            \"pri\"",
    );
    let (more, reply) = (parse(more.as_bytes()), parse(reply.as_bytes()));
    assert_eq!(more.maps, reply.maps);
    assert_eq!(more.skipped, []);
}

/// A million times what looks like the end of a map, in one line and as lines.
#[test]
fn long_texts_take_no_longer() {
    for piece in ["},{", " },{", "   },{\n", "},{\n"] {
        let mut luns = ordinary();
        luns[1].product = piece.repeat(1_000_000).into_bytes();
        let reply = print(&luns);
        let parsed = parse(&reply);
        let line_feeds = piece.contains('\n');
        assert_eq!(parsed.maps.len(), if line_feeds { 2 } else { 3 });
        assert_eq!(parsed.skipped.len(), if line_feeds { 1 } else { 0 });
    }
}

/// A missing field costs its map, whichever field it is.
#[test]
fn a_map_that_lacks_a_field() {
    let reply = String::from_utf8(print(&ordinary())).unwrap();
    let mut checked = 0;
    for (number, line) in reply.lines().enumerate() {
        if !line.contains("\" : ") {
            continue;
        }
        // Without a name on the line where the first one belongs, it is not multipathd's layout.
        let is_first = reply
            .lines()
            .take(number)
            .all(|line| !line.contains("\" : "));
        for replacement in ["", "\n"].into_iter().take(if is_first { 1 } else { 2 }) {
            let lines = reply.lines().zip(0..);
            let lines = lines.map(|(line, n)| match n == number {
                true => replacement.to_owned(),
                false => format!("{line}\n"),
            });
            let text: String = lines.collect();
            let before = reply.lines().take(number);
            let odd = 1 + before.filter(|line| *line == "   },{").count();
            let parsed = parse(text.as_bytes());
            let numbers: Vec<_> = parsed.skipped.iter().map(|odd| odd.number).collect();
            assert_eq!(numbers, [odd], "{line}");
            assert_eq!(parsed.maps.len(), 2, "{line}");
            checked += 1;
        }
    }
    assert!(checked > 300, "{checked}");
}

/// In texts by hand the indentation means nothing, and fields may be missing.
#[test]
fn lines_without_indentation() {
    let text = "{\n\"maps\": [{\n\"name\" : \"a\"b\",\n\"uuid\" : \"3600a\",\n\"path_groups\": [{\n\
        \"paths\": [{\n\"dev\" : \"sda\",\n\"dm_st\" : \"active\"\n},{\n\"dev\" : \"sdb\"\n}]\n},{\n\
        \"pri\" : 1,\n\"paths\": []\n}]\n},{\n\"name\" : \"b\",\n\"uuid\" : \"3600b\",\n\
        \"path_groups\": []\n}]\n}\n";
    let parsed = parse(text.as_bytes());
    let maps = parsed.maps.iter();
    let maps: Vec<_> = maps
        .map(|map| {
            (
                map.name.as_str(),
                map.wwid.as_str(),
                map.paths_total,
                map.path_groups.len(),
            )
        })
        .collect();
    assert_eq!(maps, [("a\"b", "3600a", 2, 2), ("b", "3600b", 0, 0)]);
    assert_eq!(parsed.repaired_lines, [3]);
    assert_eq!(parsed.skipped, []);
    // Lists without an end, and lists in lists.
    for odd in [
        "\"path_groups\": [{\n\"paths\": [{\n".repeat(10_000),
        "}]\n".into(),
        "x\n".into(),
    ] {
        let text = text.replacen("\"path_groups\": [{\n", &odd, 1);
        let parsed = parse(text.as_bytes());
        let maps: Vec<_> = parsed.maps.iter().map(|map| map.wwid.as_str()).collect();
        assert_eq!(maps, ["3600b"]);
        assert_eq!(parsed.skipped.len(), 1, "{:?}", parsed.skipped);
    }
}
