//! Real clients from PyPI against the built server: OWSLib, cuiman, ogc-api-processes-client, schemathesis, and the OpenAPI
//! validator; and the server behind nginx.

use std::path::PathBuf;

use crate::shell;

/// Pinned: a new release of a client is looked at before it is trusted to judge.
const PACKAGES: &[&str] = &[
    "cuiman==0.1.1",
    // What cuiman stands on; it takes any version, and works with this one.
    "gavicore==0.1.1",
    "ogc-api-processes-client==0.6.0",
    "openapi-spec-validator==0.9.0",
    "OWSLib==0.35.0",
    "pytest==9.2.0",
    "requests==2.34.2",
    "schemathesis==4.32.5",
];

/// A virtual environment with the clients, made once per set of versions, outside the checkout.
pub(crate) fn environment() -> anyhow::Result<PathBuf> {
    let folder = shell::cache()?.join("venv-clients");
    let stamp = folder.join("packages.txt");
    let wanted = PACKAGES.join("\n");
    if std::fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(folder.join("bin/python"));
    }
    let _ = std::fs::remove_dir_all(&folder);
    let python = folder.join("bin/python");
    let (folder_text, python_text) = (folder.display().to_string(), python.display().to_string());
    shell::run(&["python3", "-m", "venv", &folder_text])?;
    let mut install = vec![python_text.as_str(), "-m", "pip", "install", "--quiet"];
    install.extend(PACKAGES);
    shell::run(&install)?;
    std::fs::write(stamp, wanted)?;
    Ok(python)
}

/// Run the clients' tests.
pub(crate) fn clients() -> anyhow::Result<()> {
    shell::need("nginx", "nginx-light")?;
    let python = environment()?.display().to_string();
    let binary = shell::target().join("debug/rutter").display().to_string();
    shell::run(&[&python, "-m", "pytest", "-q", "-x", "tests/clients", "--rutter", &binary])
}
