//! Texts to begin with: the project's fixtures.

use std::fs;
use std::path::{Path, PathBuf};

use pve_multipath::wire::byte_string::ByteString;
use serde_json::Value;

/// Greatest length of a text to begin with.
const MAX_SEED: usize = 8 * 1024;

/// The texts in fixtures, in the same sequence each time.
pub(crate) fn read(patterns: &[(&str, &str)]) -> Vec<Vec<u8>> {
    let mut texts = Vec::new();
    for (folder, part) in patterns {
        let mut files = Vec::new();
        find(&crate::root().join("fixtures").join(folder), &mut files);
        files.retain(|file| file.to_string_lossy().contains(part));
        for file in files {
            let text = fs::read(&file).unwrap_or_else(|err| panic!("{file:?}: {err}"));
            match part.starts_with(".json") {
                true => serde_json::Deserializer::from_slice(&text)
                    .into_iter()
                    .for_each(|value| collect(&value.expect("JSON"), &mut texts)),
                false => texts.push(text),
            }
        }
    }
    texts.retain(|text| text.len() <= MAX_SEED);
    texts.sort();
    texts.dedup();
    texts
}

/// The files below a folder.
fn find(folder: &Path, files: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|err| panic!("{folder:?}: {err}"));
    for entry in entries {
        let path = entry.expect("a fixture").path();
        match path.is_dir() {
            true => find(&path, files),
            false => files.push(path),
        }
    }
}

/// The texts of files that are kept in JSON, in which a character stands for a byte, and what is JSON
/// itself: reports of peers, and arguments.
fn collect(value: &Value, texts: &mut Vec<Vec<u8>>) {
    match value {
        Value::String(text) if text.contains(['\n', '{']) => {
            let bytes = ByteString::from(text.as_str()).to_bytes().map(Vec::from);
            texts.push(bytes.unwrap_or_else(|| text.clone().into_bytes()));
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, texts)),
        Value::Object(object) => {
            if object.contains_key("maps") || object.contains_key("kv") {
                texts.push(value.to_string().into_bytes());
            }
            object.values().for_each(|value| collect(value, texts));
        }
        _ => {}
    }
}
