//! `GET /processes` and `GET /processes/{id}`: the list and the descriptions.

use std::{borrow::Cow, sync::Arc};

use axum::{
    extract::{Path, State},
    response::Response,
};
use http::Uri;
use rutter_core::process::{Process, nearest, nearest_language, registry::Processes};
use rutter_types::{Link, ProcessList};

use crate::{
    base::Base,
    cache::Document,
    config::Pages,
    describe,
    error::ApiError,
    negotiate::{Format, Negotiated, parameter},
    state::AppState,
    ui,
};

/// Several clients never follow `next`: a page holds what a server usually has.
const LIMIT: usize = 1_000;

/// Which part of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    offset: usize,
    limit: usize,
}

/// The list (`/req/core/process-list-success`), paged by offset.
pub(super) async fn list(
    State(state): State<AppState>,
    base: Base,
    uri: Uri,
    negotiated: Negotiated,
) -> Result<Response, ApiError> {
    let usual = state.config.pages.usual(LIMIT);
    let part = part(&uri, state.config.pages)?;
    let processes = state.registry.snapshot();
    let offered = processes.iter().flat_map(|process| process.languages.keys()).map(String::as_str);
    let language = language(&state, &negotiated, offered);
    let make = || {
        let list = list_of(&base, &processes, part, usual, negotiated.format, language);
        match negotiated.format {
            Format::Json => Document::json(&list),
            Format::Html => state.pages.processes(&base, &list).map(Document::html),
        }
    };
    let first = || processes.iter().find_map(|process| process.first_language());
    let make = || make().map(|document| document.in_language(language.or_else(first)));
    // Only the usual page is kept: others are as many as there are numbers.
    if part == (Part { offset: 0, limit: usual }) {
        let name = name_of("/processes", language);
        let document = state.cache.get(processes.generation, &base, negotiated.format, &name, make)?;
        return Ok(document.respond(&negotiated));
    }
    Ok(make()?.respond(&negotiated))
}

/// The language of texts: as the client wants them, else the server's; `None` = the first of each process.
fn language<'a>(
    state: &AppState,
    negotiated: &Negotiated,
    offered: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let own = state.config.language.as_deref();
    if own.is_none() && negotiated.languages.is_none() {
        return None;
    }
    let offered: Vec<&str> = offered.collect();
    negotiated.language(offered.iter().copied()).or_else(|| {
        let at = nearest_language(own?, offered.iter().copied())?;
        Some(offered[at])
    })
}

fn part(uri: &Uri, pages: Pages) -> Result<Part, ApiError> {
    let usual = pages.usual(LIMIT);
    if uri.query().is_none() {
        return Ok(Part { offset: 0, limit: usual });
    }
    let offset = match parameter(uri, "offset") {
        None => 0,
        Some(text) => text
            .parse()
            .ok()
            .filter(|_| !text.starts_with('+'))
            .ok_or_else(|| ApiError::query("offset", &text, "a whole number from 0"))?,
    };
    // Higher limits may be brought down (`/req/core/pl-limit-response`).
    let limit = parameter(uri, "limit").map(|text| pages.limit(&text)).transpose()?;
    Ok(Part { offset, limit: limit.unwrap_or(usual) })
}

/// Name of a document in the cache.
fn name_of<'a>(path: &'a str, language: Option<&str>) -> Cow<'a, str> {
    language.map_or(Cow::Borrowed(path), |language| Cow::Owned(format!("{path}#{language}")))
}

fn list_of(
    base: &Base,
    processes: &Processes,
    part: Part,
    usual: usize,
    format: Format,
    language: Option<&str>,
) -> ProcessList {
    let here = |part: Part| match part {
        Part { offset: 0, limit } if limit == usual => "/processes".to_owned(),
        Part { offset: 0, limit } => format!("/processes?limit={limit}"),
        Part { offset, limit } => format!("/processes?limit={limit}&offset={offset}"),
    };
    let [this, other] = super::self_and_alternate(base, &here(part), format);
    let mut links = vec![this.titled("This document"), other.titled("This document in another form")];
    let mut turn = |offset: usize, rel: &str, title: &str| {
        let url = base.url(&here(Part { offset, ..part }));
        links.push(Link::new(url, rel, "application/json").titled(title));
    };
    let end = part.offset.saturating_add(part.limit);
    if end < processes.len() {
        turn(end, "next", "Next page");
    }
    if part.offset > 0 {
        turn(part.offset.saturating_sub(part.limit), "prev", "Previous page");
    }
    let page = processes.iter().skip(part.offset).take(part.limit);
    let summary = |process: &Arc<Process>| {
        // What is near enough of what this one has.
        let known = process.languages.keys().map(String::as_str);
        let own = language.and_then(|wanted| known.clone().nth(nearest_language(wanted, known)?));
        describe::summary(base, process, own)
    };
    ProcessList { processes: page.map(summary).collect(), links }
}

/// A description (`/req/core/process-success`).
pub(super) async fn read(
    State(state): State<AppState>,
    Path(id): Path<String>,
    base: Base,
    negotiated: Negotiated,
) -> Result<Response, ApiError> {
    let processes = state.registry.snapshot();
    let process = find(&processes, &id)?;
    let language = language(&state, &negotiated, process.languages.keys().map(String::as_str));
    let make = || {
        let description = describe::description(&base, process, negotiated.format, language);
        match negotiated.format {
            Format::Json => Document::json(&description),
            Format::Html => {
                let calls = ui::calls(&base, process);
                let not_runnable = state.registry.why_not_runnable(process);
                state.pages.process(&base, &description, &calls, not_runnable).map(Document::html)
            }
        }
    };
    let make = || make().map(|document| document.in_language(language.or(process.first_language())));
    let name = name_of(&id, language);
    let document = state.cache.get(processes.generation, &base, negotiated.format, &name, make)?;
    Ok(document.respond(&negotiated))
}

/// The process of an id.
///
/// # Errors
/// [`ApiError::NoSuchProcess`], with a known id that looks like it.
pub(crate) fn find<'p>(processes: &'p Processes, id: &str) -> Result<&'p Arc<Process>, ApiError> {
    processes.get(id).ok_or_else(|| ApiError::NoSuchProcess {
        id: id.chars().take(100).collect(),
        near: nearest(id, processes.iter().map(|process| process.id.as_str())).map(str::to_owned),
    })
}
