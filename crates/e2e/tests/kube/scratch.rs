//! Work that fits on no node's disk: a volume that is made for the pod and goes with it.

use std::{fs, os::unix::fs::PermissionsExt as _};

use rutter_e2e::{shell, wait_until};
use serde_json::json;

use crate::{bed, objects::among};

#[test]
fn a_large_job_has_a_volume_of_its_own_while_it_lasts() {
    let _turn = bed::turn();
    let line = "head -c 150000000 /dev/zero > large && mv large $RUTTER_OUT/ && ls -s $RUTTER_OUT; echo done";
    let works = |id: &str, gb: f64| shell(id, line).config("storageTempMin", json!(gb));
    let further = "  scratch: {storageClassName: spacious, aboveGb: 1}";
    let server = bed::with(&[works("large", 1.2), works("small", 0.8)], further).start();
    let client = server.client();
    let large = client.submit("large", &json!({}));
    let message = || client.status(&large)["message"].as_str().unwrap_or_default().to_owned();
    wait_until("it waits for a volume", || message().contains("volume"));
    let claims = || among(&bed::get(&["persistentvolumeclaims"]), &large);
    let asked = claims()[0].pointer("/spec/resources/requests/storage").cloned().unwrap_or_default();
    assert!(asked.as_str().is_some_and(|text| text.parse::<u64>().unwrap() >= 1_200_000_000), "{asked}");
    // What a storage class would make of the claim.
    let folder = bed::cluster().folder().join("spacious");
    fs::create_dir_all(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    let volume = json!({
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "spacious"},
        "spec": {
            "capacity": {"storage": "2Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "spacious",
            "persistentVolumeReclaimPolicy": "Retain", "hostPath": {"path": folder},
        },
    });
    bed::cluster().apply(&volume).unwrap();
    let status = client.finish(&large);
    assert_eq!(status["status"], "successful", "{status}");
    let bytes: u64 = folder.join("out/large").metadata().map_or(0, |file| file.len());
    assert_eq!(bytes, 150_000_000, "it worked there");
    wait_until("the volume goes when the job is archived", || claims().is_empty());
    assert!(client.get(&format!("{large}/logs")).text().contains("done"));
    let small = client.finish(&client.submit("small", &json!({})));
    assert_eq!(small["status"], "successful", "{small}");
    bed::cluster().kubectl(["delete", "persistentvolume", "spacious"]).unwrap();
}
