//! Pythons with packages from PyPI, in virtual environments that are kept between runs.

use std::{
    path::PathBuf,
    process::Command,
    sync::{Mutex, PoisonError},
};

/// Tests of one program wait for each other: only one makes the environment.
static MAKING: Mutex<()> = Mutex::new(());

/// One that runs notebooks.
#[allow(dead_code, reason = "each test target uses its own part")]
pub(crate) fn papermill() -> PathBuf {
    let packages =
        ["papermill==2.6.0", "scrapbook==0.5.0", "ipykernel==6.29.5", "setuptools==75.8.0", "six==1.17.0"];
    python("venv-papermill", &packages, "import papermill, scrapbook, ipykernel")
}

/// A Python that has the packages and can do the imports.
pub(crate) fn python(name: &str, packages: &[&str], imports: &str) -> PathBuf {
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).unwrap_or_else(|| {
        PathBuf::from(std::env::var_os("HOME").expect("HOME or XDG_CACHE_HOME must be set")).join(".cache")
    });
    let venv = cache.join("rutter").join(name);
    let python = venv.join("bin/python");
    let ready = || Command::new(&python).args(["-c", imports]).status().is_ok_and(|status| status.success());
    if !ready() {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv));
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(packages));
        assert!(ready(), "the packages do not import in {}", venv.display());
    }
    python
}

fn run(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?} ended with {status}");
}
