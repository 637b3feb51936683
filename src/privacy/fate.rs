//! What becomes of everything that names a person when their account is deleted: every column, with a decision.
//! A test finds the columns of the schema that are not here. People are named inside of one more: whom a notification was
//! for stands in the payload of what the server's own webhooks were told, and is deleted with it.

/// What becomes of the rows of a column that names somebody who is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// They are deleted, some thousand at a time.
    Deleted,
    /// A step of its own takes care of them; it says which.
    Cleared(&'static str),
    /// They stay, and name an account that is nobody's any more; it says for whom.
    Kept(&'static str),
}

/// A column that names people, and what becomes of its rows.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub name: &'static str,
    /// What becomes of its rows.
    pub fate: Fate,
}

const fn column(table: &'static str, name: &'static str, fate: Fate) -> Column {
    Column { table, name, fate }
}

/// All of them, in the order in which they are cleared away: secrets first.
pub const COLUMNS: &[Column] = &[
    column("sessions", "user_id", Fate::Deleted),
    column("api_keys", "user_id", Fate::Deleted),
    column("tool_grants", "user_id", Fate::Deleted),
    column("tool_servers", "owner_id", Fate::Deleted),
    column("push_subscriptions", "user_id", Fate::Deleted),
    column("webhooks", "owner_id", Fate::Deleted),
    column("scheduled_messages", "user_id", Fate::Deleted),
    column("memories", "user_id", Fate::Deleted),
    column("preferences", "user_id", Fate::Deleted),
    column("contacts", "user_id", Fate::Deleted),
    column("blocks", "user_id", Fate::Deleted),
    column("contact_books", "user_id", Fate::Deleted),
    column("budgets", "user_id", Fate::Deleted),
    column("cached_answers", "user_id", Fate::Deleted),
    column("data_exports", "user_id", Fate::Deleted),
    column("sends", "user_id", Fate::Deleted),
    column("events", "user_id", Fate::Deleted),
    column("message_mentions", "user_id", Fate::Deleted),
    column("own_changes", "user_id", Fate::Deleted),
    column("presences", "user_id", Fate::Deleted),
    column("people_here", "user_id", Fate::Deleted),
    column(
        "assistants",
        "owner_id",
        Fate::Cleared("a name is left for what they wrote to others"),
    ),
    column(
        "chats",
        "created_by",
        Fate::Cleared("one's own chats go with all that was said in them"),
    ),
    column(
        "chat_members",
        "user_id",
        Fate::Cleared("groups are left, and direct chats"),
    ),
    column("contacts", "contact_id", Fate::Cleared("their owners are told")),
    column("blocks", "blocked_id", Fate::Cleared("their owners are told")),
    column(
        "attempts",
        "user_id",
        Fate::Cleared("the server's accounts keep what was spent, and not by whom"),
    ),
    column(
        "attempts",
        "payer_id",
        Fate::Cleared("the server's accounts keep what was spent, and not by whom"),
    ),
    column(
        "audit_log",
        "actor_id",
        Fate::Cleared("what was done stays, without addresses and particulars"),
    ),
    column(
        "system_notes",
        "subject_id",
        Fate::Cleared("what happened in a group is told without the name"),
    ),
    column(
        "messages",
        "author_id",
        Fate::Kept("what was said to others is theirs to read"),
    ),
    column(
        "messages",
        "deleted_by",
        Fate::Kept("a tombstone tells that its author did not make it"),
    ),
    column(
        "messages",
        "pinned_by",
        Fate::Kept("what is pinned stays pinned for the others"),
    ),
    column(
        "messages",
        "withheld_from",
        Fate::Kept("what was withheld from somebody is theirs to whom it was not"),
    ),
    column(
        "message_edits",
        "withheld_from",
        Fate::Kept("what was withheld from somebody is theirs to whom it was not"),
    ),
    column(
        "message_reactions",
        "withheld_from",
        Fate::Kept("what was withheld from somebody is theirs to whom it was not"),
    ),
    column(
        "message_reactions",
        "user_id",
        Fate::Kept("what was answered to others is theirs to see"),
    ),
    column(
        "receipts",
        "user_id",
        Fate::Kept("the other of a direct chat knows how far their messages came"),
    ),
    column(
        "generations",
        "user_id",
        Fate::Kept("answers in a group are its members'"),
    ),
    column(
        "tool_calls",
        "decided_by",
        Fate::Kept("what a model did in a group is its members' to know"),
    ),
    column(
        "chats",
        "direct_low_id",
        Fate::Kept("the other person's chat was with somebody"),
    ),
    column(
        "chats",
        "direct_high_id",
        Fate::Kept("the other person's chat was with somebody"),
    ),
];
