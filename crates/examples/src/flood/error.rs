//! What can go wrong in a flood, in words for the caller.

use thiserror::Error;

use super::crs::CrsError;
use super::dem::DemError;
use super::seed::SeedError;

/// Why no flood was computed. Each text is one line that says what to change.
#[derive(Debug, Error)]
pub enum FloodError {
    /// The elevation model.
    #[error(transparent)]
    Dem(#[from] DemError),
    /// Its coordinate reference system.
    #[error(transparent)]
    Crs(#[from] CrsError),
    /// The seed's text.
    #[error(transparent)]
    Seed(#[from] SeedError),
    /// The level is no number.
    #[error("level {level} is not a height: give metres as a finite number")]
    Level {
        /// What was given.
        level: f64,
    },
    /// The seed lies beside the model.
    #[error(
        "the seed ({longitude}, {latitude}) is outside the elevation model: choose one within {west:.5} to {east:.5} degrees \
         east and {south:.5} to {north:.5} degrees north (longitude first)"
    )]
    SeedOutside {
        /// The seed's longitude.
        longitude: f64,
        /// The seed's latitude.
        latitude: f64,
        /// Western bound of the model.
        west: f64,
        /// Eastern bound of the model.
        east: f64,
        /// Southern bound of the model.
        south: f64,
        /// Northern bound of the model.
        north: f64,
    },
    /// The model has no height at the seed.
    #[error(
        "the elevation model has no data at the seed ({longitude}, {latitude}): choose a seed on a cell that has a height"
    )]
    SeedUnknown {
        /// The seed's longitude.
        longitude: f64,
        /// The seed's latitude.
        latitude: f64,
    },
    /// An output cannot be written.
    #[error("cannot write {path}: {source}")]
    Output {
        /// Its path.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}
