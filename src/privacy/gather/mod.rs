//! Gathering everything of a person's into an archive: a job that reads pages, packs them, and keeps the packed pieces. What it
//! holds at any time is one page and one piece; a connection only while it reads the one or keeps the other.
//!
//! Pages are read one after the other while the person goes on: each thing is as it was when it was read.

mod archive;
pub mod section;
pub mod sections;

use std::time::Duration;

use chrono::Utc;
use diesel::sql_types::{Array, Nullable, Text, Uuid as SqlUuid};
use diesel_async::RunQueryDsl;
use serde::Deserialize;
use serde_json::Value;

use self::archive::Archive;
use self::section::Section;
use self::sections::{CHATS, MESSAGES, SECTIONS};
use crate::app::App;
use crate::error::{Error, Result};
use crate::export::DataExport;
use crate::export::row::{self, Turn};
use crate::id::{ChatId, DataExportId};
use crate::job::{Kind, Running, Trouble};

/// The kind of job.
pub const KIND: Kind = Kind {
    name: row::JOB,
    // The archive's own count decides: whoever asked for it is to hear that it failed.
    attempts: i32::MAX,
    limit: Duration::from_secs(6 * 3600),
    run,
};

/// How often it is begun before it is given up.
const MOST_RUNS: i32 = 5;
/// By how many percent it has to get further for that to be told.
const STEP: i32 = 5;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Task {
    export_id: DataExportId,
}

fn run(app: App, payload: Value) -> Running {
    Box::pin(async move {
        let task: Task = serde_json::from_value(payload).map_err(|error| Trouble::hopeless(error.to_string()))?;
        // Made already, or its person is gone.
        let Some(export) = row::begin(&app, task.export_id).await? else {
            return Ok(());
        };
        if export.run > MOST_RUNS {
            row::note(&app, &export, Turn::Failed).await?;
            return Ok(());
        }
        match Gathering::new(&app, &export).gather().await {
            Ok(()) => Ok(()),
            Err(error) if export.run == MOST_RUNS => {
                row::note(&app, &export, Turn::Failed).await?;
                Err(Trouble::hopeless(error.to_string()))
            }
            Err(error) => Err(Trouble::passing(error.to_string(), None)),
        }
    })
}

/// A run.
struct Gathering<'a> {
    app: &'a App,
    export: &'a DataExport,
    /// Away only while it is being packed.
    archive: Option<Archive>,
    position: i32,
    bytes: i64,
    told: i32,
    /// Somebody else has begun anew, or the person is gone.
    lost: bool,
}

/// A line of an archive, and its place.
#[derive(diesel::QueryableByName)]
struct Line {
    #[diesel(sql_type = Array<Text>)]
    key: Vec<String>,
    #[diesel(sql_type = Text)]
    line: String,
}

#[derive(diesel::QueryableByName)]
struct Found {
    #[diesel(sql_type = SqlUuid)]
    id: ChatId,
}

impl<'a> Gathering<'a> {
    fn new(app: &'a App, export: &'a DataExport) -> Self {
        Gathering {
            app,
            export,
            archive: Some(Archive::new(Utc::now())),
            position: 0,
            bytes: 0,
            told: 0,
            lost: false,
        }
    }

    async fn gather(mut self) -> Result<()> {
        self.add("README.txt", readme()).await?;
        let chats: Vec<Found> = diesel::sql_query(CHATS)
            .bind::<SqlUuid, _>(self.export.user_id)
            .load(&mut *self.app.connection().await?)
            .await?;
        let steps = SECTIONS.len() + chats.len();
        for (done, section) in SECTIONS.iter().enumerate() {
            self.section(section, section.name, None).await?;
            self.tell(done + 1, steps).await?;
        }
        for (done, Found { id }) in chats.into_iter().enumerate() {
            self.section(&MESSAGES, &format!("{}/{id}", MESSAGES.name), Some(id))
                .await?;
            self.tell(SECTIONS.len() + done + 1, steps).await?;
        }
        let rest = self.take()?;
        let rest = tokio::task::spawn_blocking(move || rest.finish())
            .await
            .map_err(Error::surprise)?
            .map_err(Error::surprise)?;
        self.keep(&rest).await?;
        if !self.lost {
            row::note(self.app, self.export, Turn::Ready(self.bytes)).await?;
        }
        Ok(())
    }

    /// Adds all pages of a section, each a file in `folder`.
    async fn section(&mut self, section: &Section, folder: &str, chat: Option<ChatId>) -> Result<()> {
        let statement = section.statement();
        let mut after: Option<Vec<String>> = None;
        let mut number = 0;
        while !self.lost {
            let page = diesel::sql_query(&statement)
                .bind::<SqlUuid, _>(self.export.user_id)
                .bind::<Nullable<SqlUuid>, _>(chat)
                .bind::<Nullable<Array<Text>>, _>(&after);
            let mut lines: Vec<Line> = page.load(&mut *self.app.connection().await?).await?;
            let Some(last) = lines.last_mut() else { return Ok(()) };
            after = Some(std::mem::take(&mut last.key));
            number += 1;
            let text: String = lines
                .into_iter()
                .flat_map(|line| [line.line, "\n".to_owned()])
                .collect();
            self.add(&format!("{folder}/{number:05}.jsonl"), text).await?;
        }
        Ok(())
    }

    async fn add(&mut self, name: &str, text: String) -> Result<()> {
        let mut archive = self.take()?;
        let name = name.to_owned();
        // Packing takes a while, and nobody else is to wait for it.
        let (archive, piece) = tokio::task::spawn_blocking(move || {
            archive.add(&name, text.as_bytes())?;
            let piece = archive.take();
            Ok::<_, std::io::Error>((archive, piece))
        })
        .await
        .map_err(Error::surprise)?
        .map_err(Error::surprise)?;
        self.archive = Some(archive);
        match piece {
            Some(piece) => self.keep(&piece).await,
            None => Ok(()),
        }
    }

    fn take(&mut self) -> Result<Archive> {
        self.archive
            .take()
            .ok_or_else(|| Error::internal("an archive that is packed twice at once"))
    }

    async fn keep(&mut self, packed: &[u8]) -> Result<()> {
        for piece in packed.chunks(archive::PIECE) {
            let mut connection = self.app.connection().await?;
            if !row::keep(&mut connection, self.export, self.position, piece).await? {
                self.lost = true;
                return Ok(());
            }
            self.position += 1;
            self.bytes += i64::try_from(piece.len()).unwrap_or(i64::MAX);
        }
        Ok(())
    }

    async fn tell(&mut self, done: usize, steps: usize) -> Result<()> {
        let percent = i32::try_from(done * 99 / steps.max(1)).unwrap_or(99);
        if !self.lost && percent >= self.told + STEP {
            self.lost = !row::note(self.app, self.export, Turn::Progress(percent)).await?;
            self.told = percent;
        }
        Ok(())
    }
}

fn readme() -> String {
    let mut text =
        "Your data. Each folder holds files with one JSON object a line, in order; names and ids are those of the \
        API.\n\n"
            .to_owned();
    for section in SECTIONS.iter().chain([&MESSAGES]) {
        text.push_str(&format!("{}: {}\n", section.name, section.about));
    }
    text
}
