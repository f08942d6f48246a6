//! Packages made for a test.

use std::{fs, path::Path};

use serde_json::{Value, json};

/// A package with one command.
#[derive(Clone, Debug)]
pub struct Package(Value);

/// A package whose command is a line of `sh`; its text output `out` is what the line prints.
pub fn shell(id: &str, line: &str) -> Package {
    Package::new(id, json!(["sh", "-c", line])).stdout_output("out")
}

impl Package {
    /// A package without inputs and outputs.
    pub fn new(id: &str, command: Value) -> Self {
        Self(json!({
            "processDescription": {"process": {
                "id": id, "version": "1.0.0", "title": id,
                "jobControlOptions": ["sync-execute", "async-execute", "dismiss"],
                "inputs": {}, "outputs": {},
            }},
            "executionUnit": [{"type": "command", "command": command, "config": {}}],
        }))
    }

    /// With an input (its description).
    #[must_use]
    pub fn input(mut self, id: &str, description: Value) -> Self {
        self.process()["inputs"][id] = description;
        self
    }

    /// With an output (its description), found by its name.
    #[must_use]
    pub fn output(mut self, id: &str, description: Value) -> Self {
        self.process()["outputs"][id] = description;
        self
    }

    /// With a text output from standard output.
    #[must_use]
    pub fn stdout_output(mut self, id: &str) -> Self {
        self.process()["outputs"][id] = json!({"schema": {"type": "string"}});
        self.0["executionUnit"][0]["bindings"]["outputBindings"][id] = json!({"stdout": true});
        self
    }

    /// With a value of `config`.
    #[must_use]
    pub fn config(mut self, key: &str, value: Value) -> Self {
        self.0["executionUnit"][0]["config"][key] = value;
        self
    }

    /// With these job control options.
    #[must_use]
    pub fn job_control(mut self, options: &[&str]) -> Self {
        self.process()["jobControlOptions"] = json!(options);
        self
    }

    /// With any member of the whole.
    #[must_use]
    pub fn member(mut self, key: &str, value: Value) -> Self {
        self.0[key] = value;
        self
    }

    /// With any member of the execution unit.
    #[must_use]
    pub fn unit(mut self, key: &str, value: Value) -> Self {
        self.0["executionUnit"][0][key] = value;
        self
    }

    /// Without a member of the execution unit.
    #[must_use]
    pub fn without(mut self, key: &str) -> Self {
        if let Some(unit) = self.0["executionUnit"][0].as_object_mut() {
            unit.remove(key);
        }
        self
    }

    /// The same command in a container of an image.
    #[must_use]
    pub fn in_image(self, image: &str) -> Self {
        self.unit("type", json!("docker")).unit("image", json!(image))
    }

    /// The image's own command in place of ours.
    #[must_use]
    pub fn without_command(mut self) -> Self {
        if let Some(unit) = self.0["executionUnit"][0].as_object_mut() {
            unit.remove("command");
        }
        self
    }

    /// Its identifier.
    pub fn id(&self) -> &str {
        self.0["processDescription"]["process"]["id"].as_str().unwrap_or_default()
    }

    /// Write it as `<folder>/<id>.json`, whole at once.
    pub fn write(&self, folder: &Path) {
        fs::create_dir_all(folder).expect("a folder for packages");
        let draft = folder.join(format!(".{}.json", self.id()));
        fs::write(&draft, serde_json::to_vec_pretty(&self.0).expect("JSON")).expect("a package file");
        fs::rename(draft, folder.join(format!("{}.json", self.id()))).expect("a package file");
    }

    fn process(&mut self) -> &mut Value {
        &mut self.0["processDescription"]["process"]
    }
}
