//! Making an account.

use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel_async::RunQueryDsl;
use email_address::EmailAddress;
use secrecy::SecretString;

use super::password;
use super::user::{Role, User};
use crate::app::App;
use crate::db::Connection;
use crate::db::schema::users;
use crate::error::{Error, ErrorCode, Result, UserError};
use crate::id::UserId;
use crate::input;

/// What a person gives to get an account.
#[derive(Debug)]
pub struct NewUser {
    /// 3 to 32 letters, digits, dots, dashes and underscores.
    pub username: String,
    /// Where the person can be reached.
    pub email: String,
    /// What they will sign in with.
    pub password: SecretString,
    /// The name that others see; the user name when there is none.
    pub display_name: Option<String>,
}

/// The same, checked: all complaints at once.
#[derive(Debug)]
pub struct CheckedUser {
    username: String,
    email: String,
    password: SecretString,
    display_name: String,
}

impl NewUser {
    /// Checks everything that can be checked without the database.
    ///
    /// # Errors
    /// [`Error::Rejected`] with every complaint.
    pub fn check(self) -> Result<CheckedUser> {
        let mut errors = Vec::new();
        let username = keep(&mut errors, username(&self.username));
        let email = keep(&mut errors, email(&["email"], &self.email));
        // Only a name that was given is complained of: the user name has its own complaints.
        let given = self.display_name.as_deref().filter(|name| !name.trim().is_empty());
        let display_name = match given {
            Some(name) => keep(&mut errors, input::line(&["displayName"], "The display name", name, 80)),
            None => username.clone(),
        };
        let own_words = [self.username.as_str(), self.email.as_str(), "parlor"];
        keep(
            &mut errors,
            password::check_strength(&["password"], &self.password, &own_words),
        );
        match (username, email, display_name) {
            (Some(username), Some(email), Some(display_name)) if errors.is_empty() => Ok(CheckedUser {
                username,
                email,
                password: self.password,
                display_name,
            }),
            _ => Err(Error::Rejected(errors)),
        }
    }
}

fn keep<T>(errors: &mut Vec<UserError>, checked: Result<T, UserError>) -> Option<T> {
    checked.map_err(|error| errors.push(error)).ok()
}

/// Makes the account, hashing the password before it takes a connection.
///
/// # Errors
/// [`ErrorCode::Taken`] on the field whose value somebody else has.
pub async fn create(app: &App, user: CheckedUser, role: Role) -> Result<User> {
    let hash = app.hasher().hash(user.password.clone()).await?;
    let mut connection = app.connection().await?;
    insert(&mut connection, &user, hash, role).await
}

async fn insert(connection: &mut Connection, user: &CheckedUser, password_hash: String, role: Role) -> Result<User> {
    let row = (
        users::id.eq(UserId::new()),
        users::username.eq(&user.username),
        users::email.eq(&user.email),
        users::display_name.eq(&user.display_name),
        users::password_hash.eq(password_hash),
        users::role.eq(role),
    );
    let inserted = diesel::insert_into(users::table)
        .values(row)
        .returning(User::as_returning())
        .get_result(connection)
        .await;
    inserted.map_err(|error| match &error {
        DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, information) => {
            match information.constraint_name() {
                Some("users_username_key") => Error::rejected(
                    ErrorCode::Taken,
                    &["username"],
                    "This user name is taken. Please choose another.",
                ),
                Some("users_email_key") => Error::rejected(
                    ErrorCode::Taken,
                    &["email"],
                    "There is an account with this e-mail address. Sign in instead, or use another address.",
                ),
                _ => error.into(),
            }
        }
        _ => error.into(),
    })
}

fn username(value: &str) -> Result<String, UserError> {
    let value = input::line(&["username"], "The user name", value, 32)?;
    let allowed = value
        .chars()
        .all(|character| character.is_ascii_alphanumeric() || "._-".contains(character));
    if value.len() < 3 {
        return Err(UserError::new(
            ErrorCode::TooShort,
            &["username"],
            "The user name must have at least 3 characters.",
        ));
    }
    if !allowed || !value.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        let message = "The user name may hold letters (a to z), digits, dots, dashes and underscores, and starts with a letter or digit.";
        return Err(UserError::new(ErrorCode::Invalid, &["username"], message));
    }
    Ok(value)
}

/// Checks an e-mail address.
///
/// # Errors
/// A [`UserError`] for `field`.
pub fn email(field: &[&str], value: &str) -> Result<String, UserError> {
    let value = input::line(field, "The e-mail address", value, 254)?;
    let options = email_address::Options::default()
        .without_display_text()
        .without_domain_literal()
        .with_required_tld();
    match EmailAddress::parse_with_options(&value, options) {
        Ok(_) => Ok(value),
        Err(_) => Err(UserError::new(
            ErrorCode::Invalid,
            field,
            "This is not an e-mail address. It looks like name@example.com.",
        )),
    }
}
