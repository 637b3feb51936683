//! Downloading an archive: piece by piece, and no connection to Postgres is held while the client takes its time.

use async_stream::try_stream;
use bytes::Bytes;
use chrono::Utc;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;

use super::link;
use super::row::{DataExport, DataExportState};
use crate::app::App;
use crate::db::schema::{data_export_chunks, data_exports, users};
use crate::error::Result;

/// An archive on its way.
pub struct Download {
    /// What to call the file.
    pub name: String,
    /// How long it is.
    pub length: i64,
    /// Its pieces. One that is gone in the middle is an error, so that nobody takes a part for the whole.
    pub pieces: BoxStream<'static, Result<Bytes>>,
}

impl std::fmt::Debug for Download {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Download")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The archive that a link's last part leads to; none when it leads to none that is there.
///
/// # Errors
/// When Postgres fails.
pub async fn open(app: &App, token: &str) -> Result<Option<Download>> {
    let Some(id) = link::read(&app.config().jwt_secrets, token, Utc::now()) else {
        return Ok(None);
    };
    let found: Option<DataExport> = data_exports::table
        .inner_join(users::table)
        .filter(data_exports::id.eq(id))
        .filter(data_exports::state.eq(DataExportState::Ready))
        .filter(data_exports::expires_at.gt(diesel::dsl::now))
        .filter(users::deactivated_at.is_null())
        .select(DataExport::as_select())
        .first(&mut *app.connection().await?)
        .await
        .optional()?;
    let Some(export) = found else { return Ok(None) };
    let name = format!("parlor-{}.tar.gz", export.created_at.format("%Y-%m-%d"));
    let length = export.bytes.unwrap_or_default();
    let app = app.clone();
    let pieces = try_stream! {
        let (mut position, mut left) = (0, length);
        while left > 0 {
            let piece = data_export_chunks::table.find((export.id, export.run, position)).select(data_export_chunks::bytes);
            let piece: Vec<u8> = piece.first(&mut *app.connection().await?).await?;
            left -= i64::try_from(piece.len()).unwrap_or(i64::MAX);
            position += 1;
            yield Bytes::from(piece);
        }
    };
    Ok(Some(Download {
        name,
        length,
        pieces: pieces.boxed(),
    }))
}
