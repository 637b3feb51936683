//! Pages: keyset underneath, Relay connections on top, written once.
//!
//! A [`Window`] says which rows to fetch; the query takes `limit + 1` of them in reading direction, and
//! [`Window::connection`] puts them in order and knows whether there are more.

use async_graphql::OutputType;
use async_graphql::connection::{Connection, CursorType, Edge, OpaqueCursor};
use chrono::{DateTime, Datelike, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Error, Result};

/// The most rows in a page.
pub const MOST: i64 = 100;

/// A Relay connection whose cursors hold a keyset `K`.
pub type Page<K, N> = Connection<OpaqueCursor<K>, N>;

/// Relay's four arguments as they came.
#[derive(Debug, Default)]
pub struct PageArguments {
    /// How many from the start.
    pub first: Option<i32>,
    /// Only those after this cursor.
    pub after: Option<String>,
    /// How many from the end.
    pub last: Option<i32>,
    /// Only those before this cursor.
    pub before: Option<String>,
}

/// The part of a list that was asked for.
#[derive(Debug)]
pub struct Window<K> {
    /// Rows after this key.
    pub after: Option<K>,
    /// Rows before this key.
    pub before: Option<K>,
    /// Whether the rows are wanted from the end.
    pub backwards: bool,
    limit: i64,
}

impl<K: Serialize + DeserializeOwned + Send + Sync> Window<K> {
    /// Reads Relay's arguments; without `first` and `last` the page has `default` rows from the start.
    ///
    /// # Errors
    /// [`Error::BadInput`] for sizes outside `0..=100`, both ends at once, and cursors that are not ours.
    pub fn forward(arguments: PageArguments, default: i64) -> Result<Self> {
        Self::parse(arguments, default, false)
    }

    /// The same, with the default page at the end of the list, where a chat's newest messages are.
    ///
    /// # Errors
    /// As [`Window::forward`].
    pub fn from_end(arguments: PageArguments, default: i64) -> Result<Self> {
        let backwards = arguments.first.is_none();
        Self::parse(arguments, default, backwards)
    }

    fn parse(arguments: PageArguments, default: i64, backwards_by_default: bool) -> Result<Self> {
        let (limit, backwards) = match (arguments.first, arguments.last) {
            (Some(_), Some(_)) => return Err(Error::BadInput("Give either `first` or `last`, not both.".into())),
            (Some(first), None) => (size("first", first)?, false),
            (None, Some(last)) => (size("last", last)?, true),
            (None, None) => (default, backwards_by_default),
        };
        Ok(Window {
            after: key("after", arguments.after)?,
            before: key("before", arguments.before)?,
            backwards,
            limit,
        })
    }

    /// How many rows the query has to fetch: one more than the page, to see whether there are more.
    pub fn fetch(&self) -> i64 {
        self.limit + 1
    }

    /// Makes the page of the fetched rows, which come in reading direction (from the end when backwards).
    pub fn connection<N: OutputType>(self, mut rows: Vec<N>, key: impl Fn(&N) -> K) -> Page<K, N> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        if self.backwards {
            rows.reverse();
        }
        let (previous, next) = if self.backwards {
            (more, self.before.is_some())
        } else {
            (self.after.is_some(), more)
        };
        let mut connection = Connection::new(previous, next);
        connection
            .edges
            .extend(rows.into_iter().map(|row| Edge::new(OpaqueCursor(key(&row)), row)));
        connection
    }
}

fn size(name: &str, value: i32) -> Result<i64> {
    let value = i64::from(value);
    if (0..=MOST).contains(&value) {
        return Ok(value);
    }
    Err(Error::BadInput(format!(
        "`{name}` must be between 0 and {MOST}; ask for more with a cursor."
    )))
}

fn key<K: Serialize + DeserializeOwned + Send + Sync>(name: &str, cursor: Option<String>) -> Result<Option<K>> {
    let Some(cursor) = cursor else { return Ok(None) };
    match OpaqueCursor::decode_cursor(&cursor) {
        Ok(OpaqueCursor(key)) if serde_json::to_value(&key).is_ok_and(|key| is_known_to_postgres(&key)) => {
            Ok(Some(key))
        }
        _ => Err(Error::BadInput(format!("`{name}` is not a cursor of this list."))),
    }
}

/// Whether a key, which anybody may have made up, is of what Postgres has: texts hold no NUL, moments are of our era.
fn is_known_to_postgres(key: &Value) -> bool {
    match key {
        Value::String(text) => {
            let is_ours = |moment: DateTime<Utc>| (0..=9999).contains(&moment.year());
            !text.contains('\0') && text.parse().map_or(true, is_ours)
        }
        Value::Array(parts) => parts.iter().all(is_known_to_postgres),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::connection::{CursorType, OpaqueCursor};
    use chrono::{DateTime, Utc};

    use super::key;

    #[test]
    fn cursors_that_somebody_made_up_are_refused() {
        let read = |moment: DateTime<Utc>, text: &str| {
            let cursor = OpaqueCursor((moment, text.to_owned())).encode_cursor();
            key::<(DateTime<Utc>, String)>("after", Some(cursor))
        };
        assert!(read(DateTime::UNIX_EPOCH, "a-1").is_ok_and(|key| key.is_some()));
        for (moment, text) in [
            (DateTime::UNIX_EPOCH, "a\0"),
            (DateTime::<Utc>::MIN_UTC, "a"),
            (DateTime::<Utc>::MAX_UTC, "a"),
        ] {
            let refusal = read(moment, text).expect_err("nothing that Postgres has");
            assert_eq!(refusal.to_string(), "`after` is not a cursor of this list.");
        }
    }
}
