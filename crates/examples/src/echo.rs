//! `echo`: gives inputs back. The official test suite asks for every output whatever it sent, so an output whose input is
//! absent has an empty value that satisfies its schema.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::contract::Inputs;

const LONGEST_PAUSE_S: f64 = 60.0;

/// Writes the outputs `str`, `arr`, `box` and `mix` after a pause.
pub(crate) fn run(inputs: &Inputs, out: &Path) -> anyhow::Result<()> {
    pause(inputs.get("pause"))?;
    let text = inputs.get("str").and_then(Value::as_str).context("the input str is missing: give a text")?;
    write(&out.join("str"), text.as_bytes())?;

    let array = inputs.get("arr").cloned().unwrap_or_else(|| json!([]));
    write(&out.join("arr.json"), array.to_string().as_bytes())?;

    let world =
        || json!({"bbox": [-180, -90, 180, 90], "crs": "http://www.opengis.net/def/crs/OGC/1.3/CRS84"});
    let bbox = inputs.get("box").cloned().unwrap_or_else(world);
    write(&out.join("box.json"), bbox.to_string().as_bytes())?;

    mixed(inputs.get("mix"), out)
}

fn pause(seconds: Option<&Value>) -> anyhow::Result<()> {
    let Some(seconds) = seconds.and_then(Value::as_f64) else { return Ok(()) };
    if !(0.0..=LONGEST_PAUSE_S).contains(&seconds) {
        bail!("the input pause is {seconds}: give 0 to {LONGEST_PAUSE_S} seconds");
    }
    std::thread::sleep(Duration::from_secs_f64(seconds));
    Ok(())
}

/// `mix` is a file: its bytes are copied, its extension (that tells the media type) kept.
fn mixed(file: Option<&Value>, out: &Path) -> anyhow::Result<()> {
    let Some(file) = file.and_then(Value::as_str).map(Path::new) else {
        return write(&out.join("mix.txt"), b"");
    };
    let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or("txt");
    let target = out.join("mix").with_extension(extension);
    std::fs::copy(file, &target)
        .with_context(|| format!("cannot copy {} to {}", file.display(), target.display()))?;
    Ok(())
}

fn write(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    std::fs::write(file, bytes).with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn echo(inputs: Value) -> anyhow::Result<Vec<(String, String)>> {
        let folder = tempfile::tempdir()?;
        let (file, out) = (folder.path().join("inputs.json"), folder.path().join("out"));
        std::fs::create_dir(&out)?;
        std::fs::write(&file, inputs.to_string())?;
        run(&Inputs::from_file(&file)?, &out)?;
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&out)? {
            let entry = entry?;
            files.push((entry.file_name().into_string().unwrap(), std::fs::read_to_string(entry.path())?));
        }
        files.sort();
        Ok(files)
    }

    fn value<'a>(files: &'a [(String, String)], name: &str) -> &'a str {
        &files.iter().find(|(file, _)| file == name).unwrap().1
    }

    #[test]
    fn every_output_is_there_when_only_the_text_is_given() {
        let files = echo(json!({"str": "teststring"})).unwrap();
        assert_eq!(value(&files, "str"), "teststring");
        assert_eq!(value(&files, "arr.json"), "[]");
        assert_eq!(value(&files, "mix.txt"), "");
        let bbox: Value = serde_json::from_str(value(&files, "box.json")).unwrap();
        assert_eq!(bbox["bbox"].as_array().unwrap().len(), 4);
    }

    #[test]
    fn what_is_given_comes_back_unchanged() {
        let folder = tempfile::tempdir().unwrap();
        let mix = folder.path().join("mix.csv");
        std::fs::write(&mix, "a,b\n").unwrap();
        let bbox = json!({"bbox": [51.9, 7, 52, 7.1], "crs": "http://www.opengis.net/def/crs/OGC/1.3/CRS84"});
        let files =
            echo(json!({"str": "ü\n", "arr": [1, 2, 3], "box": bbox, "mix": mix, "pause": 0.01})).unwrap();
        assert_eq!(value(&files, "str"), "ü\n");
        assert_eq!(value(&files, "arr.json"), "[1,2,3]");
        assert_eq!(value(&files, "mix.csv"), "a,b\n");
        assert_eq!(serde_json::from_str::<Value>(value(&files, "box.json")).unwrap(), bbox);
    }

    #[test]
    fn a_missing_text_and_an_endless_pause_are_refused() {
        assert!(echo(json!({})).unwrap_err().to_string().contains("str"));
        assert!(echo(json!({"str": "x", "pause": 1e9})).unwrap_err().to_string().contains("pause"));
    }
}
