//! An image with Python, papermill and bash, made from what this machine has: where notebooks run.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use rutter_testcluster::Image;

#[path = "../../../pygeoapi/tests/support/venv.rs"]
mod venv;

/// Parts of Python's library that no notebook of ours needs.
const LIBRARY_WITHOUT: [&str; 8] =
    ["site-packages", "dist-packages", "test", "idlelib", "ensurepip", "tkinter", "lib2to3", "turtledemo"];
/// Large packages that papermill does without.
const PACKAGES_WITHOUT: [&str; 9] =
    ["pyarrow", "pandas", "numpy", "numpy.libs", "scrapbook", "jedi", "debugpy", "pip", "setuptools"];

/// The image. Its environment is active in an interactive bash only, as in those of notebooks.
pub(crate) fn image(name: &str) -> Image {
    let python = venv::papermill();
    let told = printed(
        &python,
        "import sys, sysconfig\nfor it in (sys.prefix, sysconfig.get_path('stdlib'), sysconfig.get_path('purelib')): print(it)",
    );
    let [prefix, library, packages] = [0, 1, 2].map(|at| PathBuf::from(told.lines().nth(at).unwrap()));
    let program = fs::canonicalize(&python).unwrap();
    let mut tree = Tree::default();
    tree.add(&program);
    tree.add(Path::new("/bin/bash"));
    tree.folder(&library, &|name| LIBRARY_WITHOUT.contains(&name) || name.starts_with("config-"));
    tree.folder(&packages, &|name| PACKAGES_WITHOUT.contains(&name));
    tree.folder(&prefix.join("share"), &|_| false);
    tree.add(&prefix.join("bin/papermill"));
    tree.add(&prefix.join("pyvenv.cfg"));
    tree.libraries();
    let bin = prefix.join("bin");
    let mut image = Image::busybox(name)
        .bytes("/etc/passwd", "root:x:0:0::/:/bin/sh\njovyan:x:1000:100::/home/jovyan:/bin/bash\n", 0o644)
        .bytes("/etc/bash.bashrc", format!("export PATH={}:$PATH\n", bin.display()), 0o644)
        .directory("/output-byoa", 0o777)
        .user("1000:100");
    for name in ["python", "python3"] {
        image = image.link(bin.join(name).to_str().unwrap(), program.to_str().unwrap());
    }
    for file in tree.files {
        let mode = if is_program(&file) { 0o755 } else { 0o644 };
        image = image.file(file.to_str().unwrap(), &file, mode);
    }
    image
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(file).is_ok_and(|meta| meta.permissions().mode() & 0o111 != 0)
}

fn printed(python: &Path, script: &str) -> String {
    let output = Command::new(python).args(["-c", script]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Files of this machine under their own names.
#[derive(Default)]
struct Tree {
    files: BTreeSet<PathBuf>,
}

impl Tree {
    fn add(&mut self, file: &Path) {
        self.files.insert(file.to_owned());
    }

    /// Everything below a folder; what lies directly in it may be left out by its name.
    fn folder(&mut self, folder: &Path, without: &dyn Fn(&str) -> bool) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if without(path.file_name().and_then(|name| name.to_str()).unwrap_or_default()) {
                continue;
            }
            if path.is_dir() { self.folder(&path, &|_| false) } else { self.add(&path) }
        }
    }

    /// The libraries that programs and modules are linked with.
    fn libraries(&mut self) {
        let linked = self.files.iter().filter(|file| {
            let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.contains(".so") || file.starts_with("/bin") || name.starts_with("python")
        });
        let listed = Command::new("ldd").args(linked).output().unwrap();
        let text = String::from_utf8_lossy(&listed.stdout).into_owned();
        // One that is named from where its module lies is a part of the module's package.
        let words = text.split_whitespace().filter(|word| word.starts_with('/') && !word.contains(".."));
        let libraries: Vec<PathBuf> = words.map(PathBuf::from).filter(|path| path.is_file()).collect();
        self.files.extend(libraries);
    }
}
