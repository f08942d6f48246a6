//! An image's archive holds what was put in, under the names by which a runtime looks for it.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::{collections::BTreeMap, io::Read as _};

use rutter_testcluster::Image;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

fn files(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut archive = tar::Archive::new(archive);
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (entry.path().unwrap().display().to_string(), bytes)
    });
    entries.collect()
}

fn read(image: &Image) -> Vec<u8> {
    std::fs::read(image.archive().unwrap().path()).unwrap()
}

fn example() -> Image {
    Image::scratch("localhost/example:1")
        .bytes("/etc/deep/note", "a note", 0o640)
        .directory("/out", 0o1777)
        .link("/now", "etc/deep/note")
        .file("/program", "/proc/self/exe", 0o755)
        .entrypoint(["/program", "run"])
        .command(["--fast"])
        .env("A", "b")
        .user("65532")
        .workdir("/out")
}

#[test]
fn the_manifest_leads_to_configuration_and_layer() {
    let files = files(&read(&example()));
    let manifest: Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
    assert_eq!(manifest[0]["RepoTags"], json!(["localhost/example:1"]));
    let config = &files[manifest[0]["Config"].as_str().unwrap()];
    let config: Value = serde_json::from_slice(config).unwrap();
    let layer = &files[manifest[0]["Layers"][0].as_str().unwrap()];
    let digest: String = Sha256::digest(layer).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(config["rootfs"]["diff_ids"], json!([format!("sha256:{digest}")]));
    let expected = json!({
        "Entrypoint": ["/program", "run"],
        "Cmd": ["--fast"],
        "Env": ["PATH=/usr/local/bin:/usr/bin:/bin", "A=b"],
        "User": "65532",
        "WorkingDir": "/out",
    });
    assert_eq!(config["config"], expected);
}

#[test]
fn the_layer_holds_what_was_put_in() {
    let files = files(&read(&example()));
    let layer = files.iter().find(|(name, _)| name.ends_with(".tar")).unwrap().1;
    let mut archive = tar::Archive::new(layer.as_slice());
    let found: Vec<(String, u32, tar::EntryType)> = archive
        .entries()
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let (path, header) = (entry.path().unwrap().display().to_string(), entry.header());
            (path, header.mode().unwrap(), header.entry_type())
        })
        .collect();
    let expected = [
        ("etc/deep/note", 0o640, tar::EntryType::Regular),
        ("out/", 0o1777, tar::EntryType::Directory),
        ("now", 0o777, tar::EntryType::Symlink),
        ("program", 0o755, tar::EntryType::Regular),
    ];
    assert_eq!(found, expected.map(|(path, mode, kind)| (path.to_owned(), mode, kind)));
}

#[test]
fn the_same_files_make_the_same_image() {
    assert_eq!(read(&example()), read(&example()));
    assert_ne!(read(&example()), read(&example().env("C", "d")));
}

#[test]
fn a_dockerfile_that_only_copies_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("program"), "a program").unwrap();
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    let dockerfile = folder.path().join("Dockerfile");
    let text = "# note\nFROM scratch\n\nCOPY program /bin/program\nCOPY --chmod=1777 empty /data\nUSER 5:6\n\
                EXPOSE 8080 8443\nENTRYPOINT [\"/bin/program\"]\nCMD [\"serve\", \"now\"]\n";
    std::fs::write(&dockerfile, text).unwrap();
    let built = Image::dockerfile("localhost/example:1", &dockerfile, folder.path()).unwrap();
    let wanted = Image::scratch("localhost/example:1")
        .file("/bin/program", folder.path().join("program"), 0o755)
        .directory("/data", 0o1777)
        .user("5:6")
        .entrypoint(["/bin/program"])
        .command(["serve", "now"]);
    assert_eq!(read(&built), read(&wanted));
}

#[test]
fn what_needs_an_engine_is_refused_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let dockerfile = folder.path().join("Dockerfile");
    for instruction in ["FROM debian:13", "RUN make", "COPY --from=build a b", "CMD serve", "ADD a b"] {
        std::fs::write(&dockerfile, format!("FROM scratch\n{instruction}\n")).unwrap();
        let refused = Image::dockerfile("localhost/example:1", &dockerfile, folder.path()).unwrap_err();
        let told = refused.to_string();
        assert!(told.contains("Dockerfile:2: ") && told.ends_with(instruction), "{told}");
    }
}

/// A file's capability reaches the image.
#[test]
fn an_added_archive_keeps_modes_and_attributes() {
    let folder = tempfile::tempdir().unwrap();
    let mut archive = tar::Builder::new(std::fs::File::create(folder.path().join("files.tar")).unwrap());
    let attribute = ("SCHILY.xattr.security.capability", b"\0\x01\xff".as_slice());
    archive.append_pax_extensions([attribute]).unwrap();
    let mut header = tar::Header::new_gnu();
    header.set_size(3);
    header.set_mode(0o4755);
    archive.append_data(&mut header, "bin/program", b"abc".as_slice()).unwrap();
    archive.finish().unwrap();
    let dockerfile = folder.path().join("Dockerfile");
    std::fs::write(&dockerfile, "FROM scratch\nADD files.tar /\n").unwrap();
    let built = Image::dockerfile("localhost/example:1", &dockerfile, folder.path()).unwrap();
    let files = files(&read(&built));
    let layer = files.iter().find(|(name, _)| name.ends_with(".tar")).unwrap().1;
    let mut archive = tar::Archive::new(layer.as_slice());
    let mut entry = archive.entries().unwrap().next().unwrap().unwrap();
    let mut attributes = entry.pax_extensions().unwrap().unwrap();
    let found = attributes.next().unwrap().unwrap();
    assert_eq!((found.key().unwrap(), found.value_bytes()), attribute);
    assert_eq!(entry.path().unwrap().to_str(), Some("bin/program"));
    assert_eq!(entry.header().mode().unwrap(), 0o4755);
    let mut text = String::new();
    entry.read_to_string(&mut text).unwrap();
    assert_eq!(text, "abc");
}
