//! Follows a job and writes its events until it is over, the client is gone, or the server stops.

use std::time::Duration;

use rutter_core::{
    id::JobId,
    job::{Job, State as JobState},
    logs::Line,
};
use serde_json::json;

use super::{
    super::{job::status_document, logs},
    cursor::{Cursor, progress_digest},
};
use crate::{
    base::Base,
    render::flow::{Sink, Stop},
    state::AppState,
};

/// Silence after which a comment tells that the stream lives; the job is looked at again then, too.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Bytes of log read at a time.
const PIECE: usize = 64 * 1024;
/// A line without an end is told in pieces of this size.
const LONGEST_LINE: usize = 1024 * 1024;

/// One client that follows one job.
pub(super) struct Follow {
    state: AppState,
    base: Base,
    job: JobId,
    cursor: Cursor,
    sink: Sink,
}

impl Follow {
    /// From a place on.
    pub(super) fn new(state: AppState, base: Base, job: JobId, cursor: Cursor, sink: Sink) -> Self {
        Self { state, base, job, cursor, sink }
    }

    /// Until there is nothing more to tell.
    pub(super) async fn run(mut self) -> Result<(), Stop> {
        let mut stopping = self.state.stopping();
        // Before the first look, or a change in between would be missed.
        let mut changes = self.state.engine.changes().subscribe(self.job);
        self.sink.send("retry: 2000\n\n").await?;
        loop {
            match self.state.engine.store().get(self.job).await.map_err(logs::stop)? {
                Some(job) => self.tell(&job).await?,
                None => self.end("removed").await?,
            }
            if self.cursor.is_end() {
                return Ok(());
            }
            let sink = self.sink.clone();
            let stopped = async { drop(stopping.wait_for(|stop| *stop).await) };
            tokio::select! {
                () = changes.changed() => {}
                () = sink.closed() => return Ok(()),
                // The client comes back to the next server with its cursor.
                () = stopped => return Ok(()),
                () = tokio::time::sleep(HEARTBEAT) => sink.send(": still here\n\n").await?,
            }
        }
    }

    /// What is new, in the order in which it happened.
    async fn tell(&mut self, job: &Job) -> Result<(), Stop> {
        let over = job.status().is_terminal();
        if self.cursor.states < 1 {
            let document = status_document(&self.state, &self.base, job).as_accepted();
            let text = serde_json::to_string(&document);
            self.told_state(1, text).await?;
        }
        if let Some(started) = job.started().filter(|_| self.cursor.states < 2) {
            let document = status_document(&self.state, &self.base, job).as_started(started);
            let text = serde_json::to_string(&document);
            self.told_state(2, text).await?;
        }
        self.tell_log(job, over).await?;
        // What a job that is over says of itself stands in its last status.
        if !over || matches!(job.state, JobState::Successful { .. }) {
            self.tell_progress(job).await?;
        }
        if over && self.cursor.states < 3 {
            let text = serde_json::to_string(&status_document(&self.state, &self.base, job));
            self.told_state(3, text).await?;
        }
        if over { self.end(job.status().as_str()).await } else { Ok(()) }
    }

    async fn told_state(&mut self, states: u8, text: serde_json::Result<String>) -> Result<(), Stop> {
        let text = text.map_err(logs::stop)?;
        self.cursor.states = states;
        self.event("status", &text).await
    }

    async fn tell_progress(&mut self, job: &Job) -> Result<(), Stop> {
        let digest = progress_digest(job.progress, job.message.as_deref());
        if digest == 0 || digest == self.cursor.progress {
            return Ok(());
        }
        self.cursor.progress = digest;
        let mut data = serde_json::Map::new();
        data.extend(job.progress.map(|percent| ("progress".to_owned(), json!(percent))));
        data.extend(job.message.as_ref().map(|message| ("message".to_owned(), json!(message))));
        self.event("progress", &serde_json::Value::Object(data).to_string()).await
    }

    /// Whole lines only, until the job is over: what was written in part is told when it is complete.
    async fn tell_log(&mut self, job: &Job, over: bool) -> Result<(), Stop> {
        let mut kept: Vec<u8> = Vec::new();
        loop {
            let from = self.cursor.log + kept.len() as u64;
            let piece = self.state.engine.logs().read(job, from, PIECE).await.map_err(logs::stop)?;
            let at_end = piece.is_empty();
            kept.extend_from_slice(&piece);
            let mut events = String::new();
            let mut told = 0;
            while let Some(length) = kept[told..].iter().position(|byte| *byte == b'\n') {
                self.add_line(&kept[told..=told + length], &mut events);
                told += length + 1;
            }
            kept.drain(..told);
            if kept.len() >= LONGEST_LINE || (at_end && over && !kept.is_empty()) {
                let line = std::mem::take(&mut kept);
                self.add_line(&line, &mut events);
            }
            if !events.is_empty() {
                self.sink.send(events).await?;
            }
            if at_end {
                return Ok(());
            }
        }
    }

    fn add_line(&mut self, bytes: &[u8], events: &mut String) {
        use std::fmt::Write;
        self.cursor.log += bytes.len() as u64;
        let text = String::from_utf8_lossy(bytes);
        let line = Line::parse(text.trim_end_matches('\n'));
        let mut data = json!({ "stream": line.stream, "time": line.time, "text": line.text });
        if line.time.is_empty() {
            data.as_object_mut().map(|data| data.shift_remove("time"));
        }
        if line.goes_on {
            data["continues"] = json!(true);
        }
        let _ = write!(events, "event: log\nid: {}\ndata: {data}\n\n", self.cursor);
    }

    async fn end(&mut self, status: &str) -> Result<(), Stop> {
        self.cursor.states = Cursor::END;
        self.event("end", &json!({ "status": status }).to_string()).await
    }

    /// JSON has no line breaks: one `data` line holds it.
    async fn event(&self, name: &str, data: &str) -> Result<(), Stop> {
        self.sink.send(format!("event: {name}\nid: {}\ndata: {data}\n\n", self.cursor)).await
    }
}
