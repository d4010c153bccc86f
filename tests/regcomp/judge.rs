//! glibc's own verdict on expressions: see judge.c.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

/// glibc's verdict on an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Valid; and for each text whether it matches.
    Hits(Vec<bool>),
    Invalid,
    /// It needs too much memory or time, or crashes the process.
    Deadly(String),
}

/// The verdict, and what it cost.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) verdict: Verdict,
    pub(crate) microseconds: u64,
    /// Greatest growth of the process up to then, in KiB.
    pub(crate) growth: u64,
    /// Stack used, in KiB.
    pub(crate) stack: u64,
}

/// Limits of a process that compiles expressions.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// A thread's stack, and how much of it is used before, in KiB.
    pub(crate) stack: u64,
    pub(crate) used: u64,
    /// Memory in MiB.
    pub(crate) memory: u64,
    /// Time in milliseconds.
    pub(crate) time: u64,
}

/// multipathd's threads with the smallest stacks.
pub(crate) const THREAD: Limits = Limits {
    stack: 64,
    used: 16,
    memory: 100,
    time: 2_000,
};

/// The main thread.
pub(crate) const MAIN: Limits = Limits {
    stack: 8 * 1024,
    ..THREAD
};

/// The program, compiled once.
static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/regcomp/judge.c");
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("regcomp-judge");
    let status = Command::new("cc")
        .args(["-O2", "-Wall", "-Wextra", "-Werror", "-pthread", "-o"])
        .args([&program, &source])
        .status();
    assert!(status.expect("a C compiler").success());
    program
});

/// An expression, and texts to match it with.
pub(crate) type Question = (Vec<u8>, Vec<Vec<u8>>);

/// A C library.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Library<'p> {
    /// This machine's.
    Own,
    /// That of the Debian release in this tree.
    Of(&'p Path),
}

/// Asks glibc about expressions.
pub(crate) fn ask(questions: &[Question], limits: Limits, library: Library<'_>) -> Vec<Answer> {
    let numbers = [limits.stack, limits.used, limits.memory, limits.time];
    let mut command = match library {
        Library::Own => Command::new(&*PROGRAM),
        Library::Of(tree) => {
            // not the link in lib64, which in one of them leads out of the tree
            let libraries = tree.join("lib/x86_64-linux-gnu");
            let mut command = Command::new(libraries.join("ld-linux-x86-64.so.2"));
            command.arg("--library-path").arg(libraries);
            command.arg(&*PROGRAM);
            command
        }
    };
    let mut child = command
        .args(numbers.map(|number| number.to_string()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the judge");
    // it reads all before it answers
    let mut input = child.stdin.take().expect("its input");
    for (expression, texts) in questions {
        let words = std::iter::once(expression).chain(texts);
        let line: Vec<String> = words.map(|word| hexadecimal(word)).collect();
        writeln!(input, "{}", line.join(" ")).expect("its input");
    }
    drop(input);
    let output = child.wait_with_output().expect("its output");
    assert!(output.status.success(), "{:?}", output.status);
    let output = String::from_utf8(output.stdout).expect("a text");
    let answers: Vec<Answer> = output.lines().map(answer).collect();
    assert_eq!(answers.len(), questions.len());
    answers
}

fn hexadecimal(bytes: &[u8]) -> String {
    match bytes {
        [] => "-".to_owned(),
        _ => bytes
            .iter()
            .fold(String::new(), |text, byte| text + &format!("{byte:02x}")),
    }
}

fn answer(line: &str) -> Answer {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [verdict @ .., microseconds, growth, stack] = &words[..] else {
        panic!("{line}");
    };
    let number = |word: &str| word.parse().unwrap_or_else(|_| panic!("{line}"));
    Answer {
        verdict: match verdict {
            ["ok", hits @ ..] => {
                let hits = hits.concat();
                Verdict::Hits(hits.chars().map(|hit| hit == '1').collect())
            }
            ["invalid"] => Verdict::Invalid,
            other => Verdict::Deadly(other.join(" ")),
        },
        microseconds: number(microseconds),
        growth: number(growth),
        stack: number(stack),
    }
}
