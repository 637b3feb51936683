//! Chats in GraphQL.

mod chat;
mod event;
mod failure;
mod generation;
mod loader;
mod member;
mod mention;
mod message;
mod mutation;
mod own;
mod plan;
mod query;
mod reply;
mod room;
mod schedule;
mod search;
mod subscription;
mod summary;
mod tool_call;
mod tree;

pub use chat::{ChatConnection, ChatFilterInput, ChatViewerState, MessageConnection, list, message_page};
pub use event::Event;
pub use failure::GenerationError;
pub use generation::{Answer, GenerationEvent, TokenUsage};
pub use loader::ChatLoader;
pub use message::Actor;
pub use mutation::ChatMutation;
pub use plan::PlanQuery;
pub use query::ChatQuery;
pub use room::RoomMutation;
pub use schedule::{ScheduleMutation, ScheduledMessageConnection, list as list_scheduled};
pub use search::SearchQuery;
pub use subscription::ChatSubscription;
pub use summary::SummaryMutation;
pub use tool_call::{ToolCall, ToolCallMutation, find as find_tool_call};
pub use tree::BranchMutation;
