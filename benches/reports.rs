//! What serde_json takes to look at reports without reading them, for `perl/bench/run`: for each line of
//! stdin, the milliseconds in which it checks the syntax of all texts in a file, a JSON list.

#![allow(clippy::unwrap_used)]

use std::io::{self, BufRead, Write};
use std::time::{Duration, Instant};

use serde::de::IgnoredAny;

fn main() {
    // cargo bench adds an option.
    let Some(file) = std::env::args()
        .nth(1)
        .filter(|file| !file.starts_with("--"))
    else {
        return;
    };
    let texts: Vec<String> = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    for _ in io::stdin().lock().lines() {
        let (mut count, start) = (0, Instant::now());
        while start.elapsed() < Duration::from_millis(250) {
            for text in &texts {
                serde_json::from_slice::<IgnoredAny>(text.as_bytes()).unwrap();
            }
            count += 1;
        }
        let each = start.elapsed().as_secs_f64() * 1000.0 / f64::from(count);
        println!("{each}");
        io::stdout().flush().unwrap();
    }
}
