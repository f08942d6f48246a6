//! Outputs of an attempt as they will be published: there, whole, and as the process describes them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use indexmap::IndexMap;
use rutter_types::{Problem, agent::OutputFile};
use sha2::{Digest, Sha256};

use super::{AgentError, Agents};
use crate::{
    executor::AttemptName,
    failure,
    id::OutputId,
    job::{Place, StoredValue},
    plan::Plan,
    process::{self, Output, Validation},
    results::hex,
};

/// Values of outputs up to this size are checked against their schema.
const CHECKED_SIZE: u64 = 32 * 1024 * 1024;

impl Agents {
    /// Outputs as they will be published, or why they can't be.
    pub(super) async fn verify(
        &self,
        attempt: &AttemptName,
        plan: &Plan,
        files: &[OutputFile],
    ) -> Result<Result<IndexMap<OutputId, Vec<StoredValue>>, Problem>, AgentError> {
        let processes = self.0.registry.snapshot();
        let process = processes.get(plan.process.as_str());
        let mut results = IndexMap::new();
        for wanted in &plan.outputs {
            let id: OutputId =
                wanted.id.parse().map_err(|_| AgentError::Invalid { reason: "no output id".into() })?;
            // Nobody ever compared the results of the older managers' images with their descriptions.
            let strict = process.filter(|process| process.validation == Validation::Strict);
            let described = strict.and_then(|process| process.outputs.get(&id));
            let mut values = Vec::new();
            for file in files.iter().filter(|file| file.output == wanted.id) {
                let value = self.stored_value(attempt, described, file).await?;
                if let Some(exception) = self.check(described, &wanted.id, &value).await? {
                    return Ok(Err(exception));
                }
                values.push(value);
            }
            if values.is_empty() && wanted.required {
                return Ok(Err(failure::missing_outputs(std::slice::from_ref(&wanted.id))));
            }
            if !values.is_empty() {
                results.insert(id, values);
            }
        }
        Ok(Ok(results))
    }

    /// What a failed attempt left of the outputs that are wanted of one. It is what it is: nothing is demanded of it.
    pub(super) async fn kept(
        &self,
        attempt: &AttemptName,
        plan: &Plan,
        files: &[OutputFile],
    ) -> Result<IndexMap<OutputId, Vec<StoredValue>>, AgentError> {
        let mut kept: IndexMap<OutputId, Vec<StoredValue>> = IndexMap::new();
        for file in files {
            let wanted = plan.outputs.iter().find(|wanted| wanted.when_failed && wanted.id == file.output);
            let Some(id) = wanted.and_then(|wanted| wanted.id.parse().ok()) else { continue };
            kept.entry(id).or_default().push(self.stored_value(attempt, None, file).await?);
        }
        Ok(kept)
    }

    /// The record of one value: its bytes are there, whole.
    async fn stored_value(
        &self,
        attempt: &AttemptName,
        described: Option<&Output>,
        file: &OutputFile,
    ) -> Result<StoredValue, AgentError> {
        let place = match &file.inline {
            Some(text) => {
                let bytes = STANDARD
                    .decode(text)
                    .map_err(|_| AgentError::Invalid { reason: "an inline output is no base64".into() })?;
                if bytes.len() as u64 != file.size || hex(&Sha256::digest(&bytes)) != file.sha256 {
                    return Err(AgentError::Invalid { reason: "an inline output has another digest".into() });
                }
                Place::Inline(text.clone())
            }
            None => {
                let key = output_key(attempt, &file.output, file.index);
                if self.0.objects.size(&key).await? != Some(file.size) {
                    return Err(AgentError::Invalid {
                        reason: format!("output {:?} was not uploaded", file.output),
                    });
                }
                Place::Object(key)
            }
        };
        Ok(StoredValue {
            media_type: process::media_type_of(described, file.media_type.as_deref()),
            name: file.name.clone(),
            size: file.size,
            sha256: file.sha256.clone(),
            place,
        })
    }

    async fn check(
        &self,
        described: Option<&Output>,
        id: &str,
        value: &StoredValue,
    ) -> Result<Option<Problem>, AgentError> {
        let Some(described) = described.filter(|_| value.size <= CHECKED_SIZE) else { return Ok(None) };
        if !process::is_checked(described) {
            return Ok(None);
        }
        let bytes = self.0.objects.read_value(value, CHECKED_SIZE).await?;
        let faults = process::output_faults(described, id, &bytes);
        Ok((!faults.is_empty()).then(|| failure::invalid_output(id, faults)))
    }
}

/// Where the outputs of an attempt are.
pub(super) fn outputs_of(AttemptName { launch, uid }: &AttemptName) -> String {
    format!("jobs/{}/attempts/{}-{uid}/outputs", launch.job, launch.launch)
}

pub(super) fn output_key(attempt: &AttemptName, output: &str, index: usize) -> String {
    format!("{}/{output}/{index}", outputs_of(attempt))
}
