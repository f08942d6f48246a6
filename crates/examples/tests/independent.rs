//! The flood checked by an independent computation: `independent.py` makes elevation models in many formats and coordinate
//! reference systems with GDAL, floods them with SciPy, measures them with PROJ and GEOS, and compares.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

const PACKAGES: [&str; 5] =
    ["rasterio==1.4.4", "numpy==2.4.6", "scipy==1.17.1", "shapely==2.2.0", "pyproj==3.7.2"];

#[test]
fn the_flood_agrees_with_an_independent_computation() {
    let folder = tempfile::tempdir().unwrap();
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let status = Command::new(python())
        .arg(tests.join("tests/independent.py"))
        .arg(env!("CARGO_BIN_EXE_rutter-example"))
        .arg(tests.join("../../processes/flood-extent/data/dem-cumberland.tif"))
        .arg(folder.path())
        // GDAL and PROJ of the packages, whatever else is installed on the machine.
        .env_remove("GDAL_DATA")
        .env_remove("PROJ_LIB")
        .env_remove("PROJ_DATA")
        .status()
        .unwrap();
    assert!(status.success(), "the independent computation disagrees: see its lines above");
}

/// A Python with the packages, in a virtual environment that is kept between runs.
fn python() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).unwrap_or_else(|| {
        PathBuf::from(std::env::var_os("HOME").expect("HOME or XDG_CACHE_HOME must be set")).join(".cache")
    });
    let venv = cache.join("rutter/venv-flood");
    let python = venv.join("bin/python");
    let imports = "import rasterio, numpy, scipy, shapely, pyproj";
    let ready = || Command::new(&python).args(["-c", imports]).status().is_ok_and(|status| status.success());
    if !ready() {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv));
        run(Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--only-binary=:all:"])
            .args(PACKAGES));
        assert!(ready(), "the packages do not import in {}", venv.display());
    }
    python
}

fn run(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?} ended with {status}");
}
