//! Positions in the log: snapshots, and the opaque cursors that clients keep.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use uuid::Uuid;

/// Which transactions a reader has seen: Postgres' `pg_snapshot` (PostgreSQL manual, "Transaction ID and Snapshot
/// Information Functions").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// All transactions below this one are seen.
    pub xmin: u64,
    /// No transaction from this one on is seen.
    pub xmax: u64,
    /// Those between that are not seen, in order.
    pub running: Vec<u64>,
}

impl Snapshot {
    /// Whether a reader with this snapshot has seen the transaction.
    pub fn shows(&self, xid: u64) -> bool {
        xid < self.xmin || (xid < self.xmax && self.running.binary_search(&xid).is_err())
    }

    /// Whether this snapshot shows everything that `earlier` shows.
    pub fn covers(&self, earlier: &Snapshot) -> bool {
        earlier.xmax <= self.xmax && self.running.iter().all(|xid| !earlier.shows(*xid))
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:", self.xmin, self.xmax)?;
        for (index, xid) in self.running.iter().enumerate() {
            write!(formatter, "{}{xid}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

/// The text is not a cursor of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("This is not a cursor of this stream. Use `viewer.syncCursor` or the `cursor` of an event.")]
pub struct CursorError;

impl FromStr for Snapshot {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let mut parts = text.split(':');
        let (Some(xmin), Some(xmax), Some(running), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(CursorError);
        };
        let number = |text: &str| {
            text.parse::<u64>()
                .ok()
                .filter(|number| *number > 0 && *number < 1 << 62)
                .ok_or(CursorError)
        };
        let (xmin, xmax) = (number(xmin)?, number(xmax)?);
        let running = running
            .split(',')
            .filter(|text| !text.is_empty())
            .map(number)
            .collect::<Result<Vec<_>, _>>()?;
        let ordered =
            running.windows(2).all(|pair| pair[0] < pair[1]) && running.iter().all(|xid| (xmin..xmax).contains(xid));
        if xmin > xmax || !ordered {
            return Err(CursorError);
        }
        Ok(Snapshot { xmin, xmax, running })
    }
}

/// How far a reader has come: everything that `seen` shows, and of what `then` shows besides, the events up to an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// All of this is done.
    pub seen: Snapshot,
    /// On the way from `seen` to this snapshot, events up to this id are done.
    pub then: Option<(Snapshot, i64)>,
}

impl Position {
    /// The position of a reader who has seen all that `seen` shows.
    pub fn at(seen: Snapshot) -> Self {
        Position { seen, then: None }
    }

    /// The snapshot that this position has begun to reach.
    pub fn reaches(&self) -> &Snapshot {
        self.then.as_ref().map_or(&self.seen, |(then, _)| then)
    }
}

/// A position in the log of one database, as clients keep it: opaque, and of no meaning to another database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Which log it is a position in.
    pub epoch: Uuid,
    /// The position.
    pub position: Position,
}

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { seen, then } = &self.position;
        let mut text = format!("{}|{seen}", self.epoch.simple());
        if let Some((then, id)) = then {
            text.push_str(&format!("|{then}|{id}"));
        }
        formatter.write_str(&BASE64_URL_SAFE_NO_PAD.encode(text))
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let decoded = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| CursorError)?;
        let decoded = String::from_utf8(decoded).map_err(|_| CursorError)?;
        let mut parts = decoded.split('|');
        let epoch = parts
            .next()
            .and_then(|epoch| Uuid::try_parse(epoch).ok())
            .ok_or(CursorError)?;
        let seen = parts.next().ok_or(CursorError)?.parse()?;
        let then = match (parts.next(), parts.next(), parts.next()) {
            (None, ..) => None,
            (Some(then), Some(id), None) => Some((then.parse()?, id.parse().map_err(|_| CursorError)?)),
            _ => return Err(CursorError),
        };
        Ok(Cursor {
            epoch,
            position: Position { seen, then },
        })
    }
}
