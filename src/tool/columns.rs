//! The columns of a tool server, as they are written.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::listing::Listing;
use super::server::ToolApproval;
use super::spec::{self, Spec, Way};
use crate::app::App;
use crate::db::schema::tool_servers;
use crate::error::{Error, Result};
use crate::id::{ToolServerId, UserId};
use crate::vault::envelope::Binding;

/// The columns that are changed one by one.
#[derive(AsChangeset)]
#[diesel(table_name = tool_servers)]
pub(super) struct Columns {
    pub(super) name: Option<String>,
    pub(super) approval: Option<ToolApproval>,
    pub(super) enabled: Option<bool>,
    pub(super) tells_user: Option<bool>,
}

/// The columns of the way to a server.
#[derive(Insertable, AsChangeset)]
#[diesel(table_name = tool_servers, treat_none_as_null = true)]
pub(super) struct Reached {
    url: Option<String>,
    command: Option<String>,
    arguments: Vec<String>,
}

impl Reached {
    pub(super) fn new(spec: &Spec) -> Self {
        match &spec.way {
            Way::Http { url, .. } => Reached {
                url: Some(url.to_string()),
                command: None,
                arguments: Vec::new(),
            },
            Way::Process { command, arguments } => Reached {
                url: None,
                command: Some(command.clone()),
                arguments: arguments.clone(),
            },
        }
    }
}

/// The columns of its secrets.
#[derive(Insertable, AsChangeset)]
#[diesel(table_name = tool_servers, treat_none_as_null = true)]
pub(super) struct Sealed {
    secret_names: Vec<String>,
    sealed: Option<Vec<u8>>,
    master_key_id: Option<String>,
}

impl Sealed {
    pub(super) fn new(app: &App, id: ToolServerId, owner: Option<UserId>, spec: &Spec) -> Result<Self> {
        let binding = Binding::of_tool_server(id, owner);
        let sealed = match spec::sealable(&spec.secrets) {
            Some(secret) => Some(app.vault().seal(&binding, &secret)?),
            None => None,
        };
        let (sealed, master_key_id) = sealed.unzip();
        Ok(Sealed {
            secret_names: spec.secrets.iter().map(|(name, _)| name.clone()).collect(),
            sealed,
            master_key_id,
        })
    }
}

/// The columns of what it can do.
#[derive(Insertable, AsChangeset)]
#[diesel(table_name = tool_servers, treat_none_as_null = true)]
pub(super) struct Listed {
    tools: serde_json::Value,
    tools_listed_at: Option<DateTime<Utc>>,
    last_error: Option<String>,
    last_error_at: Option<DateTime<Utc>>,
}

impl Listed {
    pub(super) fn new(listing: &Listing) -> Result<Self> {
        let remark = listing.remark();
        Ok(Listed {
            tools: serde_json::to_value(&listing.tools).map_err(Error::surprise)?,
            tools_listed_at: Some(Utc::now()),
            last_error_at: remark.as_ref().map(|_| Utc::now()),
            last_error: remark,
        })
    }
}
