//! Outputs too large for the report: sent at once, or in parts that a broken connection or another start of the server does not
//! bring to nothing.

use std::sync::Arc;

use rutter_types::agent::{Received, Uploaded};

use super::{
    AgentError, Agents,
    outputs::{output_key, outputs_of},
    sent::MOST_VALUES,
};
use crate::{
    engine::Parts,
    executor::AttemptName,
    id::JobId,
    job::Job,
    plan::Plan,
    results::{self, ByteStream, ObjectError, Part},
};

impl Agents {
    /// A whole output.
    pub async fn upload(
        &self,
        attempt: &AttemptName,
        output: &str,
        index: usize,
        body: ByteStream,
    ) -> Result<Uploaded, AgentError> {
        let (job, plan) = self.wanting(attempt, output, index).await?;
        let (key, limit) = (output_key(attempt, output, index), plan.limits.output_bytes);
        let body = self.metered(attempt, &format!("{output}/{index}"), 0, limit, body).await?;
        let work = async { Ok(self.0.objects.put_stream(&key, body, limit).await?) };
        let written = self.0.writing::<_, AgentError>(job.id, work).await?.ok_or(AgentError::Over)?;
        Ok(Uploaded { size: written.size, sha256: written.sha256 })
    }

    /// A part of an output. Another one of the same bytes changes nothing.
    pub async fn upload_part(
        &self,
        attempt: &AttemptName,
        output: &str,
        index: usize,
        part: Part,
        body: ByteStream,
    ) -> Result<Received, AgentError> {
        let (job, plan) = self.wanting(attempt, output, index).await?;
        let limit = plan.limits.output_bytes;
        if part.size > limit {
            return Err(AgentError::TooLarge { limit });
        }
        if part.offset > part.size {
            return Err(ObjectError::Beyond { size: part.size }.into());
        }
        let (draft, key) = (draft_key(attempt, output, index), output_key(attempt, output, index));
        let body = self.metered(attempt, &format!("{output}/{index}"), part.offset, limit, body).await?;
        let work = async { Ok(self.0.objects.put_part(&draft, &key, part, body).await?) };
        told(self.0.writing::<_, AgentError>(job.id, work).await?.ok_or(AgentError::Over)?)
    }

    /// How far an output has come that is sent in parts.
    pub async fn received(
        &self,
        attempt: &AttemptName,
        output: &str,
        index: usize,
    ) -> Result<Received, AgentError> {
        self.wanting(attempt, output, index).await?;
        let (draft, key) = (draft_key(attempt, output, index), output_key(attempt, output, index));
        told(self.0.objects.received(&draft, &key).await?)
    }

    /// What an attempt began to send and will not end.
    pub(super) async fn remove_drafts(&self, attempt: &AttemptName) -> Result<(), AgentError> {
        Ok(self.0.objects.remove_all(&drafts_of(attempt)).await?)
    }

    async fn metered(
        &self,
        attempt: &AttemptName,
        value: &str,
        offset: u64,
        limit: u64,
        body: ByteStream,
    ) -> Result<ByteStream, ObjectError> {
        let folders = [outputs_of(attempt), drafts_of(attempt)];
        let folders = folders.each_ref().map(String::as_str);
        self.0.sent.metered(attempt, &self.0.objects, folders, (value, offset), limit, body).await
    }

    /// The job of an attempt, and its plan, if that wants such an output.
    async fn wanting(
        &self,
        attempt: &AttemptName,
        output: &str,
        index: usize,
    ) -> Result<(Arc<Job>, Plan), AgentError> {
        if index >= MOST_VALUES {
            return Err(AgentError::Invalid {
                reason: format!("an output has at most {MOST_VALUES} values"),
            });
        }
        let job = self.active(attempt).await?;
        let plan = self.plan(&job).await?;
        if !plan.outputs.iter().any(|wanted| wanted.id == output) {
            return Err(AgentError::Invalid { reason: format!("the order wants no output {output:?}") });
        }
        Ok((job, plan))
    }
}

impl Parts {
    /// What attempts of a job began to send. One that goes on all the same begins anew.
    pub(crate) async fn remove_drafts(&self, id: JobId) -> Result<(), ObjectError> {
        self.sent.forget(id);
        self.objects.remove_all(&format!("jobs/{id}/uploads")).await
    }
}

fn told(received: Option<results::Received>) -> Result<Received, AgentError> {
    let at_once = || AgentError::Invalid { reason: "outputs are taken at once here".into() };
    received.map(|it| Received { offset: it.offset, sha256: it.sha256 }).ok_or_else(at_once)
}

fn drafts_of(AttemptName { launch, uid }: &AttemptName) -> String {
    format!("jobs/{}/uploads/{}-{uid}", launch.job, launch.launch)
}

fn draft_key(attempt: &AttemptName, output: &str, index: usize) -> String {
    format!("{}/{output}/{index}", drafts_of(attempt))
}
