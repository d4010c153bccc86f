//! Expressions that the C library cannot cope with: multipathd would crash, hang, or take all memory.
//!
//! The limits are in `regex`, those of a whole text here. docs/expressions.md says how they were found.

use std::borrow::Cow;

use super::finding::{Finding, FindingCode, Position, Remark, quoted};
use super::regex::{self, Burden, Stack, TooHeavy};

/// A value with expressions in it.
#[derive(Debug)]
pub(super) struct Expression<'t> {
    pub usage: Usage,
    pub value: Cow<'t, str>,
    pub position: Position,
}

/// What becomes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Usage {
    /// It is compiled once, by the main thread.
    Once,
    /// That too, and tried on the names of libraries.
    Foreign,
    /// It is compiled for each path, in small threads too.
    EachPath,
    /// The words of it are, if a path has the prioritizer `weightedpath`.
    Arguments,
}

impl Expression<'_> {
    /// What it takes, or the expression in it that is too heavy, and why.
    fn burden(&self) -> Result<Burden, (String, TooHeavy)> {
        let stack = match self.usage {
            Usage::Once | Usage::Foreign => Stack::Large,
            Usage::EachPath | Usage::Arguments => Stack::Small,
        };
        let refused = |part: &str, why| (part.to_owned(), why);
        if self.usage != Usage::Arguments {
            return regex::burden(&self.value, stack).map_err(|why| refused(&self.value, why));
        }
        // libmultipath/prioritizers/weightedpath.c
        let mut words = self
            .value
            .split([' ', '\t'])
            .filter(|word| !word.is_empty());
        if !matches!(words.next(), Some("hbtl" | "devname" | "serial" | "wwn")) {
            return Ok(Burden::default());
        }
        let mut steps = 0;
        for part in words.step_by(2) {
            steps += regex::steps(part, stack).map_err(|why| refused(part, why))?;
            if steps > stack.most_steps() {
                return Err(refused(&self.value, TooHeavy::Steps));
            }
        }
        // nothing of it stays
        Ok(Burden::default())
    }
}

/// Most memory that the expressions of a text may take, in bytes.
const MOST_MEMORY: u64 = 64 * 1024 * 1024;

/// Most steps that all expressions of a text may take to compile.
const MOST_STEPS: u64 = 1_000_000;

/// Most steps that those which are compiled for each path may take.
const MOST_STEPS_OF_A_PATH: u64 = 200_000;

/// Most expressions that are refused, each for itself.
const MOST_REFUSED: usize = 20;

/// What is taken of those limits.
#[derive(Default)]
struct Sum {
    memory: u64,
    steps: u64,
    steps_of_a_path: u64,
}

impl Sum {
    fn add(&mut self, usage: Usage, burden: Burden) {
        self.memory += burden.memory();
        self.steps += burden.steps;
        if usage == Usage::EachPath {
            self.steps_of_a_path += burden.steps;
        }
    }

    fn is_too_much(&self) -> bool {
        self.memory > MOST_MEMORY
            || self.steps > MOST_STEPS
            || self.steps_of_a_path > MOST_STEPS_OF_A_PATH
    }
}

/// Finds expressions that are too heavy, and where they are so together.
pub(super) fn check(expressions: &[Expression<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut sum = Sum::default();
    for expression in expressions {
        let at = expression.position;
        let refused = |message: String, instead: &str| {
            let remark = Remark::error(FindingCode::HeavyExpression, message);
            remark.instead(instead).at(at)
        };
        if findings.len() >= MOST_REFUSED {
            let message = "expressions from here on are not looked at: too many are too heavy";
            findings.push(refused(message.to_owned(), "mend those above first"));
            break;
        }
        match expression.burden() {
            Ok(burden) => {
                sum.add(expression.usage, burden);
                findings.extend(of_foreign(expression));
            }
            Err((part, reason)) => {
                let part = quoted(&part);
                let message = format!("{part} can crash multipathd or take it long: {reason}");
                findings.push(refused(message, reason.instead()));
            }
        }
        if sum.is_too_much() {
            let message = "the expressions up to this one are too heavy together: \
                multipathd would take long, or too much memory";
            findings.push(refused(
                message.to_owned(),
                "remove some, or write them with fewer repetitions",
            ));
            break;
        }
    }
    findings
}

/// `multipath -t` does not compile this one; the others log why they go on without the libraries.
fn of_foreign(expression: &Expression<'_>) -> Option<Finding> {
    if expression.usage != Usage::Foreign {
        return None;
    }
    let reason = regex::check_plain(&expression.value).err()?;
    let value = quoted(&expression.value);
    let message = format!(
        "'enable_foreign' {value} is no extended regular expression ({reason}), \
        and counts like NONE: devices with the kernel's own multipath are not shown"
    );
    let remark = Remark::warning(FindingCode::ReadAsOther, message);
    Some(remark.instead("write NONE or nvme").at(expression.position))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(usage: Usage, values: impl Iterator<Item = String>) -> usize {
        let expressions = values.map(|value| Expression {
            usage,
            value: value.into(),
            position: Position { line: 1, column: 1 },
        });
        check(&expressions.collect::<Vec<_>>()).len()
    }

    #[test]
    fn large_texts_are_accepted() {
        let wwids = (0..4_000).map(|number| format!("36001405aabbccddeeff00112233{number:04}"));
        assert_eq!(refused(Usage::Once, wwids), 0);
        let patterns = (0..800).map(|_| "^3600[0-9a-f]{28}$".to_owned());
        assert_eq!(refused(Usage::Once, patterns), 0);
        let names = (0..1_000).map(|number| format!("^(sd|nvme)[a-z0-9]+{number}$"));
        assert_eq!(refused(Usage::Once, names), 0);
        let products = (0..1_500).map(|number| format!("^(DISK|LUN)-{number}.*"));
        assert_eq!(refused(Usage::EachPath, products), 0);
    }

    #[test]
    fn long_lists_are_accepted() {
        let list = |count: usize| {
            let words: Vec<String> = (0..count).map(|number| format!("{number:03x}")).collect();
            std::iter::once(format!("^({})$", words.join("|")))
        };
        assert_eq!(refused(Usage::Once, list(240)), 0);
        assert_eq!(refused(Usage::EachPath, list(100)), 0);
    }

    #[test]
    fn sums_are_refused() {
        let steps = (0..1_000).map(|number| format!("(x?){{40}}{number}"));
        assert_eq!(refused(Usage::EachPath, steps), 1);
        let states = (0..2_000).map(|number| format!("[0-9]{{100}}{number}"));
        assert_eq!(refused(Usage::Once, states), 1);
    }
}
