//! The account's row, and how it is found.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel_async::RunQueryDsl;

use crate::db::Connection;
use crate::db::schema::users;
use crate::db::text_enum;
use crate::id::UserId;

text_enum! {
    /// What a person may do on the server as a whole.
    Role {
        /// Chats.
        User = "USER",
        /// Also looks after accounts.
        Admin = "ADMIN",
    }
}

diesel::define_sql_function! {
    /// Text without regard to case.
    fn lower(text: Text) -> Text;
}

/// A person's account, without its password.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, QueryableByName)]
#[diesel(table_name = users, check_for_backend(diesel::pg::Pg))]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// Unique without regard to case.
    pub username: String,
    /// Private to its owner and administrators.
    pub email: String,
    /// The name that others see.
    pub display_name: String,
    /// A few words about oneself.
    pub bio: Option<String>,
    /// What the person may do.
    pub role: Role,
    /// Since when the account is barred.
    pub deactivated_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Since when it is deleted, and empty.
    pub deleted_at: Option<DateTime<Utc>>,
}

impl User {
    /// The account with this id.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn find(connection: &mut Connection, id: UserId) -> QueryResult<Option<User>> {
        users::table
            .find(id)
            .select(User::as_select())
            .first(connection)
            .await
            .optional()
    }

    /// The account with this user name, in any case.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn find_by_username(connection: &mut Connection, username: &str) -> QueryResult<Option<User>> {
        users::table
            .filter(lower(users::username).eq(username.to_lowercase()))
            .filter(users::deleted_at.is_null())
            .select(User::as_select())
            .first(connection)
            .await
            .optional()
    }

    /// The account with this user name or e-mail address, in any case.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn find_by_identifier(connection: &mut Connection, identifier: &str) -> QueryResult<Option<User>> {
        let identifier = identifier.to_lowercase();
        let named = users::table
            .filter(users::deleted_at.is_null())
            .select(User::as_select());
        // User names hold no @, so at most one of the two unique indexes can answer.
        if identifier.contains('@') {
            named
                .filter(lower(users::email).eq(identifier))
                .first(connection)
                .await
                .optional()
        } else {
            named
                .filter(lower(users::username).eq(identifier))
                .first(connection)
                .await
                .optional()
        }
    }

    /// The accounts with these ids, in one query.
    ///
    /// # Errors
    /// When Postgres fails.
    pub async fn find_many(connection: &mut Connection, ids: &[UserId]) -> QueryResult<HashMap<UserId, User>> {
        let found: Vec<User> = users::table
            .filter(users::id.eq_any(ids))
            .select(User::as_select())
            .load(connection)
            .await?;
        Ok(found.into_iter().map(|user| (user.id, user)).collect())
    }
}
