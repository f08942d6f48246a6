//! `flood-extent`: what is under water when water stands at a level.
//!
//! The work goes in one pass from the elevation model to three files. Held in memory are one depth (4 bytes) and three bits
//! per cell, and what is in proportion to the boundary of the flood.
//!
//! Decisions: water spreads over edges and corners of cells (8 neighbours), at or below the level; a seed whose ground lies
//! above the level floods nothing and that is an answer, since callers scan levels; a seed beside the model or on a cell
//! without data is a mistake. The water does not go across the seam of a model that surrounds the earth.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

pub mod affine;
pub mod antimeridian;
mod assemble;
pub mod bits;
mod crs;
mod definition;
mod dem;
mod depth;
mod ellipsoid;
mod error;
mod extent;
pub mod fill;
mod geokeys;
mod measure;
mod seed;
pub mod trace;

pub use crs::CrsError;
pub use definition::DefinitionError;
pub use dem::DemError;
pub use error::FloodError;
pub use seed::{Seed, SeedError};

use crate::contract::Progress;
use bits::Bits;
use crs::Crs;
use dem::{Dem, Terrain};
use extent::ExtentError;
use measure::Measure;

/// What to flood.
#[derive(Debug, Clone)]
pub struct Request {
    /// Path of the elevation model.
    pub dem: PathBuf,
    /// Water level in metres.
    pub level: f64,
    /// Where the water comes from.
    pub seed: Seed,
    /// Folder for `depth.tif`, `extent.geojson` and `summary.json`.
    pub out: PathBuf,
}

/// Computes the flood and writes its three outputs; answers the summary.
pub fn run(request: &Request, progress: &mut Progress) -> Result<Value, FloodError> {
    if !request.level.is_finite() {
        return Err(FloodError::Level { level: request.level });
    }
    progress.report(1, "opening the elevation model");
    let mut dem = Dem::open(&request.dem)?;
    let crs = Crs::new(dem.definition.clone())?;
    let seed = seed_cell(&dem, &crs, request.seed)?;
    let Terrain { depth, open, unknown } = dem.read(request.level, progress)?;
    if unknown.get(seed.0, seed.1) {
        let Seed { longitude, latitude } = request.seed;
        return Err(FloodError::SeedUnknown { longitude, latitude });
    }

    progress.report(56, "spreading the water");
    let wet = fill::connected(open, seed);
    progress.report(60, "measuring");
    let measured = measure::measure(&wet, &depth, &dem.grid, &crs)?;
    let reaches_edge = measure::reaches_edge(&wet, &unknown);
    let summary = summary(request, &measured, reaches_edge, &dem, &crs)?;
    drop(unknown);

    write(&request.out.join("depth.tif"), |out| depth::write(out, &wet, &depth, &dem.tags, progress))?;
    drop(depth);
    progress.report(86, "tracing the extent");
    write_extent(&request.out.join("extent.geojson"), &wet, &dem, &crs, &summary)?;
    write(&request.out.join("summary.json"), |out| writeln!(out, "{summary}"))?;
    progress.report(100, "done");
    Ok(summary)
}

/// Row and column of the cell that the seed lies in.
fn seed_cell(dem: &Dem, crs: &Crs, seed: Seed) -> Result<(usize, usize), FloodError> {
    let Seed { longitude, latitude } = seed;
    // Grids of longitude and latitude may run from 0 to 360 degrees.
    let turns: &[f64] = if crs.is_geographic() { &[0.0, 360.0, -360.0, 720.0, -720.0] } else { &[0.0] };
    for turn in turns {
        let Ok(point) = crs.locate([longitude, latitude]) else { break };
        let turned = [point[0] + turn / crs.degrees_per_unit(), point[1]];
        let [col, row] = dem.grid.invert(turned);
        if (0.0..dem.width as f64).contains(&col) && (0.0..dem.height as f64).contains(&row) {
            return Ok((row as usize, col as usize));
        }
    }
    Err(seed_outside(dem, crs, seed))
}

fn seed_outside(dem: &Dem, crs: &Crs, seed: Seed) -> FloodError {
    let mut bounds = [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY];
    let (width, height) = (dem.width as f64, dem.height as f64);
    for step in 0..=8 {
        let part = f64::from(step) / 8.0;
        let border =
            [(part * width, 0.0), (part * width, height), (0.0, part * height), (width, part * height)];
        for (col, row) in border {
            if let Ok([longitude, latitude]) = crs.to_lonlat(dem.grid.apply(col, row)) {
                bounds = [
                    bounds[0].min(longitude),
                    bounds[1].min(latitude),
                    bounds[2].max(longitude),
                    bounds[3].max(latitude),
                ];
            }
        }
    }
    let [west, south, east, north] = bounds;
    FloodError::SeedOutside { longitude: seed.longitude, latitude: seed.latitude, west, south, east, north }
}

fn summary(
    request: &Request,
    measured: &Measure,
    reaches_edge: bool,
    dem: &Dem,
    crs: &Crs,
) -> Result<Value, FloodError> {
    let mean = if measured.area > 0.0 { measured.volume / measured.area } else { 0.0 };
    let mut summary = json!({
        "level": request.level,
        "cells": measured.cells,
        "areaKm2": rounded(measured.area / 1e6, 6),
        "volumeM3": rounded(measured.volume, 1),
        "greatestDepthM": rounded(measured.greatest_depth, 3),
        "meanDepthM": rounded(mean, 3),
        "reachesEdge": reaches_edge,
        "crs": crs.name(),
    });
    if let Some((col, row)) = measured.deepest {
        let [longitude, latitude] = crs.to_lonlat(dem.grid.apply(col as f64 + 0.5, row as f64 + 0.5))?;
        let longitude = longitude - ((longitude + 180.0) / 360.0).floor() * 360.0;
        summary["deepestPoint"] = json!([rounded(longitude, 7), rounded(latitude, 7)]);
    }
    Ok(summary)
}

fn rounded(number: f64, decimals: i32) -> f64 {
    let scale = 10_f64.powi(decimals);
    (number * scale).round() / scale
}

fn write_extent(path: &Path, wet: &Bits, dem: &Dem, crs: &Crs, summary: &Value) -> Result<(), FloodError> {
    let failed = |source| FloodError::Output { path: path.display().to_string(), source };
    let mut out = BufWriter::with_capacity(1 << 20, File::create(path).map_err(failed)?);
    extent::write(&mut out, wet, &dem.grid, crs, summary).map_err(|error| match error {
        ExtentError::Crs(error) => FloodError::Crs(error),
        ExtentError::Io(source) => failed(source),
    })?;
    out.flush().map_err(failed)
}

fn write(
    path: &Path,
    content: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>,
) -> Result<(), FloodError> {
    let written = File::create(path).and_then(|file| {
        let mut out = BufWriter::with_capacity(1 << 20, file);
        content(&mut out)?;
        out.flush()
    });
    written.map_err(|source| FloodError::Output { path: path.display().to_string(), source })
}
