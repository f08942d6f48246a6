//! `examples/fortran`: a model that is one static program, built by its own Makefile, in the image of its own Dockerfile.

use std::{os::unix::fs::symlink, path::PathBuf, process::Command};

use rutter_e2e::{Client, wait_until};
use rutter_testcluster::Image;
use serde_json::{Value, json};

use crate::bed;

const PACKAGE: &str = include_str!("../../../../examples/fortran/package.yaml");

fn built() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/fortran");
    let made =
        Command::new("make").arg("-C").arg(&folder).output().expect("make: `cargo xtask test` installs it");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    folder
}

/// Summary and table, by default and in bands of 100 m.
fn results(client: &Client) -> [(Value, String); 2] {
    wait_until("the process is there", || client.get("/processes/relief").status == 200);
    [json!({}), json!({"step": 100})].map(|inputs| {
        let job = client.submit("relief", &inputs);
        let status = client.finish(&job);
        assert_eq!(status["status"], "successful", "{status}\n{}", client.get(&format!("{job}/logs")).text());
        assert_eq!(status["progress"], 100, "{status}");
        let get = |output: &str| client.get(&format!("{job}/results/{output}")).expect(200);
        (get("summary").json(), get("hypsometry").text())
    })
}

#[test]
fn one_static_program_gives_the_same_in_its_image_and_without_a_cluster() {
    let _turn = bed::turn();
    let folder = built();
    let image = Image::dockerfile("localhost/relief:1.0", &folder.join("Dockerfile"), &folder).unwrap();
    bed::cluster().import(&image).unwrap();
    let cluster = bed::server_of_images(&[], "").file("processes/relief.yaml", PACKAGE).start();
    let there = results(&cluster.client());
    let machine = bed::local(&[]).start();
    symlink(&folder, machine.folder().join("processes/relief")).unwrap();
    assert_eq!(there, results(&machine.client()));
    let [(summary, table), (_, coarser)] = there;
    // The model's 600 x 600 cells of 3 arc seconds at 36.5 degrees north: about 74 m by 93 m each.
    let (cells, area) = (summary["cells"].as_f64().unwrap(), summary["areaKm2"].as_f64().unwrap());
    assert!((area / cells * 1e6 / (74.5 * 92.5) - 1.0).abs() < 0.02, "{summary}");
    assert!(summary["lowestM"].as_i64() < summary["highestM"].as_i64(), "{summary}");
    assert!(table.lines().count() > coarser.lines().count() && coarser.lines().count() > 3, "{coarser}");
}
