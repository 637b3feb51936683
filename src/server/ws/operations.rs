//! The running operations of one socket, each in a task of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_graphql::parser::types::OperationType;
use async_graphql::{Request, Response};
use futures_util::FutureExt;
use futures_util::stream::{BoxStream, StreamExt};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::message::{self, Close, Outgoing};
use super::writer::Frame;
use crate::account::viewer::{Client, Viewer};
use crate::server::doors::Doors;
use crate::server::{answer, stream};

/// How many tasks may be at their end beside the running operations: refusals and last words, which wait only for a
/// client that does not read. No limit of rates sees them, so this is what stops a client that goes on asking.
const ENDING: usize = 128;

/// The operations of one socket. All stop when it is dropped, except mutations, which are finished.
pub(super) struct Operations {
    tasks: JoinSet<()>,
    running: Running,
    started: u64,
    queue: mpsc::Sender<Frame>,
}

/// The running operations by their ids, with a number that tells a later operation of the same id apart.
type Running = Arc<Mutex<Listed>>;
type Listed = HashMap<String, (u64, AbortHandle)>;

impl Operations {
    pub(super) fn new(queue: mpsc::Sender<Frame>) -> Self {
        Operations {
            tasks: JoinSet::new(),
            running: Running::default(),
            started: 0,
            queue,
        }
    }

    /// Begins an operation, or says how to close when its id is taken or too many answers wait.
    pub(super) fn start(
        &mut self,
        doors: &Doors,
        id: String,
        request: Request,
        viewer: Viewer,
        client: Client,
    ) -> Result<(), Close> {
        let limit = doors.settings().operations_per_socket;
        if self.tasks.len() >= limit.saturating_add(ENDING) {
            return Err(message::UNHEARD);
        }
        let running = lock(&self.running);
        let (is_taken, count) = (running.contains_key(&id), running.len());
        drop(running);
        if is_taken {
            return Err(Close::duplicate(&id));
        }
        self.started += 1;
        let operation = Operation {
            id: id.clone(),
            number: self.started,
            running: self.running.clone(),
            queue: self.queue.clone(),
        };
        if count >= limit {
            let message =
                format!("This socket runs {limit} operations already. Complete some first, or open another socket.");
            let refusal = answer::error("TOO_MANY_OPERATIONS", message);
            self.tasks.spawn(async move { operation.fail(&refusal).await });
            return Ok(());
        }
        let opened = match doors.open(request) {
            Ok(opened) => opened,
            Err(error) => {
                let refusal = Response::from_errors(vec![error]);
                self.tasks.spawn(async move { operation.fail(&refusal).await });
                return Ok(());
            }
        };
        // Prepared here, a running operation is as small as its stream; ten thousand of them may sit idle.
        let kind = opened.operation;
        let answers = stream::answers(doors, opened, viewer, client);
        // Locked until it is listed, so that it cannot end before.
        let mut running = lock(&self.running);
        let task = self.tasks.spawn(operation.run(kind, answers));
        running.insert(id, (self.started, task));
        Ok(())
    }

    /// Stops an operation because the client does not want it any more.
    pub(super) fn stop(&self, id: &str) {
        if let Some((_, task)) = lock(&self.running).remove(id) {
            task.abort();
        }
    }

    /// Forgets an operation that has ended; waits for ever when there is none.
    pub(super) async fn reap(&mut self) {
        if self.tasks.join_next().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

fn lock(running: &Mutex<Listed>) -> MutexGuard<'_, Listed> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Operation {
    id: String,
    number: u64,
    running: Running,
    queue: mpsc::Sender<Frame>,
}

impl Operation {
    async fn run(self, kind: OperationType, mut answers: BoxStream<'static, Response>) {
        let mut is_first = true;
        while let Some(answer) = answers.next().await {
            // A failure before execution is an `error`, and the end; anything later is an answer with errors.
            // The source of a subscription that fails does so on its field, and nothing follows.
            let never_ran = is_first && (answer::never_ran(&answer) || has_no_source(kind, &answer, &mut answers));
            if never_ran {
                return self.fail(&answer).await;
            }
            is_first = false;
            let next = message::next(&self.id, &answer::Answer(&answer));
            // This waits now and then although there is room, so that a stream that is always ready does not keep the
            // thread from the others. Mostly it does not: what comes together is to be written together.
            if self.queue.send(Frame::Text(next)).await.is_err() {
                return;
            }
        }
        drop(answers);
        if self.leave() {
            self.say(&Outgoing::Complete { id: &self.id }).await;
        }
    }

    async fn fail(&self, response: &Response) {
        self.leave();
        self.say(&Outgoing::Error {
            id: &self.id,
            payload: &response.errors,
        })
        .await;
    }

    async fn say(&self, message: &Outgoing<'_>) -> bool {
        self.queue.send(Frame::Text(message.to_text())).await.is_ok()
    }

    /// Gives the id free before the client hears that it is. False when the client has stopped the operation.
    fn leave(&self) -> bool {
        let mut running = lock(&self.running);
        let is_ours = running.get(&self.id).is_some_and(|(number, _)| *number == self.number);
        if is_ours {
            running.remove(&self.id);
        }
        is_ours
    }
}

fn has_no_source(kind: OperationType, answer: &Response, answers: &mut BoxStream<'static, Response>) -> bool {
    let is_failure = kind == OperationType::Subscription && answer.data == async_graphql::Value::Null;
    is_failure && matches!(answers.next().now_or_never(), Some(None))
}
