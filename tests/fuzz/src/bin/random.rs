//! Feeds a target with random changes of the project's fixtures, always the same ones.
//!
//! usage: random TARGET [INPUTS]        SEED=NUMBER tries others
//!        random TARGET FILE            the input in this file
//!        random TARGET --seeds DIR     writes what it would begin with to DIR, and DIR.words
//!        random --list                 the names of the targets
//!
//! The input at work is in target/fuzz/TARGET.input, also when the program is killed. One for which
//! something does not hold is made smaller first, and the exit code is 1. It is 3 if the target cannot
//! run here.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use pve_multipath_fuzz::mutate::mutate;
use pve_multipath_fuzz::{Rng, Run, TARGETS, Target, root};

/// Greatest length of an input.
const MAX_LEN: usize = 16 * 1024;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if let ["--list"] = arguments[..] {
        for target in TARGETS {
            println!("{}", target.name);
        }
        return ExitCode::SUCCESS;
    }
    let target = arguments.first().and_then(|name| Target::find(name));
    let Some(target) = target else {
        eprintln!("usage: random TARGET [INPUTS | FILE | --seeds DIR], or random --list");
        return ExitCode::from(2);
    };
    if let ["--seeds", folder] = arguments[1..] {
        write_seeds(target, Path::new(folder));
        return ExitCode::SUCCESS;
    }
    let run = match (target.start)() {
        Ok(run) => run,
        Err(missing) => {
            println!("{}: {missing}", target.name);
            return ExitCode::from(3);
        }
    };
    match arguments
        .get(1)
        .map(|argument| (argument, argument.parse()))
    {
        None => fuzz(target, &run, target.inputs),
        Some((_, Ok(inputs))) => fuzz(target, &run, inputs),
        Some((file, Err(_))) => {
            let input = fs::read(file).unwrap_or_else(|err| panic!("{file}: {err}"));
            println!("{file}: gets far: {}", run(&input));
            ExitCode::SUCCESS
        }
    }
}

/// A file for each text, and one with the words as libFuzzer takes them.
fn write_seeds(target: &Target, folder: &Path) {
    let pool = target.pool();
    fs::create_dir_all(folder).expect("the folder for seeds");
    for (index, text) in pool.texts.iter().enumerate() {
        fs::write(folder.join(format!("seed-{index:04}")), text).expect("a seed");
    }
    let quoted = pool.words.iter().map(|word| {
        let bytes = word.iter().map(|byte| format!("\\x{byte:02x}"));
        format!("\"{}\"\n", bytes.collect::<String>())
    });
    fs::write(folder.with_extension("words"), quoted.collect::<String>()).expect("the words");
}

fn fuzz(target: &Target, run: &Run, inputs: u64) -> ExitCode {
    let seed = std::env::var("SEED").ok();
    let seed = seed.and_then(|seed| seed.parse().ok()).unwrap_or(0);
    let mut rng = Rng(seed);
    let mut pool = target.pool();
    let first = pool.texts.clone();
    let at_work = root()
        .join("target/fuzz")
        .join(format!("{}.input", target.name));
    let start = Instant::now();
    for count in 0..inputs {
        let next = usize::try_from(count)
            .ok()
            .and_then(|count| first.get(count));
        let input = next.cloned().unwrap_or_else(|| {
            let mut input = rng.pick(&pool.texts).clone();
            mutate(&mut input, &pool, &mut rng);
            input.truncate(MAX_LEN);
            input
        });
        fs::write(&at_work, &input).expect("the file for the input at work");
        match catch_unwind(AssertUnwindSafe(|| run(&input))) {
            Ok(false) => {}
            // those of the fixtures stay, and as many others come and go
            Ok(true) if pool.texts.len() < 2 * first.len() => pool.texts.push(input),
            Ok(true) => {
                let place = first.len() + rng.below(first.len());
                pool.texts[place] = input;
            }
            Err(_) => {
                let input = smaller(run, input);
                fs::write(&at_work, &input).expect("the file for the input at work");
                println!("{}: FAILED (SEED={seed}, input {count}) for", target.name);
                println!("{:?}", String::from_utf8_lossy(&input));
                println!("which is in {}", at_work.display());
                return ExitCode::FAILURE;
            }
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("{}: {inputs} inputs in {seconds:.1} s", target.name);
    ExitCode::SUCCESS
}

/// As little of an input as fails as well.
fn smaller(run: &Run, mut input: Vec<u8>) -> Vec<u8> {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut step = input.len().div_ceil(2);
    while step > 0 {
        let mut at = 0;
        while at < input.len() {
            let mut less = input.clone();
            less.drain(at..(at + step).min(input.len()));
            match catch_unwind(AssertUnwindSafe(|| run(&less))) {
                Ok(_) => at += step,
                Err(_) => input = less,
            }
        }
        step /= 2;
    }
    std::panic::set_hook(hook);
    let _ = catch_unwind(AssertUnwindSafe(|| run(&input))); // says why
    input
}
