//! Typed ids: a UUID v7 in Postgres, `msg_0192f3…` on the wire, and a type of its own in between, so that a
//! chat's id cannot be given where a message's is meant.
//!
//! An id that cannot be one of ours (another prefix, garbage) reads as the nil id, which no row has. So a
//! malformed id, an absent one and somebody else's all get the same answer.

use async_graphql::registry::Registry;
use async_graphql::{ID, InputType, InputValueError, InputValueResult, OutputType, Positioned, ServerResult, Value};
use uuid::Uuid;

macro_rules! typed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, diesel::expression::AsExpression, diesel::deserialize::FromSqlRow)]
        #[diesel(sql_type = diesel::sql_types::Uuid)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// What stands before the underscore on the wire.
            pub const PREFIX: &'static str = $prefix;

            /// A new id; ids made later sort later.
            #[expect(clippy::new_without_default, reason = "an id is never a default")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(formatter, "{}_{}", $prefix, self.0.simple())
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(parse($prefix, text))
            }
        }

        impl diesel::serialize::ToSql<diesel::sql_types::Uuid, diesel::pg::Pg> for $name {
            fn to_sql<'b>(&'b self, out: &mut diesel::serialize::Output<'b, '_, diesel::pg::Pg>) -> diesel::serialize::Result {
                diesel::serialize::ToSql::<diesel::sql_types::Uuid, diesel::pg::Pg>::to_sql(&self.0, out)
            }
        }

        impl diesel::deserialize::FromSql<diesel::sql_types::Uuid, diesel::pg::Pg> for $name {
            fn from_sql(bytes: diesel::pg::PgValue<'_>) -> diesel::deserialize::Result<Self> {
                <Uuid as diesel::deserialize::FromSql<diesel::sql_types::Uuid, diesel::pg::Pg>>::from_sql(bytes).map(Self)
            }
        }

        impl InputType for $name {
            type RawValueType = Self;

            fn type_name() -> std::borrow::Cow<'static, str> {
                <ID as InputType>::type_name()
            }

            fn create_type_info(registry: &mut Registry) -> String {
                <ID as InputType>::create_type_info(registry)
            }

            fn parse(value: Option<Value>) -> InputValueResult<Self> {
                <ID as InputType>::parse(value).map(|id| Self::from(id.as_str())).map_err(InputValueError::propagate)
            }

            fn to_value(&self) -> Value {
                Value::String(self.to_string())
            }

            fn as_raw_value(&self) -> Option<&Self> {
                Some(self)
            }
        }

        impl OutputType for $name {
            fn type_name() -> std::borrow::Cow<'static, str> {
                <ID as InputType>::type_name()
            }

            fn create_type_info(registry: &mut Registry) -> String {
                <ID as InputType>::create_type_info(registry)
            }

            async fn resolve(
                &self,
                _context: &async_graphql::ContextSelectionSet<'_>,
                _field: &Positioned<async_graphql::parser::types::Field>,
            ) -> ServerResult<Value> {
                Ok(Value::String(self.to_string()))
            }
        }
    };
}

typed_id!(
    /// A person's account.
    UserId, "user"
);
typed_id!(
    /// One sign-in on one device: the family of its refresh tokens.
    SessionId, "ses"
);
typed_id!(
    /// A chat of any kind.
    ChatId, "chat"
);
typed_id!(
    /// A message.
    MessageId, "msg"
);
typed_id!(
    /// One AI answer.
    GenerationId, "gen"
);
typed_id!(
    /// An assistant: an AI with a personality.
    AssistantId, "asst"
);
typed_id!(
    /// Something that the AI is to remember.
    MemoryId, "mem"
);
typed_id!(
    /// A summary of a chat.
    SummaryId, "sum"
);
typed_id!(
    /// A message that is sent later.
    ScheduledMessageId, "sched"
);
typed_id!(
    /// A browser that is woken by web push.
    PushSubscriptionId, "push"
);
typed_id!(
    /// An address that is told of what happens.
    WebhookId, "hook"
);
typed_id!(
    /// What a webhook is told.
    WebhookDeliveryId, "hookmsg"
);
typed_id!(
    /// A provider key.
    ApiKeyId, "key"
);
typed_id!(
    /// A server of tools.
    ToolServerId, "tool"
);
typed_id!(
    /// A model's call of a tool.
    ToolCallId, "call"
);
typed_id!(
    /// A person's leave for a tool to be used unasked.
    ToolGrantId, "grant"
);
typed_id!(
    /// An archive of one's own data.
    DataExportId, "export"
);
typed_id!(
    /// An entry of the audit log.
    AuditId, "audit"
);

fn parse(prefix: &str, text: &str) -> Uuid {
    text.strip_prefix(prefix)
        .and_then(|rest| rest.strip_prefix('_'))
        .and_then(|digits| Uuid::try_parse(digits).ok())
        .unwrap_or(Uuid::nil())
}
