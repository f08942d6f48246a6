//! `metadata`: what the landing page says of the service and of who offers it.

use indexmap::IndexMap;

use crate::{remark::Report, spot::Spot, words::Words};

/// What a configuration says of the service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServiceMetadata {
    /// Its title.
    pub title: Option<Words<String>>,
    /// What it is.
    pub description: Option<Words<String>>,
    /// Words to find it by.
    pub keywords: Option<Words<Vec<String>>>,
    /// On which terms it can be used: a URL, or a text.
    pub terms_of_service: Option<Words<String>>,
    /// Where more stands about it.
    pub url: Option<Words<String>>,
    /// Under which licence.
    pub license: Named,
    /// Who offers it.
    pub provider: Named,
    /// Who can be asked, by pygeoapi's names: `name`, `email`, `phone`, `city`, ….
    pub contact: IndexMap<String, Words<String>>,
}

/// Something with a name and an address in the web.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// Its name.
    pub name: Option<Words<String>>,
    /// Its address.
    pub url: Option<Words<String>>,
}

/// Reads `metadata`. `top` = the whole configuration.
pub(crate) fn read(report: &mut Report, top: &Spot<'_>) -> ServiceMetadata {
    let mut metadata = ServiceMetadata::default();
    let Some(spot) = top.some("metadata").filter(|spot| report.map(spot)) else { return metadata };
    report.unknown(&spot, &["identification", "license", "provider", "contact"]);
    if let Some(about) = spot.some("identification").filter(|it| report.map(it)) {
        let known = [
            "title",
            "description",
            "keywords",
            "keywords_type",
            "terms_of_service",
            "url",
            "accessconstraints",
            "fees",
        ];
        report.unknown(&about, &known);
        metadata.title = words(report, &about, "title");
        metadata.description = words(report, &about, "description");
        metadata.keywords = about.some("keywords").and_then(|keywords| report.keywords(&keywords));
        metadata.terms_of_service = words(report, &about, "terms_of_service");
        metadata.url = words(report, &about, "url");
    }
    metadata.license = named(report, &spot, "license");
    metadata.provider = named(report, &spot, "provider");
    if let Some(contact) = spot.some("contact").filter(|it| report.map(it)) {
        for member in contact.members() {
            if let Some(words) = report.words(&member) {
                metadata.contact.insert(member.name.clone(), words);
            }
        }
    }
    metadata
}

fn named(report: &mut Report, metadata: &Spot<'_>, name: &str) -> Named {
    let Some(spot) = metadata.some(name).filter(|it| report.map(it)) else { return Named::default() };
    report.unknown(&spot, &["name", "url"]);
    Named { name: words(report, &spot, "name"), url: words(report, &spot, "url") }
}

fn words(report: &mut Report, spot: &Spot<'_>, name: &str) -> Option<Words<String>> {
    spot.get(name).and_then(|member| report.words(&member))
}
