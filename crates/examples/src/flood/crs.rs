//! Places on the model's map: to and from longitude and latitude.
//!
//! Systems on old datums are moved to WGS 84 with the parameters that their definition in the registry has, or not at all if it
//! has none (grids of shifts are not shipped). Compared with PROJ's choices over the registry's systems, most places agree to
//! within 20 m, and those of some old datums to within 400 m. Areas, volumes and depths do not depend on the shift.

use proj4rs::Proj;
use proj4rs::adaptors::transform_vertex_2d;
use thiserror::Error;

use super::definition::Definition;
use super::ellipsoid::Ellipsoid;

/// A coordinate reference system that can be computed with.
#[derive(Debug)]
pub(super) struct Crs {
    name: String,
    degrees: Option<f64>,
    model: Proj,
    /// WGS 84, after the datum's shift: for coordinates that leave this program.
    wgs84: Proj,
    /// The model's own latitude and longitude, without any shift: for areas.
    own: Proj,
    ellipsoid: Ellipsoid,
}

/// Why coordinates cannot be computed.
#[derive(Debug, Error)]
pub enum CrsError {
    /// The parameters are refused.
    #[error(
        "the coordinate reference system {name} is not supported ({proj}: {source}): warp the model to a common one first \
         (gdalwarp -t_srs EPSG:4326 in.tif out.tif)"
    )]
    Unsupported {
        /// Its name.
        name: String,
        /// Its parameters.
        proj: String,
        /// What is wrong with them.
        source: proj4rs::errors::Error,
    },
    /// A place outside the area where the projection is defined.
    #[error(
        "({x}, {y}) is outside the area of {name} ({source}): cut the model to the area where its projection is defined"
    )]
    Outside {
        /// First coordinate.
        x: f64,
        /// Second coordinate.
        y: f64,
        /// The system's name.
        name: String,
        /// What the projection says.
        source: proj4rs::errors::Error,
    },
}

impl Crs {
    /// Prepares the system of a definition.
    pub(super) fn new(definition: Definition) -> Result<Self, CrsError> {
        let Definition { name, proj, degrees } = definition;
        let parse = |parameters: &str| {
            Proj::from_proj_string(parameters).map_err(|source| CrsError::Unsupported {
                name: name.clone(),
                proj: parameters.to_owned(),
                source,
            })
        };
        let model = parse(&proj)?;
        // Some projections replace the ellipsoid by a sphere for themselves: ask for that of the latitudes.
        let (a, b) = parse(&geographic_part(&proj))?.ellipse_parameters();
        // Web Mercator computes with a sphere, but its latitudes are those of WGS 84.
        let ellipsoid =
            if proj.contains("+nadgrids=@null") { Ellipsoid::WGS84 } else { Ellipsoid::from_axes(a, b) };
        let own = parse(&format!("+proj=longlat +a={a} +b={b} +no_defs"))?;
        let wgs84 = parse("+proj=longlat +datum=WGS84 +no_defs")?;
        Ok(Self { degrees, model, wgs84, own, ellipsoid, name })
    }

    /// What users call it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether the coordinates are longitude and latitude.
    pub(super) fn is_geographic(&self) -> bool {
        self.degrees.is_some()
    }

    /// Degrees per unit of the coordinates; 1 if they are no angles.
    pub(super) fn degrees_per_unit(&self) -> f64 {
        self.degrees.unwrap_or(1.0)
    }

    /// The ellipsoid that areas are computed on.
    pub(super) fn ellipsoid(&self) -> &Ellipsoid {
        &self.ellipsoid
    }

    /// Longitude and latitude in degrees (WGS 84) of model coordinates.
    pub(super) fn to_lonlat(&self, point: [f64; 2]) -> Result<[f64; 2], CrsError> {
        if let Some(degrees) = self.degrees {
            // Outermost cell edges may lie half a cell beyond a pole.
            let [lon, lat] = self.convert(
                &self.wgs84,
                [point[0] * degrees, point[1] * degrees].map(f64::to_radians),
                point,
            )?;
            // The shift of a datum answers within -180 to 180; the grid's own turn around the earth is kept.
            let turns = ((point[0] * degrees - lon.to_degrees()) / 360.0).round();
            return Ok([lon.to_degrees() + turns * 360.0, lat.to_degrees().clamp(-90.0, 90.0)]);
        }
        self.convert(&self.wgs84, point, point).map(|lonlat| lonlat.map(f64::to_degrees))
    }

    /// Model coordinates of longitude and latitude in degrees (WGS 84).
    pub(super) fn locate(&self, lonlat: [f64; 2]) -> Result<[f64; 2], CrsError> {
        let [lon, lat] = lonlat.map(f64::to_radians);
        let found = transform_vertex_2d(&self.wgs84, &self.model, (lon, lat));
        let (x, y) = found.map_err(|source| self.outside(lonlat, source))?;
        Ok(match self.degrees {
            Some(degrees) => [x.to_degrees() / degrees, y.to_degrees() / degrees],
            None => [x, y],
        })
    }

    /// The model's own longitude and latitude in radians, on its own ellipsoid.
    pub(super) fn to_own_lonlat(&self, point: [f64; 2]) -> Result<[f64; 2], CrsError> {
        match self.degrees {
            Some(degrees) => Ok([point[0] * degrees, point[1] * degrees].map(f64::to_radians)),
            None => self.convert(&self.own, point, point),
        }
    }

    fn convert(&self, to: &Proj, from: [f64; 2], point: [f64; 2]) -> Result<[f64; 2], CrsError> {
        let found = transform_vertex_2d(&self.model, to, (from[0], from[1]));
        let (lon, lat) = found.map_err(|source| self.outside(point, source))?;
        if lon.is_finite() && lat.is_finite() {
            Ok([lon, lat])
        } else {
            Err(self.outside(point, proj4rs::errors::Error::CoordinateOutOfRange))
        }
    }

    fn outside(&self, [x, y]: [f64; 2], source: proj4rs::errors::Error) -> CrsError {
        CrsError::Outside { x, y, name: self.name.clone(), source }
    }
}

/// The system of the latitudes and longitudes that a projection starts from.
fn geographic_part(proj: &str) -> String {
    const SHAPE: [&str; 7] = ["+datum=", "+ellps=", "+a=", "+b=", "+rf=", "+R=", "+f="];
    let words = proj.split_whitespace().filter(|word| SHAPE.iter().any(|start| word.starts_with(start)));
    format!("+proj=longlat {} +no_defs", words.collect::<Vec<_>>().join(" "))
}
