//! JSON Schema 2020-12, the one place that knows the library which validates it.

use rutter_types::Fault;
use serde_json::Value;

/// A compiled schema.
#[derive(Debug)]
pub struct Schema {
    validator: jsonschema::Validator,
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
    pub fn compile(schema: &Value) -> Result<Self, SchemaError> {
        let validator = jsonschema::draft202012::options()
            .build(schema)
            .map_err(|error| SchemaError { pointer: error.schema_path().to_string(), reason: error.to_string() })?;
        Ok(Self { validator })
    }

    /// Whether a value satisfies it.
    pub fn accepts(&self, value: &Value) -> bool {
        self.validator.is_valid(value)
    }

    /// Every fault of a value; pointers start with `base`.
    pub fn faults(&self, value: &Value, base: &str) -> Vec<Fault> {
        self.validator
            .iter_errors(value)
            .map(|error| Fault::new(format!("{base}{}", error.instance_path()), error.to_string()))
            .collect()
    }
}
