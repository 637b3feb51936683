//! Scalars that GraphQL does not bring, and the exact reading of decimal numbers.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};

/// An integer of up to 53 bits, as a JSON number: exact in JavaScript too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Long(pub i64);

/// The largest integer that a JavaScript number holds exactly.
const LARGEST: i64 = (1 << 53) - 1;

/// An integer between -(2^53-1) and 2^53-1, written as a JSON number.
#[Scalar(name = "Long")]
impl ScalarType for Long {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::Number(number) => match number.as_i64() {
                Some(integer) if (-LARGEST..=LARGEST).contains(&integer) => Ok(Long(integer)),
                _ => Err(InputValueError::custom("a Long is an integer of at most 53 bits")),
            },
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::from(self.0)
    }
}

/// An amount of US dollars to six decimals, counted in millionths; as text on the wire, so that no client rounds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decimal(pub i64);

/// A decimal number in a string, such as "0.002153": an amount of US dollars, exact to the millionth.
#[Scalar(name = "Decimal")]
impl ScalarType for Decimal {
    fn parse(value: Value) -> InputValueResult<Self> {
        let text = match &value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return Err(InputValueError::expected_type(value)),
        };
        match scaled(&text, 6) {
            Some((millionths, true)) => Ok(Decimal(millionths)),
            Some((_, false)) => Err(InputValueError::custom("a Decimal has at most six decimals")),
            None => Err(InputValueError::custom(
                "a Decimal is a number such as \"0.25\", not below zero",
            )),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.to_string())
    }
}

impl std::fmt::Display for Decimal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, rest) = (self.0.unsigned_abs() / 1_000_000, self.0.unsigned_abs() % 1_000_000);
        if rest == 0 {
            return write!(formatter, "{sign}{whole}");
        }
        let decimals = format!("{rest:06}");
        write!(formatter, "{sign}{whole}.{}", decimals.trim_end_matches('0'))
    }
}

/// Reads a number that is not below zero, such as `0.15` or `1.5e-07`, in units of `10^-places`. What is finer is rounded
/// half up, and then the second value is false. None for what is no such number or is too large.
pub fn scaled(text: &str, places: i32) -> Option<(i64, bool)> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, decimals].concat();
    let well_formed = !whole.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit()) && digits.len() <= 30;
    if !well_formed {
        return None;
    }
    let number: u128 = digits.parse().ok()?;
    let shift = exponent
        .checked_add(places)?
        .checked_sub(i32::try_from(decimals.len()).ok()?)?;
    if number == 0 {
        return Some((0, true));
    }
    let power = 10u128.checked_pow(shift.unsigned_abs());
    if shift >= 0 {
        return Some((i64::try_from(number.checked_mul(power?)?).ok()?, true));
    }
    // Finer than a u128 has digits: nothing is left of it.
    let Some(power) = power else { return Some((0, false)) };
    let rounded = number / power + u128::from(number % power >= power.div_ceil(2));
    Some((i64::try_from(rounded).ok()?, number.is_multiple_of(power)))
}

#[cfg(test)]
mod tests {
    use super::{Decimal, scaled};

    #[test]
    fn numbers_are_read_exactly() {
        for (text, places, read) in [
            ("0", 6, Some((0, true))),
            ("1.25", 6, Some((1_250_000, true))),
            ("0.000001", 6, Some((1, true))),
            ("0.0000005", 6, Some((1, false))),
            ("0.0000004", 6, Some((0, false))),
            ("7.5e-08", 12, Some((75_000, true))),
            ("5.46875e-07", 12, Some((546_875, true))),
            ("1E-6", 12, Some((1_000_000, true))),
            ("3e2", 6, Some((300_000_000, true))),
            ("1e-60", 12, Some((0, false))),
            ("0.1", 12, Some((100_000_000_000, true))),
            ("-1", 6, None),
            ("", 6, None),
            (".5", 6, None),
            ("1.", 6, Some((1_000_000, true))),
            ("1e", 6, None),
            ("1e99", 6, None),
            ("NaN", 6, None),
            ("1,5", 6, None),
            ("99999999999999999999", 6, None),
        ] {
            assert_eq!(scaled(text, places), read, "{text}");
        }
    }

    #[test]
    fn amounts_are_written_without_needless_zeros() {
        for (millionths, text) in [
            (0, "0"),
            (1, "0.000001"),
            (75_000, "0.075"),
            (1_250_000, "1.25"),
            (3_000_000, "3"),
            (-1_500_000, "-1.5"),
        ] {
            assert_eq!(Decimal(millionths).to_string(), text);
        }
    }
}
