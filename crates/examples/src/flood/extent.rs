//! The output `extent`: GeoJSON (RFC 7946) with one MultiPolygon in longitude and latitude.

use std::io::Write;

use serde_json::Value;

use super::affine::Affine;
use super::antimeridian::{self, Polygon, Ring};
use super::bits::Bits;
use super::crs::{Crs, CrsError};
use super::trace::{self, Corner, GridPolygon};

/// Why the extent was not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExtentError {
    /// Corners of cells outside the projection's area.
    #[error(transparent)]
    Crs(#[from] CrsError),
    /// The file.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Writes the boundary of the flooded cells; `properties` go with the feature.
///
/// Polygons are written as they are traced: memory holds one ring at a time.
pub(super) fn write(
    out: &mut impl Write,
    wet: &Bits,
    grid: &Affine,
    crs: &Crs,
    properties: &Value,
) -> Result<(), ExtentError> {
    let place = Placement::new(wet, grid, crs)?;
    write!(
        out,
        r#"{{"type":"FeatureCollection","features":[{{"type":"Feature","properties":{properties},"geometry":{{"type":"MultiPolygon","coordinates":["#
    )?;
    let mut first = true;
    trace::polygons(wet, place.longest_edge, |polygon| {
        for polygon in antimeridian::cut(place.on_earth(polygon)?, !crs.is_geographic()) {
            out.write_all(if first { b"[" } else { b",[" })?;
            first = false;
            for (index, ring) in std::iter::once(&polygon.exterior).chain(&polygon.holes).enumerate() {
                out.write_all(if index == 0 { b"[" } else { b",[" })?;
                place.write_ring(out, ring)?;
                out.write_all(b"]")?;
            }
            out.write_all(b"]")?;
        }
        Ok::<_, ExtentError>(())
    })?;
    out.write_all(b"]}}]}\n")?;
    Ok(())
}

/// How corners of cells become points on earth.
struct Placement<'a> {
    grid: &'a Affine,
    crs: &'a Crs,
    longest_edge: u32,
    decimals: usize,
}

impl<'a> Placement<'a> {
    fn new(wet: &Bits, grid: &'a Affine, crs: &'a Crs) -> Result<Self, CrsError> {
        let first =
            (0..wet.height()).find_map(|row| wet.next_set(row, 0).map(|col| (col as f64, row as f64)));
        let (col, row) = first.unwrap_or((0.0, 0.0));
        let corner = crs.to_lonlat(grid.apply(col, row))?;
        let opposite = crs.to_lonlat(grid.apply(col + 1.0, row + 1.0))?;
        let near_pole = corner[1].abs() > 75.0;
        let height = (corner[1] - opposite[1]).abs().max(1e-9);
        Ok(Self { grid, crs, longest_edge: longest_edge(crs, height, near_pole), decimals: decimals(height) })
    }

    fn on_earth(&self, polygon: GridPolygon) -> Result<Polygon, CrsError> {
        let ring = |corners: Vec<Corner>| -> Result<Ring, CrsError> {
            let points = corners.iter().map(|(col, row)| {
                let [longitude, latitude] =
                    self.crs.to_lonlat(self.grid.apply(f64::from(*col), f64::from(*row)))?;
                // As it is written, so that what is cut after this is what readers see.
                Ok([self.rounded(longitude), self.rounded(latitude)])
            });
            let mut points = points.collect::<Result<Ring, CrsError>>()?;
            // A grid whose rows go up is seen in a mirror by the tracer.
            if self.grid.determinant() > 0.0 {
                points.reverse();
            }
            Ok(points)
        };
        let exterior = ring(polygon.exterior)?;
        Ok(Polygon { exterior, holes: polygon.holes.into_iter().map(ring).collect::<Result<_, _>>()? })
    }

    fn rounded(&self, degrees: f64) -> f64 {
        let scale = 10_f64.powi(self.decimals as i32);
        (degrees * scale).round() / scale
    }

    fn write_ring(&self, out: &mut impl Write, ring: &Ring) -> std::io::Result<()> {
        let closed = ring.iter().chain(ring.first());
        for (index, [longitude, latitude]) in closed.enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(out, "{comma}[{longitude:.0$},{latitude:.0$}]", self.decimals)?;
        }
        Ok(())
    }
}

/// A straight edge of a projected grid is a curve in longitude and latitude. Corners are kept so often along it that the
/// curve stays within a hundredth of a cell; `cell` is its height in degrees.
fn longest_edge(crs: &Crs, cell: f64, near_pole: bool) -> u32 {
    if crs.is_geographic() {
        return u32::MAX;
    }
    if near_pole {
        return 1;
    }
    // The curve's height over n cells of size c is n² c² tan(latitude) / 8 on a sphere of radius 1.
    (0.08 * 0.25 / cell.to_radians()).sqrt().clamp(1.0, 32.0) as u32
}

/// Decimals that keep a thousandth of a cell, and at least about a metre.
fn decimals(cell: f64) -> usize {
    (3.0 - cell.log10()).ceil().clamp(6.0, 12.0) as usize
}
