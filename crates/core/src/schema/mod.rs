//! JSON Schema 2020-12, the one place that knows the library which validates it.
//!
//! Two things are OGC's and not JSON Schema's. Alternatives of a `oneOf` that have media types are representations:
//! the media type chooses among them, and a value may satisfy several. And `format` names whole documents
//! (`geojson-feature`, `ogc-bbox`), with or without any further schema.

mod branch;
mod formats;
mod geojson;
mod keywords;
mod message;
mod rewrite;

use rutter_types::Fault;
use serde_json::Value;

pub(crate) use branch::{Branch, essence};
pub(crate) use formats::{Document, base64_fault};
pub(crate) use keywords::{LISTS, MAPS, ONE, applied};
pub(crate) use message::{escape, shorten};
pub(crate) use rewrite::follow;

/// Faults told of one value: what comes after them is only more of the same.
const FAULT_LIMIT: usize = 50;

/// A compiled schema.
#[derive(Debug)]
pub struct Schema {
    whole: jsonschema::Validator,
    branches: Vec<Branch>,
    /// Whether the media type chooses among the branches, each of which then has a validator.
    by_media_type: bool,
}

/// Why a schema can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at {pointer:?}: {reason}")]
pub struct SchemaError {
    /// JSON pointer into the schema.
    pub pointer: String,
    /// What is wrong.
    pub reason: String,
}

impl Schema {
    /// Compile a schema. References to other documents are refused: nothing is fetched.
    ///
    /// `nullable: true` and boolean exclusive bounds (OpenAPI 3.0, the dialect of Part 1, version 1.0) mean what they
    /// mean there.
    pub fn compile(schema: &Value) -> Result<Self, SchemaError> {
        let whole = formats::build(&rewrite::to_2020_12(schema))?;
        let mut branches = branch::branches(schema);
        let by_media_type = branches.len() > 1 && branches.iter().any(Branch::is_representation);
        if by_media_type {
            for branch in &mut branches {
                branch.validator = Some(formats::build(&rewrite::to_2020_12(&branch.alone))?);
            }
        }
        Ok(Self { whole, branches, by_media_type })
    }

    /// Whether a value satisfies it.
    pub fn accepts(&self, value: &Value) -> bool {
        self.choose(value, None).is_some()
    }

    /// Every fault of a value; pointers start with `base`.
    pub fn faults(&self, value: &Value, base: &str) -> Vec<Fault> {
        self.check(value, None, base).err().unwrap_or_default()
    }

    /// The alternative that a value satisfies: of those that have the media type, if one is named, the first.
    pub(crate) fn check(
        &self,
        value: &Value,
        media_type: Option<&str>,
        base: &str,
    ) -> Result<&Branch, Vec<Fault>> {
        if let Some(branch) = self.choose(value, media_type) {
            return Ok(branch);
        }
        let errors = self.explain(value, media_type);
        Err(errors.iter().map(|error| message::fault(error, base)).collect())
    }

    /// Whether the schema names any media type, so that others are faults.
    pub fn names_media_types(&self) -> bool {
        self.branches.iter().any(|branch| branch.media_type.is_some())
    }

    /// Media types that its alternatives have, in order, each once.
    pub fn media_types(&self) -> Vec<String> {
        let mut types: Vec<String> = Vec::new();
        for branch in &self.branches {
            let offered = branch.offered();
            if !types.iter().any(|known| known == offered) {
                types.push(offered.to_owned());
            }
        }
        types
    }

    /// Whether the program gets a file: its first alternative is text with a media type or encoding.
    pub(crate) fn is_file(&self) -> bool {
        self.first().is_some_and(Branch::is_file)
    }

    /// The first alternative: the default representation (`/req/ogc-process-description/output-mixed-type`).
    pub(crate) fn first(&self) -> Option<&Branch> {
        self.branches.first()
    }

    /// Whether every value is text: then `123` in a referenced file is text too.
    pub(crate) fn is_text(&self) -> bool {
        self.branches.iter().all(Branch::is_text)
    }

    /// Whether one of the alternatives has a media type.
    pub(crate) fn offers(&self, media_type: &str) -> bool {
        self.branches.iter().any(|branch| branch.has(media_type))
    }

    /// Whether any alternative takes values of its type (object, text, …).
    pub(crate) fn takes_type_of(&self, value: &Value) -> bool {
        self.branches.iter().any(|branch| branch.takes_type_of(value))
    }

    fn choose(&self, value: &Value, media_type: Option<&str>) -> Option<&Branch> {
        if !self.by_media_type {
            return self.branches.first().filter(|_| self.whole.is_valid(value));
        }
        self.candidates(media_type).into_iter().find(|branch| self.validator(branch).is_valid(value))
    }

    /// An exact match (parameters included) comes before one of type and subtype alone.
    fn candidates(&self, media_type: Option<&str>) -> Vec<&Branch> {
        let Some(media_type) = media_type else { return self.branches.iter().collect() };
        let mut found: Vec<&Branch> = self.branches.iter().filter(|branch| branch.has(media_type)).collect();
        if found.is_empty() {
            return self.branches.iter().collect();
        }
        found.sort_by_key(|branch| !branch.offered().eq_ignore_ascii_case(media_type));
        found
    }

    fn validator<'a>(&'a self, branch: &'a Branch) -> &'a jsonschema::Validator {
        branch.validator.as_ref().unwrap_or(&self.whole)
    }

    /// Errors of the alternative that was meant: the first of the value's own type.
    fn explain<'v>(
        &'v self,
        value: &'v Value,
        media_type: Option<&str>,
    ) -> Vec<jsonschema::ValidationError<'v>> {
        if !self.by_media_type {
            return self.whole.iter_errors(value).take(FAULT_LIMIT).collect();
        }
        let candidates = self.candidates(media_type);
        let meant = candidates.iter().find(|branch| branch.takes_type_of(value)).or(candidates.first());
        meant
            .map(|branch| self.validator(branch).iter_errors(value).take(FAULT_LIMIT).collect())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
