//! The folder of a server under measurement: packages, configuration, data. It outlives the server, so that another one
//! can be started on the same data.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Retention must not remove what was stored for the measurement.
const KEEP: &str = "jobs: {keepDays: 36500, maxDiskPercent: 100}\n";

/// A folder that is removed when dropped.
pub(crate) struct Folder(TempDir);

impl Folder {
    /// With the packages that the benchmark needs.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let folder = Self(tempfile::Builder::new().prefix("rutter-bench").tempdir()?);
        fs::create_dir_all(folder.data())?;
        fs::create_dir_all(folder.processes())?;
        for (id, command, cores) in packages() {
            let text = serde_json::to_vec_pretty(&package(id, &command, cores))?;
            fs::write(folder.processes().join(format!("{id}.json")), text)?;
        }
        Ok(folder)
    }

    /// Write the configuration; `cpus` = cores for jobs, `None` = those of the machine.
    pub(crate) fn configure(&self, cpus: Option<f64>) -> anyhow::Result<PathBuf> {
        let file = self.path().join("rutter.yaml");
        let local = cpus.map(|cpus| format!("local: {{cpus: {cpus}}}\n")).unwrap_or_default();
        fs::write(&file, format!("{KEEP}{local}"))?;
        Ok(file)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    pub(crate) fn processes(&self) -> PathBuf {
        self.path().join("processes")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.path().join("log")
    }
}

/// Id, command and cores of each package.
fn packages() -> [(&'static str, Value, f64); 5] {
    let busy = r#"while :; do echo "10 works" >> "$RUTTER_PROGRESS"; sleep 1; done"#;
    [
        ("nothing", json!(["true"]), 1.0),
        ("pause", json!(["sleep", "0.02"]), 1.0),
        ("block", json!(["sleep", "86400"]), 1.0),
        ("busy", json!(["sh", "-c", busy]), 0.01),
        ("copy", json!(["cat", "$(inputs.data.path)"]), 1.0),
    ]
}

fn package(id: &str, command: &Value, cores: f64) -> Value {
    let bytes = json!({"schema": {
        "type": "string", "contentEncoding": "binary", "contentMediaType": "application/octet-stream",
    }});
    let (ports, bindings) = if id == "copy" {
        (json!({ "data": bytes }), json!({"outputBindings": {"data": {"stdout": true}}}))
    } else {
        (json!({}), json!({}))
    };
    json!({
        "processDescription": {"process": {
            "id": id, "version": "1.0.0", "title": id, "inputs": ports, "outputs": ports,
        }},
        "executionUnit": [{
            "type": "command", "command": command, "bindings": bindings,
            "config": {"cpuMin": cores, "memoryMin": 0.001, "jobTimeout": 86400},
        }],
    })
}
