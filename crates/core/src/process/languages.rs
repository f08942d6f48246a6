//! Titles, descriptions and key words in several languages: where one stands, a package may have a map by language
//! (`title: {en: Flood, de: Hochwasser}`). A caller is shown one of them.

use indexmap::IndexSet;

use super::located::{Kind, Node};

/// Members that may be maps by language.
const IN_LANGUAGES: [&str; 3] = ["title", "description", "keywords"];
/// Members whose own members have such members.
const OF_PARTS: [&str; 2] = ["inputs", "outputs"];

/// Languages that a process description has texts in, in their order; none where nothing is a map.
pub(super) fn of(process: &Node) -> IndexSet<String> {
    let mut languages = IndexSet::new();
    each_text(process, &mut |node| {
        if let Some(texts) = by_language(node) {
            languages.extend(texts.map(|(language, _)| language.to_owned()));
        }
    });
    languages
}

/// The same description with one text for each map: the language's, else one that is near it, else the first.
pub(super) fn in_language(process: &Node, language: Option<&str>) -> Node {
    let Kind::Map(members) = &process.kind else { return process.clone() };
    let members = members.iter().map(|(key, node)| {
        let node = match key.text.as_str() {
            name if IN_LANGUAGES.contains(&name) => chosen(node, language).clone(),
            name if OF_PARTS.contains(&name) => parts_in_language(node, language),
            _ => node.clone(),
        };
        (key.clone(), node)
    });
    Node { place: process.place, kind: Kind::Map(members.collect()) }
}

fn parts_in_language(parts: &Node, language: Option<&str>) -> Node {
    let Kind::Map(members) = &parts.kind else { return parts.clone() };
    let members = members.iter().map(|(key, part)| (key.clone(), in_language(part, language)));
    Node { place: parts.place, kind: Kind::Map(members.collect()) }
}

fn chosen<'a>(node: &'a Node, language: Option<&str>) -> &'a Node {
    let Some(texts) = by_language(node) else { return node };
    let texts: Vec<(&str, &Node)> = texts.collect();
    let best = language.and_then(|wanted| nearest(wanted, texts.iter().map(|(language, _)| *language)));
    best.and_then(|at| texts.get(at)).or(texts.first()).map_or(node, |(_, text)| *text)
}

/// The language that is asked for among some: itself, else one that differs only behind its first part (`de-AT`, `de`).
pub fn nearest<'a>(wanted: &str, known: impl Iterator<Item = &'a str> + Clone) -> Option<usize> {
    let primary = |tag: &str| tag.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
    let same = |tag: &str| tag.replace('_', "-").eq_ignore_ascii_case(&wanted.replace('_', "-"));
    known.clone().position(same).or_else(|| {
        let wanted = primary(wanted);
        known.clone().position(|tag| primary(tag) == wanted)
    })
}

fn each_text(node: &Node, see: &mut impl FnMut(&Node)) {
    for name in IN_LANGUAGES {
        if let Some(text) = node.get(name) {
            see(text);
        }
    }
    for name in OF_PARTS {
        if let Some(Node { kind: Kind::Map(parts), .. }) = node.get(name) {
            parts.iter().for_each(|(_, part)| each_text(part, see));
        }
    }
}

/// A map whose keys are language tags and that holds no further maps.
fn by_language(node: &Node) -> Option<impl Iterator<Item = (&str, &Node)>> {
    let Kind::Map(members) = &node.kind else { return None };
    let right = !members.is_empty()
        && members.iter().all(|(key, text)| is_tag(&key.text) && !matches!(text.kind, Kind::Map(_)));
    right.then(|| members.iter().map(|(key, text)| (key.text.as_str(), text)))
}

/// A language tag in the form of RFC 5646: two or three letters, then parts of at most eight characters.
fn is_tag(text: &str) -> bool {
    let mut parts = text.split(['-', '_']);
    let primary = parts.next().unwrap_or_default();
    let short = |part: &str| (1..=8).contains(&part.len()) && part.chars().all(|c| c.is_ascii_alphanumeric());
    (2..=3).contains(&primary.len()) && primary.chars().all(|c| c.is_ascii_alphabetic()) && parts.all(short)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    fn read(text: &str) -> Node {
        yaml::from_str_with_doubles(text).unwrap()
    }

    #[test]
    fn each_text_is_that_of_the_language() {
        let process = read(
            "{id: p, title: {en: Flood, de: Hochwasser}, description: Same, keywords: {en: [water], fr: [eau, mer]}, \
             inputs: {level: {title: {fr: Niveau}, schema: {title: {en: x}}}}}",
        );
        assert_eq!(of(&process).iter().map(String::as_str).collect::<Vec<_>>(), ["en", "de", "fr"]);
        let shown = |language| in_language(&process, language).to_value();
        assert_eq!(shown(Some("de-AT"))["title"], "Hochwasser");
        assert_eq!(
            shown(Some("de"))["keywords"],
            serde_json::json!(["water"]),
            "the first where it has none"
        );
        assert_eq!(shown(Some("fr"))["keywords"], serde_json::json!(["eau", "mer"]));
        assert_eq!(shown(None)["title"], "Flood");
        assert_eq!(shown(None)["inputs"]["level"]["title"], "Niveau");
        assert_eq!(shown(None)["inputs"]["level"]["schema"]["title"]["en"], "x", "a schema is not touched");
        assert_eq!(shown(None)["description"], "Same");
    }

    #[test]
    fn other_maps_are_left_for_the_check_to_refuse() {
        for text in [
            "{title: {}}",
            "{title: {en: {x: y}}}",
            "{title: {english-language-of-now: x}}",
            "{title: {1: x}}",
        ] {
            let process = read(text);
            assert!(of(&process).is_empty(), "{text}");
            assert_eq!(in_language(&process, Some("en")), process, "{text}");
        }
    }
}
