//! Archives of one's data in GraphQL.

use async_graphql::{Context, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};

use super::link;
use super::row::{self, DataExport, DataExportState};
use crate::account::login;
use crate::context::RequestContext;
use crate::error::{Result, UserError, payload};
use crate::id::DataExportId;
use crate::scalar::Long;

/// An archive of the viewer's own data: a `.tar.gz` of files with one JSON object a line, and a `README.txt` that says what
/// they are.
#[Object]
impl DataExport {
    /// Opaque and typed.
    pub async fn id(&self) -> DataExportId {
        self.id
    }

    /// Where it stands.
    async fn state(&self) -> DataExportState {
        self.state
    }

    /// How much of it is gathered, in percent. It begins anew when the server that gathers is lost.
    async fn progress(&self) -> i32 {
        self.progress
    }

    /// How long it is; null until it is READY.
    async fn bytes(&self) -> Option<Long> {
        self.bytes.map(Long)
    }

    /// When it is deleted; null until it is READY.
    async fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.expires_at
    }

    /// Where it can be downloaded with GET, without a token: a path on this server that is good for an hour, for whoever has
    /// it. Ask for it right before it is used. Null unless it is READY.
    async fn download_url(&self, context: &Context<'_>) -> Option<String> {
        link::path(&context.app().config().jwt_secrets, self, Utc::now())
    }

    /// When it was asked for.
    async fn created_at(&self) -> DateTime<Utc> {
        self.created_at
    }

    /// When it was ready, or given up; null before.
    async fn finished_at(&self) -> Option<DateTime<Utc>> {
        self.finished_at
    }

    /// Grows with each change: apply an event only when its version is higher.
    async fn version(&self) -> i32 {
        self.version
    }
}

/// The proof that it is the person who asks.
#[derive(Debug, InputObject)]
pub struct ExportMyDataInput {
    /// The person's password, once more: the archive holds everything.
    password: String,
}

/// The result of `exportMyData`.
#[derive(Debug, SimpleObject)]
pub struct ExportMyDataPayload {
    /// The archive that is being made.
    data_export: Option<DataExport>,
    /// What was refused.
    errors: Vec<UserError>,
}

/// What people do to take their data along.
#[derive(Debug, Default)]
pub struct ExportMutation;

#[Object]
impl ExportMutation {
    /// Gathers everything of the viewer's into an archive that can be downloaded for a day. `DataExportChanged` tells how far
    /// it is. While one is being made, that one is given; three may be made in a day.
    async fn export_my_data(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "The password, once more.")] input: ExportMyDataInput,
    ) -> Result<ExportMyDataPayload> {
        let who = context.signed_in()?;
        let asked = async {
            let (app, client) = (context.app(), context.client());
            login::prove_password(app, who, client, "password", input.password.into()).await?;
            row::request(app, who.user_id).await
        };
        let (data_export, errors) = payload(asked.await)?;
        Ok(ExportMyDataPayload { data_export, errors })
    }
}
