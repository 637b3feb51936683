//! Moving every provider key, and the secrets of tool servers, to a new master key while the server runs.
//!
//! Only the data keys are wrapped anew, row by row, each under its row lock; a server that has both masters opens
//! old and new rows alike.

use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};
use serde_json::json;

use super::Vault;
use super::envelope::Binding;
use super::key::StoredKey;
use crate::account::audit::{self, Actor};
use crate::db::Connection;
use crate::db::schema::{api_keys, master_keys, tool_servers, vapid_keys, webhooks};
use crate::error::{Error, Result};
use crate::id::{ApiKeyId, ToolServerId, UserId, WebhookId};

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
    moved += rotate_tool_servers(connection, vault, &current).await?;
    moved += rotate_webhooks(connection, vault, &current).await?;
    rotate_vapid_key(connection, vault, &current).await?;
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

async fn rotate_webhooks(connection: &mut Connection, vault: &Vault, current: &str) -> Result<usize> {
    let mut moved = 0;
    loop {
        let left: Vec<WebhookId> = webhooks::table
            .filter(webhooks::master_key_id.ne(current))
            .select(webhooks::id)
            .limit(BATCH)
            .load(connection)
            .await?;
        if left.is_empty() {
            return Ok(moved);
        }
        for id in left {
            connection
                .transaction(async |connection| rewrap_webhook(connection, vault, id, current).await)
                .await?;
            moved += 1;
        }
    }
}

async fn rewrap_webhook(connection: &mut Connection, vault: &Vault, id: WebhookId, current: &str) -> Result<()> {
    let row: Option<(Option<UserId>, Vec<u8>)> = webhooks::table
        .find(id)
        .select((webhooks::owner_id, webhooks::sealed))
        .for_update()
        .first(connection)
        .await
        .optional()?;
    let Some((owner, sealed)) = row else { return Ok(()) };
    let rewrapped = vault
        .masters()
        .rewrap(&Binding::of_webhook(id, owner), &sealed)
        .map_err(|error| Error::internal(format!("{id} cannot be opened: {error}")))?;
    let change = (
        webhooks::master_key_id.eq(current),
        webhooks::sealed.eq(rewrapped.unwrap_or(sealed)),
    );
    diesel::update(webhooks::table.find(id))
        .set(change)
        .execute(connection)
        .await?;
    Ok(())
}

/// Wraps the key for web push anew. It changes only here: what was read is what is replaced.
async fn rotate_vapid_key(connection: &mut Connection, vault: &Vault, current: &str) -> Result<()> {
    let old = vapid_keys::table.filter(vapid_keys::master_key_id.ne(current));
    let sealed: Option<Vec<u8>> = old.select(vapid_keys::sealed).first(connection).await.optional()?;
    let Some(sealed) = sealed else { return Ok(()) };
    let rewrapped = vault
        .masters()
        .rewrap(&Binding::of_vapid_key(), &sealed)
        .map_err(|error| Error::internal(format!("the VAPID key cannot be opened: {error}")))?;
    let change = (
        vapid_keys::master_key_id.eq(current),
        vapid_keys::sealed.eq(rewrapped.unwrap_or(sealed)),
    );
    diesel::update(old).set(change).execute(connection).await?;
    Ok(())
}

/// The row of a tool server as far as its secrets go.
type Sealed = (ToolServerId, Option<UserId>, Option<Vec<u8>>);

async fn rotate_tool_servers(connection: &mut Connection, vault: &Vault, current: &str) -> Result<usize> {
    let mut moved = 0;
    loop {
        let left: Vec<ToolServerId> = tool_servers::table
            .filter(tool_servers::master_key_id.ne(current))
            .select(tool_servers::id)
            .limit(BATCH)
            .load(connection)
            .await?;
        if left.is_empty() {
            return Ok(moved);
        }
        for id in left {
            connection
                .transaction(async |connection| rewrap_tool_server(connection, vault, id, current).await)
                .await?;
            moved += 1;
        }
    }
}

async fn rewrap_tool_server(connection: &mut Connection, vault: &Vault, id: ToolServerId, current: &str) -> Result<()> {
    let row: Option<Sealed> = tool_servers::table
        .find(id)
        .select((tool_servers::id, tool_servers::owner_id, tool_servers::sealed))
        .for_update()
        .first(connection)
        .await
        .optional()?;
    let Some((_, owner, Some(sealed))) = row else {
        return Ok(());
    };
    let rewrapped = vault
        .masters()
        .rewrap(&Binding::of_tool_server(id, owner), &sealed)
        .map_err(|error| Error::internal(format!("{id} cannot be opened: {error}")))?;
    let change = (
        tool_servers::master_key_id.eq(current),
        tool_servers::sealed.eq(rewrapped.unwrap_or(sealed)),
    );
    diesel::update(tool_servers::table.find(id))
        .set(change)
        .execute(connection)
        .await?;
    Ok(())
}
