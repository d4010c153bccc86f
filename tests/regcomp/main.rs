//! Expressions, compared with glibc's own `regcomp` and `regexec`: whether they are valid, what
//! they match, and whether glibc copes with those that are accepted.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod judge;
// the included module uses it
use pve_multipath::wire;
#[path = "../../src/multipath_conf/regex/mod.rs"]
#[allow(dead_code, unreachable_pub, reason = "it is the core's own")]
mod regex;

use std::path::Path;

use judge::{Answer, Library, Limits, MAIN, Question, THREAD, Verdict};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use pve_multipath::wire::byte_string::ByteString;
use regex::{Matcher, Stack};

/// Random values, the same ones each time. With REGCOMP_TIMES=N, N times as many with a new seed.
fn random<T>(count: usize, strategy: &impl Strategy<Value = T>) -> Vec<T> {
    let times = std::env::var("REGCOMP_TIMES").map(|times| times.parse::<usize>().unwrap());
    let config = Config::default();
    let mut runner = match times {
        Ok(_) => TestRunner::new(config),
        Err(_) => {
            TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
        }
    };
    (0..count * times.unwrap_or(1))
        .map(|_| strategy.new_tree(&mut runner).unwrap().current())
        .collect()
}

/// Expressions of all kinds, including what is expensive for glibc.
fn expressions() -> impl Strategy<Value = Vec<u8>> {
    let atom = prop_oneof![
        6 => prop::sample::select(vec!["a", "b", "ab", "x", ".", "0", "-", "\u{fc}"]),
        2 => prop::sample::select(vec!["[ab]", "[^a]", "[]a]", "[a-c]", "[[:digit:]x]", "[-b]", "[b-]",
            "[a---c]", "[[.a.]-b]", "[[=b=]]", "\\w", "\\W", "\\s", "\\S", "\\.", "\\0", "{", "}", ",", ")"]),
        2 => prop::sample::select(vec!["^", "$", "\\b", "\\B", "\\<", "\\>", "\\`", "\\'"]),
        1 => prop::sample::select(vec!["\\1", "\\2", "()", "(|)", "(a|)", "(|b)", "a||b"]),
    ]
    .prop_map(|text: &str| text.to_owned());
    let number = prop_oneof![6 => 0..4_u32, 3 => 0..30_u32, 1 => 0..400_u32];
    let times = prop_oneof![
        8 => prop::sample::select(vec!["*", "+", "?", "*?", "+?", "??", "**"]).prop_map(String::from),
        2 => number.clone().prop_map(|number| format!("{{{number}}}")),
        3 => (number.clone(), number.clone())
            .prop_map(|(one, other)| format!("{{{},{}}}", one.min(other), one.max(other))),
        1 => number.clone().prop_map(|number| format!("{{,{number}}}")),
        1 => number.prop_map(|number| format!("{{{number},}}")),
    ];
    let expression = atom.prop_recursive(5, 24, 4, move |inner| {
        prop_oneof![
            3 => prop::collection::vec(inner.clone(), 1..5).prop_map(|parts| parts.concat()),
            2 => prop::collection::vec(inner.clone(), 2..4)
                .prop_map(|parts| format!("({})", parts.join("|"))),
            3 => (inner.clone(), times.clone()).prop_map(|(part, times)| format!("({part}){times}")),
            2 => (inner.clone(), times.clone()).prop_map(|(part, times)| format!("{part}{times}")),
            1 => inner.clone().prop_map(|part| format!("({part})\\1")),
        ]
    });
    // each character stands for a byte
    expression.prop_map(|text| ByteString::from(text).to_bytes().unwrap().into_owned())
}

/// Expressions with many parts that match the empty text.
fn heavy_expressions() -> impl Strategy<Value = Vec<u8>> {
    let atom = prop::sample::select(vec![
        "a", "b?", "c*", "()", "(|)", "(a|)", "^", "$", "\\b", "\\B", "\\<", "\\>", "[ab]", ".",
        "ab",
    ])
    .prop_map(String::from);
    let times = prop_oneof![
        4 => prop::sample::select(vec!["*", "+", "?"]).prop_map(String::from),
        3 => (0..5_u32, 0..12_u32).prop_map(|(least, more)| format!("{{{least},{}}}", least + more)),
        1 => (0..3_u32, 0..200_u32).prop_map(|(least, more)| format!("{{{least},{}}}", least + more)),
        1 => (1..20_u32).prop_map(|number| format!("{{{number}}}")),
        1 => (1..200_u32).prop_map(|number| format!("{{{number}}}")),
    ];
    let expression = atom.prop_recursive(7, 32, 5, move |inner| {
        prop_oneof![
            2 => prop::collection::vec(inner.clone(), 2..6).prop_map(|parts| parts.concat()),
            3 => prop::collection::vec(inner.clone(), 2..6).prop_map(|parts| format!("({})", parts.join("|"))),
            4 => (inner.clone(), times.clone()).prop_map(|(part, times)| format!("({part}){times}")),
        ]
    });
    expression.prop_map(String::into_bytes)
}

/// Texts made of the same characters.
fn texts() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let piece = prop::sample::select(vec!["a", "b", "ab", "x", "0", "-", " ", "\u{fc}", "aaaa"]);
    let text = prop::collection::vec(piece, 0..9).prop_map(|pieces| {
        let text = pieces.concat();
        ByteString::from(text).to_bytes().unwrap().into_owned()
    });
    prop::collection::vec(text, 6).prop_map(|mut texts| {
        // the longest WWIDs reach the most states
        texts.push([b'a'; 127].to_vec());
        texts.push(b"ab0".repeat(42));
        texts
    })
}

fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// Compares our verdict and matches with glibc's.
fn compare(question: &Question, answer: &Answer) {
    let (expression, texts) = question;
    let (text, name) = (ByteString::from_bytes(expression), shown(expression));
    let valid = regex::check_plain(text.as_str());
    match &answer.verdict {
        Verdict::Deadly(how) => panic!("{name}: {how}"),
        Verdict::Invalid => assert!(valid.is_err(), "{name} is not valid"),
        Verdict::Hits(hits) => {
            assert_eq!(valid, Ok(()), "{name} is valid");
            let Some(matcher) = Matcher::new(text.as_str()) else {
                return;
            };
            for (text, hit) in texts.iter().zip(hits) {
                let ours = matcher.hits(ByteString::from_bytes(text).as_str());
                let is_more =
                    ours && regex::may_hit_more(ByteString::from_bytes(expression).as_str());
                assert_eq!(ours, *hit || is_more, "{name} hits {}", shown(text));
            }
        }
    }
}

fn is_accepted(expression: &[u8], stack: Stack) -> bool {
    regex::burden(ByteString::from_bytes(expression).as_str(), stack).is_ok()
}

/// Most time for an accepted expression with all its texts, even on a busy machine.
const MOST_MICROSECONDS: u64 = 500_000;

/// Most memory for one, in KiB.
const MOST_GROWTH: u64 = 16 * 1024;

/// Stack that must be left, in KiB.
const SPARE_STACK: u64 = 12;

/// Asks glibc about the expressions that are accepted for these threads, and compares.
fn judge_accepted(questions: &[Question], stack: Stack, limits: Limits, library: Library<'_>) {
    let accepted = questions
        .iter()
        .filter(|question| is_accepted(&question.0, stack));
    let accepted: Vec<Question> = accepted.cloned().collect();
    // else the test is void
    assert!(accepted.len() > questions.len() / 2);
    let answers = judge::ask(&accepted, limits, library);
    let most = |of: fn(&Answer) -> u64| answers.iter().map(of).max().unwrap_or(0);
    println!(
        "{stack:?}, {library:?}: {} of {} accepted, at most {} us, {} KiB, {} KiB of stack",
        accepted.len(),
        questions.len(),
        most(|answer| answer.microseconds),
        most(|answer| answer.growth),
        most(|answer| answer.stack)
    );
    for (question, answer) in accepted.iter().zip(&answers) {
        compare(question, answer);
        let is_light = answer.microseconds < MOST_MICROSECONDS
            && answer.growth < MOST_GROWTH
            && answer.stack < limits.stack - SPARE_STACK;
        assert!(is_light, "{}: {answer:?}", shown(&question.0));
    }
}

fn judge_random(questions: &[Question], library: Library<'_>) {
    judge_accepted(questions, Stack::Small, THREAD, library);
    judge_accepted(questions, Stack::Large, MAIN, library);
}

#[test]
fn random_expressions() {
    let questions = random(4_000, &(expressions(), texts()));
    judge_random(&questions, Library::Own);
}

#[test]
fn random_heavy_expressions() {
    let questions = random(4_000, &(heavy_expressions(), texts()));
    judge_random(&questions, Library::Own);
}

/// A case of fixtures/regcomp.
struct Case {
    expression: Vec<u8>,
    verdict: String,
    texts: Vec<Vec<u8>>,
    hits: Vec<bool>,
}

fn cases() -> Vec<Case> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/fixtures/regcomp/expressions.txt"
    );
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| {
            let mut columns = line.split('\t');
            let mut column = || columns.next().unwrap().to_owned();
            let (expression, verdict) = (column().into_bytes(), column());
            let (signs, texts): (Vec<_>, Vec<_>) = columns.map(|column| column.split_at(1)).unzip();
            Case {
                expression,
                verdict,
                texts: texts
                    .into_iter()
                    .map(|text| text.as_bytes().to_vec())
                    .collect(),
                hits: signs.into_iter().map(|sign| sign == "+").collect(),
            }
        })
        .collect()
}

fn judge_cases(library: Library<'_>) {
    let cases = cases();
    let questions = |of: &dyn Fn(&str) -> bool| -> Vec<Question> {
        let cases = cases.iter().filter(|case| of(&case.verdict));
        cases
            .map(|case| (case.expression.clone(), case.texts.clone()))
            .collect()
    };

    for case in &cases {
        let name = shown(&case.expression);
        let accepted =
            [Stack::Small, Stack::Large].map(|stack| is_accepted(&case.expression, stack));
        match case.verdict.as_str() {
            // some are valid in the main thread only
            "valid" => assert!(accepted[1], "{name} is accepted"),
            "invalid" => assert_eq!(accepted, [true, true], "{name} is accepted"),
            "threads" => assert!(!accepted[0], "{name} is accepted"),
            "deadly" | "refused" => assert_eq!(accepted, [false, false], "{name} is accepted"),
            other => panic!("{other}"),
        }
    }
    let harmless = |verdict: &str| matches!(verdict, "valid" | "invalid");
    let by_hand = cases.iter().filter(|case| harmless(&case.verdict));
    for limits in [THREAD, MAIN] {
        let questions = questions(&harmless);
        let answers = judge::ask(&questions, limits, library);
        for ((case, question), answer) in by_hand.clone().zip(&questions).zip(&answers) {
            let expected = match case.verdict.as_str() {
                "valid" => Verdict::Hits(case.hits.clone()),
                _ => Verdict::Invalid,
            };
            assert_eq!(answer.verdict, expected, "{}", shown(&case.expression));
            compare(question, answer);
        }
    }
    let hasty = Limits {
        time: 300,
        ..THREAD
    };
    let deadly = questions(&|verdict| matches!(verdict, "deadly" | "threads"));
    for (question, answer) in deadly.iter().zip(judge::ask(&deadly, hasty, library)) {
        let is_deadly = matches!(answer.verdict, Verdict::Deadly(_));
        assert!(is_deadly, "{}: {answer:?}", shown(&question.0));
    }
}

#[test]
fn cases_by_hand() {
    judge_cases(Library::Own);
}

/// All of this with the glibc of Debian 12, 13 and sid.
#[test]
#[ignore = "needs the programs of several Debian releases"]
fn other_libraries() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/multipath-tools");
    let plain = random(4_000, &(expressions(), texts()));
    let heavy = random(4_000, &(heavy_expressions(), texts()));
    for release in ["bookworm", "trixie", "sid"] {
        let tree = folder.join(release);
        let library = Library::Of(&tree);
        judge_cases(library);
        judge_random(&plain, library);
        judge_random(&heavy, library);
    }
}
