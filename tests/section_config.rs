//! Compares with recordings of the real PVE::SectionConfig.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeMap;

use pve_multipath::config::{self, Config, Item, Section, Value};
use pve_multipath::wire::byte_string::ByteString;
use pve_multipath::wire::number::Number;
use serde_json::{Value as Json, json};

/// The lines of a recording, by the case's name. A character stands for a byte.
fn recorded(name: &str) -> Vec<(String, Json)> {
    let elsewhere = std::env::var("SECTION_CONFIG_RECORDINGS").ok();
    let folder = elsewhere.filter(|_| name.starts_with("random"));
    let own = || concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/sectionconfig").to_owned();
    let path = format!("{}/{name}", folder.unwrap_or_else(own));
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<Json>(line).unwrap());
    lines
        .map(|case| (case["name"].as_str().unwrap().to_owned(), case))
        .collect()
}

fn cases(kind: &str) -> Vec<(String, Json, Json)> {
    let input = recorded(&format!("{kind}.input.jsonl"));
    let expected: BTreeMap<_, _> = recorded(&format!("{kind}.expected.jsonl"))
        .into_iter()
        .collect();
    assert_eq!(input.len(), expected.len());
    let with_expected = |(name, input): (String, Json)| {
        let expected = expected[&name].clone();
        (name, input, expected)
    };
    input.into_iter().map(with_expected).collect()
}

/// Texts written by hand, and random ones.
fn texts() -> impl Iterator<Item = (String, Json, Json)> {
    cases("parse").into_iter().chain(cases("random"))
}

fn bytes(text: &str) -> Vec<u8> {
    ByteString::from(text).to_bytes().unwrap().into_owned()
}

fn value(value: &Value<'_>) -> Json {
    match value {
        Value::Number(Number::Integer(number)) if i64::try_from(*number).is_ok() => json!(number),
        // as after dclone
        Value::Number(Number::Integer(number)) => json!(number.to_string()),
        // JSON has no infinity
        Value::Number(Number::Float(number)) if number.is_infinite() => json!("Inf"),
        // Perl prints 15 digits
        Value::Number(number) => number.to_string().parse::<f64>().unwrap().into(),
        Value::Text(text) => json!(text.as_str()),
        Value::Undefined | Value::Nested => Json::Null,
    }
}

fn ids(config: &Config<'_>) -> Json {
    let properties = |section: &Section<'_>| -> Json {
        let properties = section.properties().iter();
        properties
            .map(|(key, val)| (key.to_string(), value(val)))
            .collect()
    };
    let sections = config.sections();
    sections
        .map(|section| (section.id().to_string(), properties(section)))
        .collect()
}

/// Warnings of Perl itself are not part of the behaviour.
fn is_about_perl(warning: &Json) -> bool {
    warning
        .as_str()
        .unwrap()
        .starts_with("Use of uninitialized value")
}

#[test]
fn reading() {
    for (name, input, mut expected) in texts() {
        let raw = bytes(input["raw"].as_str().unwrap_or(""));
        let parsed = config::parse("multipath.cfg", &raw);
        expected["warnings"]
            .as_array_mut()
            .unwrap()
            .retain(|warning| !is_about_perl(warning));

        let texts =
            |texts: &[ByteString<'_>]| -> Json { texts.iter().map(ByteString::as_str).collect() };
        let order = parsed.config.sections();
        let order: Json = order
            .map(|section| (section.id().to_string(), json!(section.position())))
            .collect();
        let errors = parsed.config.errors().iter();
        let errors: Json = errors
            .map(|error| {
                json!({
                    "context": error.context, "section": error.section.as_str(),
                    "key": error.key.as_str(), "err": error.err.as_str(),
                })
            })
            .collect();
        let ours = json!({
            "name": name, "digest": value(parsed.config.digest()), "errors": errors,
            "ids": ids(&parsed.config), "order": order,
            "warnings": texts(&parsed.warnings), "written": expected["written"],
        });
        assert_eq!(ours, expected);
    }
}

/// Whether a repeated line, which was refused, would be accepted when the section is written and read
/// back: the type is not written, and a number beyond 64 bits is not read back.
fn would_be_accepted(section: &Section<'_>, line: &str) -> bool {
    if !line.starts_with(char::is_whitespace) {
        return false;
    }
    let words = line.split_whitespace();
    let kind = section.kind().unwrap();
    let key = words.clone().next().unwrap_or_default();
    words.eq(["type", kind.as_str()])
        || matches!(section.get(key), Some(Value::Number(Number::Float(_))))
}

/// The text that it wrote after reading, plus the lines that it did not understand and drops: between
/// sections in their place, others at the end of their section.
#[test]
fn writing_what_was_read() {
    for (name, input, expected) in texts() {
        let raw = bytes(input["raw"].as_str().unwrap_or(""));
        let config = config::parse("multipath.cfg", &raw).config;
        let written = config::write(&config).unwrap();
        assert!(written.order.is_empty(), "{name}");

        let mut sections = expected["written"]
            .as_str()
            .unwrap()
            .split_inclusive("\n\n");
        let mut wanted = String::new();
        for item in config.items() {
            let mut lines = match item {
                Item::Lines(lines) => lines.clone(),
                Item::Section(section) => {
                    wanted += sections.next().unwrap().strip_suffix('\n').unwrap();
                    let mut lines = section.lines().to_vec();
                    lines.retain(|line| !would_be_accepted(section, line.as_str()));
                    lines
                }
            };
            lines.push("".into());
            wanted.extend(lines.iter().map(|line| format!("{line}\n")));
        }
        assert_eq!(sections.next(), None, "{name}");
        assert_eq!(written.text, bytes(&wanted), "{name}");
    }
}

/// The text that it wrote of hashes from programs, or its error. Where ours refuses what it wrote, the
/// text would be read back as something else.
#[test]
fn writing() {
    let stricter: BTreeMap<_, _> = [
        // would break the file
        ("W17 LF in id", "section 'a\nb': an ID may not be empty"),
        ("W18 blank in id", "section 'a b': an ID may not be empty"),
        ("W19 empty id", "section '': an ID may not be empty"),
        // the schema refuses it on reading
        (
            "W24 value 0",
            "section 'a': property 'rr-min-io-rq': value must have a minimum value of 1",
        ),
        (
            "W25 invalid values are not checked",
            "section 'a': property 'alias': value does not match",
        ),
        (
            "W34 float",
            "section 'a': property 'rr-min-io-rq': type check ('integer') failed",
        ),
        (
            "W36 array value",
            "section 'a': property 'alias' is a list or a hash",
        ),
        // another value would be read back
        (
            "W27 leading/trailing blanks kept",
            "section 'a': property 'path-selector' has blanks",
        ),
        (
            "W28 blank value",
            "section 'a': property 'path-selector' has blanks",
        ),
        (
            "W38 wide",
            "section 'a': property 'path-selector' has blanks around its value, or",
        ),
        // unknown on reading
        (
            "W29 comment",
            "section 'a': property 'comment' cannot be stored",
        ),
        (
            "W32 disable",
            "section 'a': property 'disable' cannot be stored",
        ),
    ]
    .into();
    // there in the order of Perl's hash, here by ID
    let by_id: BTreeMap<_, _> = [(
        "W03 two new (hash order!)",
        (
            "wwid: b\n\nwwid: n1\n\nwwid: n2\n\n",
            json!({"b": 1, "n1": 2, "n2": 3}),
        ),
    )]
    .into();

    for (name, input, expected) in cases("write") {
        let text = input.to_string();
        let config: Config<'_> = serde_json::from_str(&text).unwrap();
        let written = config::write(&config);

        if let Some(start) = stricter.get(name.as_str()) {
            assert!(
                expected["written"].is_string(),
                "{name}: it refuses as well"
            );
            let error = written.unwrap_err().to_string();
            assert!(error.starts_with(start), "{name}: {error}");
            continue;
        }
        if let Some(died) = expected["die"].as_str() {
            // ours also names the section
            let error = written.unwrap_err().to_string();
            assert!(error.ends_with(died.trim_end()), "{name}: {error}");
            continue;
        }
        let written = written.unwrap_or_else(|err| panic!("{name}: {err}"));
        let mut positions = input["order"].clone();
        for (id, position) in &written.order {
            positions[id.as_str()] = json!(position);
        }
        let (text, order) = match by_id.get(name.as_str()) {
            Some((text, order)) => (*text, order.clone()),
            None => (
                expected["written"].as_str().unwrap(),
                expected["order"].clone(),
            ),
        };
        assert_eq!(written.text, bytes(text), "{name}");
        if !order.is_null() {
            assert_eq!(positions, order, "{name}");
        }
    }
}
