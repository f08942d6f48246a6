//! Texts for people: one, or one for each language.

use indexmap::IndexMap;
use rutter_core::process::nearest_language;
use serde_json::{Value, json};

use crate::{
    python,
    remark::Report,
    spot::Spot,
    yaml::{Kind, Scalar},
};

/// Something for people, in one language or in several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Words<T> {
    /// In whatever language it is.
    One(T),
    /// By language tag, such as `en` or `de-CH`.
    ByLanguage(IndexMap<String, T>),
}

impl<T> Words<T> {
    /// In the first language.
    pub fn first(&self) -> Option<&T> {
        match self {
            Self::One(it) => Some(it),
            Self::ByLanguage(all) => all.values().next(),
        }
    }

    /// In a language, or the nearest to it; in the first where there is none.
    pub fn in_language(&self, language: Option<&str>) -> Option<&T> {
        let Self::ByLanguage(all) = self else { return self.first() };
        let at = language.and_then(|wanted| nearest_language(wanted, all.keys().map(String::as_str)));
        at.and_then(|at| all.values().nth(at)).or_else(|| self.first())
    }
}

impl<T: Clone + Into<Value>> Words<T> {
    /// As packages have it: a value, or a map by language.
    pub fn to_json(&self) -> Value {
        match self {
            Self::One(it) => it.clone().into(),
            Self::ByLanguage(all) => json!(
                all.iter().map(|(tag, it)| (tag.clone(), it.clone().into())).collect::<IndexMap<_, Value>>()
            ),
        }
    }
}

impl Report {
    /// A title, a description.
    pub(crate) fn words(&mut self, spot: &Spot<'_>) -> Option<Words<String>> {
        self.by_language(spot, Report::text)
    }

    /// Key words: a list, or a list for each language.
    pub(crate) fn keywords(&mut self, spot: &Spot<'_>) -> Option<Words<Vec<String>>> {
        let keywords = |report: &mut Report, spot: &Spot<'_>| {
            let items = report.list(spot);
            let texts: Vec<String> = items.iter().filter_map(|item| report.text(item)).collect();
            (!texts.is_empty()).then_some(texts)
        };
        self.by_language(spot, keywords)
    }

    fn by_language<T>(
        &mut self,
        spot: &Spot<'_>,
        read: impl Fn(&mut Report, &Spot<'_>) -> Option<T>,
    ) -> Option<Words<T>> {
        if !spot.is_map() {
            return read(self, spot).map(Words::One);
        }
        let members = spot.members();
        let tags: Option<Vec<String>> = members.iter().map(|member| self.language(member)).collect();
        let Some(tags) = tags.filter(|_| !members.iter().any(Spot::is_map)) else {
            self.doubt(spot, "is a map, and not every key of it is a language; it is left out");
            return None;
        };
        let all: IndexMap<String, T> = tags
            .into_iter()
            .zip(&members)
            .filter_map(|(tag, member)| Some((tag, read(self, member)?)))
            .collect();
        (!all.is_empty()).then_some(Words::ByLanguage(all))
    }

    /// The tag that a key is.
    fn language(&mut self, member: &Spot<'_>) -> Option<String> {
        // Norwegian in YAML 1.1 is `false`.
        if member.name == "False" {
            self.doubt(member, "`no` is `false` in YAML; it is taken for the language: write \"no\"");
            return Some("no".to_owned());
        }
        let mut parts = member.name.split(['-', '_']);
        let first = parts.next().unwrap_or_default();
        let language = (2..=3).contains(&first.len()) && first.chars().all(|c| c.is_ascii_alphabetic());
        let further =
            |part: &str| (2..=8).contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphanumeric());
        (language && parts.all(further)).then(|| member.name.replace('_', "-"))
    }

    /// A number that is meant as a text, such as a version `0.1`.
    pub(crate) fn number_as_text(&mut self, spot: &Spot<'_>) -> Option<String> {
        let text = self.text(spot)?;
        if !matches!(spot.node.kind, Kind::Scalar(Scalar::Text(_))) {
            let what = spot.node.describe();
            self.note(spot, format!("is {what}; it is sent as the text {:?}", python::text(spot.node)));
        }
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    fn words(text: &str) -> (Option<Value>, Report) {
        let root = yaml::read(text, &|_| None).unwrap().root;
        let mut report = Report::default();
        let words = report.words(&Spot::top(&root)).map(|words| words.to_json());
        (words, report)
    }

    #[test]
    fn texts_and_maps_of_languages() {
        assert_eq!(words("Flood").0, Some(json!("Flood")));
        assert_eq!(words("7").0, Some(json!("7")));
        let maps = words("{en: Flood, de_CH: Flut, zh-Hant: 洪水}").0;
        assert_eq!(maps, Some(json!({"en": "Flood", "de-CH": "Flut", "zh-Hant": "洪水"})));
        for text in ["", "{}", "[a]", "{en: {a: b}}", "{en: a, something: b}"] {
            assert_eq!(words(text).0, None, "{text}");
        }
    }

    #[test]
    fn norwegian_is_a_language() {
        let (words, report) = words("{no: Flom, en: Flood}");
        assert_eq!(words, Some(json!({"no": "Flom", "en": "Flood"})));
        assert_eq!(report.remarks.len(), 1);
    }
}
