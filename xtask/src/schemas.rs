//! Generated files below `schemas/`: written by `cargo xtask schemas`, compared by `cargo xtask lint`.

use anyhow::bail;

use crate::shell;

const DOCUMENTS: [&str; 2] = ["config", "openapi"];

pub(crate) fn write() -> anyhow::Result<()> {
    for name in DOCUMENTS {
        std::fs::write(shell::root().join(format!("schemas/{name}.json")), generate(name)?)?;
    }
    Ok(())
}

pub(crate) fn check() -> anyhow::Result<()> {
    for name in DOCUMENTS {
        let committed = std::fs::read_to_string(shell::root().join(format!("schemas/{name}.json")))?;
        if committed != generate(name)? {
            bail!("schemas/{name}.json is out of date: run `cargo xtask schemas` and commit it");
        }
    }
    Ok(())
}

fn generate(name: &str) -> anyhow::Result<String> {
    shell::output(&["cargo", "run", "--quiet", "--package", "rutter", "--", "schema", name])
}
