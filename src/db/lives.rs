//! The condition that everything that reads messages has: what has disappeared by its age is not read, whether or not it is
//! deleted already.

/// SQL that is true of a message that has not disappeared; `$message` is what the statement calls `messages`.
macro_rules! lives {
    ($message:literal) => {
        concat!(
            "NOT EXISTS (SELECT FROM chat_lifetimes AS life WHERE life.chat_id = ",
            $message,
            ".chat_id AND (",
            $message,
            ".sequence <= life.gone_through OR ",
            $message,
            ".created_at <= now() - make_interval(secs => life.seconds)))"
        )
    };
}

pub(crate) use lives;
