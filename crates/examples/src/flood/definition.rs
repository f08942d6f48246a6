//! From GeoTIFF keys to a definition of the coordinate reference system in PROJ's parameters.

use thiserror::Error;

use super::geokeys::{GeoTags, key};

/// A coordinate reference system in PROJ's parameters.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Definition {
    /// What users call it: `EPSG:32616`, or the citation in the file.
    pub name: String,
    /// PROJ's parameters.
    pub proj: String,
    /// Degrees per unit of the coordinates of a geographic system; `None` if it is projected.
    pub degrees: Option<f64>,
}

/// Why the coordinate reference system of a file cannot be used.
#[derive(Debug, Error, PartialEq)]
pub enum DefinitionError {
    /// No keys, or none that say what the coordinates mean.
    #[error(
        "the model does not say its coordinate reference system: add it (gdal_edit.py -a_srs EPSG:… model.tif)"
    )]
    Missing,
    /// Geocentric, or a local engineering system.
    #[error(
        "the model is neither in a geographic nor in a projected system (GTModelTypeGeoKey {model}): {REMEDY}"
    )]
    NotAMap {
        /// GTModelTypeGeoKey.
        model: u16,
    },
    /// A code that is not in the registry that is built in.
    #[error("EPSG:{code} is not known: {REMEDY}")]
    UnknownCode {
        /// EPSG code.
        code: u16,
    },
    /// A user-defined system that lacks a parameter, or has one with an unknown code.
    #[error("the model's own coordinate system has no usable {what}: {REMEDY}")]
    Parameter {
        /// What is missing.
        what: &'static str,
    },
    /// A projection method that is not implemented.
    #[error("the projection method {method} is not supported: {REMEDY}")]
    Method {
        /// ProjCoordTransGeoKey.
        method: u16,
    },
}

const REMEDY: &str = "warp it to a common one first (gdalwarp -t_srs EPSG:4326 in.tif out.tif)";
const USER_DEFINED: u16 = 32767;
/// Codes in use that are younger than the built-in registry.
const NEWER: [(u16, &str); 1] = [(
    9377,
    "+proj=tmerc +lat_0=4 +lon_0=-73 +k=0.9992 +x_0=5000000 +y_0=2000000 +ellps=GRS80 +units=m +no_defs",
)];

/// The definition that the keys of a file give.
pub(super) fn from_keys(tags: &GeoTags) -> Result<Definition, DefinitionError> {
    let projected = tags.short(key::PROJECTED_TYPE).is_some() || tags.short(key::METHOD).is_some();
    let geographic = tags.short(key::GEOGRAPHIC_TYPE).is_some();
    match tags.short(key::MODEL_TYPE) {
        Some(1) => projected_system(tags),
        Some(2) => geographic_system(tags),
        None | Some(0 | USER_DEFINED) if projected => projected_system(tags),
        Some(USER_DEFINED) if mollweide(tags).is_some() => projected_system(tags),
        None | Some(0) if geographic => geographic_system(tags),
        None | Some(0) => Err(DefinitionError::Missing),
        Some(model) => Err(DefinitionError::NotAMap { model }),
    }
}

fn geographic_system(tags: &GeoTags) -> Result<Definition, DefinitionError> {
    let degrees = Some(degrees_per_unit(tags)?);
    let code = tags.short(key::GEOGRAPHIC_TYPE).filter(|code| !matches!(*code, 0 | USER_DEFINED));
    let name = code.map_or_else(|| citation(tags), |code| format!("EPSG:{code}"));
    Ok(Definition { name, proj: format!("+proj=longlat {} +no_defs", datum(tags)?), degrees })
}

fn projected_system(tags: &GeoTags) -> Result<Definition, DefinitionError> {
    match tags.short(key::PROJECTED_TYPE) {
        Some(code) if !matches!(code, 0 | USER_DEFINED) => {
            Ok(Definition { name: format!("EPSG:{code}"), proj: registered(code)?, degrees: None })
        }
        _ => {
            let proj = format!("{} {} +no_defs", projection(tags)?, datum(tags)?);
            Ok(Definition { name: citation(tags), proj, degrees: None })
        }
    }
}

fn citation(tags: &GeoTags) -> String {
    tags.text(key::CITATION).filter(|text| !text.is_empty()).unwrap_or("user-defined").to_owned()
}

/// The registry's definition, with what has no meaning for a raster taken out.
fn registered(code: u16) -> Result<String, DefinitionError> {
    let known = NEWER.iter().find(|(newer, _)| *newer == code).map(|(_, proj)| *proj);
    let known = known.or_else(|| crs_definitions::from_code(code).map(|definition| definition.proj4));
    let proj = known.filter(|proj| !proj.is_empty()).ok_or(DefinitionError::UnknownCode { code })?;
    // The order of axes concerns coordinates in text; columns of a raster run along the easting.
    let dropped = ["+wktext", "+axis=neu", "+axis=enu", "+vunits", "+geoidgrids", "+vto_meter"];
    // Grids of datum shifts are not shipped; `@null` says that there is no shift.
    let grid = |word: &&str| word.starts_with("+nadgrids=") && *word != "+nadgrids=@null";
    let kept = proj
        .split_whitespace()
        .filter(|word| !grid(word) && !dropped.iter().any(|drop| word.starts_with(drop)));
    let words: Vec<&str> = kept.map(without_grid).collect();
    Ok(words.join(" "))
}

/// NAD27's shift to WGS 84 is a grid that is not shipped; its mean over the contiguous states (EPSG:1173) is good to 10 m.
fn without_grid(word: &str) -> &str {
    if word == "+datum=NAD27" { "+ellps=clrk66 +towgs84=-8,160,176" } else { word }
}

/// Datum, ellipsoid and prime meridian.
fn datum(tags: &GeoTags) -> Result<String, DefinitionError> {
    if let Some(code) = tags.short(key::GEOGRAPHIC_TYPE).filter(|code| !matches!(*code, 0 | USER_DEFINED)) {
        let proj = registered(code)?;
        let words = proj.split_whitespace().filter(|word| !word.starts_with("+proj=") && *word != "+no_defs");
        return Ok(words.collect::<Vec<_>>().join(" "));
    }
    let mut words = match tags.short(key::DATUM) {
        Some(6326) => "+datum=WGS84".to_owned(),
        Some(6269) => "+datum=NAD83".to_owned(),
        Some(6267) => without_grid("+datum=NAD27").to_owned(),
        Some(6258) => "+ellps=GRS80 +towgs84=0,0,0".to_owned(),
        _ => ellipsoid(tags)?,
    };
    if let Some(shift @ [_, _, _]) | Some(shift @ [_, _, _, _, _, _, _]) = tags.numbers(key::TO_WGS84) {
        let shift: Vec<String> = shift.iter().map(ToString::to_string).collect();
        words += &format!(" +towgs84={}", shift.join(","));
    }
    match (tags.short(key::PRIME_MERIDIAN), tags.number(key::PRIME_MERIDIAN_LONGITUDE)) {
        (None | Some(8901), None) => {}
        (_, Some(longitude)) => words += &format!(" +pm={}", longitude * degrees_per_unit(tags)?),
        (Some(_), None) => return Err(DefinitionError::Parameter { what: "prime meridian" }),
    }
    Ok(words)
}

fn ellipsoid(tags: &GeoTags) -> Result<String, DefinitionError> {
    let missing = DefinitionError::Parameter { what: "ellipsoid" };
    if let Some(a) = tags.number(key::SEMI_MAJOR) {
        let b = match (tags.number(key::SEMI_MINOR), tags.number(key::INVERSE_FLATTENING)) {
            (Some(b), _) => b,
            (None, Some(rf)) if rf > 1.0 => a - a / rf,
            (None, Some(_)) => a,
            (None, None) => return Err(missing),
        };
        return Ok(format!("+a={a} +b={b}"));
    }
    let name = match tags.short(key::ELLIPSOID).ok_or(missing)? {
        7001 => "airy",
        7002 => "mod_airy",
        7003 => "aust_SA",
        7004 => "bessel",
        7008 => "clrk66",
        7012 => "clrk80",
        7015 => "evrst30",
        7019 => "GRS80",
        7022 => "intl",
        7024 => "krass",
        7030 => "WGS84",
        7036 => "GRS67",
        7043 => "WGS72",
        7035 | 7048 => return Ok("+a=6371007 +b=6371007".to_owned()),
        _ => return Err(DefinitionError::Parameter { what: "ellipsoid" }),
    };
    Ok(format!("+ellps={name}"))
}

fn degrees_per_unit(tags: &GeoTags) -> Result<f64, DefinitionError> {
    match tags.short(key::ANGULAR_UNITS) {
        None | Some(0 | 9102 | 9122) => Ok(1.0),
        Some(9101) => Ok(1_f64.to_degrees()),
        Some(9103) => Ok(1.0 / 60.0),
        Some(9104) => Ok(1.0 / 3600.0),
        Some(9105 | 9106) => Ok(0.9),
        Some(_) => {
            let radians = tags.number(key::ANGULAR_UNIT_SIZE).filter(|size| *size > 0.0);
            radians.map(f64::to_degrees).ok_or(DefinitionError::Parameter { what: "angular unit" })
        }
    }
}

fn metres_per_unit(tags: &GeoTags) -> Result<f64, DefinitionError> {
    match tags.short(key::LINEAR_UNITS) {
        None | Some(0 | 9001) => Ok(1.0),
        Some(9002) => Ok(0.3048),
        Some(9003) => Ok(1200.0 / 3937.0),
        Some(9036) => Ok(1000.0),
        Some(_) => {
            let size = tags.number(key::LINEAR_UNIT_SIZE).filter(|size| *size > 0.0);
            size.ok_or(DefinitionError::Parameter { what: "linear unit" })
        }
    }
}

/// The projection of a user-defined system.
fn projection(tags: &GeoTags) -> Result<String, DefinitionError> {
    let unit = metres_per_unit(tags)?;
    let units = if unit == 1.0 { "+units=m".to_owned() } else { format!("+to_meter={unit}") };
    if let Some(zone @ (16001..=16060 | 16101..=16160)) = tags.short(key::PROJECTION) {
        let south = if zone > 16100 { " +south" } else { "" };
        return Ok(format!("+proj=utm +zone={}{south} {units}", zone % 100));
    }
    if let Some(projection) = mollweide(tags) {
        return Ok(format!("{projection} {units}"));
    }
    let method = tags.short(key::METHOD).ok_or(DefinitionError::Missing)?;
    let degrees = degrees_per_unit(tags)?;
    let angle = |keys: &[u16]| tags.first_number(keys).map_or(0.0, |angle| angle * degrees);
    let (lat_0, lon_0) = (angle(&key::ORIGIN_LATITUDES), angle(&key::ORIGIN_LONGITUDES));
    let (lat_1, lat_2) = (angle(&[key::STANDARD_PARALLEL_1]), angle(&[key::STANDARD_PARALLEL_2]));
    let scale = tags.first_number(&key::SCALES).unwrap_or(1.0);
    let has_parallel = tags.number(key::STANDARD_PARALLEL_1).is_some();
    let pole = if lat_0 < 0.0 { -90 } else { 90 };
    let shape = match method {
        1 => format!("tmerc +lat_0={lat_0} +lon_0={lon_0} +k={scale}"),
        7 if has_parallel => format!("merc +lat_ts={lat_1} +lon_0={lon_0}"),
        7 => format!("merc +lon_0={lon_0} +k={scale}"),
        8 => format!("lcc +lat_1={lat_1} +lat_2={lat_2} +lat_0={lat_0} +lon_0={lon_0}"),
        9 => format!("lcc +lat_1={lat_0} +lat_0={lat_0} +lon_0={lon_0} +k_0={scale}"),
        10 => format!("laea +lat_0={lat_0} +lon_0={lon_0}"),
        11 => format!("aea +lat_1={lat_1} +lat_2={lat_2} +lat_0={lat_0} +lon_0={lon_0}"),
        12 => format!("aeqd +lat_0={lat_0} +lon_0={lon_0}"),
        13 => format!("eqdc +lat_1={lat_1} +lat_2={lat_2} +lat_0={lat_0} +lon_0={lon_0}"),
        14 => format!("stere +lat_0={lat_0} +lon_0={lon_0} +k={scale}"),
        15 if lat_0.abs() < 90.0 => format!("stere +lat_0={pole} +lat_ts={lat_0} +lon_0={lon_0}"),
        15 => format!("stere +lat_0={pole} +lon_0={lon_0} +k={scale}"),
        16 => format!("sterea +lat_0={lat_0} +lon_0={lon_0} +k={scale}"),
        17 => format!("eqc +lat_ts={lat_1} +lat_0={lat_0} +lon_0={lon_0}"),
        18 => format!("cass +lat_0={lat_0} +lon_0={lon_0}"),
        19 => format!("gnom +lat_0={lat_0} +lon_0={lon_0}"),
        21 => format!("ortho +lat_0={lat_0} +lon_0={lon_0}"),
        22 => format!("poly +lat_0={lat_0} +lon_0={lon_0}"),
        23 => format!("robin +lon_0={lon_0}"),
        24 => format!("sinu +lon_0={lon_0}"),
        28 => format!("cea +lat_ts={lat_1} +lon_0={lon_0}"),
        method => return Err(DefinitionError::Method { method }),
    };
    let offset = |keys: &[u16]| tags.first_number(keys).unwrap_or(0.0) * unit;
    let (x_0, y_0) = (offset(&key::EASTINGS), offset(&key::NORTHINGS));
    Ok(format!("+proj={shape} +x_0={x_0} +y_0={y_0} {units}"))
}

/// Mollweide, the one common projection that has no keys: its definition stands in a citation in the words of ESRI.
fn mollweide(tags: &GeoTags) -> Option<String> {
    let citation = tags.text(key::PROJECTED_CITATION)?;
    if !citation.contains("PROJECTION[\"Mollweide\"]") {
        return None;
    }
    let parameter = |name: &str| {
        let (_, rest) = citation.split_once(&format!("PARAMETER[\"{name}\","))?;
        rest.split(']').next()?.trim().parse::<f64>().ok()
    };
    let [lon_0, x_0, y_0] =
        [parameter("Central_Meridian")?, parameter("False_Easting")?, parameter("False_Northing")?];
    Some(format!("+proj=moll +lon_0={lon_0} +x_0={x_0} +y_0={y_0}"))
}

/// Metres per unit of the heights: metres unless the keys say feet.
pub(super) fn metres_per_height(tags: &GeoTags) -> Result<f64, DefinitionError> {
    const US_FOOT: f64 = 1200.0 / 3937.0;
    match (tags.short(key::VERTICAL_UNITS), tags.short(key::VERTICAL_TYPE)) {
        (Some(9001 | 0), _) => Ok(1.0),
        (Some(9002), _) => Ok(0.3048),
        (Some(9003), _) => Ok(US_FOOT),
        (Some(_), _) => Err(DefinitionError::Parameter { what: "unit of heights (metres or feet)" }),
        (None, Some(5702 | 6360)) => Ok(US_FOOT),
        (None, Some(8228)) => Ok(0.3048),
        (None, _) => Ok(1.0),
    }
}
