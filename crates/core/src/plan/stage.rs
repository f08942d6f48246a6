//! What is made ready before the command: which inputs become files, which are fetched, what the program reads.

use rutter_types::agent::{Becomes, Source, StageItem};
use serde_json::Value;

use super::names;
use crate::{
    id::InputId,
    process::Input,
    validate::{Content, ValidInput, ValidValue},
};

/// Files to make, and what they are for.
#[derive(Debug, Default)]
pub(super) struct Staging {
    pub(super) items: Vec<StageItem>,
}

impl Staging {
    /// The input as the program reads it: `null` where something is staged.
    pub(super) fn input(&mut self, id: &InputId, input: &Input, valid: &ValidInput) -> Value {
        let many = input.is_many();
        let mut values = valid.values.iter().enumerate().map(|(index, value)| {
            let index = many.then_some(index);
            self.value(id, input, index, value)
        });
        if many { values.collect() } else { values.next().unwrap_or(Value::Null) }
    }

    fn value(&mut self, id: &InputId, input: &Input, index: Option<usize>, value: &ValidValue) -> Value {
        let becomes = match &value.content {
            Content::Json(json) if !input.is_file => return json.clone(),
            Content::Base64(text) if !input.is_file => return Value::from(text.as_str()),
            _ if input.is_file => Becomes::Path,
            _ if input.schema.is_text() => Becomes::Text,
            _ => Becomes::Value,
        };
        self.items.push(item(id, index, value, becomes));
        Value::Null
    }

    /// The staged file of a value.
    pub(super) fn of(&self, id: &InputId, index: Option<usize>) -> Option<usize> {
        self.items.iter().position(|item| item.input == id.as_str() && item.index == index)
    }

    /// The file of a value; one that has none gets one beside its value.
    pub(super) fn file(&mut self, id: &InputId, index: Option<usize>, value: &ValidValue) -> usize {
        self.of(id, index).unwrap_or_else(|| {
            self.items.push(item(id, index, value, Becomes::Nothing));
            self.items.len() - 1
        })
    }
}

fn item(id: &InputId, index: Option<usize>, value: &ValidValue, becomes: Becomes) -> StageItem {
    let media_type = value.media_type.as_deref();
    let (name, source) = match &value.content {
        Content::Json(Value::String(text)) => {
            (names::from_media_type(id, media_type, "txt"), Source::Text(text.clone()))
        }
        Content::Json(json) => {
            (names::from_media_type(id, media_type, "json"), Source::Text(json.to_string()))
        }
        Content::Base64(text) => {
            (names::from_media_type(id, media_type, "bin"), Source::Base64(text.clone()))
        }
        Content::Url(href) => (names::from_url(href, id, media_type), Source::Url(href.clone())),
        Content::Package(path) => (names::from_url(path, id, media_type), Source::Package(path.clone())),
        Content::Own(result) => (
            names::from_media_type(id, media_type, "bin"),
            Source::Result {
                job: result.job.to_string(),
                output: result.output.to_string(),
                index: result.index,
            },
        ),
    };
    StageItem { input: id.to_string(), index, name, source, becomes }
}
