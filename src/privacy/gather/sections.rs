//! What is in an archive: of each kind of thing a statement that gives pages of it, as JSON, and a few words about it.
//!
//! The JSON is made by Postgres: what is read is written, and no shape of it has to be kept in step with a second one. Names
//! and ids are those of the API. Secrets are not in it: of keys the hint, as the API shows it.

use super::section::Section;
use crate::db::lives;

/// The chats of a person, whose messages come chat by chat.
pub const CHATS: &str = "SELECT chat_id AS id FROM chat_members WHERE user_id = $1 ORDER BY chat_id";

/// The messages of one chat.
pub const MESSAGES: Section = Section {
    name: "messages",
    about: "What was said in each of your chats, as far as you may read it, in order.",
    key: &[("messages.sequence", "bigint")],
    from: concat!(
        "messages JOIN chat_members ON chat_members.chat_id = messages.chat_id AND chat_members.user_id = $1 \
        LEFT JOIN users AS author ON author.id = messages.author_id LEFT JOIN assistants ON assistants.id = messages.assistant_id \
        WHERE messages.chat_id = $2 AND messages.sequence > chat_members.history_after AND messages.withheld_from IS DISTINCT FROM $1 \
        AND ",
        lives!("messages")
    ),
    fields: &[
        ("id", "msg:messages.id"),
        ("chatId", "chat:messages.chat_id"),
        ("sequence", "messages.sequence"),
        ("role", "messages.role"),
        ("authorId", "user:messages.author_id"),
        (
            "author",
            "coalesce(author.display_name, assistants.public_name, CASE WHEN assistants.owner_id = $1 THEN assistants.display_name END)",
        ),
        (
            "content",
            "CASE WHEN messages.deleted_at IS NOT NULL THEN '' WHEN messages.author_id = $1 THEN coalesce(messages.own_content, messages.content) ELSE messages.content END",
        ),
        (
            "reasoning",
            "(SELECT string_agg(reasoning, E'\\n' ORDER BY generations.id) FROM generations WHERE generations.message_id = messages.id)",
        ),
        ("kind", "messages.kind"),
        ("importance", "messages.importance"),
        ("metadata", "messages.metadata"),
        ("replyToId", "msg:messages.reply_to_id"),
        ("parentId", "msg:messages.parent_id"),
        ("active", "messages.active"),
        ("createdAt", "messages.created_at"),
        (
            "editedAt",
            "CASE WHEN messages.author_id = $1 THEN coalesce(messages.own_edited_at, messages.edited_at) ELSE messages.edited_at END",
        ),
        ("deletedAt", "messages.deleted_at"),
    ],
};

/// What one has said where one is not any more, or what one may not read any more.
const ELSEWHERE: &str = concat!(
    "messages WHERE messages.author_id = $1 AND NOT EXISTS (SELECT FROM chat_members WHERE chat_members.chat_id = messages.chat_id \
      AND chat_members.user_id = $1 AND messages.sequence > chat_members.history_after) AND ",
    lives!("messages")
);

/// All others, in the order in which they are gathered.
pub const SECTIONS: &[Section] = &[
    Section {
        name: "profile",
        about: "Your account.",
        key: &[("users.id", "uuid")],
        from: "users WHERE users.id = $1",
        fields: &[
            ("id", "user:users.id"),
            ("username", "username"),
            ("email", "email"),
            ("displayName", "display_name"),
            ("bio", "bio"),
            ("role", "role"),
            ("createdAt", "created_at"),
            ("updatedAt", "updated_at"),
        ],
    },
    Section {
        name: "preferences",
        about: "How you want the AI to be with you.",
        key: &[("user_id", "uuid")],
        from: "preferences WHERE user_id = $1",
        fields: &[
            ("aboutMe", "about_me"),
            ("responseStyle", "response_style"),
            ("language", "language"),
            ("memoryEnabled", "memory_enabled"),
            ("titlesEnabled", "titles_enabled"),
            ("summariesEnabled", "summaries_enabled"),
            ("addableBy", "addable_by"),
        ],
    },
    Section {
        name: "memories",
        about: "What the AI is to remember of you.",
        key: &[("id", "uuid")],
        from: "memories WHERE user_id = $1",
        fields: &[
            ("id", "mem:id"),
            ("content", "content"),
            ("createdAt", "created_at"),
            ("updatedAt", "updated_at"),
        ],
    },
    Section {
        name: "contacts",
        about: "The people in your address book.",
        key: &[("contacts.contact_id", "uuid")],
        from: "contacts JOIN users ON users.id = contacts.contact_id WHERE contacts.user_id = $1",
        fields: &[
            ("userId", "user:contacts.contact_id"),
            ("username", "users.username"),
            ("displayName", "users.display_name"),
            ("addedAt", "contacts.created_at"),
        ],
    },
    Section {
        name: "blocked",
        about: "The people whom you block.",
        key: &[("blocks.blocked_id", "uuid")],
        from: "blocks JOIN users ON users.id = blocks.blocked_id WHERE blocks.user_id = $1",
        fields: &[
            ("userId", "user:blocks.blocked_id"),
            ("username", "users.username"),
            ("blockedAt", "blocks.created_at"),
        ],
    },
    Section {
        name: "sessions",
        about: "Where you signed in, as far back as it is kept.",
        key: &[("id", "uuid")],
        from: "sessions WHERE user_id = $1",
        fields: &[
            ("id", "ses:id"),
            ("userAgent", "user_agent"),
            ("address", "address"),
            ("createdAt", "created_at"),
            ("lastUsedAt", "last_used_at"),
            ("expiresAt", "expires_at"),
            ("revokedAt", "revoked_at"),
            ("revokedReason", "revoked_reason"),
        ],
    },
    Section {
        name: "api-keys",
        about: "Your provider keys, without the keys themselves.",
        key: &[("id", "uuid")],
        from: "api_keys WHERE user_id = $1",
        fields: &[
            ("id", "key:id"),
            ("provider", "provider"),
            ("label", "label"),
            ("baseUrl", "base_url"),
            ("hint", "hint"),
            ("fingerprint", "fingerprint"),
            ("createdAt", "created_at"),
            ("lastUsedAt", "last_used_at"),
            ("lastVerifiedAt", "last_verified_at"),
        ],
    },
    Section {
        name: "tool-servers",
        about: "Your tool servers, without their secrets.",
        key: &[("id", "uuid")],
        from: "tool_servers WHERE owner_id = $1",
        fields: &[
            ("id", "tool:id"),
            ("name", "name"),
            ("transport", "transport"),
            ("url", "url"),
            ("approval", "approval"),
            ("enabled", "enabled"),
            ("createdAt", "created_at"),
        ],
    },
    Section {
        name: "tool-grants",
        about: "The tools that models may use without asking you.",
        key: &[("id", "uuid")],
        from: "tool_grants WHERE user_id = $1",
        fields: &[
            ("id", "grant:id"),
            ("toolServerId", "tool:tool_server_id"),
            ("tool", "tool"),
            ("chatId", "chat:chat_id"),
            ("createdAt", "created_at"),
        ],
    },
    Section {
        name: "assistants",
        about: "The assistants that you made.",
        key: &[("id", "uuid")],
        from: "assistants WHERE owner_id = $1",
        fields: &[
            ("id", "asst:id"),
            ("displayName", "display_name"),
            ("description", "description"),
            ("instructions", "instructions"),
            ("provider", "provider"),
            ("model", "model"),
            ("temperature", "temperature"),
            ("maxOutputTokens", "max_output_tokens"),
            ("avatarUrl", "avatar_url"),
            ("visibility", "visibility"),
            ("createdAt", "created_at"),
            ("deletedAt", "deleted_at"),
        ],
    },
    Section {
        name: "chats",
        about: "The chats that you are in.",
        key: &[("chats.id", "uuid")],
        from: "chats JOIN chat_members ON chat_members.chat_id = chats.id WHERE chat_members.user_id = $1",
        fields: &[
            ("id", "chat:chats.id"),
            ("kind", "chats.kind"),
            ("title", "chats.title"),
            ("description", "chats.description"),
            ("provider", "chats.provider"),
            ("model", "chats.model"),
            ("role", "chat_members.role"),
            ("joinedAt", "chat_members.joined_at"),
            ("lastReadSequence", "chat_members.last_read_sequence"),
            ("pinnedAt", "chat_members.pinned_at"),
            ("archivedAt", "chat_members.archived_at"),
            ("notifications", "chat_members.notifications"),
            ("mutedUntil", "chat_members.muted_until"),
            ("draft", "chat_members.draft_text"),
            ("createdAt", "chats.created_at"),
            ("lastActivityAt", "chats.last_activity_at"),
        ],
    },
    Section {
        name: "messages-elsewhere",
        about: "What you wrote in rooms that you have left, and before what you may read in those that you are in.",
        key: &[("messages.id", "uuid")],
        from: ELSEWHERE,
        fields: &[
            ("id", "msg:messages.id"),
            ("chatId", "chat:messages.chat_id"),
            ("sequence", "messages.sequence"),
            (
                "content",
                "CASE WHEN messages.deleted_at IS NULL THEN coalesce(messages.own_content, messages.content) ELSE '' END",
            ),
            ("kind", "messages.kind"),
            ("importance", "messages.importance"),
            ("metadata", "messages.metadata"),
            ("createdAt", "messages.created_at"),
            ("editedAt", "coalesce(messages.own_edited_at, messages.edited_at)"),
            ("deletedAt", "messages.deleted_at"),
        ],
    },
    Section {
        name: "reactions",
        about: "What you answered to messages in one sign.",
        key: &[("message_id", "uuid"), ("emoji", "text")],
        from: "message_reactions WHERE user_id = $1",
        fields: &[
            ("messageId", "msg:message_id"),
            ("emoji", "emoji"),
            ("createdAt", "created_at"),
        ],
    },
    Section {
        name: "edits",
        about: "What your messages said before you changed them.",
        key: &[("messages.id", "uuid"), ("message_edits.number", "integer")],
        from: "message_edits JOIN messages ON messages.id = message_edits.message_id WHERE messages.author_id = $1",
        fields: &[
            ("messageId", "msg:message_edits.message_id"),
            ("content", "message_edits.content"),
            ("writtenAt", "written_at"),
            ("replacedAt", "replaced_at"),
        ],
    },
    Section {
        name: "scheduled-messages",
        about: "What you have asked to be sent later.",
        key: &[("id", "uuid")],
        from: "scheduled_messages WHERE user_id = $1",
        fields: &[
            ("id", "sched:id"),
            ("chatId", "chat:chat_id"),
            ("content", "content"),
            ("rule", "rule"),
            ("timeZone", "time_zone"),
            ("startsAt", "starts_at"),
            ("nextAt", "next_at"),
            ("state", "state"),
            ("sentCount", "sent_count"),
            ("lastSentAt", "last_sent_at"),
        ],
    },
    Section {
        name: "webhooks",
        about: "The services that are told of your chats, without the secrets.",
        key: &[("id", "uuid")],
        from: "webhooks WHERE owner_id = $1",
        fields: &[
            ("id", "hook:id"),
            ("url", "url"),
            ("description", "description"),
            ("kinds", "kinds"),
            ("enabled", "enabled"),
            ("createdAt", "created_at"),
        ],
    },
    Section {
        name: "push-subscriptions",
        about: "The browsers that are woken for you, without the addresses that would wake them.",
        key: &[("id", "uuid")],
        from: "push_subscriptions WHERE user_id = $1",
        fields: &[
            ("id", "push:id"),
            ("sessionId", "ses:session_id"),
            ("createdAt", "created_at"),
            ("lastPushedAt", "last_pushed_at"),
        ],
    },
    Section {
        name: "summaries",
        about: "What was summarised of your chats with assistants.",
        key: &[("chat_summaries.id", "uuid")],
        from: "chat_summaries JOIN chats ON chats.id = chat_summaries.chat_id WHERE chats.created_by = $1",
        fields: &[
            ("id", "sum:chat_summaries.id"),
            ("chatId", "chat:chat_summaries.chat_id"),
            ("throughSequence", "through_sequence"),
            ("content", "content"),
            ("model", "chat_summaries.model"),
            ("createdAt", "chat_summaries.created_at"),
            ("revertedAt", "reverted_at"),
        ],
    },
    Section {
        name: "tool-calls",
        about: "What models did with tools when they answered you.",
        key: &[("generations.id", "uuid"), ("tool_calls.id", "uuid")],
        from: "tool_calls JOIN generations ON generations.id = tool_calls.generation_id WHERE generations.user_id = $1",
        fields: &[
            ("id", "call:tool_calls.id"),
            ("messageId", "msg:generations.message_id"),
            ("server", "server"),
            ("name", "name"),
            ("arguments", "arguments"),
            ("status", "tool_calls.status"),
            ("result", "result"),
            ("createdAt", "tool_calls.created_at"),
        ],
    },
    Section {
        name: "usage",
        about: "What models were asked for you, and what it cost, in millionths of a US dollar.",
        key: &[("id", "uuid")],
        from: "attempts WHERE user_id = $1",
        fields: &[
            ("chatId", "chat:chat_id"),
            ("generationId", "gen:generation_id"),
            ("provider", "provider"),
            ("model", "model"),
            ("keySource", "key_source"),
            ("purpose", "purpose"),
            ("startedAt", "started_at"),
            ("endedAt", "ended_at"),
            ("outcome", "outcome"),
            ("inputTokens", "input_tokens"),
            ("outputTokens", "output_tokens"),
            ("costMicroUsd", "cost_micro_usd"),
        ],
    },
    Section {
        name: "budgets",
        about: "What you may spend.",
        key: &[("scope", "text")],
        from: "budgets WHERE user_id = $1",
        fields: &[
            ("scope", "scope"),
            ("limitMicroUsd", "limit_micro_usd"),
            ("period", "period"),
            ("spentMicroUsd", "spent_micro_usd"),
        ],
    },
    Section {
        name: "audit",
        about: "What the server has noted of what you did, and of what was done to your account.",
        key: &[("id", "uuid")],
        from: "audit_log WHERE (actor_id = $1 OR target = 'user_' || replace($1::text, '-', ''))",
        fields: &[
            ("occurredAt", "occurred_at"),
            ("action", "action"),
            ("byYou", "actor_id IS NOT DISTINCT FROM $1"),
            ("target", "target"),
            // Where an administrator was is theirs.
            (
                "address",
                "CASE WHEN actor_id = $1 OR actor_id IS NULL THEN address END",
            ),
            ("detail", "detail"),
        ],
    },
];

/// The tables that name people and are not in archives, and why. A test finds those that are neither here nor there.
pub const LEFT_OUT: &[(&str, &str)] = &[
    ("contact_books", "a counter, and no more"),
    ("cached_answers", "the answers are among the messages"),
    ("data_exports", "the archives themselves"),
    ("sends", "what was sent is among the messages"),
    ("events", "what they tell of is in its own place"),
    ("message_mentions", "messages name whom they mention"),
    ("own_changes", "a rule for messages, and a counter"),
    ("people_here", "on which server one is at the moment"),
    ("presences", "when one was last here is among the sessions"),
    ("receipts", "how far you have read is among the chats"),
    ("system_notes", "what they tell is said by their messages"),
];
