//! Finding people: by the beginning of their user name or of a word of their display name, by their e-mail address only
//! when all of it is given.
//!
//! Deactivated accounts are never found. People who block whoever searches are, as ever: to be found no more would tell
//! that one is blocked.

use diesel::sql_types::{BigInt, Integer, Nullable, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use crate::account::user::User;
use crate::db::Connection;
use crate::error::{Error, Result};
use crate::id::UserId;
use crate::input;
use crate::page::Window;

/// The longest query, in characters: as long as the longest e-mail address.
const LONGEST: usize = 254;
/// The shortest query, in characters: what is shorter finds everybody.
const SHORTEST: usize = 2;

/// What finds of this rank come before those of higher ones.
const BY_EMAIL: i32 = 0;
const BY_USERNAME: i32 = 1;
const BY_NAME: i32 = 2;

/// What found people are ordered by: how well they fit, then the user name.
pub type FoundKey = (i32, String);

/// The statement that finds people. `$1` and `$2` are the key of the last one of the page before, `$3` an e-mail address,
/// `$4` to `$5` a range of user names of which all before `$4` were shown, `$6` where it really begins, `$7` a pattern for
/// display names, `$8` who searches, and `$9` how many are wanted.
pub fn statement() -> String {
    // Each arm has an index of its own, which its first line is the condition of.
    let name = "lower(username) COLLATE \"C\"";
    let arm = |rank: i32, condition: &str| {
        format!(
            "(SELECT id, username, email, display_name, bio, role, deactivated_at, created_at, {rank} AS rank, {name} AS key \
              FROM users WHERE {condition} AND ($1, $2 COLLATE \"C\") < ({rank}, {name}) AND deactivated_at IS NULL AND id <> $8 \
              ORDER BY {name} LIMIT $9)"
        )
    };
    let by_email = arm(BY_EMAIL, "lower(email) = lower($3)");
    let by_username = arm(BY_USERNAME, &format!("{name} >= $4 AND {name} < $5"));
    let by_name = format!("lower(' ' || display_name) LIKE lower($7) AND NOT ({name} >= $6 AND {name} < $5)");
    let by_name = arm(BY_NAME, &by_name);
    format!(
        "SELECT id, username, email, display_name, bio, role, deactivated_at, created_at \
         FROM ({by_email} UNION ALL {by_username} UNION ALL {by_name}) AS found ORDER BY rank, key LIMIT $9"
    )
}

/// What to look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The whole of an e-mail address.
    email: Option<String>,
    /// The beginning of a user name, in lower case.
    username: Option<String>,
    /// A pattern for display names.
    name: Option<String>,
}

impl Wanted {
    /// Reads what a person typed: `ada` is the beginning of a name, `@ada` of a user name only, `ada@example.com` a whole
    /// e-mail address.
    ///
    /// # Errors
    /// [`Error::BadInput`] for what is too short or too long to look for, or is not one line.
    pub fn read(text: &str) -> Result<Self> {
        let text = input::line(&[], "`query`", text, LONGEST).map_err(|error| Error::BadInput(error.message))?;
        let (bare, is_username) = match text.strip_prefix('@') {
            Some(bare) => (bare, true),
            None => (text.as_str(), false),
        };
        if bare.chars().nth(SHORTEST - 1).is_none() {
            let message = format!("`query` must have at least {SHORTEST} characters.");
            return Err(Error::BadInput(message));
        }
        if bare.contains('@') {
            return Ok(Wanted {
                email: (!is_username).then(|| bare.to_owned()),
                username: None,
                name: None,
            });
        }
        let could_be = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
        Ok(Wanted {
            email: None,
            username: bare.chars().all(could_be).then(|| bare.to_ascii_lowercase()),
            name: (!is_username).then(|| beginning(bare)),
        })
    }

    /// Where somebody who was found stands.
    pub fn key(&self, user: &User) -> FoundKey {
        let username = user.username.to_ascii_lowercase();
        let rank = match (&self.email, &self.username) {
            (Some(_), _) => BY_EMAIL,
            (None, Some(beginning)) if username.starts_with(beginning) => BY_USERNAME,
            _ => BY_NAME,
        };
        (rank, username)
    }

    /// From the user name to begin with, to the first one that is too far, and where the range really begins.
    fn range(&self, after: &FoundKey) -> [String; 3] {
        let Some(beginning) = &self.username else {
            return Default::default();
        };
        // No character of user names comes after a tilde.
        let end = format!("{beginning}~");
        let from = match after.0 {
            ..BY_USERNAME => beginning.clone(),
            BY_USERNAME => after.1.clone().max(beginning.clone()),
            _ => end.clone(),
        };
        [from, end, beginning.clone()]
    }
}

/// A page of people that `viewer` may find.
///
/// # Errors
/// When Postgres fails.
pub async fn find(
    connection: &mut Connection,
    viewer: UserId,
    wanted: &Wanted,
    window: &Window<FoundKey>,
) -> Result<Vec<User>> {
    let after = window.after.clone().unwrap_or((-1, String::new()));
    let [from, end, beginning] = wanted.range(&after);
    // Not kept prepared: which index is the best one depends on what is looked for.
    let query = diesel::sql_query(statement())
        .bind::<Integer, _>(after.0)
        .bind::<Text, _>(after.1)
        .bind::<Nullable<Text>, _>(&wanted.email)
        .bind::<Text, _>(from)
        .bind::<Text, _>(end)
        .bind::<Text, _>(beginning)
        .bind::<Nullable<Text>, _>(&wanted.name)
        .bind::<SqlUuid, _>(viewer)
        .bind::<BigInt, _>(window.fetch());
    Ok(query.load(connection).await?)
}

/// The pattern of names of which a word begins like this.
fn beginning(text: &str) -> String {
    let mut pattern = String::from("% ");
    for character in text.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('%');
    pattern
}
