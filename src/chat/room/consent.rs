//! Who may be added to a group by whom. Whoever blocks the one who adds is answered for exactly like those who want to be
//! added by nobody, or by people they know only: nobody learns from it that they are blocked.

use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;

use crate::db::{Connection, prepared};
use crate::error::{Error, ErrorCode, Result, UserError};
use crate::id::UserId;

#[derive(QueryableByName)]
struct Unwilling {
    #[diesel(sql_type = Text)]
    display_name: String,
    #[diesel(sql_type = Bool)]
    is_blocked: bool,
}

/// Those who do not want to be added by `$1`, or whom they block.
const UNWILLING: &str = "SELECT display_name, is_blocked FROM users LEFT JOIN preferences ON preferences.user_id = users.id \
    CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM blocks WHERE user_id = $1 AND blocked_id = users.id) AS is_blocked, \
      EXISTS (SELECT FROM blocks WHERE user_id = users.id AND blocked_id = $1) OR CASE addable_by WHEN 'NOBODY' THEN true \
        WHEN 'CONTACTS' THEN NOT EXISTS (SELECT FROM contacts WHERE user_id = users.id AND contact_id = $1) ELSE false END AS refuses) AS standing \
    WHERE users.id = ANY ($2) AND users.id <> $1 AND (is_blocked OR refuses) ORDER BY users.id";

/// Refuses to add whoever does not want it, and whom the one who adds blocks.
///
/// # Errors
/// FORBIDDEN and INVALID_STATE for `field`.
pub(super) async fn check(connection: &mut Connection, adder: UserId, people: &[UserId], field: &str) -> Result<()> {
    if people.is_empty() {
        return Ok(());
    }
    let query = diesel::sql_query(UNWILLING)
        .bind::<SqlUuid, _>(adder)
        .bind::<Array<SqlUuid>, _>(people);
    let unwilling: Vec<Unwilling> = prepared(query).load(connection).await?;
    if unwilling.is_empty() {
        return Ok(());
    }
    let refusal = |Unwilling {
                       display_name,
                       is_blocked,
                   }| {
        if is_blocked {
            let message = format!("You have blocked {display_name}. Unblock them first.");
            return UserError::new(ErrorCode::InvalidState, &[field], message);
        }
        let message = format!("{display_name} does not let you add them to groups. Leave them out.");
        UserError::new(ErrorCode::Forbidden, &[field], message)
    };
    Err(Error::Rejected(unwilling.into_iter().map(refusal).collect()))
}
