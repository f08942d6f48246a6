//! The seed point: where the water comes from.

use serde_json::Value;
use thiserror::Error;

/// Longitude and latitude in degrees (CRS84).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seed {
    /// Degrees east.
    pub longitude: f64,
    /// Degrees north.
    pub latitude: f64,
}

/// Why a seed cannot be used.
#[derive(Debug, Error)]
pub enum SeedError {
    /// Neither GeoJSON nor two numbers.
    #[error(
        "seed {given} is not a GeoJSON Point: give {{\"type\": \"Point\", \"coordinates\": [longitude, latitude]}}"
    )]
    NotAPoint {
        /// What was given, shortened.
        given: String,
    },
    /// Numbers that are no place on earth.
    #[error(
        "seed ({longitude}, {latitude}) is not on earth: give longitude (-360 to 360) before latitude (-90 to 90) in degrees"
    )]
    NotOnEarth {
        /// The first number.
        longitude: f64,
        /// The second number.
        latitude: f64,
    },
}

impl Seed {
    /// Reads a GeoJSON Point, a Feature with one, or `longitude,latitude`.
    pub fn parse(text: &str) -> Result<Self, SeedError> {
        let not_a_point = || SeedError::NotAPoint { given: text.chars().take(80).collect() };
        let numbers = match serde_json::from_str::<Value>(text) {
            Ok(json) => point(&json),
            Err(_) => pair(text),
        };
        let [longitude, latitude] = numbers.ok_or_else(not_a_point)?;
        if longitude.abs() <= 360.0 && latitude.abs() <= 90.0 {
            Ok(Self { longitude, latitude })
        } else {
            Err(SeedError::NotOnEarth { longitude, latitude })
        }
    }
}

fn point(json: &Value) -> Option<[f64; 2]> {
    match json.get("type")?.as_str()? {
        "Point" => match json.get("coordinates")?.as_array()?.as_slice() {
            [longitude, latitude] | [longitude, latitude, _] => {
                Some([longitude.as_f64()?, latitude.as_f64()?])
            }
            _ => None,
        },
        "Feature" => point(json.get("geometry")?),
        _ => None,
    }
}

fn pair(text: &str) -> Option<[f64; 2]> {
    let (longitude, latitude) = text.split_once(',')?;
    Some([longitude.trim().parse().ok()?, latitude.trim().parse().ok()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_features_and_pairs_are_seeds() {
        let expected = Seed { longitude: -84.1, latitude: 36.5 };
        for text in [
            r#"{"type":"Point","coordinates":[-84.1,36.5]}"#,
            r#"{"type":"Point","coordinates":[-84.1,36.5,200]}"#,
            r#"{"type":"Feature","properties":null,"geometry":{"type":"Point","coordinates":[-84.1,36.5]}}"#,
            "-84.1, 36.5",
        ] {
            assert_eq!(Seed::parse(text).unwrap(), expected);
        }
    }

    #[test]
    fn what_is_no_point_on_earth_is_refused_with_the_remedy() {
        for text in [
            "",
            "{}",
            "null",
            r#"{"type":"Point","coordinates":[1]}"#,
            r#"{"type":"LineString","coordinates":[1,2]}"#,
        ] {
            assert!(Seed::parse(text).unwrap_err().to_string().contains("coordinates"));
        }
        assert!(Seed::parse("36.5,-184.1").unwrap_err().to_string().contains("longitude"));
        assert!(Seed::parse("NaN,3").is_err());
    }
}
