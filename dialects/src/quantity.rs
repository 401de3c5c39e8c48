//! Kubernetes quantities, read exactly: `100m`, `1.5Gi`, `2e3`.

use std::fmt;

/// The rule that a quantity must follow, for people.
pub const RULE: &str = "a quantity is a number with an optional suffix n, u, m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei or exponent, such as 100m, 1.5Gi or 2e3";

/// Why a text is not a quantity that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It does not follow [`RULE`].
    #[error("{RULE}")]
    Malformed,
    /// It is below zero.
    #[error("it must not be negative")]
    Negative,
    /// It does not fit into 63 bits in the unit at hand.
    #[error("it is too large")]
    TooLarge,
}

/// An amount of at least zero, exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantity {
    digits: u128,
    /// Power of ten.
    decimal: i32,
    /// Power of two.
    binary: u32,
}

/// More digits than this do not change an amount that fits into 63 bits, whatever the suffix.
const MAX_DIGITS: usize = 30;

impl Quantity {
    /// Reads a quantity.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, suffix) = rest.split_at_checked(number_end).ok_or(Error::Malformed)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return Err(Error::Malformed);
        }
        let fraction = fraction.trim_end_matches('0');
        let digits: String = [whole.trim_start_matches('0'), fraction].concat();
        let (exponent, binary) = scale(suffix)?;
        if negative && digits.bytes().any(|b| b != b'0') {
            return Err(Error::Negative);
        }
        if digits.len() > MAX_DIGITS {
            return Err(Error::TooLarge);
        }
        let digits = if digits.is_empty() { 0 } else { digits.parse().map_err(|_| Error::TooLarge)? };
        let places = i32::try_from(fraction.len()).map_err(|_| Error::TooLarge)?;
        Ok(Self { digits, decimal: exponent - places, binary })
    }

    /// In whole units (bytes), rounded up as Kubernetes does.
    pub fn units(self) -> Result<u64, Error> {
        self.scaled(0)
    }

    /// In thousandths (of a cpu), rounded up as Kubernetes does.
    pub fn millis(self) -> Result<u64, Error> {
        self.scaled(3)
    }

    fn scaled(self, shift: i32) -> Result<u64, Error> {
        if self.digits == 0 {
            return Ok(0);
        }
        let power = self.decimal + shift;
        let value = self.digits.checked_mul(1_u128.checked_shl(self.binary).ok_or(Error::TooLarge)?);
        let value = value.ok_or(Error::TooLarge)?;
        let value = match 10_u128.checked_pow(power.unsigned_abs()) {
            Some(factor) if power >= 0 => value.checked_mul(factor).ok_or(Error::TooLarge)?,
            Some(divisor) => value.div_ceil(divisor),
            None if power >= 0 => return Err(Error::TooLarge),
            // Less than one unit of whatever size.
            None => 1,
        };
        i64::try_from(value).map(i64::unsigned_abs).map_err(|_| Error::TooLarge)
    }
}

/// The powers of ten and of two of a suffix.
fn scale(suffix: &str) -> Result<(i32, u32), Error> {
    Ok(match suffix {
        "n" => (-9, 0),
        "u" => (-6, 0),
        "m" => (-3, 0),
        "" => (0, 0),
        "k" => (3, 0),
        "M" => (6, 0),
        "G" => (9, 0),
        "T" => (12, 0),
        "P" => (15, 0),
        "E" => (18, 0),
        "Ki" => (0, 10),
        "Mi" => (0, 20),
        "Gi" => (0, 30),
        "Ti" => (0, 40),
        "Pi" => (0, 50),
        "Ei" => (0, 60),
        _ => {
            let exponent = suffix.strip_prefix(['e', 'E']).ok_or(Error::Malformed)?;
            let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                return Err(Error::Malformed);
            }
            // A power beyond this is zero or too large for every amount.
            (exponent.parse::<i32>().ok().filter(|e| e.unsigned_abs() <= 1_000).ok_or(Error::TooLarge)?, 0)
        }
    })
}

/// Thousandths as a quantity: `100m`, `2`.
#[derive(Debug, Clone, Copy)]
pub struct Millis(pub u64);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(1_000) { write!(f, "{}", self.0 / 1_000) } else { write!(f, "{}m", self.0) }
    }
}

/// Bytes as a quantity with the largest binary suffix that is exact: `256Mi`, `1000`.
#[derive(Debug, Clone, Copy)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let largest = [("Ei", 60), ("Pi", 50), ("Ti", 40), ("Gi", 30), ("Mi", 20), ("Ki", 10)]
            .into_iter()
            .find(|(_, power)| self.0 != 0 && self.0.trailing_zeros() >= *power);
        match largest {
            Some((suffix, power)) => write!(f, "{}{suffix}", self.0 >> power),
            None => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn suffixes_and_exponents_are_exact_and_round_up() {
        let units = |text: &str| Quantity::parse(text).and_then(Quantity::units);
        for (text, value) in [
            ("0", 0),
            ("1", 1),
            ("+1.", 1),
            (".5", 1),
            ("1.5Gi", 1_610_612_736),
            ("1Ki", 1_024),
            ("1k", 1_000),
            ("1.1G", 1_100_000_000),
            ("1e3", 1_000),
            ("1E3", 1_000),
            ("1E", 1_000_000_000_000_000_000),
            ("12e-1", 2),
            ("1n", 1),
            ("1e-999", 1),
            ("00012", 12),
            ("7Ei", 8_070_450_532_247_928_832),
            ("-0", 0),
        ] {
            assert_eq!(units(text), Ok(value), "{text}");
        }
        assert_eq!(Quantity::parse("100m").and_then(Quantity::millis), Ok(100));
        assert_eq!(Quantity::parse("0.1").and_then(Quantity::millis), Ok(100));
        assert_eq!(Quantity::parse("2").and_then(Quantity::millis), Ok(2_000));
    }

    #[test]
    fn what_breaks_the_rule_is_refused() {
        for text in ["", "lots", "1.2.3", ".", "1 Gi", "1gi", "1Gii", "1e", "1e+", "0x1", "1K", "١"] {
            assert_eq!(Quantity::parse(text), Err(Error::Malformed), "{text:?}");
        }
        assert_eq!(Quantity::parse("-1"), Err(Error::Negative));
        for text in ["8Ei", "1e30", "99999999999999999999", "1e99999999999"] {
            assert_eq!(Quantity::parse(text).and_then(Quantity::units), Err(Error::TooLarge), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(value in 0..i64::MAX as u64) {
            prop_assert_eq!(Quantity::parse(&Bytes(value).to_string()).and_then(Quantity::units), Ok(value));
            prop_assert_eq!(Quantity::parse(&Millis(value).to_string()).and_then(Quantity::millis), Ok(value));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[+-]?[0-9.]{0,40}[eEinumkKMGTP]{0,3}[-+]?[0-9]{0,12}") {
            let _ = Quantity::parse(&text).map(|q| (q.units(), q.millis()));
        }
    }
}
