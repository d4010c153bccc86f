//! Numbers as Perl has them.

use std::fmt;

use serde::{Serialize, Serializer};

/// A number without a sign.
///
/// Perl keeps integers of up to 64 bits, and converts larger ones to floating point numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// Up to 18446744073709551615.
    Integer(u64),
    /// A larger number, rounded, or one with a fraction.
    Float(f64),
}

impl Number {
    /// Parses decimal digits; none if there is any other character.
    pub fn from_digits(digits: &str) -> Option<Self> {
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        match digits.parse() {
            Ok(number) => Some(Self::Integer(number)),
            Err(_) => digits.parse().ok().map(Self::Float),
        }
    }

    /// Whether Perl prints an integer that does not fit into 64 bits like this.
    pub fn is_large(text: &str) -> bool {
        const BEYOND: f64 = 18_446_744_073_709_551_616.0;
        let number = match text {
            "Inf" => f64::INFINITY,
            _ => text.parse().unwrap_or(0.0),
        };
        // rounded to Perl's 15 digits, the number may be a little less
        number > BEYOND * 0.999 && Self::Float(number).to_string() == text
    }

    /// The number as a floating point number, rounded if it is large.
    pub fn as_f64(self) -> f64 {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "only compared by size")]
            Self::Integer(number) => number as f64,
            Self::Float(number) => number,
        }
    }
}

impl fmt::Display for Number {
    /// As Perl prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Integer(number) => number.fmt(f),
            Self::Float(number) => fmt_float(number, f),
        }
    }
}

impl Serialize for Number {
    /// Integers beyond `i64` become texts, as with Storable's `dclone`, which PVE::Cluster applies to
    /// every configuration that it hands out.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Integer(number) => match i64::try_from(number) {
                Ok(number) => serializer.serialize_i64(number),
                Err(_) => serializer.collect_str(&number),
            },
            Self::Float(number) => serializer.serialize_f64(number),
        }
    }
}

/// C's `%.15g`.
fn fmt_float(number: f64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if number.is_nan() {
        return f.write_str("NaN");
    }
    if number.is_infinite() {
        return f.write_str(if number > 0.0 { "Inf" } else { "-Inf" });
    }

    let scientific = format!("{number:.14e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let strip = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };

    if (-4..15).contains(&exponent) {
        let decimals = usize::try_from(14 - exponent).unwrap_or(0);
        f.write_str(&strip(&format!("{number:.decimals$}")))
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        write!(f, "{}e{sign}{:02}", strip(mantissa), exponent.abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // From `perl -e 'print $number + 0'`.
    #[test]
    fn printed_as_perl_prints_it() {
        for (digits, printed) in [
            ("0", "0"),
            ("018", "18"),
            ("18446744073709551615", "18446744073709551615"),
            ("18446744073709551616", "1.84467440737096e+19"),
            ("99999999999999999999", "1e+20"),
            ("123456789012345678901234567890", "1.23456789012346e+29"),
            ("000000000000000000000000000007", "7"),
            (&"9".repeat(310), "Inf"),
        ] {
            let number = Number::from_digits(digits).map(|n| n.to_string());
            assert_eq!(number.as_deref(), Some(printed), "{digits}");
        }
        for (number, printed) in [
            (1.5, "1.5"),
            (0.1 + 0.2, "0.3"),
            (1e15, "1e+15"),
            (123_456_789_012_345.0, "123456789012345"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (-2.5, "-2.5"),
        ] {
            assert_eq!(Number::Float(number).to_string(), printed);
        }
        for text in [
            "1e+20",
            "1.84467440737096e+19",
            "Inf",
            "1.23456789012346e+29",
        ] {
            assert!(Number::is_large(text), "{text}");
        }
        for text in [
            "5",
            "1e3",
            "1e+3",
            "1.5",
            "18446744073709551615",
            "",
            "inf",
            "-Inf",
            "1e20",
            "NaN",
        ] {
            assert!(!Number::is_large(text), "{text}");
        }
        assert_eq!(Number::from_digits(""), None);
        assert_eq!(Number::from_digits("+5"), None);
    }
}
