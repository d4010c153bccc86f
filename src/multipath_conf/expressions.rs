//! Expressions that would crash multipathd, or cost it too much time or memory.
//!
//! The limits for one expression are in `regex`, those for a text here. docs/expressions.md says
//! how they were measured.

use std::borrow::Cow;

use super::finding::{Finding, FindingCode, Position, Remark, quoted};
use super::regex::{self, Burden, Stack, TooHeavy};

/// A value that is an expression or contains some.
#[derive(Debug)]
pub(super) struct ExpressionValue<'t> {
    pub usage: Usage,
    pub value: Cow<'t, str>,
    pub position: Position,
}

/// Where the expressions of a value are compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Usage {
    /// Once for each time that the configuration is read, in the main thread.
    Once,
    /// The same; it is matched with the names of foreign libraries.
    Foreign,
    /// For each path, also in threads with small stacks.
    EachPath,
    /// Each second word, for each path with the prioritizer `weightedpath`.
    Arguments,
}

impl ExpressionValue<'_> {
    /// What it costs, or the expression that costs too much, and why.
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
        // they are freed at once
        Ok(Burden::default())
    }
}

/// Most memory for the expressions of a text, in bytes.
const MOST_MEMORY: u64 = 64 * 1024 * 1024;

/// Most steps to compile all expressions of a text.
const MOST_STEPS: u64 = 1_000_000;

/// Most steps to compile those that are compiled for each path.
const MOST_STEPS_OF_A_PATH: u64 = 200_000;

/// Most expressions that are refused one by one.
const MOST_REFUSED: usize = 20;

/// The total cost so far.
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

/// Finds expressions that cost too much, each or together.
pub(super) fn check(expressions: &[ExpressionValue<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut sum = Sum::default();
    for expression in expressions {
        let at = expression.position;
        let refused = |message: String, instead: &str| {
            let remark = Remark::error(FindingCode::HeavyExpression, message);
            remark.instead(instead).at(at)
        };
        if findings.len() >= MOST_REFUSED {
            let message =
                "expressions from here on are not checked: too many above are too expensive";
            findings.push(refused(message.to_owned(), "fix those above first"));
            break;
        }
        match expression.burden() {
            Ok(burden) => {
                sum.add(expression.usage, burden);
                findings.extend(of_foreign(expression));
            }
            Err((part, reason)) => {
                let part = quoted(&part);
                let message =
                    format!("{part} can crash multipathd or keep it busy for long: {reason}");
                findings.push(refused(message, reason.instead()));
            }
        }
        if sum.is_too_much() {
            let message = "the expressions up to this one are too expensive together: \
                multipathd would need too much time or memory";
            findings.push(refused(
                message.to_owned(),
                "remove some, or use fewer repetitions",
            ));
            break;
        }
    }
    findings
}

/// An invalid `enable_foreign`: `multipath -t` does not compile it, multipathd and `multipath -ll`
/// log it and go on without the foreign libraries.
fn of_foreign(expression: &ExpressionValue<'_>) -> Option<Finding> {
    if expression.usage != Usage::Foreign {
        return None;
    }
    let reason = regex::check_plain(&expression.value).err()?;
    let value = quoted(&expression.value);
    let message = format!(
        "'enable_foreign' {value} is not a valid extended regular expression ({reason}) \
        and counts as NONE: devices with the kernel's native multipathing are not shown"
    );
    let remark = Remark::warning(FindingCode::ReadAsOther, message);
    Some(remark.instead("use NONE or nvme").at(expression.position))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(usage: Usage, values: impl Iterator<Item = String>) -> usize {
        let expressions = values.map(|value| ExpressionValue {
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
