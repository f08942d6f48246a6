//! The example packages, embedded so that the binary alone can show what it does.

use std::{fs, path::Path};

use anyhow::Context;
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "../../processes"]
struct Packages;

/// Write the example packages into a folder.
pub(crate) fn write_to(folder: &Path) -> anyhow::Result<()> {
    for name in Packages::iter() {
        let path = folder.join(&*name);
        let file = Packages::get(&name).with_context(|| format!("embedded file {name} is missing"))?;
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(|| format!("could not make {}", parent.display()))?;
        }
        fs::write(&path, file.data).with_context(|| format!("could not write {}", path.display()))?;
        make_executable(&path, &name)?;
    }
    Ok(())
}

/// Embedding keeps no permissions: scripts must be made programs again.
fn make_executable(path: &Path, name: &str) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    if name.ends_with(".py") || name.ends_with(".sh") {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))
            .with_context(|| format!("could not make {} executable", path.display()))?;
    }
    Ok(())
}
