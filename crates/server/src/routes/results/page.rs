//! Results as a page: a row for each value, with what can be shown of it.

use axum::response::Response;
use rutter_core::job::StoredValue;

use super::send::{Sending, page_answer};
use crate::{
    error::ApiError,
    render::{
        document::{essence, is_json_type},
        outputs::Output,
    },
    routes::job::status_info,
    ui::{ResultRow, ResultsView, Shown},
};

/// Texts up to this size stand on the page.
const SHOWN: u64 = 16 * 1024;
/// So much of longer ones.
const EXCERPT: u64 = 2 * 1024;
/// Rows; the archive has the rest.
const ROWS: usize = 200;

/// The page.
pub(super) async fn page(sending: &Sending<'_>, outputs: &[Output]) -> Result<Response, ApiError> {
    let Sending { state, base, job, .. } = sending;
    let processes = state.registry.snapshot();
    let process = processes.get(job.process.as_str());
    let mut rows = Vec::new();
    for output in outputs {
        let described = process.and_then(|process| process.outputs.get(&output.id));
        for (index, value) in output.values.iter().enumerate().take(ROWS.saturating_sub(rows.len())) {
            rows.push(ResultRow {
                output: output.id.to_string(),
                title: described.and_then(|it| it.description.title.clone()),
                index: output.is_many.then_some(index),
                media_type: value.media_type.clone(),
                name: value.name.clone(),
                size: value.size,
                url: output.value_href(index),
                shown: shown(sending, value).await?,
            });
        }
    }
    let status = status_info(state, base, job)?;
    let archive = base.url(&format!("/jobs/{}/results?f=zip", job.id));
    let view = ResultsView { status: &status, rows, archive: Some(archive) };
    Ok(page_answer(state.pages.results(base, &view)?))
}

async fn shown(sending: &Sending<'_>, value: &StoredValue) -> Result<Shown, ApiError> {
    const PICTURES: [&str; 5] = ["image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml"];
    let kind = essence(&value.media_type);
    if PICTURES.contains(&kind.as_str()) {
        return Ok(Shown::Picture);
    }
    if !kind.starts_with("text/") && !is_json_type(&kind) {
        return Ok(Shown::Link);
    }
    let objects = sending.state.engine.objects();
    if value.size <= SHOWN {
        let bytes = objects.read_value(value, SHOWN).await?;
        return Ok(std::str::from_utf8(&bytes).map_or(Shown::Link, |text| Shown::Text(text.to_owned())));
    }
    let bytes = read_start(sending, value, EXCERPT).await?;
    Ok(Shown::Excerpt(String::from_utf8_lossy(&bytes).into_owned()))
}

async fn read_start(sending: &Sending<'_>, value: &StoredValue, length: u64) -> Result<Vec<u8>, ApiError> {
    use futures_util::TryStreamExt;
    let pieces = sending.state.engine.objects().open_value(value, Some(0..length)).await?;
    let pieces: Vec<bytes::Bytes> = pieces.try_collect().await?;
    Ok(pieces.concat())
}
