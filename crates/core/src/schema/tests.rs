use serde_json::{Value, json};

use super::*;

fn schema(schema: Value) -> Schema {
    Schema::compile(&schema).unwrap()
}

/// Details of the faults of a value, each with its pointer.
fn faults(written: Value, value: Value) -> Vec<(String, String)> {
    schema(written).faults(&value, "").into_iter().map(|fault| (fault.pointer, fault.detail)).collect()
}

fn detail(written: Value, value: Value) -> String {
    let mut found = faults(written, value);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0).1
}

#[test]
fn faults_say_what_to_change_without_dumping_documents() {
    let long: Vec<u32> = (0..10_000).collect();
    let table = [
        (json!({"maximum": 4}), json!(5), "5 is greater than the maximum of 4"),
        (json!({"minimum": 4}), json!(3), "3 is less than the minimum of 4"),
        (json!({"type": "integer"}), json!("a"), "\"a\" is not a whole number (integer)"),
        (json!({"type": ["string", "null"]}), json!(1), "1 is not null or a text (string)"),
        (json!({"type": "string"}), json!(long), "this array of 10000 is not a text (string)"),
        (json!({"enum": ["a", "b"]}), json!("c"), "\"c\" is not one of \"a\", \"b\""),
        (json!({"pattern": "^a"}), json!("x".repeat(500)), "this text does not match the pattern ^a"),
        (json!({"required": ["a"]}), json!({"b": 1}), "the member \"a\" is missing"),
        (json!({"maxLength": 1}), json!("ab"), "is longer than 1 character"),
        (json!({"multipleOf": 3}), json!(4), "4 is not a multiple of 3"),
        (
            json!({"properties": {}, "additionalProperties": false}),
            json!({"a\n": 1}),
            "has a member that is not allowed: \"a\\n\"",
        ),
        (
            json!({"oneOf": [{"type": "integer"}, {"type": "object", "properties": {"a": {"type": "string"}}}]}),
            json!({"a": 5}),
            "this object matches none of the 2 alternatives; the nearest says: at /a: 5 is not a text (string)",
        ),
    ];
    for (written, value, wanted) in table {
        assert_eq!(detail(written.clone(), value), wanted, "of {written}");
    }
}

#[test]
fn what_is_received_and_allowed_stands_beside_and_is_short() {
    let fault = schema(json!({"maximum": 4})).faults(&json!(5), "/inputs/level").remove(0);
    assert_eq!(fault.pointer, "/inputs/level");
    assert_eq!(fault.received, Some(json!(5)));
    assert_eq!(fault.allowed, Some(json!({"maximum": 4})));
    let long: Vec<u32> = (0..100_000).collect();
    let fault = schema(json!({"type": "string"})).faults(&json!(long), "").remove(0);
    assert!(fault.received.unwrap().as_str().unwrap().chars().count() <= 201);
}

#[test]
fn formats_are_asserted() {
    let table = [
        ("date-time", "2026-01-31T12:00:00Z", "2026-01-31 12:00"),
        ("date", "2026-01-31", "31.1.2026"),
        ("uri", "https://example.com/", "example"),
        ("email", "a@example.com", "a"),
        ("uuid", "0190163d-8694-739b-aea5-966c26f8ad91", "x"),
        ("byte", "aGVsbG8=", "héllo"),
        ("epsg-code", "EPSG:4326", "WGS84"),
        ("http://www.opengis.net/def/format/ogcapi-processes/0/epsg-code", "4326", ""),
    ];
    for (format, good, bad) in table {
        let schema = schema(json!({"type": "string", "format": format}));
        assert!(schema.accepts(&json!(good)), "{format}");
        assert!(!schema.accepts(&json!(bad)), "{format}");
    }
    assert!(schema(json!({"format": "no-such-format"})).accepts(&json!("x")));
}

#[test]
fn documents_are_checked_although_nothing_but_the_format_is_said() {
    let point = json!({"type": "Point", "coordinates": [1, 2]});
    let feature = json!({"type": "Feature", "geometry": point, "properties": null});
    let collection = json!({"type": "FeatureCollection", "features": [feature]});
    let bbox = json!({"bbox": [1, 2, 3, 4]});
    let documents = [
        ("geojson-geometry", &point),
        ("geojson-feature", &feature),
        ("geojson-feature-collection", &collection),
        ("ogc-bbox", &bbox),
    ];
    for (format, right) in documents {
        for prefix in ["", "http://www.opengis.net/def/format/ogcapi-processes/0/"] {
            let written = json!({"allOf": [{"format": format!("{prefix}{format}")}]});
            for (_, given) in documents {
                assert_eq!(schema(written.clone()).accepts(given), given == right, "{format} {given}");
            }
            for nonsense in [json!(null), json!("x"), json!(1), json!([]), json!({}), json!({"type": 5})] {
                assert!(!schema(written.clone()).accepts(&nonsense), "{format} {nonsense}");
            }
        }
    }
}

#[test]
fn a_text_may_have_the_format_of_a_document() {
    assert!(schema(json!({"type": "string", "format": "geojson-feature"})).accepts(&json!("x")));
}

#[test]
fn geometries_are_checked_by_structure() {
    let ring = json!([[0, 0], [1, 0], [1, 1], [0, 0]]);
    let geometry = |kind: &str, coordinates: Value| json!({"type": kind, "coordinates": coordinates});
    let right = [
        geometry("Point", json!([1, 2, 3])),
        geometry("MultiPoint", json!([])),
        geometry("LineString", json!([[0, 0], [1, 1]])),
        geometry("MultiLineString", json!([[[0, 0], [1, 1]]])),
        geometry("Polygon", json!([ring])),
        geometry("MultiPolygon", json!([[ring, ring]])),
        json!({"type": "GeometryCollection", "geometries": [geometry("Point", json!([1, 2]))]}),
    ];
    let format = || json!({"format": "geojson-geometry"});
    for geometry in right {
        assert_eq!(faults(format(), geometry.clone()), [], "{geometry}");
    }
    let wrong = [
        (geometry("Point", json!([1])), "/coordinates"),
        (geometry("Point", json!(["1", "2"])), "/coordinates"),
        (geometry("LineString", json!([[0, 0]])), "/coordinates"),
        (geometry("Polygon", json!([[[0, 0], [1, 0], [0, 0]]])), "/coordinates/0"),
        (geometry("Polygon", json!([[[0, 0], [1, 0], [1, 1], [0, 1]]])), "/coordinates/0"),
        (geometry("MultiPolygon", json!([[ring, [[0, 0]]]])), "/coordinates/0/1"),
        (geometry("Circle", json!([1, 2])), "/type"),
        (json!({"type": "Point"}), ""),
        (
            json!({"type": "GeometryCollection", "geometries": [{"type": "Point", "coordinates": 1}]}),
            "/geometries/0/coordinates",
        ),
        (json!({"type": "Point", "coordinates": [1, 2], "bbox": [1, 2]}), "/bbox"),
    ];
    for (geometry, place) in wrong {
        let found = faults(format(), geometry.clone());
        assert_eq!(found.first().map(|(pointer, _)| pointer.as_str()), Some(place), "{geometry}: {found:?}");
    }
}

#[test]
fn a_document_of_many_faults_tells_a_few() {
    let features = vec![json!({"type": "Feature"}); 10_000];
    let found = faults(
        json!({"format": "geojson-feature-collection"}),
        json!({"type": "FeatureCollection", "features": features}),
    );
    assert!((2..=10).contains(&found.len()));
}

#[test]
fn boxes_have_four_or_six_numbers_and_any_uri() {
    let table = [
        (json!({"bbox": [51.9, 7, 52, 7.1], "crs": "http://www.opengis.net/def/crs/OGC/1.3/CRS84"}), None),
        (json!({"bbox": [1, 2, 3, 4, 5, 6], "crs": "http://www.opengis.net/def/crs/OGC/0/CRS84h"}), None),
        (json!({"bbox": [170, -10, -170, 10], "crs": "urn:ogc:def:crs:EPSG:6.6:4326"}), None),
        (json!({"bbox": [1, 2, 3]}), Some("/bbox")),
        (json!({"bbox": [1, 2, 3, "4"]}), Some("/bbox/3")),
        (json!({"bbox": "1,2,3,4"}), Some("/bbox")),
        (json!({"bbox": [1, 2, 3, 4], "crs": "CRS84"}), Some("/crs")),
        (json!({"bbox": [1, 2, 3, 4], "crs": 4326}), Some("/crs")),
        (json!([1, 2, 3, 4]), Some("")),
    ];
    for (value, wanted) in table {
        let found = faults(json!({"format": "ogc-bbox"}), value.clone());
        assert_eq!(found.first().map(|(pointer, _)| pointer.as_str()), wanted, "{value}");
    }
}

#[test]
fn the_dialect_of_1_0_means_what_it_means_there() {
    let nullable = schema(json!({"type": "string", "nullable": true, "enum": ["a"]}));
    assert!(
        nullable.accepts(&json!(null)) && nullable.accepts(&json!("a")) && !nullable.accepts(&json!("b"))
    );
    let exclusive = schema(json!({"properties": {"a": {"minimum": 3, "exclusiveMinimum": true}}}));
    assert!(exclusive.accepts(&json!({"a": 4})) && !exclusive.accepts(&json!({"a": 3})));
    let inclusive = schema(json!({"maximum": 3, "exclusiveMaximum": false}));
    assert!(inclusive.accepts(&json!(3)) && !inclusive.accepts(&json!(4)));
    // A property may be called like a keyword.
    assert!(
        schema(json!({"properties": {"nullable": {"type": "boolean"}}})).accepts(&json!({"nullable": true}))
    );
}

#[test]
fn alternatives_with_media_types_may_overlap_and_are_chosen_by_it() {
    let schema = schema(json!({"oneOf": [
        {"type": "string", "contentMediaType": "text/plain"},
        {"type": "string", "contentMediaType": "image/tiff; application=geotiff", "contentEncoding": "binary"},
        {"type": "object", "required": ["a"]},
    ]}));
    let chosen = |value: Value, named: Option<&str>| {
        schema.check(&value, named, "").map(|branch| branch.offered().to_owned())
    };
    assert_eq!(chosen(json!("x"), None).unwrap(), "text/plain");
    assert_eq!(chosen(json!("x"), Some("IMAGE/TIFF")).unwrap(), "image/tiff; application=geotiff");
    assert_eq!(chosen(json!({"a": 1}), None).unwrap(), "application/json");
    assert_eq!(chosen(json!({"a": 1}), Some("application/geo+json")).unwrap(), "application/json");
    assert!(chosen(json!("x"), Some("application/json")).is_err());
    assert_eq!(chosen(json!({}), None).unwrap_err()[0].detail, "the member \"a\" is missing");
    assert!(schema.offers("image/tiff") && !schema.offers("image/png"));
}

#[test]
fn alternatives_without_media_types_are_json_schema_as_written() {
    let schema = schema(json!({"oneOf": [{"multipleOf": 3}, {"multipleOf": 5}]}));
    assert!(schema.accepts(&json!(9)) && !schema.accepts(&json!(15)));
}

#[test]
fn alternatives_may_stand_behind_references_and_refer_themselves() {
    let schema = schema(json!({
        "$ref": "#/$defs/either",
        "$defs": {
            "either": {"oneOf": [{"$ref": "#/$defs/text"}, {"$ref": "#/$defs/list"}]},
            "text": {"type": "string", "contentMediaType": "text/csv"},
            "list": {"type": "array", "items": {"$ref": "#/$defs/either"}},
        },
    }));
    assert!(
        schema.accepts(&json!("a")) && schema.accepts(&json!(["a", ["b"]])) && !schema.accepts(&json!([1]))
    );
    assert_eq!(schema.media_types(), ["text/csv", "application/json"]);
}

#[test]
fn nothing_is_fetched() {
    for reference in
        ["http://127.0.0.1:1/x.json", "file:///etc/passwd", "other.json", "https://json-schema.org/x"]
    {
        let error = Schema::compile(&json!({"properties": {"a": {"$ref": reference}}})).unwrap_err();
        assert!(error.reason.contains("nothing is fetched"), "{error}");
    }
}

#[test]
fn a_wrong_schema_says_where() {
    let error = Schema::compile(&json!({"properties": {"a": {"minimum": "x"}}})).unwrap_err();
    assert_eq!(error.pointer, "/properties/a/minimum");
    assert_eq!(error.reason, "\"x\" is not a number");
    let error = Schema::compile(&json!({"properties": {"a": {"pattern": "("}}})).unwrap_err();
    assert_eq!(error.pointer, "/properties/a/pattern", "{error}");
}

#[test]
fn patterns_can_not_run_away() {
    let text = json!(format!("{}!", "a".repeat(30_000)));
    for pattern in ["(a+)+$", "^(a|a)*$", "^(([a-z])+.)+[A-Z]([a-z])+$"] {
        let schema = schema(json!({"type": "string", "pattern": pattern}));
        assert!(!schema.accepts(&text), "{pattern}");
    }
    for pattern in ["(?=(a+)+$)b", r"(a*)\1b", "((a{1000}){1000}){1000}"] {
        let error = Schema::compile(&json!({"pattern": pattern})).unwrap_err();
        assert_eq!(error.pointer, "/pattern");
        assert!(error.reason.contains("pattern"), "{error}");
    }
}

#[test]
fn base64_is_well_formed_or_says_why_not() {
    for good in ["", "aGVsbG8=", "aGVsbG8", "aGVs\r\nbG8=", "AA=="] {
        assert_eq!(base64_fault(good), None, "{good}");
    }
    for bad in ["a", "aGVsbG8==", "aG=sbG8=", "aG-_", "héllo", "=", "aGVsb"] {
        assert!(base64_fault(bad).is_some(), "{bad}");
    }
}

#[test]
fn numbers_out_of_range_are_faults() {
    let schema = schema(json!({"type": "integer", "minimum": -5, "maximum": 5}));
    for number in [json!(1e308), json!(-1e308), json!(u64::MAX), json!(i64::MIN), json!(5e-324)] {
        assert!(!schema.accepts(&number), "{number}");
    }
}
