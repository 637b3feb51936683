// @generated automatically by Diesel CLI.

pub mod sql_types {
    #[derive(diesel::sql_types::SqlType)]
    #[diesel(postgres_type(name = "tsvector", schema = "pg_catalog"))]
    pub struct Tsvector;

    #[derive(diesel::sql_types::SqlType)]
    #[diesel(postgres_type(name = "xid8", schema = "pg_catalog"))]
    pub struct Xid8;
}

diesel::table! {
    /// The provider keys that people brought, encrypted.
    api_keys (id) {
        id -> Uuid,
        /// Whose key it is.
        user_id -> Uuid,
        /// Whose key it is for.
        provider -> Text,
        /// What its owner calls it.
        label -> Nullable<Text>,
        /// Where it is used; null for the provider's own address.
        base_url -> Nullable<Text>,
        /// The ends of the key, to recognise it by.
        hint -> Text,
        /// A hash of the key that tells two keys apart and gives neither away.
        fingerprint -> Text,
        /// The key under a data key of its own, and that data key under the master key.
        sealed -> Bytea,
        /// Which master key wraps the data key.
        master_key_id -> Text,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        /// When it last started an answer.
        last_used_at -> Nullable<Timestamptz>,
        /// When the provider last accepted it.
        last_verified_at -> Nullable<Timestamptz>,
        /// What the provider last refused it with; null since it was last accepted.
        last_error_code -> Nullable<Text>,
        /// When that was.
        last_error_at -> Nullable<Timestamptz>,
        /// In which format the provider is asked; null for its usual one.
        format -> Nullable<Text>,
        /// Until when the provider asked to wait; null when it did not, or took another request since.
        throttled_until -> Nullable<Timestamptz>,
        /// How many requests the provider takes in its window, as it last said.
        requests_limit -> Nullable<Int8>,
        /// How many of them were left.
        requests_remaining -> Nullable<Int8>,
        /// How many tokens the provider takes in its window, as it last said.
        tokens_limit -> Nullable<Int8>,
        /// How many of them were left.
        tokens_remaining -> Nullable<Int8>,
        /// When there is more of what was scarcest.
        headroom_resets_at -> Nullable<Timestamptz>,
        /// When the provider said so.
        headroom_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    /// AIs with a personality. The first one is everybody's: it answers where no other was chosen.
    assistants (id) {
        id -> Uuid,
        /// Who made it; null for the server's own.
        owner_id -> Nullable<Uuid>,
        /// The name to show to those who can use it.
        display_name -> Text,
        /// The name when it was last shared, which others keep seeing on what it wrote; null if it never was.
        public_name -> Nullable<Text>,
        /// What it is for, in a few words.
        description -> Nullable<Text>,
        /// What it is told before every conversation.
        instructions -> Text,
        /// Whose model answers; null for whichever key there is.
        provider -> Nullable<Text>,
        /// The model that answers; null for the default.
        model -> Nullable<Text>,
        /// How freely it chooses its words; null leaves it to the provider.
        temperature -> Nullable<Float8>,
        /// How long an answer may get; null leaves it to the provider.
        max_output_tokens -> Nullable<Int4>,
        /// A picture: an https address or a path on this server. Never fetched by the server.
        avatar_url -> Nullable<Text>,
        /// PRIVATE is for its owner alone, SHARED for everybody on this server.
        visibility -> Text,
        /// Grows with each change.
        version -> Int4,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        /// Since when it is gone but for its name on what it wrote.
        deleted_at -> Nullable<Timestamptz>,
        /// How much it thinks before it answers; null leaves it to the provider.
        reasoning_effort -> Nullable<Text>,
    }
}

diesel::table! {
    /// The ledger: every attempt at a provider, what it used and what it cost.
    attempts (id) {
        id -> Uuid,
        /// The answer that it was made for; null for other purposes and once the answer is removed.
        generation_id -> Nullable<Uuid>,
        /// Who asked. Not a reference: what was spent outlives the account.
        user_id -> Uuid,
        /// Whose key or budget pays. Not a reference.
        payer_id -> Uuid,
        /// Where it was asked. Not a reference: what was spent outlives the chat.
        chat_id -> Nullable<Uuid>,
        /// Who was asked.
        provider -> Text,
        /// Which model.
        model -> Text,
        /// Whose key: the asking person's, the server's, or none (scripted).
        key_source -> Text,
        /// Which of the person's keys. Not a reference.
        api_key_id -> Nullable<Uuid>,
        /// What for: an answer, or a title or summary made in the background.
        purpose -> Text,
        /// When it began.
        started_at -> Timestamptz,
        /// When its first word came.
        first_token_at -> Nullable<Timestamptz>,
        /// When it ended; null while it runs, and until then its figures are what was expected.
        ended_at -> Nullable<Timestamptz>,
        /// How it ended; CACHED when an earlier answer was given again and nobody was asked.
        outcome -> Nullable<Text>,
        /// Why it failed or broke off.
        error_code -> Nullable<Text>,
        /// The provider's own id for it.
        provider_request_id -> Nullable<Text>,
        /// Tokens of the prompt, cached ones included.
        input_tokens -> Int8,
        /// Tokens of the prompt that the provider had cached.
        cached_input_tokens -> Int8,
        /// Tokens of the prompt that the provider put into its cache.
        cache_write_tokens -> Int8,
        /// Tokens of what was written, reasoning included.
        output_tokens -> Int8,
        /// Tokens of the reasoning.
        reasoning_tokens -> Int8,
        /// The provider's usage, word for word.
        raw_usage -> Nullable<Jsonb>,
        /// What it cost, in millionths of a US dollar; null when nobody knows the price.
        cost_micro_usd -> Nullable<Int8>,
        /// The prices that it was charged by; provider when the provider told the cost itself.
        price_version -> Nullable<Text>,
        /// How sure the figures are: counted here, told by the provider, or compared with its bill.
        state -> Text,
        /// What it holds, or in the end held, of its payer's budget.
        reserved_micro_usd -> Int8,
    }
}

diesel::table! {
    /// Who did or read what, where it matters: administration, keys, failed sign-ins.
    audit_log (id) {
        id -> Uuid,
        /// When it happened.
        occurred_at -> Timestamptz,
        /// Who did it; null for the command line and for people who are not signed in. Not a reference: the entry outlives the account.
        actor_id -> Nullable<Uuid>,
        /// What was done, such as admin.set_role.
        action -> Text,
        /// The public id of what it was done to.
        target -> Nullable<Text>,
        /// The address it came from.
        address -> Nullable<Text>,
        /// What else an administrator needs to know; never a secret or a message text.
        detail -> Jsonb,
    }
}

diesel::table! {
    /// Whom people want to hear nothing from. The blocked are never told.
    blocks (user_id, blocked_id) {
        /// Who blocks.
        user_id -> Uuid,
        /// Who is blocked.
        blocked_id -> Uuid,
        /// The version of the blocking person's book when they were blocked: lists are ordered by it.
        version -> Int4,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    /// What people may spend. Its row is locked by whoever reserves or settles, so that nobody overspends together.
    budgets (user_id, scope) {
        /// Whose budget.
        user_id -> Uuid,
        /// SERVER_KEY: what the server's keys may spend for them, set by administrators. OWN_KEYS: what their own keys may spend, set by themselves.
        scope -> Text,
        /// The most of a period, in millionths of a US dollar.
        limit_micro_usd -> Int8,
        /// How long it lasts: a day or a month of UTC, or for good.
        period -> Text,
        /// When the period began.
        period_started_at -> Timestamptz,
        /// When it ends and nothing counts as spent; null for TOTAL.
        period_ends_at -> Nullable<Timestamptz>,
        /// What the ended attempts of the period cost.
        spent_micro_usd -> Int8,
        /// What the running attempts hold.
        reserved_micro_usd -> Int8,
    }
}

diesel::table! {
    /// Which answer is given again to whom when the same is asked again. Its text is where it was written, and goes with it.
    cached_answers (user_id, hash) {
        /// Who asked. Nobody else is given it.
        user_id -> Uuid,
        /// SHA-256 of everything that the model was asked, and of where.
        hash -> Bytea,
        /// The answer that it gave.
        generation_id -> Uuid,
        /// When it gave it; how long that counts is a setting.
        created_at -> Timestamptz,
    }
}

diesel::table! {
    /// Which assistants were chosen for a chat; the default one where there are none.
    chat_assistants (chat_id, assistant_id) {
        /// Where.
        chat_id -> Uuid,
        /// Who.
        assistant_id -> Uuid,
        /// Their order: the first one that can be used answers.
        position -> Int2,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    /// The chats whose messages disappear, and those that the server's own retention has taken messages from that are still to be deleted.
    chat_lifetimes (chat_id) {
        /// Which chat.
        chat_id -> Uuid,
        /// How old a message of it may get; null when as old as it likes.
        seconds -> Nullable<Int4>,
        /// Messages up to this number are gone for everybody, and deleted step by step.
        gone_through -> Int8,
        /// Before this moment nothing in it gets too old; null while there is nothing in it.
        due_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    /// Who is in which chat, and how the chat looks to them. Who leaves or is removed has no row any more.
    chat_members (chat_id, user_id) {
        /// Where somebody is a member.
        chat_id -> Uuid,
        /// Who is.
        user_id -> Uuid,
        /// Since when.
        joined_at -> Timestamptz,
        /// The newest message that this person has read; never goes back.
        last_read_sequence -> Int8,
        /// Since when this person keeps the chat on top; null when not.
        pinned_at -> Nullable<Timestamptz>,
        /// Since when this person has put the chat away; null when not.
        archived_at -> Nullable<Timestamptz>,
        /// What this person may do in the chat; a group has one owner.
        role -> Text,
        /// Messages up to this number are not shown to this person: they were sent before they joined, or were cleared by them.
        history_after -> Int8,
        /// Grows with each change of what only this person sees of the chat; the version that they see is the sum of it and the chat's.
        version -> Int4,
        /// What this person has begun to write; null when nothing.
        draft_text -> Nullable<Text>,
        /// The message that they are about to reply to.
        draft_reply_to_id -> Nullable<Uuid>,
        /// When they last went on with it; null when there is no draft.
        draft_updated_at -> Nullable<Timestamptz>,
        /// Grows with each change of the draft, and with each message that they send: a device that saves late is told.
        draft_version -> Int4,
        /// When this person last sent what is withheld from the other: for them the chat's latest activity, if there is none later.
        own_activity_at -> Nullable<Timestamptz>,
        /// Messages up to this number were kept from this person when they joined; unlike history_after it does not grow when they clear the chat for themselves. Assistants are shown what nobody is kept from.
        joined_after -> Int8,
        /// Of which messages this person is notified: ALL, MENTIONS or NONE.
        notifications -> Text,
        /// Until when this person is notified of nothing; null when not muted.
        muted_until -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    /// What models are shown of long conversations in the place of their beginnings. The messages themselves stay.
    chat_summaries (id) {
        id -> Uuid,
        /// Of which chat.
        chat_id -> Uuid,
        /// The last message that it covers, and with it all before it in its branch.
        through_message_id -> Uuid,
        /// The number of that message.
        through_sequence -> Int8,
        /// What was said, in few words.
        content -> Text,
        /// How many tokens the content has, by the count that prompts are planned with.
        tokens -> Int4,
        /// Whose model wrote it.
        provider -> Text,
        /// Which model wrote it.
        model -> Text,
        /// Grows with each change.
        version -> Int4,
        created_at -> Timestamptz,
        /// Since when somebody does not want it used; null while it may be.
        reverted_at -> Nullable<Timestamptz>,
        /// How much of that message it covers; it is not used once the message says more, because an answer was gone on with.
        through_octets -> Int4,
    }
}

diesel::table! {
    /// Rooms.
    chats (id) {
        id -> Uuid,
        /// Who is in the room: ASSISTANT is one person and an AI, DIRECT two people, GROUP as many as there are.
        kind -> Text,
        /// What it is called; null until its first message gives it a title.
        title -> Nullable<Text>,
        /// Who gave the title; a person's is never replaced by itself.
        title_source -> Nullable<Text>,
        /// Whose model answers here; null for whichever key there is.
        provider -> Nullable<Text>,
        /// The model that answers here; null for the server's default.
        model -> Nullable<Text>,
        /// Whose chat with an AI it is; null for rooms of several people, which outlive whoever made them.
        created_by -> Nullable<Uuid>,
        /// Whether this is its creator's always-there chat.
        is_default -> Bool,
        /// The creator's key for the creation, so that a retry makes no second chat.
        idempotency_key -> Nullable<Text>,
        /// SHA-256 of what was asked under the key, to tell a retry from another creation.
        request_hash -> Nullable<Bytea>,
        /// The number of the newest message. Its row lock orders everything that happens in the chat.
        last_sequence -> Int8,
        /// Messages up to this number were cleared.
        cleared_sequence -> Int8,
        /// Grows with each change of the chat as its members see it.
        version -> Int4,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        /// When the newest message was sent, else when the chat was made.
        last_activity_at -> Timestamptz,
        /// When a model was first called upon for a title; it is not done twice by itself.
        title_asked_at -> Nullable<Timestamptz>,
        /// When a summary was last called for by itself; not again for a minute, whatever becomes of it.
        summary_asked_at -> Nullable<Timestamptz>,
        /// The servers whose tools answers here may use; those that are gone are passed over.
        tool_server_ids -> Array<Nullable<Uuid>>,
        /// Which of Parlor's own tools answers here may use.
        builtin_tools -> Array<Nullable<Text>>,
        /// What a group is for, in its own words.
        description -> Nullable<Text>,
        /// The picture of a group.
        icon_url -> Nullable<Text>,
        /// Of the two people of a direct chat the one with the lower id; null when the account is gone.
        direct_low_id -> Nullable<Uuid>,
        /// Of the two people of a direct chat the one with the higher id; null when the account is gone.
        direct_high_id -> Nullable<Uuid>,
        /// What those see who join the group from now on: what is said after they joined, or all from the start.
        history -> Text,
        /// The lowest role in the group that may send messages.
        may_post -> Text,
        /// The lowest role in the group that may add people.
        may_add_members -> Text,
        /// The lowest role in the group that may pin messages.
        may_pin -> Text,
        /// The lowest role in the group that may change title, description and icon.
        may_change_details -> Text,
        /// The lowest role in the group that may ask its assistants.
        may_ask_ai -> Text,
        /// When the assistants of a group answer: when they are addressed, or to every message.
        assistant_replies -> Text,
        /// Who pays for the answers in a group: whoever asks, its owner, or the server.
        payer -> Text,
    }
}

diesel::table! {
    /// One row for each person who ever added or blocked somebody: its lock has their changes take turns.
    contact_books (user_id) {
        /// Whose.
        user_id -> Uuid,
        /// Grows with each change, also of what is gone by now.
        version -> Int4,
    }
}

diesel::table! {
    /// Whom people have in their address books. One-sided: the other is not asked and not told.
    contacts (user_id, contact_id) {
        /// Whose address book.
        user_id -> Uuid,
        /// Who is in it.
        contact_id -> Uuid,
        /// The version of the book when they were added: lists are ordered by it.
        version -> Int4,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    /// The archives, in pieces of a bounded size: whichever server is asked has them.
    data_export_chunks (export_id, run, position) {
        /// Which one it is a piece of.
        export_id -> Uuid,
        /// Which of its runs wrote it; those of earlier runs are never read.
        run -> Int4,
        /// Its place, from 0.
        position -> Int4,
        /// The piece.
        bytes -> Bytea,
    }
}

diesel::table! {
    use diesel::sql_types::*;

    /// What people asked to take along of their data, and what came of it.
    data_exports (id) {
        id -> Uuid,
        /// Whose data.
        user_id -> Uuid,
        /// Where it stands; an EXPIRED one was READY, and its bytes are deleted.
        state -> Text,
        /// How often it was begun: only the last one to begin may write.
        run -> Int4,
        /// How much of it is gathered, in percent.
        progress -> Int4,
        /// How long the archive is; null until it is whole.
        bytes -> Nullable<Int8>,
        /// Grows with each change.
        version -> Int4,
        created_at -> Timestamptz,
        /// When it was ready, or given up.
        finished_at -> Nullable<Timestamptz>,
        /// When the archive is deleted; null until it is whole.
        expires_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql_types::Xid8;

    /// The one row about the event log as a whole.
    event_log (singleton) {
        /// Always true: there is one row.
        singleton -> Bool,
        /// Part of every cursor: changes when the log is moved to another Postgres, whose transaction ids mean nothing here.
        epoch -> Uuid,
        /// Events of transactions up to this one may have been removed.
        trimmed_xid -> Xid8,
        /// Which Postgres, timeline and database the transaction ids are of; null before the first start.
        home -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql_types::Xid8;

    /// What happened, for clients that follow along or catch up. Written in the transaction that made it happen.
    events (id) {
        /// Given in lock order within a chat. Across chats it says nothing: transactions commit out of order.
        id -> Int8,
        /// The writing transaction: a reader has seen an event exactly if its snapshot shows this transaction as done.
        xid -> Xid8,
        /// The one person it is for, if it is for one.
        user_id -> Nullable<Uuid>,
        /// The chat whose members it is for; it is for everybody when this and the person are null.
        chat_id -> Nullable<Uuid>,
        /// What kind of event it is.
        kind -> Text,
        /// The ids that it speaks of; readers load what they name as it is now.
        payload -> Jsonb,
        /// When its transaction began.
        occurred_at -> Timestamptz,
    }
}

diesel::table! {
    /// The turns of a model that ended with calls of tools: what it is shown again with their results.
    generation_steps (generation_id, step) {
        /// Which answer.
        generation_id -> Uuid,
        /// Which turn of it, from 0.
        step -> Int4,
        /// What the model said in this turn.
        text -> Text,
        /// The wire format that the replay is in.
        replay_format -> Nullable<Text>,
        /// The model that the replay is of.
        replay_model -> Nullable<Text>,
        /// The turn as the provider wants it back, byte for byte.
        replay_content -> Nullable<Text>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    /// AI answers: what is known of each besides its text, which is its message's content.
    generations (id) {
        id -> Uuid,
        /// The message that the answer is written into. Several when an answer was continued; one of them is the newest.
        message_id -> Uuid,
        /// The chat of its message.
        chat_id -> Uuid,
        /// Who asked.
        user_id -> Uuid,
        /// QUEUED and STREAMING are running, WAITING_FOR_APPROVAL waits for a person; the others are final.
        status -> Text,
        /// Whose model answers.
        provider -> Text,
        /// Which model answers.
        model -> Text,
        /// Whose key paid: the asking person's, the server's, or none (scripted).
        key_source -> Text,
        /// The number of the last delta in the stored text.
        sequence -> Int4,
        /// What the model showed of its thinking.
        reasoning -> Nullable<Text>,
        /// Why the model stopped; null unless it said so.
        finish_reason -> Nullable<Text>,
        /// Why there is no complete answer.
        error_code -> Nullable<Text>,
        /// How long the provider asks to wait.
        error_retry_after_seconds -> Nullable<Int4>,
        /// The provider's own id for the call, for its support.
        provider_request_id -> Nullable<Text>,
        /// Tokens of the prompt, cached ones included.
        input_tokens -> Nullable<Int8>,
        /// Tokens of the prompt that the provider had cached.
        cached_input_tokens -> Nullable<Int8>,
        /// Tokens of the answer, reasoning included.
        output_tokens -> Nullable<Int8>,
        /// Tokens of the reasoning.
        reasoning_tokens -> Nullable<Int8>,
        /// The provider's usage, word for word.
        raw_usage -> Nullable<Jsonb>,
        /// When somebody asked to stop it, for the process that runs it.
        stop_requested_at -> Nullable<Timestamptz>,
        /// When it was asked for.
        queued_at -> Timestamptz,
        /// When the model's first word came.
        first_token_at -> Nullable<Timestamptz>,
        /// When it ended; null while it runs.
        finished_at -> Nullable<Timestamptz>,
        /// The process that runs it.
        leased_by -> Uuid,
        /// Until when the process counts as alive without renewing this; null while nobody runs it because it waits for a person.
        lease_expires_at -> Nullable<Timestamptz>,
        /// What its attempts cost together, in millionths of a US dollar; null when nobody knows the price.
        cost_micro_usd -> Nullable<Int8>,
        /// How sure its figures are; null while it runs.
        cost_state -> Nullable<Text>,
        /// The prices that it was charged by.
        price_version -> Nullable<Text>,
        /// How many bytes of its message's text were there when another generation went on with it; null for the newest, whose text is all of it.
        text_octets -> Nullable<Int4>,
        /// The first of the answers that were asked for together with it, its own id on that one; null when it was asked for alone. Not a reference.
        lanes_of -> Nullable<Uuid>,
        /// Whether the first of them to be done is kept, and the others are removed.
        race -> Bool,
    }
}

diesel::table! {
    /// What is to be done in the background. Written in the transaction that calls for it; removed when it is done or given up.
    jobs (id) {
        id -> Uuid,
        /// What is to be done, such as chat.title.
        kind -> Text,
        /// What it is to be done to: there is one job of a kind for each.
        key -> Text,
        /// What else there is to know.
        payload -> Jsonb,
        /// Grows when it is called for again: what was begun before that is done once more.
        revision -> Int4,
        /// Not before.
        run_at -> Timestamptz,
        /// How often it was begun since it was called for.
        attempts -> Int4,
        /// Why the last attempt failed, for whoever runs the server.
        last_error -> Nullable<Text>,
        /// The process that does it.
        leased_by -> Nullable<Uuid>,
        /// When that process counts as dead unless it says otherwise before; null while nobody does it.
        leased_until -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    /// How far those have come who read the event log on the server's behalf. The row's lock has the servers take turns.
    log_readers (name) {
        /// Who reads.
        name -> Text,
        /// A position in the log, as clients have them; null while there is nobody to read for.
        cursor -> Nullable<Text>,
    }
}

diesel::table! {
    /// The master keys that provider keys were ever sealed with, by id; the keys themselves are never here.
    master_keys (id) {
        /// Derived from the key; says nothing about it.
        id -> Text,
        /// A known text sealed with it: whoever cannot open it has the wrong key.
        canary -> Bytea,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    /// What the AI is to remember of people across their chats.
    memories (id) {
        id -> Uuid,
        /// Of whom.
        user_id -> Uuid,
        /// What, in a sentence or two.
        content -> Text,
        /// Grows with each change.
        version -> Int4,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    /// What messages said before their authors changed them. Gone once a message is deleted.
    message_edits (message_id, number) {
        /// Which message.
        message_id -> Uuid,
        /// The first text has 1, the next 2.
        number -> Int4,
        /// What it said.
        content -> Text,
        /// Since when it said so.
        written_at -> Timestamptz,
        /// Until when.
        replaced_at -> Timestamptz,
        /// Who never saw that the message said this no more, or that it ever did. Not a reference.
        withheld_from -> Nullable<Uuid>,
    }
}

diesel::table! {
    /// Who is mentioned by which message, people and assistants.
    message_mentions (message_id, position) {
        /// The message.
        message_id -> Uuid,
        /// The place among those whom it mentions.
        position -> Int2,
        /// The person who is mentioned; null for an assistant.
        user_id -> Nullable<Uuid>,
        /// The assistant that is mentioned; null for a person.
        assistant_id -> Nullable<Uuid>,
        /// The chat of the message, for the index. Not a reference.
        chat_id -> Uuid,
        /// The number of the message, for the index.
        sequence -> Int8,
    }
}

diesel::table! {
    /// What people have answered to messages in one sign.
    message_reactions (message_id, emoji, user_id) {
        /// To which message.
        message_id -> Uuid,
        /// The sign, or a word or two.
        emoji -> Text,
        /// Who did.
        user_id -> Uuid,
        created_at -> Timestamptz,
        /// Who never sees it, because they blocked this person then. Not a reference.
        withheld_from -> Nullable<Uuid>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::sql_types::Tsvector;

    /// What messages are found by. A running answer has no row yet, a tombstone none any more.
    message_words (message_id) {
        /// Which message.
        message_id -> Uuid,
        /// Its words without accents, with their places; their stems; and marks of where, when and by whom it was said.
        words -> Tsvector,
        /// What its author finds it by, while the other of the pair reads other words. Null when all read the same.
        own_words -> Nullable<Tsvector>,
    }
}

diesel::table! {
    /// What was said, by people and by models.
    messages (id) {
        id -> Uuid,
        /// Where it was said.
        chat_id -> Uuid,
        /// Its place in the chat, given under the chat's row lock: dense at first, with gaps once messages are removed.
        sequence -> Int8,
        /// Whose turn it is in the conversation that a model is shown.
        role -> Text,
        /// The person who wrote it; null for a model and for a deleted account.
        author_id -> Nullable<Uuid>,
        /// The text, byte for byte. While an answer streams it is at most 250 ms behind what was shown.
        content -> Text,
        /// The message before it in its branch; null where a branch begins. Its sequence is lower.
        parent_id -> Nullable<Uuid>,
        /// The sender's key for it; shown to the sender alone.
        idempotency_key -> Nullable<Text>,
        /// Grows with each change: an event is applied only when its version is higher.
        version -> Int4,
        created_at -> Timestamptz,
        /// When its author last changed the text.
        edited_at -> Nullable<Timestamptz>,
        /// Since when it is a tombstone; its text is gone.
        deleted_at -> Nullable<Timestamptz>,
        /// Whether it is on the branch that is shown: one path from a beginning to an end.
        active -> Bool,
        /// Whether it is the one among its siblings that was shown last: the way down when a message above is selected.
        chosen -> Bool,
        /// The assistant that wrote it; null for people's messages and for answers from before there was a choice. Not a reference.
        assistant_id -> Nullable<Uuid>,
        /// How many tokens the text has, counted with o200k_base; null while an answer is written and for messages from before counting.
        tokens -> Nullable<Int4>,
        /// The message of the same chat that it replies to; of a system message, the one that it speaks of.
        reply_to_id -> Nullable<Uuid>,
        /// What is in it: SYSTEM is what Parlor tells, ENCRYPTED what only the members can read.
        kind -> Text,
        /// How much it matters to its author.
        importance -> Text,
        /// What the client has added for clients, a JSON object; Parlor does not read it.
        metadata -> Nullable<Jsonb>,
        /// Who made it a tombstone; null when Parlor did, and when the account is gone.
        deleted_by -> Nullable<Uuid>,
        /// Since when it is kept in sight for all in the chat; null when not.
        pinned_at -> Nullable<Timestamptz>,
        /// Who has pinned it; null when it is not pinned, and when the account is gone.
        pinned_by -> Nullable<Uuid>,
        /// What its author alone sees it say: they changed it while the other of a direct chat blocked them. Null when all see the same.
        own_content -> Nullable<Text>,
        /// When they changed it.
        own_edited_at -> Nullable<Timestamptz>,
        /// Who blocked the author when this was sent to a direct chat: they never see it, also when they unblock the author. Not a reference.
        withheld_from -> Nullable<Uuid>,
    }
}

diesel::table! {
    /// The one row that tells servers when to read models anew.
    model_changes (singleton) {
        /// Always true: there is one row.
        singleton -> Bool,
        /// Grows with each change of models, in its transaction.
        version -> Int8,
    }
}

diesel::table! {
    /// What is known of models beyond what came with this version: an imported price map, and what administrators have set.
    models (provider, model, source) {
        /// Whose model.
        provider -> Text,
        /// The provider's name of it.
        model -> Text,
        /// IMPORT takes the place of what came with this version; what is not null in ADMIN counts before both.
        source -> Text,
        /// What people call it.
        display_name -> Nullable<Text>,
        /// The most tokens that a prompt may have.
        context_window -> Nullable<Int8>,
        /// The most tokens that an answer may have.
        max_output_tokens -> Nullable<Int8>,
        /// What it reads: TEXT, IMAGE, AUDIO, VIDEO, PDF.
        input_modalities -> Nullable<Array<Nullable<Text>>>,
        /// Whether it can call tools.
        tools -> Nullable<Bool>,
        /// Whether it thinks before it answers.
        reasoning -> Nullable<Bool>,
        /// Which of its provider's APIs it speaks: RESPONSES where Chat Completions does not have it.
        mode -> Nullable<Text>,
        /// Micro-USD for a million tokens of prompt; null when nobody knows the prices.
        input_price -> Nullable<Int8>,
        /// Micro-USD for a million tokens of prompt from the provider's cache; null when they cost as much as others.
        cached_input_price -> Nullable<Int8>,
        /// Micro-USD for a million tokens of prompt put into the provider's cache; null when they cost as much as others.
        cache_write_price -> Nullable<Int8>,
        /// Micro-USD for a million tokens of answer.
        output_price -> Nullable<Int8>,
        /// Micro-USD for a million tokens of reasoning; null when they cost as much as others.
        reasoning_price -> Nullable<Int8>,
        /// Prompts of more tokens than this have the prices that follow; null when all prompts cost the same.
        long_above_tokens -> Nullable<Int8>,
        /// As input_price, for long prompts.
        long_input_price -> Nullable<Int8>,
        /// As cached_input_price, for long prompts.
        long_cached_input_price -> Nullable<Int8>,
        /// As cache_write_price, for long prompts.
        long_cache_write_price -> Nullable<Int8>,
        /// As output_price, for answers to long prompts.
        long_output_price -> Nullable<Int8>,
        /// Names these prices on whatever was charged by them.
        price_version -> Nullable<Text>,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    /// The servers on this database that are alive. One renewal is enough for everybody who is connected to a server.
    nodes (id) {
        id -> Uuid,
        /// Until when it counts as alive without another word of it.
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    /// What somebody changed of a direct chat that the other, who blocked them, is not shown.
    own_changes (chat_id, user_id) {
        /// Which chat.
        chat_id -> Uuid,
        /// Who did, in the chat or gone out of it.
        user_id -> Uuid,
        /// How old a message of it may get for them; 0 when as old as it likes, null where the chat's own rule holds.
        lifetime_seconds -> Nullable<Int4>,
        /// How often they changed something, but for messages that they sent: a part of the version that they see.
        changes -> Int4,
        /// When they last did.
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    /// Who has live streams, and on which server: one row each, however many devices they have there.
    people_here (user_id, node_id) {
        /// Who. Not a reference: the check of one would lock the account for each who comes.
        user_id -> Uuid,
        /// Which server.
        node_id -> Uuid,
        /// Whether all their devices there say that nobody is in front of them.
        away -> Bool,
        /// The sign-ins that they have live streams with there: a device that has one needs no push.
        sessions -> Array<Nullable<Uuid>>,
    }
}

diesel::table! {
    /// How people want the AI to be with them. Whoever has no row has changed nothing yet.
    preferences (user_id) {
        /// Whose.
        user_id -> Uuid,
        /// What the person says about themselves.
        about_me -> Nullable<Text>,
        /// How the person wants to be answered.
        response_style -> Nullable<Text>,
        /// The language that the person wants to be answered in; null for that of the question.
        language -> Nullable<Text>,
        /// Whether models are told the person's memories.
        memory_enabled -> Bool,
        /// Whether models are asked for titles of the person's chats.
        titles_enabled -> Bool,
        /// Whether long chats of the person are summarised by themselves.
        summaries_enabled -> Bool,
        /// Grows with each change.
        version -> Int4,
        updated_at -> Timestamptz,
        /// Who may add this person to groups. Whoever they block gets the answer of those who may not.
        addable_by -> Text,
    }
}

diesel::table! {
    /// What is kept of whether people are here; a row for whoever ever was, or hid.
    presences (user_id) {
        /// Whose.
        user_id -> Uuid,
        /// Whether they want to be seen by nobody.
        invisible -> Bool,
        /// When the last of their devices left; null while they have never been gone.
        last_seen_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    /// The browsers that are to be woken by web push (RFC 8030).
    push_subscriptions (id) {
        id -> Uuid,
        /// Whose browser.
        user_id -> Uuid,
        /// The sign-in that it was registered with: when that is over, nothing is pushed any more.
        session_id -> Uuid,
        /// Where its push service takes messages for it.
        endpoint -> Text,
        /// Its public key: what is pushed is encrypted for it (RFC 8291).
        p256dh -> Bytea,
        /// The secret that it shares with us for that.
        auth -> Bytea,
        /// When its push service last took something.
        last_pushed_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        /// How many times in a row its push service refused what was pushed; after some it is forgotten.
        refusals -> Int4,
    }
}

diesel::table! {
    /// What message_reactions come to, so that nobody who looks at them counts and sorts: changed with them, under the lock of the chat.
    reaction_counts (message_id, emoji) {
        /// To which message.
        message_id -> Uuid,
        /// In which way.
        emoji -> Text,
        /// How many people react so, with those whose reaction is withheld from somebody.
        people -> Int4,
        /// The first five of them. Not references.
        first_ids -> Array<Nullable<Uuid>>,
        /// When the first of them did.
        since -> Timestamptz,
    }
}

diesel::table! {
    /// How far people have come in rooms of several, as the others are told. Who has left a group is not among them any more.
    receipts (chat_id, user_id) {
        /// In which room.
        chat_id -> Uuid,
        /// Who.
        user_id -> Uuid,
        /// The number of the newest message that a device of theirs was handed; never goes back.
        delivered_sequence -> Int8,
        /// The number of the newest message that they have read; never goes back.
        read_sequence -> Int8,
        /// Whether the others have yet to be told: whichever process comes by does, also when the one that set it has died.
        untold -> Bool,
    }
}

diesel::table! {
    /// Every refresh token of a living session, used ones too, so that a stolen one is recognised.
    refresh_tokens (token_hash) {
        /// SHA-256 of the 256-bit token.
        token_hash -> Bytea,
        /// The family that it belongs to.
        session_id -> Uuid,
        /// Its place in the family: a child is one higher than its parent.
        generation -> Int4,
        created_at -> Timestamptz,
        /// When it was exchanged for its child; null while it is the newest.
        used_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    /// Answers as their provider wrote them, where something in them is signed: sent back word for word with the next question.
    replays (generation_id) {
        /// The answer.
        generation_id -> Uuid,
        /// The format it is written in; it goes back in the same one only.
        format -> Text,
        /// The model that wrote it; it goes back to the same one only.
        model -> Text,
        /// JSON, byte for byte.
        content -> Text,
    }
}

diesel::table! {
    /// Messages that are to be sent later, once or again and again. The time of the next one is also that of a job.
    scheduled_messages (id) {
        id -> Uuid,
        /// Who sends them.
        user_id -> Uuid,
        /// Where to. Not a reference: the row outlives the chat, to say that it is gone.
        chat_id -> Uuid,
        /// The text.
        content -> Text,
        /// When again: a recurrence rule (RFC 5545) or a cron pattern; null for once.
        rule -> Nullable<Text>,
        /// The time zone of the rule, as IANA names it.
        time_zone -> Text,
        /// When it is to be sent, or the beginning of the rule.
        starts_at -> Timestamptz,
        /// When the next message is due; null when there is none any more. Part of the idempotency key of that message.
        next_at -> Nullable<Timestamptz>,
        /// What becomes of a time that passed while no server ran: SEND_LATE or SKIP.
        missed -> Text,
        /// What becomes of it: ACTIVE, DONE, FAILED or CANCELLED.
        state -> Text,
        /// How many messages were sent.
        sent_count -> Int4,
        /// When the last one was.
        last_sent_at -> Nullable<Timestamptz>,
        /// The last one. Not a reference: the message may be gone.
        last_message_id -> Nullable<Uuid>,
        /// How many times passed without a message.
        missed_count -> Int4,
        /// The newest time that was not kept: its message was late, or there was none.
        missed_at -> Nullable<Timestamptz>,
        /// How often the next message was tried in vain for what may pass.
        attempts -> Int4,
        /// How many times in a row were refused.
        failures -> Int4,
        /// Why the last one was not sent; null when it was.
        error_code -> Nullable<Text>,
        /// The same in words for its owner.
        error_message -> Nullable<Text>,
        /// The owner's key for the scheduling, so that a retry schedules nothing twice.
        idempotency_key -> Text,
        /// SHA-256 of what was asked under the key, to tell a retry from something else.
        request_hash -> Bytea,
        /// Grows with each change.
        version -> Int4,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    /// The first answer to every send, for good: a repeat gets it again, also after the message was removed.
    sends (user_id, idempotency_key) {
        /// Who sent it.
        user_id -> Uuid,
        /// The sender's key, used once for good.
        idempotency_key -> Text,
        /// SHA-256 of what was asked, to tell a repeat from another request under the same key.
        request_hash -> Bytea,
        /// Where it was sent. Not a reference: the row outlives the chat.
        chat_id -> Uuid,
        /// The message that it made, or the answer that it continued.
        message_id -> Uuid,
        /// The answer that it started.
        generation_id -> Nullable<Uuid>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    /// One sign-in on one device, and the family of refresh tokens that came from it.
    sessions (id) {
        id -> Uuid,
        /// Who signed in.
        user_id -> Uuid,
        /// The number of the newest refresh token of the family.
        generation -> Int4,
        /// What the client called itself when it signed in.
        user_agent -> Nullable<Text>,
        /// The address it signed in from.
        address -> Nullable<Text>,
        created_at -> Timestamptz,
        /// When the refresh token was last rotated.
        last_used_at -> Timestamptz,
        /// When the session ends unless it is used before.
        expires_at -> Timestamptz,
        /// Since when the session is over; null while it lives.
        revoked_at -> Nullable<Timestamptz>,
        /// Why it is over.
        revoked_reason -> Nullable<Text>,
    }
}

diesel::table! {
    /// What happened in a room, for messages of the role SYSTEM. Who did it is the message's author.
    system_notes (message_id) {
        /// The message that tells of it.
        message_id -> Uuid,
        /// What happened.
        kind -> Text,
        /// To whom it happened; null when to nobody, and when the account is gone.
        subject_id -> Nullable<Uuid>,
        /// The role that the person was given.
        role -> Nullable<Text>,
        /// Which details of the group were changed.
        details -> Array<Nullable<Text>>,
        /// The assistant that it happened to; null when to none, and when it is gone.
        assistant_id -> Nullable<Uuid>,
    }
}

diesel::table! {
    /// What models asked of tools, and what came of it.
    tool_calls (id) {
        id -> Uuid,
        /// The answer that it is for.
        generation_id -> Uuid,
        /// The turn of the model that asked.
        step -> Int4,
        /// Its place among the calls of that turn, from 0.
        position -> Int4,
        /// What the model calls it.
        call_id -> Text,
        /// The tool as the model named it.
        function -> Text,
        /// The server that runs it; null for Parlor's own tools, for unknown ones, and once the server is gone.
        tool_server_id -> Nullable<Uuid>,
        /// The name of that server then; null for Parlor's own tools and unknown ones.
        server -> Nullable<Text>,
        /// The tool as its server names it.
        name -> Text,
        /// What it is called with, as JSON text.
        arguments -> Text,
        /// PENDING_APPROVAL waits for a person, QUEUED and RUNNING are on their way; the others are final.
        status -> Text,
        /// What the model is told about it.
        result -> Nullable<Text>,
        /// Who let it run or denied it; null when nobody was asked.
        decided_by -> Nullable<Uuid>,
        /// When they did.
        decided_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        /// When it began to run.
        started_at -> Nullable<Timestamptz>,
        /// When it was over.
        ended_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    /// Tools that a person lets models use without being asked again.
    tool_grants (id) {
        id -> Uuid,
        /// Who lets them.
        user_id -> Uuid,
        /// Whose tool it is.
        tool_server_id -> Uuid,
        /// Its name at that server.
        tool -> Text,
        /// The only chat that it is for; null for all.
        chat_id -> Nullable<Uuid>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    /// The MCP servers whose tools models may use.
    tool_servers (id) {
        id -> Uuid,
        /// Whose it is; null for one that administrators share with everybody.
        owner_id -> Nullable<Uuid>,
        /// What it is called, and what the names of its tools begin with.
        name -> Text,
        /// How it is spoken to: over HTTP, or as a process of this machine.
        transport -> Text,
        /// Where it is, if it is spoken to over HTTP.
        url -> Nullable<Text>,
        /// What to start, if it is a process.
        command -> Nullable<Text>,
        /// What to start it with.
        arguments -> Array<Nullable<Text>>,
        /// The names of its headers or environment variables, whose values are sealed.
        secret_names -> Array<Nullable<Text>>,
        /// Those headers or variables with their values, as JSON, in an envelope.
        sealed -> Nullable<Bytea>,
        /// Which master key the envelope was sealed under.
        master_key_id -> Nullable<Text>,
        /// Which calls of its tools wait for a person: all, those that may change something, or none.
        approval -> Text,
        /// Whether it is told the id of the person who asks.
        tells_user -> Bool,
        /// Whether its tools are offered.
        enabled -> Bool,
        /// Its tools, as it listed them last.
        tools -> Jsonb,
        /// When that was.
        tools_listed_at -> Nullable<Timestamptz>,
        /// Grows when the way to it changes: a connection that was made before is not used again.
        revision -> Int4,
        /// What was wrong with it last, in our own words; null since it last worked.
        last_error -> Nullable<Text>,
        /// When that was.
        last_error_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    /// People with an account.
    users (id) {
        id -> Uuid,
        /// Unique without regard to case, shown as it was typed.
        username -> Text,
        /// Unique without regard to case, seen by its owner and administrators only.
        email -> Text,
        /// The name that others see.
        display_name -> Text,
        /// A few words about oneself.
        bio -> Nullable<Text>,
        /// Argon2id in PHC format; never leaves the account module.
        password_hash -> Text,
        /// What the person may do on the server as a whole.
        role -> Text,
        /// Since when an administrator has barred the account; null while it is active.
        deactivated_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        /// Since when the account is deleted; the row then only says so to those who have something of the person.
        deleted_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    /// The one key by which push services know this server (RFC 8292), where the settings give none.
    vapid_keys (singleton) {
        /// Always true: there is one row.
        singleton -> Bool,
        /// The key under a data key of its own, and that data key under the master key.
        sealed -> Bytea,
        /// Which master key wraps the data key.
        master_key_id -> Text,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    /// What webhooks were told, or are to be. Kept for a while.
    webhook_deliveries (id) {
        id -> Uuid,
        /// Which webhook.
        webhook_id -> Uuid,
        /// What happened.
        kind -> Text,
        /// The ids that it speaks of: what they name is read when it is delivered.
        payload -> Jsonb,
        /// What became of it: PENDING, DELIVERED, FAILED, or SKIPPED because there was nothing to tell any more.
        state -> Text,
        /// How often it was tried.
        attempts -> Int4,
        /// The HTTP status of the last answer.
        response_status -> Nullable<Int4>,
        /// What was wrong the last time.
        error -> Nullable<Text>,
        /// When it was delivered, given up or skipped.
        finished_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        /// When it is to be tried, while it is PENDING.
        next_at -> Timestamptz,
    }
}

diesel::table! {
    /// Addresses of other services that are told of what happens.
    webhooks (id) {
        id -> Uuid,
        /// Whose chats they are told of; null for the server's own, which are told of all.
        owner_id -> Nullable<Uuid>,
        /// Where.
        url -> Text,
        /// What its keeper calls it.
        description -> Nullable<Text>,
        /// Of what.
        kinds -> Array<Nullable<Text>>,
        /// What deliveries are signed with, under a data key of its own, and that data key under the master key.
        sealed -> Bytea,
        /// Which master key wraps the data key.
        master_key_id -> Text,
        /// Whether it is told of anything.
        enabled -> Bool,
        /// Why not: BY_HAND, FAILING for too long, or GONE by its own word.
        disabled_reason -> Nullable<Text>,
        /// When the first delivery failed since the last that did not.
        failing_since -> Nullable<Timestamptz>,
        /// Grows with each change.
        version -> Int4,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        /// How many attempts in a row it did not answer in time.
        silences -> Int4,
        /// Until when it is told of nothing, because it was silent too often; what waits for it is told then.
        rests_until -> Nullable<Timestamptz>,
    }
}

diesel::joinable!(api_keys -> users (user_id));
diesel::joinable!(assistants -> users (owner_id));
diesel::joinable!(attempts -> generations (generation_id));
diesel::joinable!(budgets -> users (user_id));
diesel::joinable!(cached_answers -> generations (generation_id));
diesel::joinable!(cached_answers -> users (user_id));
diesel::joinable!(chat_assistants -> assistants (assistant_id));
diesel::joinable!(chat_assistants -> chats (chat_id));
diesel::joinable!(chat_lifetimes -> chats (chat_id));
diesel::joinable!(chat_members -> chats (chat_id));
diesel::joinable!(chat_members -> users (user_id));
diesel::joinable!(chat_summaries -> chats (chat_id));
diesel::joinable!(chat_summaries -> messages (through_message_id));
diesel::joinable!(chats -> users (created_by));
diesel::joinable!(contact_books -> users (user_id));
diesel::joinable!(data_export_chunks -> data_exports (export_id));
diesel::joinable!(data_exports -> users (user_id));
diesel::joinable!(events -> chats (chat_id));
diesel::joinable!(events -> users (user_id));
diesel::joinable!(generation_steps -> generations (generation_id));
diesel::joinable!(generations -> chats (chat_id));
diesel::joinable!(generations -> messages (message_id));
diesel::joinable!(generations -> users (user_id));
diesel::joinable!(memories -> users (user_id));
diesel::joinable!(message_edits -> messages (message_id));
diesel::joinable!(message_mentions -> assistants (assistant_id));
diesel::joinable!(message_mentions -> messages (message_id));
diesel::joinable!(message_mentions -> users (user_id));
diesel::joinable!(message_reactions -> messages (message_id));
diesel::joinable!(message_reactions -> users (user_id));
diesel::joinable!(message_words -> messages (message_id));
diesel::joinable!(messages -> chats (chat_id));
diesel::joinable!(messages -> users (author_id));
diesel::joinable!(own_changes -> chats (chat_id));
diesel::joinable!(own_changes -> users (user_id));
diesel::joinable!(people_here -> nodes (node_id));
diesel::joinable!(preferences -> users (user_id));
diesel::joinable!(presences -> users (user_id));
diesel::joinable!(reaction_counts -> messages (message_id));
diesel::joinable!(receipts -> chats (chat_id));
diesel::joinable!(receipts -> users (user_id));
diesel::joinable!(push_subscriptions -> sessions (session_id));
diesel::joinable!(push_subscriptions -> users (user_id));
diesel::joinable!(refresh_tokens -> sessions (session_id));
diesel::joinable!(replays -> generations (generation_id));
diesel::joinable!(scheduled_messages -> users (user_id));
diesel::joinable!(sends -> users (user_id));
diesel::joinable!(sessions -> users (user_id));
diesel::joinable!(system_notes -> assistants (assistant_id));
diesel::joinable!(system_notes -> messages (message_id));
diesel::joinable!(system_notes -> users (subject_id));
diesel::joinable!(tool_calls -> generations (generation_id));
diesel::joinable!(tool_calls -> tool_servers (tool_server_id));
diesel::joinable!(tool_calls -> users (decided_by));
diesel::joinable!(tool_grants -> chats (chat_id));
diesel::joinable!(tool_grants -> tool_servers (tool_server_id));
diesel::joinable!(tool_grants -> users (user_id));
diesel::joinable!(tool_servers -> users (owner_id));
diesel::joinable!(webhook_deliveries -> webhooks (webhook_id));
diesel::joinable!(webhooks -> users (owner_id));

diesel::allow_tables_to_appear_in_same_query!(
    api_keys,
    assistants,
    attempts,
    audit_log,
    blocks,
    budgets,
    cached_answers,
    chat_assistants,
    chat_lifetimes,
    chat_members,
    chat_summaries,
    chats,
    contact_books,
    contacts,
    data_export_chunks,
    data_exports,
    event_log,
    events,
    generation_steps,
    generations,
    jobs,
    log_readers,
    master_keys,
    memories,
    message_edits,
    message_mentions,
    message_reactions,
    message_words,
    messages,
    model_changes,
    models,
    nodes,
    own_changes,
    people_here,
    preferences,
    presences,
    reaction_counts,
    receipts,
    push_subscriptions,
    refresh_tokens,
    replays,
    scheduled_messages,
    sends,
    sessions,
    system_notes,
    tool_calls,
    tool_grants,
    tool_servers,
    users,
    vapid_keys,
    webhook_deliveries,
    webhooks,
);
