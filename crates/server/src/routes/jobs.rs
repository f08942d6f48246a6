//! `GET /jobs`: the list of jobs with the filters of the standard (class `job-list`), newest first, paged by key.

use axum::{Router, extract::State, response::Response, routing::get};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::Uri;
use jiff::Timestamp;
use rutter_core::{
    id::ProcessId,
    store::{Cursor, JobFilter, JobPage, Page},
};
use rutter_types::{Link, StatusCode};

use super::job::{kept_status, status_info};
use crate::{
    access::Caller,
    answer,
    base::Base,
    cache::Document,
    config::Pages,
    error::ApiError,
    negotiate::{Format, Negotiated},
    state::AppState,
    ui::{FilterView, JobsView},
};

const LIMIT: usize = 10;
const CURSOR: &str = "cursor";

/// Its route.
pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/jobs", get(list))
}

async fn list(
    State(state): State<AppState>,
    uri: Uri,
    base: Base,
    caller: Caller,
    negotiated: Negotiated,
) -> Result<Response, ApiError> {
    let query = Query::read(uri.query().unwrap_or_default(), state.engine.clock().now(), state.config.pages)?;
    let filter = JobFilter { owner: caller.owner_filter(), ..query.filter };
    let found = if query.nothing {
        JobPage { jobs: Vec::new(), next: None }
    } else {
        state.engine.list(&filter, query.page).await?
    };
    let next = found.next.map(|cursor| base.url(&page_path(&uri, Some(cursor))));
    match negotiated.format {
        Format::Json => {
            let links = links(&base, &uri, negotiated.format, next.as_deref());
            json(&state, &base, &negotiated, &found, &links)
        }
        Format::Html => {
            let page = page(&state, &base, &uri, &found, next, query.view, query.page)?;
            Ok(Document::html(page).respond(&negotiated))
        }
    }
}

/// `{"jobs": […], "links": […]}` of statuses that are mostly there already.
fn json(
    state: &AppState,
    base: &Base,
    negotiated: &Negotiated,
    found: &JobPage,
    links: &[Link],
) -> Result<Response, ApiError> {
    let links = serde_json::to_vec(links)?;
    let mut text = Vec::with_capacity(found.jobs.len() * 2048 + links.len() + 32);
    // The tags of the statuses stand for them: hashing the whole page would take longer than making it.
    let mut tags = links.clone();
    text.extend_from_slice(b"{\"jobs\":[");
    for (number, job) in found.jobs.iter().enumerate() {
        let status = kept_status(state, base, job)?;
        if number > 0 {
            text.push(b',');
        }
        text.extend_from_slice(status.document.bytes());
        tags.extend_from_slice(status.document.etag().as_bytes());
    }
    text.extend_from_slice(b"],\"links\":");
    text.extend_from_slice(&links);
    text.push(b'}');
    Ok(answer::whole(negotiated, answer::JSON_TYPE, &answer::etag(&tags), text.into()))
}

fn links(base: &Base, uri: &Uri, format: Format, next: Option<&str>) -> Vec<Link> {
    // The links say the representation themselves: of two `f`, the first would count.
    let here = list_path(kept(uri, &["f"]).map(str::to_owned).collect());
    let [this, other] = super::self_and_alternate(base, &here, format);
    let mut links = vec![this.titled("this list"), other.titled("this list in another form")];
    if let Some(next) = next {
        links.push(Link::new(next, "next", "application/json").titled("older jobs"));
    }
    links
}

/// The same query at another place of the list.
fn page_path(uri: &Uri, cursor: Option<Cursor>) -> String {
    let cursor = cursor.map(|cursor| format!("{CURSOR}={}", URL_SAFE_NO_PAD.encode(cursor.0.to_be_bytes())));
    list_path(kept(uri, &[CURSOR]).map(str::to_owned).chain(cursor).collect())
}

/// The pairs of a query, as they stand there, but for some.
fn kept<'u>(uri: &'u Uri, without: &'u [&str]) -> impl Iterator<Item = &'u str> {
    let pairs = uri.query().unwrap_or_default().split('&');
    pairs.filter(|pair| !pair.is_empty() && !without.contains(&pair.split('=').next().unwrap_or_default()))
}

fn list_path(pairs: Vec<String>) -> String {
    if pairs.is_empty() { "/jobs".into() } else { format!("/jobs?{}", pairs.join("&")) }
}

fn page(
    state: &AppState,
    base: &Base,
    uri: &Uri,
    found: &JobPage,
    next: Option<String>,
    filter: FilterView,
    asked: Page,
) -> Result<String, ApiError> {
    let jobs: Vec<_> =
        found.jobs.iter().map(|job| status_info(state, base, job)).collect::<Result<_, _>>()?;
    let view = JobsView {
        jobs: &jobs,
        filter,
        processes: state.registry.snapshot().iter().map(|process| process.id.to_string()).collect(),
        next,
        first: asked.after.map(|_| base.url(&page_path(uri, None))),
    };
    state.pages.jobs(base, &view)
}

/// A query of the list.
#[derive(Debug)]
struct Query {
    filter: JobFilter,
    page: Page,
    view: FilterView,
    /// Whether the filter can fit no job.
    nothing: bool,
}

impl Query {
    fn read(text: &str, now: Timestamp, pages: Pages) -> Result<Self, ApiError> {
        let mut query = Self {
            filter: JobFilter { now, ..JobFilter::default() },
            page: Page { after: None, limit: pages.usual(LIMIT) },
            view: FilterView::default(),
            nothing: false,
        };
        let mut named_process = false;
        // Forms send fields that were left empty: they ask for nothing.
        let pairs = url::form_urlencoded::parse(text.as_bytes()).filter(|(_, value)| !value.is_empty());
        for (name, value) in pairs {
            named_process |= name == "processID";
            query.take(&name, &value, pages)?;
        }
        query.nothing = named_process && query.filter.processes.is_empty();
        if let (Some(from), Some(to)) = (query.filter.created_from, query.filter.created_to)
            && from > to
        {
            return Err(ApiError::query(
                "datetime",
                &query.view.datetime,
                "an interval that begins before it ends",
            ));
        }
        Ok(query)
    }

    fn take(&mut self, name: &str, value: &str, pages: Pages) -> Result<(), ApiError> {
        match name {
            "type" => {
                if let Some(other) = value.split(',').find(|kind| *kind != "process") {
                    return Err(ApiError::query(name, other, "process"));
                }
            }
            "processID" => {
                // What can't be an id belongs to no job, like an id that no process has.
                let ids = value.split(',').filter(|id| id.parse::<ProcessId>().is_ok());
                self.filter.processes.extend(ids.map(str::to_owned));
                self.view.process = value.chars().take(200).collect();
            }
            "status" => {
                for word in value.split(',') {
                    let status = StatusCode::ALL.into_iter().find(|status| status.as_str() == word);
                    self.filter.statuses.push(status.ok_or_else(|| {
                        ApiError::query(name, word, "accepted, running, successful, failed or dismissed")
                    })?);
                    self.view.statuses.push(word.to_owned());
                }
            }
            "datetime" => {
                (self.filter.created_from, self.filter.created_to) = interval(value)
                    .ok_or_else(|| ApiError::query(name, value, "an RFC 3339 date-time with its zone, or an interval of two such as 2026-01-01T00:00:00Z/.."))?;
                value.clone_into(&mut self.view.datetime);
            }
            "minDuration" => {
                let seconds = duration(name, value, f64::min)?;
                self.filter.min_duration =
                    Some(self.filter.min_duration.map_or(seconds, |it| it.min(seconds)));
                value.clone_into(&mut self.view.min_duration);
            }
            "maxDuration" => {
                let seconds = duration(name, value, f64::max)?;
                self.filter.max_duration =
                    Some(self.filter.max_duration.map_or(seconds, |it| it.max(seconds)));
                value.clone_into(&mut self.view.max_duration);
            }
            "limit" => {
                // Higher ones may be brought down (`/req/job-list/limit-response`).
                self.page.limit = pages.limit(value)?;
                value.clone_into(&mut self.view.limit);
            }
            CURSOR => {
                self.page.after =
                    Some(cursor(value).ok_or_else(|| {
                        ApiError::query(name, value, "taken from a link `next` as it stands")
                    })?)
            }
            // Others are ignored, as OGC API - Common allows.
            _ => {}
        }
        Ok(())
    }
}

fn cursor(text: &str) -> Option<Cursor> {
    let bytes: [u8; 8] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
    Some(Cursor(i64::from_be_bytes(bytes)))
}

/// Seconds; of an array (1.0 declares one) the value that lets most jobs through.
fn duration(name: &str, value: &str, loosest: fn(f64, f64) -> f64) -> Result<f64, ApiError> {
    let one = |text: &str| text.parse::<u32>().ok().filter(|_| !text.starts_with('+')).map(f64::from);
    let all: Option<Vec<f64>> = value.split(',').map(one).collect();
    all.and_then(|all| all.into_iter().reduce(loosest))
        .ok_or_else(|| ApiError::query(name, value, "a whole number of seconds"))
}

/// Both ends of a `datetime`; an end that is open is `None`.
fn interval(text: &str) -> Option<(Option<Timestamp>, Option<Timestamp>)> {
    let end = |text: &str| match text {
        "" | ".." => Some(None),
        text => text.parse::<Timestamp>().ok().map(Some),
    };
    match text.split_once('/') {
        None => text.parse::<Timestamp>().ok().map(|at| (Some(at), Some(at))),
        Some((from, to)) => {
            let both = (end(from)?, end(to)?);
            (both != (None, None) || text == "../..").then_some(both)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Query, ApiError> {
        Query::read(text, Timestamp::UNIX_EPOCH, Pages::default())
    }

    #[test]
    fn lists_come_by_repeated_keys_and_commas() {
        let query =
            read("status=failed,running&status=accepted&processID=a&processID=b,c&type=process&unknown=1")
                .unwrap();
        assert_eq!(query.filter.statuses, [StatusCode::Failed, StatusCode::Running, StatusCode::Accepted]);
        assert_eq!(query.filter.processes, ["a", "b", "c"]);
        let query = read("minDuration=5,3&maxDuration=7,9").unwrap();
        assert_eq!((query.filter.min_duration, query.filter.max_duration), (Some(3.0), Some(9.0)));
    }

    #[test]
    fn an_impossible_process_finds_nothing_rather_than_everything() {
        assert!(read("processID=../x").unwrap().nothing);
        assert!(!read("processID=../x,echo").unwrap().nothing);
        assert!(!read("processID=&status=").unwrap().nothing, "an empty form field");
    }

    #[test]
    fn intervals_may_be_open() {
        let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        let (a, b) = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00+02:00");
        assert_eq!(interval(a), Some((at(a), at(a))));
        assert_eq!(interval(&format!("{a}/{b}")), Some((at(a), at(b))));
        assert_eq!(interval(&format!("../{b}")), Some((None, at(b))));
        assert_eq!(interval(&format!("/{b}")), Some((None, at(b))));
        assert_eq!(interval(&format!("{a}/..")), Some((at(a), None)));
        assert_eq!(interval(&format!("{a}/")), Some((at(a), None)));
    }

    #[test]
    fn bad_values_are_refused_by_name() {
        for (text, name) in [
            ("type=openeo", "type"),
            ("status=done", "status"),
            ("datetime=yesterday", "datetime"),
            ("datetime=2026-01-01", "datetime"),
            ("datetime=/", "datetime"),
            ("datetime=2026-01-02T00:00:00Z/2026-01-01T00:00:00Z", "datetime"),
            ("minDuration=-1", "minDuration"),
            ("maxDuration=1.5", "maxDuration"),
            ("limit=0", "limit"),
            ("limit=x", "limit"),
            ("cursor=zzz", "cursor"),
        ] {
            let Err(ApiError::InvalidQuery { name: found, .. }) = read(text) else { panic!("{text}") };
            assert_eq!(found, name, "{text}");
        }
        assert_eq!(read("limit=99999").unwrap().page.limit, 10_000);
    }

    #[test]
    fn the_next_page_keeps_the_filter() {
        let uri: Uri = "/jobs?status=failed&cursor=AAAAAAAAAAE&limit=5".parse().unwrap();
        let path = page_path(&uri, Some(Cursor(-7)));
        assert!(path.starts_with("/jobs?status=failed&limit=5&cursor="));
        let (_, text) = path.rsplit_once('=').unwrap();
        assert_eq!(cursor(text), Some(Cursor(-7)));
        assert_eq!(page_path(&uri, None), "/jobs?status=failed&limit=5");
    }

    #[test]
    fn links_lead_to_the_form_that_they_name() {
        let base = Base::new("http://h");
        let uri: Uri = "/jobs?f=json&status=failed".parse().unwrap();
        let [this, other] = <[Link; 2]>::try_from(links(&base, &uri, Format::Json, None)).unwrap();
        assert_eq!(this.href, "http://h/jobs?status=failed");
        assert_eq!(other.href, "http://h/jobs?status=failed&f=html");
    }
}
