//! The roll-up's rules, one fixture each: fixtures/cluster/*.json.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::fs;
use std::path::Path;

use pve_multipath::cluster::status::{AggregateArgs, StatusArgs, aggregate, status};
use serde_json::{Value, json};

#[test]
fn cases() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/cluster");
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files
        .filter(|path| path.extension() == Some("json".as_ref()))
        .collect();
    files.sort();
    assert!(files.len() >= 10);
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let mut case: Value =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file:?}: {error}"));
        for key in ["kv", "apply-kv"] {
            for value in case["args"][key].as_object_mut().into_iter().flatten() {
                if value.1.is_object() {
                    *value.1 = Value::String(value.1.to_string());
                }
            }
        }
        let args = case["args"].to_string();
        let result = match case["call"].as_str() {
            Some("status") => {
                // Most cases have nothing of these.
                let result = case["result"].as_object_mut().unwrap();
                result.entry("causes").or_insert_with(|| json!([]));
                result.entry("node-info").or_insert_with(|| json!({}));
                let args: StatusArgs<'_> = serde_json::from_str(&args).unwrap();
                serde_json::to_value(status(&args))
            }
            Some("aggregate") => {
                let args: AggregateArgs<'_> = serde_json::from_str(&args).unwrap();
                serde_json::to_value(aggregate(&args))
            }
            other => panic!("{file:?}: call {other:?}"),
        };
        assert_eq!(
            result.unwrap(),
            case["result"],
            "{file:?}: {}",
            case["about"]
        );
    }
}
