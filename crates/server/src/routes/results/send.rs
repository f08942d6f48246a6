//! Sends results in a shape: heads, conditions, ranges, and bodies that stream.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use rutter_core::{
    job::{Job, StoredValue},
    results::{ByteStream, Objects, hex},
};
use rutter_types::rel;
use sha2::{Digest, Sha256};

use super::page;
use crate::{
    answer,
    base::Base,
    error::ApiError,
    render::{
        archive::archive,
        conditional::{self, Part, etag},
        disposition::{confine, content_disposition, content_type},
        document::{document, single, values},
        flow,
        multipart::Multipart,
        outputs::Output,
        shape::{RESULTS_PROFILE, Shape, VALUES_PROFILE},
    },
    state::AppState,
};

/// How many values an output has (2.0, `/req/core/job-results-async-one-multi-valued`).
pub(super) const VALUES_COUNT: HeaderName = HeaderName::from_static("ogc-output-values-count");
const JSON: &str = "application/json";

/// What results are sent with.
pub(super) struct Sending<'a> {
    /// The server.
    pub(super) state: &'a AppState,
    /// Its URL.
    pub(super) base: &'a Base,
    /// The job whose results they are.
    pub(super) job: &'a Job,
    /// Headers with `Range`, `If-None-Match` and their likes; empty where they don't count.
    pub(super) conditions: &'a HeaderMap,
}

impl Sending<'_> {
    /// The answer.
    pub(super) async fn send(&self, outputs: Vec<Output>, shape: Shape) -> Result<Response, ApiError> {
        let mut response = match shape {
            Shape::Nothing => StatusCode::NO_CONTENT.into_response(),
            Shape::Links => links(&outputs),
            Shape::Page => page::page(self, &outputs).await?,
            Shape::Raw => match outputs.into_iter().next().and_then(|it| it.values.into_iter().next()) {
                Some(value) => self.raw(&value).await?,
                None => StatusCode::NO_CONTENT.into_response(),
            },
            composed => self.composed(outputs, composed).await?,
        };
        let headers = response.headers_mut();
        headers.append(header::VARY, HeaderValue::from_static("Accept, Prefer"));
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("private, no-cache"));
        Ok(response)
    }

    fn objects(&self) -> Objects {
        self.state.engine.objects().clone()
    }

    /// The bytes of a value, whole or in part.
    async fn raw(&self, value: &StoredValue) -> Result<Response, ApiError> {
        let tag = etag(&value.sha256);
        let mut headers = HeaderMap::new();
        headers.insert(header::ETAG, HeaderValue::try_from(&tag).unwrap_or(HeaderValue::from_static("\"\"")));
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        if conditional::is_known(self.conditions, &tag) {
            return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
        }
        let range = match conditional::part(self.conditions, value.size, Some(&tag)) {
            Part::Whole => None,
            Part::Bytes(range) => Some(range),
            Part::Unsatisfiable => return Ok(unsatisfiable(value.size)),
        };
        let length = range.as_ref().map_or(value.size, |range| range.end - range.start);
        let pieces = self.state.engine.objects().open_value(value, range.clone()).await?;
        let mut response = flow::response(pieces, Some(length)).await?;
        headers.insert(header::CONTENT_TYPE, content_type(&value.media_type));
        headers.insert(header::CONTENT_DISPOSITION, content_disposition(&value.name));
        confine(&mut headers, &value.media_type);
        if let Some(range) = range {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            let text = format!("bytes {}-{}/{}", range.start, range.end - 1, value.size);
            headers.extend(HeaderValue::try_from(text).map(|text| (header::CONTENT_RANGE, text)));
        }
        response.headers_mut().extend(headers);
        Ok(response)
    }

    /// A body made of several values, or of one in another form.
    async fn composed(&self, outputs: Vec<Output>, shape: Shape) -> Result<Response, ApiError> {
        let tag = self.tag(&outputs, shape);
        let mut headers = HeaderMap::new();
        headers.extend(HeaderValue::try_from(&tag).map(|tag| (header::ETAG, tag)));
        if conditional::is_known(self.conditions, &tag) {
            return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
        }
        if let (Shape::Values(_), [output]) = (shape, outputs.as_slice()) {
            headers.insert(VALUES_COUNT, output.values.len().into());
        }
        if let Some(profile) = profile(shape).filter(|_| self.job.shape.v1.is_none()) {
            headers.extend(
                HeaderValue::try_from(format!("<{profile}>; rel=\"profile\"")).map(|it| (header::LINK, it)),
            );
        }
        if shape == Shape::Zip {
            let name = format!("attachment; filename=\"{}-{}.zip\"", self.job.process, self.job.id);
            headers.extend(HeaderValue::try_from(name).map(|it| (header::CONTENT_DISPOSITION, it)));
        }
        let (media_type, pieces, length) = self.pieces(outputs, shape);
        headers.extend(HeaderValue::try_from(media_type).map(|it| (header::CONTENT_TYPE, it)));
        let mut response = flow::response(pieces, length).await?;
        response.headers_mut().extend(headers);
        Ok(response)
    }

    fn pieces(&self, outputs: Vec<Output>, shape: Shape) -> (String, ByteStream, Option<u64>) {
        let objects = self.objects();
        match shape {
            Shape::Multipart => {
                let multipart = Multipart::of(&outputs);
                let (media_type, length) = (multipart.content_type.clone(), multipart.length);
                (media_type, multipart.stream(objects), Some(length))
            }
            Shape::Zip => {
                let time = self.job.finished().unwrap_or(self.job.updated);
                let (pieces, length) = archive(objects, outputs, time);
                ("application/zip".into(), pieces, Some(length))
            }
            Shape::Document(inline) => (JSON.into(), document(objects, outputs, inline), None),
            Shape::Values(inline) => match outputs.into_iter().next() {
                Some(output) => (JSON.into(), values(objects, output, inline), None),
                None => (JSON.into(), document(objects, Vec::new(), inline), None),
            },
            _ => match outputs.into_iter().next().and_then(|output| output.values.into_iter().next()) {
                Some(value) => (JSON.into(), single(objects, value), None),
                None => {
                    (JSON.into(), document(objects, Vec::new(), crate::render::document::Inline::All), None)
                }
            },
        }
    }

    /// Results never change: the same shape of the same values under the same URL is the same bytes.
    fn tag(&self, outputs: &[Output], shape: Shape) -> String {
        let mut digest = Sha256::new();
        digest.update(format!("{shape:?} {} {}", self.base.as_str(), self.job.id));
        for output in outputs {
            digest.update(format!(
                " {} {} {} {}",
                output.id, output.is_many, output.by_reference, output.as_base64
            ));
            for value in &output.values {
                digest.update(format!(" {} {} {}", value.sha256, value.media_type, value.name));
            }
        }
        etag(&hex(&digest.finalize()))
    }
}

fn profile(shape: Shape) -> Option<&'static str> {
    match shape {
        Shape::Document(_) => Some(RESULTS_PROFILE),
        Shape::Values(_) => Some(VALUES_PROFILE),
        _ => None,
    }
}

pub(in crate::routes) fn unsatisfiable(size: u64) -> Response {
    let mut response = StatusCode::RANGE_NOT_SATISFIABLE.into_response();
    let range = HeaderValue::try_from(format!("bytes */{size}"));
    response.headers_mut().extend(range.map(|range| (header::CONTENT_RANGE, range)));
    response
}

/// 204 with a link for each value (`/req/core/process-execute-sync-raw-ref`).
fn links(outputs: &[Output]) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    for output in outputs {
        for (index, value) in output.values.iter().enumerate() {
            let media_type = value.media_type.replace(['"', '\\'], "");
            let link = format!(
                "<{}>; rel=\"{}\"; title=\"{}\"; type=\"{media_type}\"",
                output.value_href(index),
                rel::RESULTS,
                output.id
            );
            let link = HeaderValue::try_from(link).map(|link| (header::LINK, link));
            if let Ok((name, link)) = link {
                response.headers_mut().append(name, link);
            }
        }
    }
    response
}

/// A page as an answer.
pub(super) fn page_answer(text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, answer::HTML_TYPE);
    answer::page_headers(headers);
    response
}
