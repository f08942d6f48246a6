//! Which shape an answer with results has: the tables of Part 1 (1.0, section 7.11.4; 2.0, sections 7.11 and 7.13), with the
//! choices of `ARCHITECTURE.md` where they leave one.

use http::HeaderMap;
use rutter_core::{id::OutputId, job::ResponseShape};
use rutter_types::ResponseKind;

use super::{
    accept::Accept,
    document::{Inline, essence, is_json_type},
    outputs::Output,
    prefer::{Prefer, Returns},
};
use crate::{
    error::ApiError,
    negotiate::{HTML, JSON, Offer, choose},
};

/// Values up to this size together stand in a document for clients that did not say what they prefer.
pub const INLINE: u64 = 1024 * 1024;
const MULTIPART: Offer<'static> = Offer { media_type: "multipart/related", short: "multipart" };
const ZIP: Offer<'static> = Offer { media_type: "application/zip", short: "zip" };
/// The results document as a profile (2.0, `/req/core/job-results-profile`).
pub const RESULTS_PROFILE: &str = "https://www.opengis.net/def/profile/OGC/0/ogc-results";
/// The values of one output as a profile.
pub const VALUES_PROFILE: &str = "https://www.opengis.net/def/profile/OGC/0/ogc-values";

/// Shape of an answer with results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// No content.
    Nothing,
    /// No content, a `Link` header for each value.
    Links,
    /// The bytes of the one value.
    Raw,
    /// The one value, which is text, as a JSON string.
    Text,
    /// The values of the one output as a JSON array.
    Values(Inline),
    /// A part for each value.
    Multipart,
    /// A results document.
    Document(Inline),
    /// All values in an archive.
    Zip,
    /// A page.
    Page,
}

/// What a client wants of results.
#[derive(Clone, Debug)]
pub struct Wish<'a> {
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// `f=` of its query.
    pub f: Option<&'a str>,
    /// `profile=` of its query.
    pub profile: Option<&'a str>,
    /// Its preferences.
    pub prefer: &'a Prefer,
}

impl Wish<'_> {
    /// Whether it asks for the results document by its profile (2.0, section 7.3: five ways).
    pub fn wants_document(&self) -> bool {
        let accept = Accept::of(self.headers);
        let text = |name| self.headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        let by_link = text("link").any(|link| link.contains("rel=\"profile\"") && names_results(link));
        by_link
            || text("accept-profile").any(names_results)
            || accept.profiles().any(names_results)
            || self.profile.is_some_and(names_results)
            || self.prefer.profile.as_deref().is_some_and(names_results)
    }

    fn inline(&self) -> Inline {
        match self.prefer.returns {
            Some(Returns::Representation) => Inline::All,
            Some(Returns::Minimal) | None => Inline::UpTo(INLINE),
        }
    }
}

fn names_results(text: &str) -> bool {
    text.contains("ogc-results")
}

/// What is sent of the outputs that are there, and in which shape. An output that is the whole answer goes alone and as it is, as its
/// old clients know it; who asks for a page, an archive or the results document gets all outputs.
///
/// # Errors
/// [`ApiError::NotAcceptable`].
pub fn answer(
    request: &ResponseShape,
    mut outputs: Vec<Output>,
    wish: &Wish<'_>,
) -> Result<(Vec<Output>, Shape), ApiError> {
    let there =
        |id: &OutputId| outputs.iter().position(|output| output.id == *id && !output.values.is_empty());
    let is_open = request.v1 != Some(ResponseKind::Document) && !wish.wants_document();
    let Some(at) = request.answer.iter().find_map(there).filter(|_| is_open) else {
        let shape = shape(request, &outputs, wish)?;
        return Ok((outputs, shape));
    };
    let (natural, media_type) = alone(&outputs[at], wish);
    let shape = if wish.f.is_some() {
        let raw = Offer { media_type: &media_type, short: "raw" };
        let shapes = [natural, natural, Shape::Page, Shape::Multipart, Shape::Zip];
        shapes[choose(wish.headers, wish.f, &[raw, JSON, HTML, MULTIPART, ZIP])?]
    } else {
        unless_rather(natural, &media_type, wish)
    };
    if shape == natural {
        outputs = vec![outputs.swap_remove(at)];
    }
    Ok((outputs, shape))
}

/// The shape for a job's request and a client's wish. `outputs` are those that are there.
///
/// # Errors
/// [`ApiError::NotAcceptable`].
fn shape(request: &ResponseShape, outputs: &[Output], wish: &Wish<'_>) -> Result<Shape, ApiError> {
    match request.v1 {
        Some(kind) => first_version(kind, outputs, wish),
        None => second_version(request.outputs.len(), outputs, wish),
    }
}

/// Shape of one output by its own URL: its bytes, unless the client can take only JSON or a page.
///
/// # Errors
/// [`ApiError::NotAcceptable`].
pub fn of_output(output: &Output, wish: &Wish<'_>) -> Result<Shape, ApiError> {
    let (natural, media_type) = alone(output, wish);
    let accept = Accept::of(wish.headers);
    if wish.f.is_none() && accept.quality(&media_type) > 0 {
        return Ok(natural);
    }
    negotiated_alone(output, wish)
}

/// 1.0 lets the request decide; only a client that would rather have a page or an archive gets one.
fn first_version(kind: ResponseKind, outputs: &[Output], wish: &Wish<'_>) -> Result<Shape, ApiError> {
    let values: usize = outputs.iter().map(|output| output.values.len()).sum();
    let (natural, media_type) = match kind {
        _ if wish.wants_document() => (Shape::Document(wish.inline()), JSON.media_type.to_owned()),
        ResponseKind::Document => (Shape::Document(Inline::All), JSON.media_type.to_owned()),
        ResponseKind::Raw if values == 0 => (Shape::Nothing, String::new()),
        ResponseKind::Raw if outputs.iter().all(|output| output.by_reference) => {
            (Shape::Links, String::new())
        }
        ResponseKind::Raw if outputs.len() == 1 => {
            let (shape, media_type) = alone(&outputs[0], wish);
            (if matches!(shape, Shape::Values(_)) { Shape::Values(Inline::All) } else { shape }, media_type)
        }
        ResponseKind::Raw => (Shape::Multipart, MULTIPART.media_type.to_owned()),
    };
    if wish.f.is_some() {
        let raw = Offer { media_type: &media_type, short: "raw" };
        let shapes = [natural, Shape::Document(wish.inline()), Shape::Page, Shape::Multipart, Shape::Zip];
        return Ok(shapes[choose(wish.headers, wish.f, &[raw, JSON, HTML, MULTIPART, ZIP])?]);
    }
    Ok(unless_rather(natural, &media_type, wish))
}

/// A shape, unless the client would rather have a page or an archive.
fn unless_rather(natural: Shape, media_type: &str, wish: &Wish<'_>) -> Shape {
    let accept = Accept::of(wish.headers);
    let rather = |offer: Offer<'_>| {
        accept.names(offer.media_type)
            && essence(media_type) != offer.media_type
            && accept.quality(offer.media_type) > accept.quality(media_type)
    };
    match () {
        () if rather(HTML) => Shape::Page,
        () if rather(ZIP) => Shape::Zip,
        () => natural,
    }
}

/// 2.0 lets the client decide.
fn second_version(requested: usize, outputs: &[Output], wish: &Wish<'_>) -> Result<Shape, ApiError> {
    if outputs.iter().all(|output| output.values.is_empty()) {
        return Ok(Shape::Nothing);
    }
    if requested == 1 && !wish.wants_document() {
        return negotiated_alone(&outputs[0], wish);
    }
    let shapes = [Shape::Document(wish.inline()), Shape::Page, Shape::Multipart, Shape::Zip];
    Ok(shapes[choose(wish.headers, wish.f, &[JSON, HTML, MULTIPART, ZIP])?])
}

fn negotiated_alone(output: &Output, wish: &Wish<'_>) -> Result<Shape, ApiError> {
    let (natural, media_type) = alone(output, wish);
    let raw = Offer { media_type: &media_type, short: "raw" };
    let json = match natural {
        Shape::Raw if is_json_type(&media_type) => Shape::Raw,
        Shape::Raw if essence(&media_type) == "text/plain" => Shape::Text,
        Shape::Raw => Shape::Document(wish.inline()),
        other => other,
    };
    let shapes = [natural, json, Shape::Page, Shape::Multipart, Shape::Zip];
    Ok(shapes[choose(wish.headers, wish.f, &[raw, JSON, HTML, MULTIPART, ZIP])?])
}

/// How an output is told alone, and as what.
fn alone(output: &Output, wish: &Wish<'_>) -> (Shape, String) {
    match output.values.as_slice() {
        [value] if !output.is_many => (Shape::Raw, value.media_type.clone()),
        _ => (Shape::Values(wish.inline()), JSON.media_type.to_owned()),
    }
}

/// Whether a synchronous request could be answered at all, by what the description says of its outputs: a client should
/// not wait for what it can't take.
pub fn is_answerable(v1: bool, media_types: &[&str], wish: &Wish<'_>) -> Result<(), ApiError> {
    if v1 && wish.f.is_none() {
        return Ok(());
    }
    let mut offers = vec![JSON, HTML, MULTIPART, ZIP];
    offers.extend(media_types.iter().map(|media_type| Offer { media_type, short: "raw" }));
    choose(wish.headers, wish.f, &offers).map(|_| ())
}

#[cfg(test)]
mod tests {
    use http::header;
    use indexmap::IndexMap;
    use rutter_types::OutputSelection;

    use super::{
        super::document::tests::{inline, output},
        *,
    };

    const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

    fn request(v1: Option<ResponseKind>, outputs: &[Output]) -> ResponseShape {
        let outputs = outputs.iter().map(|output| (output.id.clone(), OutputSelection::default()));
        ResponseShape { v1, outputs: outputs.collect::<IndexMap<_, _>>(), answer: Vec::new() }
    }

    fn got(
        v1: Option<ResponseKind>,
        outputs: &[Output],
        accept: Option<&str>,
        f: Option<&str>,
    ) -> Option<Shape> {
        let headers = accept.map(|text| (header::ACCEPT, text.parse().unwrap())).into_iter().collect();
        let wish = Wish { headers: &headers, f, profile: None, prefer: &Prefer::default() };
        shape(&request(v1, outputs), outputs, &wish).ok()
    }

    fn text() -> Output {
        output("a", vec![inline("text/plain", "a", b"x")])
    }

    fn tiff() -> Output {
        output("b", vec![inline("image/tiff", "b", b"x")])
    }

    #[test]
    fn one_output_of_2_is_negotiated() {
        let small = Some(Shape::Document(Inline::UpTo(INLINE)));
        let table = [
            (None, None, Some(Shape::Raw), Some(Shape::Raw)),
            (Some("*/*"), None, Some(Shape::Raw), Some(Shape::Raw)),
            (Some(BROWSER), None, Some(Shape::Page), Some(Shape::Page)),
            (Some("application/json"), None, Some(Shape::Text), small),
            (Some("image/tiff"), None, None, Some(Shape::Raw)),
            (Some("text/html"), None, Some(Shape::Page), Some(Shape::Page)),
            (Some("application/zip"), None, Some(Shape::Zip), Some(Shape::Zip)),
            (Some("multipart/related"), None, Some(Shape::Multipart), Some(Shape::Multipart)),
            (Some("nonsense"), None, None, None),
            (Some("nonsense"), Some("raw"), Some(Shape::Raw), Some(Shape::Raw)),
            (Some("text/html"), Some("json"), Some(Shape::Text), small),
            (None, Some("html"), Some(Shape::Page), Some(Shape::Page)),
            (None, Some("nonsense"), None, None),
        ];
        for (accept, f, for_text, for_tiff) in table {
            assert_eq!(got(None, &[text()], accept, f), for_text, "{accept:?} {f:?}");
            assert_eq!(got(None, &[tiff()], accept, f), for_tiff, "{accept:?} {f:?}");
        }
    }

    #[test]
    fn several_outputs_of_2_are_a_document_unless_asked_otherwise() {
        let document = Some(Shape::Document(Inline::UpTo(INLINE)));
        for (accept, f, wanted) in [
            (None, None, document),
            (Some("*/*"), None, document),
            (Some("application/json"), None, document),
            (Some(BROWSER), None, Some(Shape::Page)),
            (Some("multipart/related"), None, Some(Shape::Multipart)),
            (Some("application/zip"), None, Some(Shape::Zip)),
            (Some("image/tiff"), None, None),
            (Some("image/tiff"), Some("zip"), Some(Shape::Zip)),
        ] {
            assert_eq!(got(None, &[text(), tiff()], accept, f), wanted, "{accept:?} {f:?}");
        }
        assert_eq!(got(None, &[], None, None), Some(Shape::Nothing));
    }

    #[test]
    fn the_request_of_1_decides() {
        let by_reference = |mut output: Output| {
            output.by_reference = true;
            output
        };
        let (raw, document) = (Some(ResponseKind::Raw), Some(ResponseKind::Document));
        let json = Some("application/json");
        assert_eq!(got(raw, &[text()], json, None), Some(Shape::Raw));
        assert_eq!(got(raw, &[text(), tiff()], json, None), Some(Shape::Multipart));
        assert_eq!(got(raw, &[by_reference(text())], json, None), Some(Shape::Links));
        assert_eq!(got(raw, &[by_reference(text()), by_reference(tiff())], json, None), Some(Shape::Links));
        assert_eq!(got(raw, &[by_reference(text()), tiff()], json, None), Some(Shape::Multipart));
        assert_eq!(got(document, &[text()], json, None), Some(Shape::Document(Inline::All)));
        assert_eq!(
            got(document, &[by_reference(text()), tiff()], None, None),
            Some(Shape::Document(Inline::All))
        );
        assert_eq!(got(raw, &[text(), tiff()], Some(BROWSER), None), Some(Shape::Page));
        assert_eq!(got(document, &[text()], Some(BROWSER), None), Some(Shape::Page));
        assert_eq!(got(raw, &[text(), tiff()], Some("application/zip"), None), Some(Shape::Zip));
    }

    #[test]
    fn the_profile_asks_for_the_document() {
        let outputs = [text()];
        let document = Shape::Document(Inline::UpTo(INLINE));
        for (name, value) in [
            (header::ACCEPT.as_str(), format!("application/json; profile=\"{RESULTS_PROFILE}\"")),
            ("accept-profile", format!("<{RESULTS_PROFILE}>")),
            ("link", format!("<{RESULTS_PROFILE}>; rel=\"profile\"")),
        ] {
            let headers = [(name.parse().unwrap(), value.parse().unwrap())].into_iter().collect();
            let wish = Wish { headers: &headers, f: None, profile: None, prefer: &Prefer::default() };
            assert_eq!(shape(&request(None, &outputs), &outputs, &wish).unwrap(), document, "{name}");
        }
    }

    #[test]
    fn an_output_that_is_the_whole_answer_goes_alone_as_it_is() {
        let whole = |v1, accept: Option<&str>, f, made: &[Output]| {
            let headers = accept.map(|text| (header::ACCEPT, text.parse().unwrap())).into_iter().collect();
            let wish = Wish { headers: &headers, f, profile: None, prefer: &Prefer::default() };
            let answer_by = ["none", "b", "a"].map(|id| id.parse().unwrap()).to_vec();
            let request = ResponseShape { answer: answer_by, ..request(v1, made) };
            let (sent, shape) = answer(&request, made.to_vec(), &wish).unwrap();
            (sent.iter().map(|output| output.id.to_string()).collect::<String>(), shape)
        };
        let raw = |id: &str| (id.to_owned(), Shape::Raw);
        let both = [text(), tiff()];
        for accept in [None, Some("*/*"), Some("application/json"), Some("nonsense")] {
            assert_eq!(whole(None, accept, None, &both), raw("b"), "{accept:?}");
        }
        assert_eq!(whole(None, None, Some("json"), &both), raw("b"), "as its old clients ask for it");
        assert_eq!(whole(Some(ResponseKind::Raw), None, None, &both), raw("b"));
        assert_eq!(whole(None, None, None, &[text()]), raw("a"), "the first that there is");
        for (v1, accept, f, shape) in [
            (None, Some(BROWSER), None, Shape::Page),
            (None, None, Some("zip"), Shape::Zip),
            (Some(ResponseKind::Document), None, None, Shape::Document(Inline::All)),
        ] {
            assert_eq!(whole(v1, accept, f, &both), ("ab".to_owned(), shape), "{accept:?} {f:?}");
        }
        let others = ["c", "d"].map(|id| output(id, vec![inline("text/plain", id, b"x")]));
        let document = Shape::Document(Inline::UpTo(INLINE));
        assert_eq!(whole(None, None, None, &others), ("cd".to_owned(), document));
    }

    #[test]
    fn an_output_by_its_url_is_its_bytes_even_for_a_browser() {
        for (accept, wanted) in [
            (None, Some(Shape::Raw)),
            (Some(BROWSER), Some(Shape::Raw)),
            (Some("text/html"), Some(Shape::Page)),
            (Some("application/json"), Some(Shape::Document(Inline::UpTo(INLINE)))),
            (Some("nonsense"), None),
        ] {
            let headers = accept.map(|text| (header::ACCEPT, text.parse().unwrap())).into_iter().collect();
            let wish = Wish { headers: &headers, f: None, profile: None, prefer: &Prefer::default() };
            assert_eq!(of_output(&tiff(), &wish).ok(), wanted, "{accept:?}");
        }
    }
}
