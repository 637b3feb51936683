//! Moving every provider key to a new master key while the server runs.
//!
//! Only the data keys are wrapped anew, row by row, each under its row lock; a server that has both masters opens
//! old and new rows alike.

use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};
use serde_json::json;

use super::Vault;
use super::key::StoredKey;
use crate::account::audit::{self, Actor};
use crate::db::Connection;
use crate::db::schema::{api_keys, master_keys};
use crate::error::{Error, Result};
use crate::id::ApiKeyId;

/// How many rows one look fetches.
const BATCH: i64 = 500;

/// Wraps every key under the current master key and forgets the former ones. Returns how many were moved.
///
/// # Errors
/// When a row cannot be opened; those before it are moved, and it can be run again.
pub async fn rotate(connection: &mut Connection, vault: &Vault) -> Result<usize> {
    let current = vault.masters().current_id().to_owned();
    let mut moved = 0;
    loop {
        let left: Vec<ApiKeyId> = api_keys::table
            .filter(api_keys::master_key_id.ne(&current))
            .select(api_keys::id)
            .limit(BATCH)
            .load(connection)
            .await?;
        if left.is_empty() {
            break;
        }
        for id in left {
            connection
                .transaction(async |connection| rewrap(connection, vault, id, &current).await)
                .await?;
            moved += 1;
        }
    }
    let detail = json!({ "to": current, "keys": moved });
    connection
        .transaction(async |connection| {
            diesel::delete(master_keys::table.filter(master_keys::id.ne(&current)))
                .execute(connection)
                .await?;
            audit::record(connection, Actor::default(), "keys.rotated", None, detail).await
        })
        .await?;
    Ok(moved)
}

async fn rewrap(connection: &mut Connection, vault: &Vault, id: ApiKeyId, current: &str) -> Result<()> {
    let row: Option<StoredKey> = api_keys::table
        .find(id)
        .select(StoredKey::as_select())
        .for_update()
        .first(connection)
        .await
        .optional()?;
    let Some(key) = row else { return Ok(()) };
    let rewrapped = vault
        .masters()
        .rewrap(&key.binding(), key.sealed())
        .map_err(|error| Error::internal(format!("{id} cannot be opened: {error}")))?;
    let master = api_keys::master_key_id.eq(current);
    let row = diesel::update(api_keys::table.find(id));
    match rewrapped {
        Some(sealed) => {
            row.set((master, api_keys::sealed.eq(sealed)))
                .execute(connection)
                .await?
        }
        None => row.set(master).execute(connection).await?,
    };
    Ok(())
}
