//! Section `references`: what may be fetched for inputs given by reference, and called back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Limits and permissions of references.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct References {
    /// Hosts and networks (CIDR) that may be reached although they are private, such as `10.1.0.0/16`.
    pub allow: Vec<String>,
    /// Greatest size of one reference, bytes.
    pub max_bytes: u64,
    /// Longest time without a byte, seconds.
    pub idle_timeout: u64,
    /// Greatest number of redirects.
    pub max_redirects: u32,
}

impl Default for References {
    fn default() -> Self {
        Self { allow: Vec::new(), max_bytes: 10 * 1024 * 1024 * 1024, idle_timeout: 30, max_redirects: 5 }
    }
}

impl References {
    pub(super) fn faults(&self) -> Vec<String> {
        if self.idle_timeout == 0 {
            return vec!["references.idleTimeout: 0 would end every fetch at once; write seconds".into()];
        }
        Vec::new()
    }
}
