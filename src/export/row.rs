//! The archive's row: its states, the few statements that move it between them, and its pieces.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::dsl::now;
use diesel::prelude::*;
use diesel::sql_types::{Binary, Integer, Uuid as SqlUuid};
use diesel_async::{AsyncConnection, RunQueryDsl};
use serde_json::json;

use super::event::changed;
use crate::app::App;
use crate::db::schema::{data_export_chunks, data_exports};
use crate::db::{Connection, text_enum};
use crate::error::{Error, ErrorCode, Result};
use crate::event::append;
use crate::id::{DataExportId, UserId};
use crate::job;

/// The job that makes one, as the queue names it.
pub const JOB: &str = "privacy.export";
/// How many of them one person may ask for in a day.
const A_DAY: i64 = 3;
/// How many of them are listed.
const LISTED: i64 = 20;
/// How long one can be downloaded.
const KEPT: TimeDelta = TimeDelta::hours(24);
/// How many expired ones are cleared away at once.
const AT_ONCE: i64 = 20;

text_enum! {
    /// Where an archive of one's data stands. The last three are final but for READY, which becomes EXPIRED.
    DataExportState {
        /// It was asked for.
        Queued = "QUEUED",
        /// It is being gathered.
        Running = "RUNNING",
        /// It can be downloaded.
        Ready = "READY",
        /// It could not be made. Ask for another one.
        Failed = "FAILED",
        /// It could be downloaded for a day, and is deleted.
        Expired = "EXPIRED",
    }
}

/// An archive of one's data, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = data_exports, check_for_backend(diesel::pg::Pg))]
pub struct DataExport {
    /// Its id.
    pub id: DataExportId,
    /// Whose data.
    pub user_id: UserId,
    /// Where it stands.
    pub state: DataExportState,
    /// How often it was begun.
    pub run: i32,
    /// How much of it is gathered, in percent.
    pub progress: i32,
    /// How long it is, once it is whole.
    pub bytes: Option<i64>,
    /// Grows with each change.
    pub version: i32,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When it was ready, or given up.
    pub finished_at: Option<DateTime<Utc>>,
    /// When it is deleted.
    pub expires_at: Option<DateTime<Utc>>,
}

/// The newest archives of a person.
///
/// # Errors
/// When Postgres fails.
pub async fn list(connection: &mut Connection, user_id: UserId) -> QueryResult<Vec<DataExport>> {
    data_exports::table
        .filter(data_exports::user_id.eq(user_id))
        .order(data_exports::id.desc())
        .limit(LISTED)
        .select(DataExport::as_select())
        .load(connection)
        .await
}

/// Those of these archives that are `user_id`'s, in one query.
///
/// # Errors
/// When Postgres fails.
pub async fn find_many(
    connection: &mut Connection,
    user_id: UserId,
    ids: &[DataExportId],
) -> QueryResult<HashMap<DataExportId, DataExport>> {
    let found: Vec<DataExport> = data_exports::table
        .filter(data_exports::user_id.eq(user_id))
        .filter(data_exports::id.eq_any(ids))
        .select(DataExport::as_select())
        .load(connection)
        .await?;
    Ok(found.into_iter().map(|export| (export.id, export)).collect())
}

/// Asks for an archive; the one that is being made already, if there is one.
///
/// # Errors
/// LIMIT_REACHED for who has asked too often today.
pub async fn request(app: &App, user_id: UserId) -> Result<DataExport> {
    let mut connection = app.connection().await?;
    let export = connection
        .transaction(async |connection| {
            let row = (
                data_exports::id.eq(DataExportId::new()),
                data_exports::user_id.eq(user_id),
            );
            // Waits for another request of the same person, and then makes nothing.
            let made: Option<DataExport> = diesel::insert_into(data_exports::table)
                .values(row)
                .on_conflict_do_nothing()
                .returning(DataExport::as_returning())
                .get_result(connection)
                .await
                .optional()?;
            let theirs = data_exports::table.filter(data_exports::user_id.eq(user_id));
            let Some(export) = made else {
                let open = theirs.filter(data_exports::finished_at.is_null());
                return Ok::<_, Error>(open.select(DataExport::as_select()).first(connection).await?);
            };
            let today = theirs.filter(data_exports::created_at.gt(Utc::now() - TimeDelta::days(1)));
            if today.count().get_result::<i64>(connection).await? > A_DAY {
                let message = format!("You have asked for {A_DAY} exports in a day. Download the last one, or wait.");
                return Err(Error::rejected(ErrorCode::LimitReached, &[], message));
            }
            let task = json!({ "exportId": export.id.0 });
            job::enqueue(connection, JOB, &export.id.to_string(), task, Utc::now()).await?;
            append(connection, [changed(user_id, export.id)]).await?;
            Ok(export)
        })
        .await?;
    app.log().wake();
    app.gatherings().wake();
    Ok(export)
}

/// Begins a run, from the beginning; none when there is nothing to be made any more.
///
/// # Errors
/// When Postgres fails.
pub async fn begin(app: &App, id: DataExportId) -> Result<Option<DataExport>> {
    let begun = (
        data_exports::state.eq(DataExportState::Running),
        data_exports::run.eq(data_exports::run + 1),
        data_exports::progress.eq(0),
    );
    let mut connection = app.connection().await?;
    let export = connection
        .transaction(async |connection| {
            let open = data_exports::table.find(id).filter(data_exports::finished_at.is_null());
            let export: Option<DataExport> = diesel::update(open)
                .set((begun, data_exports::version.eq(data_exports::version + 1)))
                .returning(DataExport::as_returning())
                .get_result(connection)
                .await
                .optional()?;
            if let Some(export) = &export {
                diesel::delete(data_export_chunks::table.filter(data_export_chunks::export_id.eq(id)))
                    .execute(connection)
                    .await?;
                append(connection, [changed(export.user_id, id)]).await?;
            }
            Ok::<_, Error>(export)
        })
        .await?;
    app.log().wake();
    Ok(export)
}

/// What becomes of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It has come so far, in percent.
    Progress(i32),
    /// All of it is there: so many bytes.
    Ready(i64),
    /// It is given up.
    Failed,
}

/// Notes how far this run is, and tells of it; false when it is not the newest any more, or the person is gone.
///
/// # Errors
/// When Postgres fails.
pub async fn note(app: &App, export: &DataExport, turn: Turn) -> Result<bool> {
    let mut connection = app.connection().await?;
    let noted = connection
        .transaction(async |connection| {
            let mine = data_exports::table
                .find(export.id)
                .filter(data_exports::run.eq(export.run))
                .filter(data_exports::finished_at.is_null());
            let version = data_exports::version.eq(data_exports::version + 1);
            let noted = match turn {
                Turn::Progress(percent) => {
                    diesel::update(mine)
                        .set((data_exports::progress.eq(percent), version))
                        .execute(connection)
                        .await?
                }
                Turn::Ready(bytes) => {
                    let whole = (
                        data_exports::state.eq(DataExportState::Ready),
                        data_exports::progress.eq(100),
                        data_exports::bytes.eq(bytes),
                        data_exports::finished_at.eq(now),
                        data_exports::expires_at.eq(Utc::now() + KEPT),
                    );
                    diesel::update(mine).set((whole, version)).execute(connection).await?
                }
                Turn::Failed => {
                    let over = (
                        data_exports::state.eq(DataExportState::Failed),
                        data_exports::finished_at.eq(now),
                    );
                    diesel::update(mine).set((over, version)).execute(connection).await?
                }
            };
            if noted > 0 {
                append(connection, [changed(export.user_id, export.id)]).await?;
            }
            Ok::<_, Error>(noted > 0)
        })
        .await?;
    app.log().wake();
    Ok(noted)
}

/// Keeps a piece of the archive; false when this run is not the newest any more, or the person is gone.
///
/// # Errors
/// When Postgres fails.
pub async fn keep(connection: &mut Connection, export: &DataExport, position: i32, bytes: &[u8]) -> QueryResult<bool> {
    let query = "INSERT INTO data_export_chunks (export_id, run, position, bytes) \
        SELECT id, run, $3, $4 FROM data_exports WHERE id = $1 AND run = $2 AND finished_at IS NULL FOR SHARE";
    let kept = diesel::sql_query(query)
        .bind::<SqlUuid, _>(export.id)
        .bind::<Integer, _>(export.run)
        .bind::<Integer, _>(position)
        .bind::<Binary, _>(bytes);
    Ok(kept.execute(connection).await? > 0)
}

/// Deletes the bytes of archives whose time is over.
///
/// # Errors
/// When Postgres fails.
pub async fn sweep(app: &App) -> Result<()> {
    let mut connection = app.connection().await?;
    let over = data_exports::table
        .filter(data_exports::state.eq(DataExportState::Ready))
        .filter(data_exports::expires_at.lt(now))
        .order(data_exports::expires_at)
        .limit(AT_ONCE)
        .select((data_exports::id, data_exports::user_id));
    for (id, user_id) in over.load::<(DataExportId, UserId)>(&mut connection).await? {
        connection
            .transaction(async |connection| {
                let ready = data_exports::table
                    .find(id)
                    .filter(data_exports::state.eq(DataExportState::Ready));
                let expired = (
                    data_exports::state.eq(DataExportState::Expired),
                    data_exports::version.eq(data_exports::version + 1),
                );
                if diesel::update(ready).set(expired).execute(connection).await? > 0 {
                    diesel::delete(data_export_chunks::table.filter(data_export_chunks::export_id.eq(id)))
                        .execute(connection)
                        .await?;
                    append(connection, [changed(user_id, id)]).await?;
                }
                Ok::<_, Error>(())
            })
            .await?;
    }
    app.log().wake();
    Ok(())
}
