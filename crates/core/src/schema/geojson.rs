//! GeoJSON (RFC 7946), checked by structure: types, members, coordinate arrays, closed rings.

use serde_json::{Map, Value};

/// Faults found: pointer into the document, and what to change.
#[derive(Debug, Default)]
pub(super) struct Faults(pub(super) Vec<(String, String)>);

/// Faults told of one document.
const LIMIT: usize = 10;

impl Faults {
    pub(super) fn add(&mut self, pointer: impl Into<String>, text: impl Into<String>) {
        if !self.is_full() {
            self.0.push((pointer.into(), text.into()));
        }
    }

    fn is_full(&self) -> bool {
        self.0.len() >= LIMIT
    }
}

/// How deep coordinates nest, and what the innermost arrays are.
#[derive(Clone, Copy)]
enum Shape {
    Position,
    Line,
    Ring,
    List(&'static Shape),
}

const GEOMETRIES: [(&str, Shape); 6] = [
    ("Point", Shape::Position),
    ("MultiPoint", Shape::List(&Shape::Position)),
    ("LineString", Shape::Line),
    ("MultiLineString", Shape::List(&Shape::Line)),
    ("Polygon", Shape::List(&Shape::Ring)),
    ("MultiPolygon", Shape::List(&Shape::List(&Shape::Ring))),
];

/// RFC 7946, section 3.1.
pub(super) fn geometry(value: &Value, at: &str, faults: &mut Faults) {
    let Some(members) = object(value, at, "a GeoJSON geometry", faults) else { return };
    own_bbox(members, at, faults);
    let kind = members.get("type").and_then(Value::as_str).unwrap_or_default();
    if kind == "GeometryCollection" {
        return list(members, "geometries", at, faults, geometry);
    }
    let Some((_, shape)) = GEOMETRIES.iter().find(|(name, _)| *name == kind) else {
        let names: Vec<&str> = GEOMETRIES.iter().map(|(name, _)| *name).collect();
        return faults.add(
            format!("{at}/type"),
            format!("is no type of GeoJSON geometry: write {} or GeometryCollection", names.join(", ")),
        );
    };
    match members.get("coordinates") {
        Some(coordinates) => self::coordinates(coordinates, *shape, &format!("{at}/coordinates"), faults),
        None => faults.add(at, format!("has no member `coordinates`, which a {kind} needs")),
    }
}

/// RFC 7946, section 3.2.
pub(super) fn feature(value: &Value, at: &str, faults: &mut Faults) {
    let Some(members) = object(value, at, "a GeoJSON feature", faults) else { return };
    of_type(members, "Feature", at, faults);
    own_bbox(members, at, faults);
    match members.get("geometry") {
        Some(Value::Null) => {}
        Some(inner) => geometry(inner, &format!("{at}/geometry"), faults),
        None => faults.add(at, "has no member `geometry`: write null if the feature has no place"),
    }
    match members.get("properties") {
        Some(Value::Null | Value::Object(_)) => {}
        Some(_) => faults.add(format!("{at}/properties"), "must be an object or null"),
        None => faults.add(at, "has no member `properties`: write null if there are none"),
    }
    if !members.get("id").is_none_or(|id| id.is_string() || id.is_number()) {
        faults.add(format!("{at}/id"), "must be a text or a number");
    }
}

/// RFC 7946, section 3.3.
pub(super) fn feature_collection(value: &Value, at: &str, faults: &mut Faults) {
    let Some(members) = object(value, at, "a GeoJSON feature collection", faults) else { return };
    of_type(members, "FeatureCollection", at, faults);
    own_bbox(members, at, faults);
    list(members, "features", at, faults, feature);
}

/// RFC 7946, section 5, and `bbox.yaml`: in two or in three dimensions.
pub(super) fn bbox(value: &Value, at: &str, faults: &mut Faults) {
    let Some(numbers) = value.as_array() else {
        return faults.add(at, "must be an array of 4 or 6 numbers");
    };
    if !matches!(numbers.len(), 4 | 6) {
        faults.add(at, format!("has {} numbers: write 4, or 6 with heights", numbers.len()));
    }
    for (index, number) in numbers.iter().enumerate() {
        if !is_number(number) {
            faults.add(format!("{at}/{index}"), "must be a number");
        }
    }
}

fn own_bbox(members: &Map<String, Value>, at: &str, faults: &mut Faults) {
    if let Some(value) = members.get("bbox") {
        bbox(value, &format!("{at}/bbox"), faults);
    }
}

fn object<'a>(value: &'a Value, at: &str, what: &str, faults: &mut Faults) -> Option<&'a Map<String, Value>> {
    if value.as_object().is_none() {
        faults.add(at, format!("must be {what}: an object with a member `type`"));
    }
    value.as_object()
}

fn of_type(members: &Map<String, Value>, wanted: &str, at: &str, faults: &mut Faults) {
    if members.get("type").and_then(Value::as_str) != Some(wanted) {
        faults.add(format!("{at}/type"), format!("must be \"{wanted}\""));
    }
}

fn list(
    members: &Map<String, Value>,
    name: &str,
    at: &str,
    faults: &mut Faults,
    each: fn(&Value, &str, &mut Faults),
) {
    let Some(items) = members.get(name).and_then(Value::as_array) else {
        return faults.add(at, format!("needs a member `{name}`: an array"));
    };
    for (index, item) in items.iter().enumerate() {
        if faults.is_full() {
            return;
        }
        each(item, &format!("{at}/{name}/{index}"), faults);
    }
}

fn coordinates(value: &Value, shape: Shape, at: &str, faults: &mut Faults) {
    let Some(items) = value.as_array() else {
        return faults.add(at, "must be an array");
    };
    let inner = match shape {
        Shape::Position => return position(items, at, faults),
        Shape::Line => {
            if items.len() < 2 {
                faults.add(at, format!("has {} positions: a line needs 2 or more", items.len()));
            }
            Shape::Position
        }
        Shape::Ring => {
            ring(items, at, faults);
            Shape::Position
        }
        Shape::List(inner) => *inner,
    };
    for (index, item) in items.iter().enumerate() {
        if faults.is_full() {
            return;
        }
        coordinates(item, inner, &format!("{at}/{index}"), faults);
    }
}

fn position(numbers: &[Value], at: &str, faults: &mut Faults) {
    if numbers.len() < 2 || !numbers.iter().all(is_number) {
        faults.add(at, "must be a position: two or three numbers, longitude before latitude");
    }
}

fn ring(positions: &[Value], at: &str, faults: &mut Faults) {
    if positions.len() < 4 {
        faults.add(at, format!("has {} positions: a ring needs 4 or more", positions.len()));
    } else if positions.first() != positions.last() {
        faults.add(at, "is not closed: its last position must be its first one");
    }
}

fn is_number(value: &Value) -> bool {
    value.as_f64().is_some_and(f64::is_finite)
}
