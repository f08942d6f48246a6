//! What happens to every request before its handler and to every answer after it.
//!
//! One function instead of a stack of layers: each layer would cost an allocation, and the order of these steps matters.

use std::{
    any::Any,
    convert::Infallible,
    fmt,
    panic::AssertUnwindSafe,
    sync::Arc,
    task::{self, Poll},
    time::Instant,
};

use axum::{
    Router,
    body::Body,
    extract::Request,
    response::{IntoResponse, Response},
};
use futures_util::{FutureExt, future::BoxFuture};
use http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, Uri, header, uri::PathAndQuery};
use tower::{Service, ServiceExt};
use tower_http::compression::{
    Compression,
    predicate::{Predicate, SizeAbove},
};

use crate::{
    access::{self, Caller},
    answer,
    base::{self, Base, Connection},
    cors,
    error::{ApiError, Told},
    negotiate::{self, ErrorFormat},
    place::Place,
    routes,
    state::AppState,
};

/// The whole server as a service: what a connection, or a test, gives its requests to.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    state: AppState,
    plain: Router,
    gzip: Compression<Router, Worth>,
}

/// What the front found out about a request.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) base: Base,
    pub(crate) caller: Caller,
}

impl Context {
    /// # Errors
    /// Handlers that need it are reachable through the front only: without it the server is put together wrongly.
    pub(crate) fn of(extensions: &Extensions) -> Result<&Self, ApiError> {
        extensions.get::<Self>().ok_or(ApiError::Panicked)
    }
}

/// What of a request is still needed when it is answered.
struct Asked {
    method: Method,
    uri: Uri,
    accept: Option<HeaderValue>,
    origin: Option<HeaderValue>,
    place: Place,
    base: Option<Base>,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("App")
    }
}

impl App {
    /// The server of a state.
    pub fn new(state: AppState) -> Self {
        let plain = routes::router(state.clone());
        let gzip = Compression::new(plain.clone()).compress_when(Worth::default());
        Self(Arc::new(Inner { state, plain, gzip }))
    }

    /// Answers a request.
    pub async fn answer(&self, mut request: Request) -> Response {
        let begun = Instant::now();
        let state = &self.0.state;
        let prepared = self.prepare(&mut request);
        let mut asked = Asked {
            method: request.method().clone(),
            uri: request.uri().clone(),
            accept: request.headers().get(header::ACCEPT).cloned(),
            origin: request.headers().get(header::ORIGIN).cloned(),
            place: Place::of(request.uri().path()),
            base: None,
        };
        let response = match prepared.and_then(|base| self.enter(&mut request, &mut asked, base)) {
            Err(error) => error.into_response(),
            Ok(()) if asked.method == Method::OPTIONS => self.options(request).await,
            Ok(()) => self.route(request).await,
        };
        let response = self.finish(&asked, response);
        state.metrics.answered(asked.place.route(), &asked.method, response.status(), begun.elapsed());
        response
    }

    /// Finds the base URL, and takes its prefix and a slash at the end off the path.
    fn prepare(&self, request: &mut Request) -> Result<Base, ApiError> {
        let connection = request.extensions().get::<Connection>().copied();
        let base = base::base_of(&self.0.state.config, connection, request.uri(), request.headers());
        let prefix = base.as_ref().map_or("", Base::prefix);
        if let Some(uri) = plain_uri(request.uri(), prefix) {
            *request.uri_mut() = uri;
        }
        base
    }

    fn enter(&self, request: &mut Request, asked: &mut Asked, base: Base) -> Result<(), ApiError> {
        asked.base = Some(base.clone());
        let caller =
            access::check(&self.0.state.config, &base, request.method(), asked.place, request.headers())?;
        request.extensions_mut().insert(Context { base, caller });
        Ok(())
    }

    async fn route(&self, request: Request) -> Response {
        let compress = request.method() != Method::HEAD
            && !request.headers().contains_key(header::RANGE)
            && negotiate::takes_gzip(request.headers());
        let answered = if compress {
            let answer = self.0.gzip.clone().oneshot(request);
            AssertUnwindSafe(answer).catch_unwind().await.map(|answer| answer.map(|it| it.map(Body::new)))
        } else {
            AssertUnwindSafe(self.0.plain.clone().oneshot(request)).catch_unwind().await
        };
        match answered {
            Ok(Ok(response)) => response,
            Err(panic) => panicked(panic.as_ref()).into_response(),
        }
    }

    /// OPTIONS: the methods of a path, and what a preflight asks.
    async fn options(&self, request: Request) -> Response {
        let is_preflight = request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        let routed = self.route(request).await;
        let mut response = StatusCode::NO_CONTENT.into_response();
        match routed.headers().get(header::ALLOW) {
            Some(allow) => {
                let allow = format!("{},OPTIONS", allow.to_str().unwrap_or_default());
                if let Ok(allow) = HeaderValue::from_str(allow.trim_start_matches(',')) {
                    response.headers_mut().insert(header::ALLOW, allow);
                }
            }
            None if !is_preflight => return routed,
            None => {}
        }
        if is_preflight {
            response.extensions_mut().insert(Preflight);
        }
        response
    }

    fn finish(&self, asked: &Asked, mut response: Response) -> Response {
        if response.status().is_client_error() || response.status().is_server_error() {
            response = self.tell(asked, response);
        }
        let is_preflight = response.extensions().get::<Preflight>().is_some();
        let headers = response.headers_mut();
        cors::grant(&self.0.state.config, asked.place, &asked.method, asked.origin.as_ref(), headers);
        if is_preflight {
            cors::preflight(headers);
        }
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        guard_active_content(headers);
        weaken_etag(headers);
        response
    }

    /// Tells an error in the client's format. Answers that are not ours (405 of the router) become problems too.
    fn tell(&self, asked: &Asked, mut response: Response) -> Response {
        let told = match response.extensions_mut().remove::<Told>() {
            Some(told) => told,
            None => match of_router(&response) {
                Some(error) => Told(error.problem().into()),
                None => return response,
            },
        };
        let accept: HeaderMap = asked.accept.iter().map(|value| (header::ACCEPT, value.clone())).collect();
        let format = ErrorFormat::of(&accept, &asked.uri);
        let (media_type, body) = match format {
            ErrorFormat::Html => {
                let base = asked.base.clone().unwrap_or_else(|| Base::new(""));
                match self.0.state.pages.error(&base, &told.0) {
                    Ok(page) => ("text/html; charset=utf-8", page.into_bytes()),
                    Err(_) => ("application/problem+json", serde_json::to_vec(&*told.0).unwrap_or_default()),
                }
            }
            ErrorFormat::Json => ("application/json", serde_json::to_vec(&*told.0).unwrap_or_default()),
            ErrorFormat::Problem => {
                ("application/problem+json", serde_json::to_vec(&*told.0).unwrap_or_default())
            }
        };
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        headers.insert(header::VARY, HeaderValue::from_static("Accept"));
        headers.remove(header::CONTENT_ENCODING);
        if format == ErrorFormat::Html {
            answer::page_headers(headers);
        }
        *response.body_mut() = if asked.method == Method::HEAD { Body::empty() } else { Body::from(body) };
        response
    }
}

/// What the router itself refused, before any handler of ours.
fn of_router(response: &Response) -> Option<ApiError> {
    let is_text = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|it| it.as_bytes().starts_with(b"text/plain"));
    match response.status() {
        StatusCode::METHOD_NOT_ALLOWED => Some(ApiError::MethodNotAllowed),
        StatusCode::BAD_REQUEST if is_text => {
            Some(ApiError::bad("the path is not well encoded: write it in UTF-8, percent-encoded"))
        }
        _ => None,
    }
}

/// Marks the answer to a preflight.
#[derive(Clone, Copy)]
struct Preflight;

impl Service<Request> for App {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let app = self.clone();
        Box::pin(async move { Ok(app.answer(request).await) })
    }
}

/// The URI without the prefix and without a slash at its end; `None` = it is so already.
fn plain_uri(uri: &Uri, prefix: &str) -> Option<Uri> {
    let path = uri.path();
    let inner = match path.strip_prefix(prefix) {
        Some(rest) if !prefix.is_empty() && (rest.is_empty() || rest.starts_with('/')) => rest,
        _ => path,
    };
    let inner = if inner.len() > 1 { inner.trim_end_matches('/') } else { inner };
    let inner = if inner.is_empty() { "/" } else { inner };
    if inner.len() == path.len() {
        return None;
    }
    let changed = match uri.query() {
        Some(query) => format!("{inner}?{query}"),
        None => inner.to_owned(),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(changed).ok()?);
    Uri::from_parts(parts).ok()
}

fn panicked(panic: &(dyn Any + Send)) -> ApiError {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&'static str>().copied())
        .unwrap_or("no message");
    tracing::error!("a handler panicked: {message}");
    ApiError::Panicked
}

/// What a process gave out must not run in the name of this server.
fn guard_active_content(headers: &mut HeaderMap) {
    if headers.contains_key(header::CONTENT_SECURITY_POLICY) {
        return;
    }
    let is_active = headers.get(header::CONTENT_TYPE).is_some_and(|media_type| {
        let text = media_type.as_bytes();
        text.starts_with(b"text/html") || text.windows(3).any(|part| part.eq_ignore_ascii_case(b"xml"))
    });
    if is_active {
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
    }
}

/// A compressed answer has not the bytes that a strong tag stands for.
fn weaken_etag(headers: &mut HeaderMap) {
    if !headers.contains_key(header::CONTENT_ENCODING) {
        return;
    }
    let Some(tag) = headers.get(header::ETAG).and_then(|tag| tag.to_str().ok()) else { return };
    if tag.starts_with('"')
        && let Ok(weak) = HeaderValue::try_from(format!("W/{tag}"))
    {
        headers.insert(header::ETAG, weak);
    }
}

/// Compressed is what gets smaller by it.
#[derive(Clone, Copy, Debug)]
struct Worth(SizeAbove);

impl Default for Worth {
    fn default() -> Self {
        Self(SizeAbove::new(860))
    }
}

impl Predicate for Worth {
    fn should_compress<B: axum::body::HttpBody>(&self, response: &http::Response<B>) -> bool {
        const PACKED: [&str; 8] = [
            "image/",
            "video/",
            "audio/",
            "application/zip",
            "application/gzip",
            "application/octet-stream",
            "multipart/",
            "text/event-stream",
        ];
        let media_type =
            response.headers().get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or("");
        let is_packed =
            PACKED.iter().any(|packed| media_type.starts_with(packed)) && media_type != "image/svg+xml";
        response.status() == StatusCode::OK && !is_packed && self.0.should_compress(response)
    }
}
