//! Formats: those of JSON Schema are asserted, and those that OGC API - Processes registers are added.

use jsonschema::{Keyword, PatternOptions, ValidationError, Validator};
use serde_json::{Map, Value};

use super::{SchemaError, geojson, message};

/// Keyword that stands for `format` where it names a whole document.
pub(super) const DOCUMENT_KEYWORD: &str = "x-rutter-document";

/// A kind of document that a `format` names
/// (<http://www.opengis.net/def/format/ogcapi-processes/0/>, Part 1, table of `format` values).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Document {
    /// A bounding box with its coordinate reference system (`bbox.yaml`).
    Bbox,
    /// A GeoJSON geometry.
    Geometry,
    /// A GeoJSON feature.
    Feature,
    /// A GeoJSON feature collection.
    FeatureCollection,
}

impl Document {
    /// Its short code.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bbox => "ogc-bbox",
            Self::Geometry => "geojson-geometry",
            Self::Feature => "geojson-feature",
            Self::FeatureCollection => "geojson-feature-collection",
        }
    }

    /// Faults: pointer into the value, and what to change.
    fn faults(self, value: &Value) -> Vec<(String, String)> {
        let mut faults = geojson::Faults::default();
        match self {
            Self::Bbox => bbox(value, &mut faults),
            Self::Geometry => geojson::geometry(value, "", &mut faults),
            Self::Feature => geojson::feature(value, "", &mut faults),
            Self::FeatureCollection => geojson::feature_collection(value, "", &mut faults),
        }
        faults.0
    }
}

/// The document that a format names, by short code or URI.
pub(crate) fn named_document(format: &str) -> Option<Document> {
    let documents = [Document::Bbox, Document::Geometry, Document::Feature, Document::FeatureCollection];
    documents.into_iter().find(|document| document.name() == short(format))
}

fn short(format: &str) -> &str {
    const PREFIXES: [&str; 2] = [
        "http://www.opengis.net/def/format/ogcapi-processes/0/",
        "https://www.opengis.net/def/format/ogcapi-processes/0/",
    ];
    PREFIXES.iter().find_map(|prefix| format.strip_prefix(prefix)).unwrap_or(format)
}

/// Compile with every rule of ours. Patterns take time in proportion to the text, so look-around and back references
/// are refused: even with a limit on backtracking, a text of 30,000 characters took minutes.
pub(super) fn build(schema: &Value) -> Result<Validator, SchemaError> {
    const REGEX_BYTES: usize = 4 * 1024 * 1024;
    let patterns = PatternOptions::regex().size_limit(REGEX_BYTES);
    let epsg = "http://www.opengis.net/def/format/ogcapi-processes/0/epsg-code";
    jsonschema::draft202012::options()
        .with_pattern_options(patterns)
        .should_validate_formats(true)
        .with_format("byte", |text| base64_fault(text).is_none())
        .with_format("epsg-code", is_epsg_code)
        .with_format(epsg, is_epsg_code)
        .with_keyword(DOCUMENT_KEYWORD, |_, value, _| {
            let document = value.as_str().and_then(named_document);
            let keyword: Box<dyn for<'i> Keyword<'i>> =
                Box::new(IsDocument(document.unwrap_or(Document::Geometry)));
            Ok(keyword)
        })
        .build(schema)
        .map_err(|error| message::schema_error(&error))
}

struct IsDocument(Document);

impl<'i> Keyword<'i> for IsDocument {
    fn validate(&self, value: &'i Value) -> Result<(), ValidationError<'i>> {
        self.0.faults(value).into_iter().next().map_or(Ok(()), |(pointer, text)| Err(placed(&pointer, &text)))
    }

    fn is_valid(&self, value: &'i Value) -> bool {
        self.0.faults(value).is_empty()
    }

    fn iter_errors(&self, value: &'i Value) -> Box<dyn Iterator<Item = ValidationError<'i>> + 'i> {
        Box::new(self.0.faults(value).into_iter().map(|(pointer, text)| placed(&pointer, &text)))
    }
}

/// The library has no place in a custom error: it travels in the first line of the text.
fn placed(pointer: &str, text: &str) -> ValidationError<'static> {
    ValidationError::custom(format!("{pointer}\n{text}"))
}

fn is_epsg_code(text: &str) -> bool {
    let digits = text.strip_prefix("EPSG:").unwrap_or(text);
    (1..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// `bbox.yaml`: 4 or 6 numbers, and a URI for another system than CRS84 (2.0 lets it be any).
/// Their order is not checked: a box over the antimeridian has its greater longitude first.
fn bbox(value: &Value, faults: &mut geojson::Faults) {
    const SHAPE: &str = "write {\"bbox\": [west, south, east, north], \"crs\": …}";
    let Some(members) = value.as_object() else {
        return faults.add("", format!("is no bounding box: {SHAPE}"));
    };
    match members.get("bbox") {
        Some(numbers) => geojson::bbox(numbers, "/bbox", faults),
        None => faults.add("", format!("has no member `bbox`: {SHAPE}")),
    }
    crs(members, faults);
}

fn crs(members: &Map<String, Value>, faults: &mut geojson::Faults) {
    let Some(crs) = members.get("crs") else { return };
    if !crs.as_str().is_some_and(|text| text.contains(':') && url::Url::parse(text).is_ok()) {
        let known = "http://www.opengis.net/def/crs/OGC/1.3/CRS84";
        faults.add("/crs", format!("is no URI of a coordinate reference system: write for example {known}"));
    }
}

/// Why a text is no base64 (RFC 4648, section 4). White space and missing padding are forgiven.
pub(crate) fn base64_fault(text: &str) -> Option<String> {
    let mut symbols = 0_usize;
    let mut padding = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if padding == 0 => symbols += 1,
            b'=' => padding += 1,
            b' ' | b'\t' | b'\r' | b'\n' => {}
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' => {
                return Some(format!("is not base64: text follows the padding at character {}", at + 1));
            }
            _ => {
                return Some(format!(
                    "is not base64: character {} is not one of A-Z, a-z, 0-9, + and /",
                    at + 1
                ));
            }
        }
    }
    let wanted = (4 - symbols % 4) % 4;
    if wanted == 3 || (padding > 0 && padding != wanted) {
        return Some(format!(
            "is not base64: it ends too early or too late ({symbols} characters, {padding} of padding)"
        ));
    }
    None
}
