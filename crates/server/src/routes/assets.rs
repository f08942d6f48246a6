//! `GET /assets/{name}`: what pages load.

use axum::{extract::Path, response::Response};
use http::HeaderMap;

use crate::{
    negotiate::{Format, Negotiated},
    ui,
};

pub(super) async fn read(Path(name): Path<String>, headers: HeaderMap) -> Response {
    ui::asset(&name, &Negotiated::as_format(&headers, Format::Html))
}
