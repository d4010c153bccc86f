//! A thousand hostile broadcasts beside three honest ones: the status always answers, says the same
//! of the honest nodes, grows by no more than what a report may name, and tells of a node whose report
//! cannot be read.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use miniz_oxide::deflate::compress_to_vec_zlib;
use pve_multipath::cluster::report::{
    Broadcast, KEY, MAX_MAPS, Peers, Reader, Texts, USES_KEY, continuation_keys,
};
use pve_multipath::cluster::status::{
    ByName, KnownExpectations, Presence, RawText, Status, StatusArgs, status,
};
use pve_multipath::cluster::uses::Users;
use pve_multipath::types::node_name::NodeNames;
use pve_multipath::wire::scalar::Scalar;
use serde_json::json;
use sha1::{Digest, Sha1};

const NOW: i64 = 1_000_000;

/// Name of the node that sends what is hostile; between the honest ones.
const HOSTILE: &str = "pve2";

fn honest() -> Vec<(&'static str, Vec<u8>)> {
    let report = |state| {
        let maps = json!({ "3600a": { "state": state, "paths-active": 2, "paths-total": 2, "size": 1024 } });
        json!({ "maps": maps, "time": NOW })
            .to_string()
            .into_bytes()
    };
    vec![
        ("pve1", report("optimal")),
        ("pve3", report("degraded")),
        ("pve9", report("optimal")),
    ]
}

/// What the cluster is asked to show beside the hostile node.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cluster {
    /// Honest nodes, and a LUN that is expected on all of them.
    WithLun,
    /// Nothing else.
    Bare,
}

/// The status with this text of the hostile node, and this under each key that it asks for.
fn status_with(text: &[u8], continued: &[u8], cluster: Cluster) -> Status {
    let honest = match cluster {
        Cluster::WithLun => honest(),
        Cluster::Bare => Vec::new(),
    };
    let mut kv: BTreeMap<_, _> = honest
        .into_iter()
        .map(|(node, text)| (node.to_owned(), Some(RawText(Cow::Owned(text)))))
        .collect();
    kv.insert(HOSTILE.into(), Some(RawText(Cow::Borrowed(text))));
    let keys = continuation_keys(KEY, kv.values().flatten().map(|text| text.0.as_ref()));
    assert!(keys.len() < 16, "{keys:?}");
    let of_hostile =
        || BTreeMap::from([(HOSTILE.to_owned(), Some(RawText(Cow::Borrowed(continued))))]);
    let kv_continued = keys.into_iter().map(|key| (key, of_hostile())).collect();
    let expected = NodeNames(vec![
        "pve1".into(),
        HOSTILE.into(),
        "pve3".into(),
        "pve9".into(),
    ]);
    // The same bytes under the keys of uses and candidates.
    let mut of_uses = Texts {
        kv: kv.clone(),
        ..Texts::default()
    };
    let more = (1..4).map(|number| format!("{USES_KEY}-{number}"));
    of_uses.continued = more.map(|key| (key, of_hostile())).collect();
    let peers = Peers {
        uses: of_uses,
        now: Scalar::Int(NOW),
        ..Peers::default()
    };
    let _ = peers
        .uses
        .uses(&pve_multipath::NodeName::new(HOSTILE).unwrap(), NOW);
    let _ = peers.uses.candidates(HOSTILE, NOW);
    let users = Users {
        peers,
        ..Users::default()
    };
    let args = StatusArgs {
        users: Some(users),
        members: Some(
            kv.keys()
                .map(|node| (node.clone(), Presence(true)))
                .collect(),
        ),
        apply_kv: Some(BTreeMap::from([(
            HOSTILE.into(),
            Some(RawText(Cow::Borrowed(text))),
        )])),
        kv: Some(kv),
        kv_continued: Some(kv_continued),
        now: Scalar::Int(NOW),
        expectations: Some(KnownExpectations {
            wwid_nodes: Some(ByName::from([("3600a".into(), expected)])),
            ..KnownExpectations::default()
        }),
        config: serde_json::from_str(match cluster {
            Cluster::WithLun => r#"{"ids": {"3600a": {"type": "wwid"}}}"#,
            Cluster::Bare => r#"{"ids": {}}"#,
        })
        .ok(),
    };
    let status = status(&args);
    // One who has read other texts before says the same, also when it reads this one again.
    for _ in 0..2 {
        let mut reader = READER.lock().unwrap();
        let remembered = pve_multipath::cluster::status::status_with(&args, &mut reader);
        assert!(remembered.to_json() == status.to_json());
    }
    let data = serde_json::to_value(&status).unwrap();
    assert!(serde_json::from_slice::<serde_json::Value>(&status.to_json()).unwrap() == data);
    status
}

/// Of all tests.
static READER: LazyLock<Mutex<Reader>> = LazyLock::new(Mutex::default);

fn check(what: &str, text: &[u8], continued: &[u8]) {
    let status = status_with(text, continued, Cluster::WithLun);
    assert!(status.luns.luns().len() <= MAX_MAPS + 1, "{what}");
    let lun = status
        .luns
        .luns()
        .find(|lun| lun.wwid.as_str() == "3600a")
        .unwrap();
    for (node, state) in [
        ("pve1", "optimal"),
        ("pve3", "degraded"),
        ("pve9", "optimal"),
    ] {
        let cell = lun.nodes.get(node).unwrap();
        assert_eq!(cell.state.as_str(), state, "{what}: {node}");
        assert_eq!(
            (cell.paths_active, cell.paths_total),
            (Some(2), Some(2)),
            "{what}: {node}"
        );
    }
    // A hostile node may say what it likes of itself, but nothing other than a state.
    let own = lun.nodes.get(HOSTILE).unwrap();
    assert!(
        own.paths_active <= own.paths_total || own.paths_total.is_none(),
        "{what}"
    );
    // A report that cannot be read is never invisible, and nothing of its text is repeated.
    let read = Broadcast::decode_values(text, |_| Some(continued));
    let bare = status_with(text, continued, Cluster::Bare);
    for status in [&status, &bare] {
        let error = status
            .nodes
            .get(HOSTILE)
            .and_then(|errors| errors.report_error.as_ref());
        assert_eq!(error.is_some(), read.is_err(), "{what}: {error:?}");
        let told = serde_json::to_string(&error).unwrap();
        assert!(told.len() < 200, "{what}: {told}");
    }
    if read.is_err() {
        assert_eq!(own.state.as_str(), "unknown", "{what}");
    }
    for cause in &status.causes {
        assert!(
            cause.text.len() < 1_000
                && cause.text.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
            "{what}"
        );
    }
    assert!(status.causes.len() <= 64, "{what}");
    let json = status.to_json();
    let known = json.len() < 8 * text.len().min(1 << 22) + 200 * MAX_MAPS;
    assert!(
        known && serde_json::from_slice::<serde_json::Value>(&json).is_ok(),
        "{what}"
    );
}

/// A packed report with a digest that is right.
fn packed(data: &str, values: &str) -> String {
    let digest = format!("{:x}", Sha1::digest(data));
    format!(r#"{{"format":2,"time":{NOW},"values":{values},"sha1":"{digest}","data":"{data}"}}"#)
}

fn compressed(report: &[u8]) -> String {
    STANDARD.encode(compress_to_vec_zlib(report, 9))
}

/// What each field and place of a report may hold instead of what belongs there.
fn odd_values() -> Vec<String> {
    let mut values: Vec<String> = [
        "null",
        "true",
        "[]",
        "{}",
        "0",
        "-1",
        "1.5",
        "1e999",
        "-1e999",
        "1e-999",
        "18446744073709551616",
        "-9223372036854775809",
        "\"\"",
        "\"optimal\"",
        "\"failed\"",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "\"../..\"",
        "\"\\u001b[31m\"",
        "NaN",
        "Infinity",
        "'x'",
        "\u{0}",
        "\u{feff}",
        "[{}]",
        "[[[[]]]]",
        "{\"a\":{\"a\":{}}}",
        "[{\"code\":\"no-paths\"}]",
        "[\"single-hba\"]",
        "\"2\"",
        "65536",
        "2147483648",
        "/**/1",
    ]
    .map(str::to_owned)
    .to_vec();
    values.push("9".repeat(400));
    values.push(format!("\"{}\"", "x".repeat(1 << 16)));
    values.push("[".repeat(200) + &"]".repeat(200));
    values
}

#[test]
fn a_thousand_hostile_broadcasts() {
    let mut count = 0;
    let mut check = |what: &str, text: &[u8], continued: &[u8]| {
        check(what, text, continued);
        count += 1;
    };

    for value in odd_values() {
        for field in [
            "state",
            "paths-active",
            "paths-total",
            "paths-expected",
            "transport",
            "size",
            "name",
            "write-protected",
            "reasons",
            "notes",
            "since",
            "causes",
        ] {
            let other = r#""state":"optimal","paths-active":2,"paths-total":2"#;
            let text =
                format!(r#"{{"maps":{{"3600a":{{{other},"{field}":{value}}}}},"time":{NOW}}}"#);
            check(&text, text.as_bytes(), b"");
        }
        for field in [
            "format", "time", "maps", "values", "sha1", "data", "node", "causes", "other",
        ] {
            let text = format!(r#"{{"maps":{{"3600a":{{}}}},"time":{NOW},"{field}":{value}}}"#);
            check(&text, text.as_bytes(), b"");
            let text = format!(r#"{{"format":2,"values":2,"data":"","{field}":{value}}}"#);
            check(&text, text.as_bytes(), value.as_bytes());
        }
        for key in ["code", "count", "devs", "present", "expected"] {
            let reasons = format!(r#"[{{"code":"path-gone","{key}":{value}}}]"#);
            let text = format!(
                r#"{{"maps":{{"3600a":{{"state":"failed","reasons":{reasons}}}}},"time":{NOW}}}"#
            );
            check(&text, text.as_bytes(), b"");
        }
        for key in ["initiator", "host", "target", "array", "paths"] {
            let cause = format!(r#"{{"target":"0x50","host":1,"paths":2,"{key}":{value}}}"#);
            let array =
                format!(r#"{{"host":1,"paths":2,"array":{{"vendor":{value},"wwnn":{value}}}}}"#);
            let maps = r#"{"3600a":{"state":"degraded","causes":[0,1,63,64]}}"#;
            let text = format!(r#"{{"maps":{maps},"causes":[{cause},{array}],"time":{NOW}}}"#);
            check(&text, text.as_bytes(), b"");
        }
        for key in [
            "version",
            "multipath-tools",
            "multipathd",
            "time",
            "applied",
            "drift",
            "remembers",
        ] {
            let node =
                format!(r#"{{"{key}":{value},"drift":[{value}],"applied":{{"digest":{value}}}}}"#);
            let text = format!(r#"{{"maps":{{"3600a":{{}}}},"node":{node},"time":{NOW}}}"#);
            check(&text, text.as_bytes(), b"");
        }
        check(&value, value.as_bytes(), b"");
        let text = packed(&value.replace('"', ""), "1");
        check(&text, text.as_bytes(), b"");
        let text = packed(&compressed(value.as_bytes()), "1");
        check(&text, text.as_bytes(), b"");
        let text = packed("", &value);
        check(&text, text.as_bytes(), b"");
        let maps = format!(r#"{{"maps":{{"3600a":{value}}}}}"#);
        let text = packed(&compressed(maps.as_bytes()), "1");
        check(&text, text.as_bytes(), b"");
    }
    assert!(count >= 1_000, "{count}");
}

#[test]
fn large_ones() {
    let maps = |count: usize| {
        let maps: Vec<_> = (0..count)
            .map(|n| format!(r#""a{n}":{{"state":"failed"}}"#))
            .collect();
        format!(r#"{{"maps":{{{}}},"time":{NOW}}}"#, maps.join(","))
    };
    let same = r#""3600b":{"state":"failed"},"#.repeat(MAX_MAPS - 1);
    for (what, text) in [
        ("as many maps as there may be", maps(MAX_MAPS)),
        ("100,000 WWIDs", maps(100_000)),
        (
            "one WWID again and again",
            format!(r#"{{"maps":{{{same}"3600c":{{}}}},"time":{NOW}}}"#),
        ),
        (
            "a key of 1 MB",
            format!(
                r#"{{"maps":{{"{}":{{"state":"failed"}}}},"time":{NOW}}}"#,
                "a".repeat(1 << 20)
            ),
        ),
        ("nesting of 100,000 levels", "{\"maps\":".repeat(100_000)),
        (
            "nesting below a map",
            format!(r#"{{"maps":{{"3600a":{}"#, "[".repeat(100_000)),
        ),
        (
            "1 MB of causes, of all of which each map has lost paths",
            format!(
                r#"{{"maps":{{{}"3600a":{{}}}},"causes":[{}{{}}],"time":{NOW}}}"#,
                (0..MAX_MAPS - 1)
                    .map(|n| format!(
                        r#""a{n}":{{"state":"degraded","causes":[{}63]}},"#,
                        (0..63).map(|n| format!("{n},")).collect::<String>()
                    ))
                    .collect::<String>(),
                (0..30_000)
                    .map(|n| format!(r#"{{"target":"{n}","paths":9}},"#))
                    .collect::<String>()
            ),
        ),
        (
            "1 MB of drift",
            format!(
                r#"{{"maps":{{}},"node":{{"drift":[{}"x"]}},"time":{NOW}}}"#,
                r#""\u001b[31m","#.repeat(100_000)
            ),
        ),
        (
            "1 MB of reasons",
            format!(
                r#"{{"maps":{{"3600a":{{"state":"failed","reasons":[{}{{}}]}}}},"time":{NOW}}}"#,
                r#"{"code":"no-paths"},"#.repeat(50_000)
            ),
        ),
        ("a text of 1 MB", format!("\"{}\"", "x".repeat(1 << 20))),
        ("a bomb", packed(&compressed(&vec![b' '; 20 << 20]), "1")),
        (
            "a bomb of maps",
            packed(&compressed(maps(100_000).as_bytes()), "1"),
        ),
        (
            "a bomb of nesting",
            packed(&compressed("[".repeat(3 << 20).as_bytes()), "1"),
        ),
    ] {
        check(what, text.as_bytes(), b"");
        let bytes: Vec<u8> = text.bytes().map(|byte| byte ^ 0x80).collect();
        check(what, &bytes, &bytes);
        check(what, packed("", "16").as_bytes(), text.as_bytes());
    }
}
