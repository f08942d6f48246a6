//! Processes follow their files.

use std::{fs, os::unix::fs::symlink, path::Path, sync::Arc, time::Duration};

use super::super::{
    UnitKind,
    registry::{Processes, Registry, Runs},
};

fn runs() -> Runs {
    Runs::new(UnitKind::Command, "local")
}

fn package(id: &str, title: &str) -> String {
    format!(
        "processDescription: {{process: {{id: {id}, title: {title}}}}}\nexecutionUnit: {{type: command, command: [m]}}\n"
    )
}

fn ids(processes: &Processes) -> Vec<&str> {
    processes.iter().map(|process| process.id.as_str()).collect()
}

fn title(registry: &Registry, id: &str) -> Option<String> {
    registry.snapshot().get(id).and_then(|process| process.description.summary.title.clone())
}

fn load(folder: &Path) -> Registry {
    Registry::load(vec![folder.to_owned()], runs())
}

#[test]
fn packages_are_found_in_files_and_folders() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::write(root.join("a.yaml"), package("a", "A")).unwrap();
    fs::write(
        root.join("b.json"),
        r#"{"processDescription": {"id": "b"}, "executionUnit": {"type": "docker", "image": "i"}}"#,
    )
    .unwrap();
    fs::create_dir_all(root.join("c/data")).unwrap();
    fs::write(root.join("c/package.yml"), package("c", "C")).unwrap();
    fs::write(root.join("c/other.yaml"), package("other", "no package")).unwrap();
    fs::write(root.join(".d.yaml"), package("d", "hidden")).unwrap();
    fs::write(root.join("e.yaml~"), package("e", "backup")).unwrap();
    fs::write(root.join("README.md"), "text").unwrap();
    let registry = load(root);
    let processes = registry.snapshot();
    assert_eq!(ids(&processes), ["a", "b", "c"]);
    assert!(processes.broken.is_empty(), "{:?}", processes.broken);
    assert_eq!(processes.get("c").unwrap().folder.as_deref(), Some(root.join("c").as_path()));
    let line = registry.why_not_runnable(processes.get("b").unwrap()).unwrap();
    assert_eq!(line, "process b has only docker units; this server runs commands (executor: local)");
    assert_eq!(registry.why_not_runnable(processes.get("a").unwrap()), None);
}

#[test]
fn files_are_added_changed_broken_mended_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.yaml");
    let registry = load(folder.path());
    let mut changes = registry.subscribe();
    changes.mark_unchanged();
    assert!(registry.snapshot().is_empty());
    assert!(!registry.poll(), "nothing has changed");

    fs::write(&file, package("a", "One")).unwrap();
    assert!(registry.poll());
    assert_eq!(title(&registry, "a").as_deref(), Some("One"));
    assert!(changes.has_changed().unwrap());
    assert!(!registry.poll());

    fs::write(&file, package("a", "Two")).unwrap();
    assert!(registry.poll());
    assert_eq!(title(&registry, "a").as_deref(), Some("Two"));

    fs::write(&file, package("a", "Three").replace("command: [m]", "comand: [m]")).unwrap();
    assert!(!registry.poll(), "may be half written");
    assert!(registry.snapshot().broken.is_empty());
    assert!(registry.poll(), "is told at the second look");
    assert_eq!(title(&registry, "a").as_deref(), Some("Two"), "the former version stays");
    let broken = registry.snapshot().broken.clone();
    assert_eq!(broken.len(), 1);
    assert_eq!(broken[0].kept.as_ref().map(|id| id.as_str()), Some("a"));
    assert!(broken[0].faults.iter().any(|fault| fault.to_string().contains("a.yaml:2:")), "{broken:?}");
    assert!(!registry.poll(), "and not again");

    fs::write(&file, package("a", "Three")).unwrap();
    assert!(registry.poll());
    assert_eq!(title(&registry, "a").as_deref(), Some("Three"));
    assert!(registry.snapshot().broken.is_empty());

    fs::remove_file(&file).unwrap();
    assert!(!registry.poll(), "an editor may be replacing it");
    assert!(registry.poll());
    assert!(registry.snapshot().is_empty());
}

#[test]
fn an_equal_content_is_no_change() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.yaml");
    fs::write(&file, package("a", "One")).unwrap();
    let registry = load(folder.path());
    let before = registry.snapshot();
    fs::write(&file, format!("# saved again\n{}", package("a", "One"))).unwrap();
    assert!(!registry.poll());
    assert!(Arc::ptr_eq(before.get("a").unwrap(), registry.snapshot().get("a").unwrap()));
}

#[test]
fn a_half_written_file_is_never_reported() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.yaml");
    let registry = load(folder.path());
    let whole = package("a", "One");
    fs::write(&file, &whole[..40]).unwrap();
    assert!(!registry.poll());
    fs::write(&file, &whole).unwrap();
    assert!(registry.poll());
    assert!(registry.snapshot().broken.is_empty());
    assert_eq!(title(&registry, "a").as_deref(), Some("One"));
}

#[test]
fn a_config_map_changes_by_one_link() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let publish = |version: &str, title: &str| {
        let data = root.join(version);
        fs::create_dir(&data).unwrap();
        fs::write(data.join("a.yaml"), package("a", title)).unwrap();
        // Kubernetes keeps neither times nor sizes apart: make them equal.
        let time = std::time::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        fs::File::options().write(true).open(data.join("a.yaml")).unwrap().set_modified(time).unwrap();
        symlink(version, root.join("..data_tmp")).unwrap();
        fs::rename(root.join("..data_tmp"), root.join("..data")).unwrap();
    };
    publish("..2026_01", "One");
    symlink("..data/a.yaml", root.join("a.yaml")).unwrap();
    let registry = load(root);
    assert_eq!(title(&registry, "a").as_deref(), Some("One"));
    assert_eq!(ids(&registry.snapshot()), ["a"]);
    publish("..2026_02", "Two");
    fs::remove_dir_all(root.join("..2026_01")).unwrap();
    assert!(registry.poll());
    assert_eq!(title(&registry, "a").as_deref(), Some("Two"));
}

#[test]
fn of_two_files_with_one_id_the_first_wins() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.yaml"), package("x", "First")).unwrap();
    fs::write(folder.path().join("b.yaml"), package("x", "Second")).unwrap();
    let registry = load(folder.path());
    assert_eq!(title(&registry, "x").as_deref(), Some("First"));
    let broken = registry.snapshot().broken.clone();
    assert_eq!(broken.len(), 1);
    assert!(broken[0].file.ends_with("b.yaml"));
    let told = broken[0].faults[0].to_string();
    assert!(told.contains("b.yaml:1:") && told.contains("a.yaml already"), "{told}");
    fs::remove_file(folder.path().join("a.yaml")).unwrap();
    registry.poll();
    registry.poll();
    assert_eq!(title(&registry, "x").as_deref(), Some("Second"));
    assert!(registry.snapshot().broken.is_empty());
}

#[test]
fn the_first_folder_comes_first() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(one.path().join("z.yaml"), package("x", "First")).unwrap();
    fs::write(two.path().join("a.yaml"), package("x", "Second")).unwrap();
    for folders in [[&one, &two], [&two, &one]] {
        let registry =
            Registry::load(folders.iter().map(|folder| folder.path().to_owned()).collect(), runs());
        let wanted = if folders[0].path() == one.path() { "First" } else { "Second" };
        assert_eq!(title(&registry, "x").as_deref(), Some(wanted));
    }
}

#[test]
fn folders_may_lie_in_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("a");
    fs::create_dir(&inner).unwrap();
    fs::write(inner.join("package.yaml"), package("a", "One")).unwrap();
    let registry = Registry::load(vec![folder.path().to_owned(), inner.clone(), inner], runs());
    assert_eq!(ids(&registry.snapshot()), ["a"]);
    assert!(registry.snapshot().broken.is_empty());
    assert!(!registry.poll());
}

#[test]
fn a_renamed_file_is_neither_doubled_nor_gone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.yaml"), package("x", "One")).unwrap();
    let registry = load(folder.path());
    fs::rename(folder.path().join("a.yaml"), folder.path().join("b.yaml")).unwrap();
    for _ in 0..3 {
        registry.poll();
        assert_eq!(title(&registry, "x").as_deref(), Some("One"));
        assert!(registry.snapshot().broken.is_empty());
    }
}

#[test]
fn a_folder_that_cannot_be_read_keeps_its_processes() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("processes");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("a.yaml"), package("a", "One")).unwrap();
    let registry = load(&folder);
    fs::rename(&folder, parent.path().join("away")).unwrap();
    for _ in 0..3 {
        assert!(!registry.poll());
    }
    assert_eq!(ids(&registry.snapshot()), ["a"]);
    fs::rename(parent.path().join("away"), &folder).unwrap();
    assert!(!registry.poll());
    assert_eq!(ids(&registry.snapshot()), ["a"]);
}

#[test]
fn a_package_is_mended_by_the_file_it_lacked() {
    let folder = tempfile::tempdir().unwrap();
    let text = "processDescription: {process: {id: a, inputs: {x: {schema: {type: string, contentEncoding: binary, default: \
                {href: dem.tif}}}}}}\nexecutionUnit: {type: command, command: [m]}\n";
    fs::write(folder.path().join("a.yaml"), text).unwrap();
    let registry = load(folder.path());
    assert_eq!(registry.snapshot().broken.len(), 1);
    assert!(!registry.poll());
    fs::write(folder.path().join("dem.tif"), "x").unwrap();
    assert!(registry.poll());
    assert_eq!(ids(&registry.snapshot()), ["a"]);
}

#[tokio::test]
async fn watching_sees_a_new_file() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Arc::new(load(folder.path()));
    let mut changes = registry.subscribe();
    changes.mark_unchanged();
    let watching = tokio::spawn(Arc::clone(&registry).watch());
    fs::write(folder.path().join("a.yaml"), package("a", "One")).unwrap();
    changes.changed().await.unwrap();
    assert_eq!(ids(&registry.snapshot()), ["a"]);
    watching.abort();
}
