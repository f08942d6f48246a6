//! `cargo xtask dist`: the programs as they are shipped, linked statically so that they run on any Linux of this kind of
//! processor and in an image with nothing else; a tarball of them, and the image.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use rutter_testcluster::{Image, header};

use crate::shell;

/// The programs as they are shipped.
pub(crate) struct Built {
    /// `rutter`.
    pub(crate) server: PathBuf,
    /// `rutter-agent`: it goes into other people's images, so size counts more than speed.
    pub(crate) agent: PathBuf,
}

/// What tests put onto their machines.
pub(crate) struct TestImage {
    /// The agent, static.
    pub(crate) agent: PathBuf,
    /// The server's image, as an archive.
    pub(crate) archive: PathBuf,
}

/// Build both, side by side as in the tarball: a server takes the agent that lies beside it.
pub(crate) fn build() -> anyhow::Result<Built> {
    let built = program("rutter-agent", "agent")?;
    let server = program("rutter", "dist")?;
    let agent = server.with_file_name("rutter-agent");
    let _ = fs::remove_file(&agent);
    fs::copy(&built, &agent).with_context(|| format!("could not write {}", agent.display()))?;
    Ok(Built { server, agent })
}

/// Build both and pack them; tells where, and gives the image.
pub(crate) fn run() -> anyhow::Result<PathBuf> {
    let built = build()?;
    let name = format!("rutter-{}-{}", env!("CARGO_PKG_VERSION"), triple()?);
    println!("{}", tarball(&built, &name)?);
    let image = image(&built, "image", &name)?;
    println!("{}", image.display());
    Ok(image)
}

/// With licence, README and example packages.
fn tarball(built: &Built, name: &str) -> anyhow::Result<String> {
    let folder = shell::target().join("package").join(name);
    let _ = fs::remove_dir_all(&folder);
    put(built, &folder)?;
    let target = folder.to_str().context("the target folder's name is no UTF-8")?;
    copy_tracked(&["LICENSE", "README.md", "deploy", "docs", "examples", "processes"], &folder)?;
    let parent = target.strip_suffix(name).context("the folder is named so")?;
    let file = format!("{parent}{name}.tar.gz");
    // The same files give the same tarball whoever packs them and when.
    let same = ["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0"];
    shell::run(&[&["tar", "-C", parent, "-czf", &file][..], &same, &[name]].concat())?;
    Ok(file)
}

/// Copy what is under version control, and nothing that was built or left beside it.
fn copy_tracked(parts: &[&str], folder: &Path) -> anyhow::Result<()> {
    let listed = shell::output(&[&["git", "ls-files", "-z", "--"][..], parts].concat())?;
    for name in listed.split('\0').filter(|name| !name.is_empty()) {
        let (from, to) = (shell::root().join(name), folder.join(name));
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::copy(&from, &to).with_context(|| format!("could not copy {}", from.display()))?;
    }
    Ok(())
}

/// The image of `deploy/Dockerfile` as an archive that every engine loads; beside it `folder`, of which an engine makes it.
fn image(built: &Built, folder: &str, name: &str) -> anyhow::Result<PathBuf> {
    let context = shell::target().join(folder);
    fs::create_dir_all(&context)?;
    files_of_image(built, &context.join("rutter.tar")).context("could not write rutter.tar")?;
    let dockerfile = shell::root().join("deploy/Dockerfile");
    let tag = format!("localhost/rutter:{}", env!("CARGO_PKG_VERSION"));
    let archive = Image::dockerfile(&tag, &dockerfile, &context)?.archive()?;
    let file = shell::target().join("package").join(format!("{name}.image.tar"));
    fs::create_dir_all(file.parent().context("it is below the target folder")?)?;
    fs::copy(archive.path(), &file).with_context(|| format!("could not write {}", file.display()))?;
    Ok(file)
}

/// `cap_net_bind_service=p` as the kernel stores it (capabilities(7), VFS_CAP_REVISION_2): five numbers of 32 bits, little-endian; the
/// second are the permitted ones. Not effective by itself: with that, no pod that drops all capabilities could start the program.
const LOW_PORTS: [u8; 20] = [0, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

fn files_of_image(built: &Built, file: &Path) -> anyhow::Result<()> {
    let mut archive = tar::Builder::new(fs::File::create(file)?);
    // Not at /rutter: below that path pods of jobs have their volumes, in this image too.
    for (path, from) in [("bin/rutter", &built.server), ("rutter-agent", &built.agent)] {
        if from == &built.server {
            archive.append_pax_extensions([("SCHILY.xattr.security.capability", LOW_PORTS.as_slice())])?;
        }
        let from = fs::File::open(from)?;
        archive.append_data(&mut header(from.metadata()?.len(), 0o755), path, from)?;
    }
    let mut data = header(0, 0o1777);
    data.set_entry_type(tar::EntryType::Directory);
    archive.append_data(&mut data, "data/", std::io::empty())?;
    Ok(archive.finish()?)
}

/// The same image of programs that are built as quickly as those of the tests.
pub(crate) fn test_image() -> anyhow::Result<TestImage> {
    let (server, agent) = (program("rutter", "dev")?, program("rutter-agent", "dev")?);
    let archive = image(&Built { server, agent: agent.clone() }, "test-image", "rutter-test")?;
    Ok(TestImage { agent, archive })
}

fn put(built: &Built, folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    for file in [&built.server, &built.agent] {
        let target = folder.join(file.file_name().context("a program has a name")?);
        fs::copy(file, &target).with_context(|| format!("could not copy {}", file.display()))?;
    }
    Ok(())
}

/// Build one program static.
pub(crate) fn program(package: &str, profile: &str) -> anyhow::Result<PathBuf> {
    let triple = triple()?;
    let variable = format!("CARGO_TARGET_{}_RUSTFLAGS", triple.to_uppercase().replace('-', "_"));
    let mut build =
        shell::command(&["cargo", "build", "--profile", profile, "--target", &triple, "--package", package]);
    // Whatever the profile: it is copied into images, and nothing reads its lines there.
    build.env("CARGO_PROFILE_DEV_STRIP", "debuginfo");
    shell::run_command(build.env(variable, "-C target-feature=+crt-static"))?;
    // Cargo's oldest profile has a folder of another name.
    let folder = if profile == "dev" { "debug" } else { profile };
    Ok(shell::target().join(&triple).join(folder).join(package))
}

/// What rustc calls this kind of machine.
fn triple() -> anyhow::Result<String> {
    let version = shell::output(&["rustc", "-vV"])?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not tell its host")?.to_owned())
}
