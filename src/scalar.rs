//! Scalars that GraphQL does not bring.

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
