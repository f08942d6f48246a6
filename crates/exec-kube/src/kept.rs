//! Objects of one kind as a watch shows them. A new list replaces all at once, so that it neither loses nor invents
//! anything: what stands in it unchanged is no news, and what is missing from it was deleted meanwhile.

use std::{collections::HashMap, mem, sync::Arc};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Resource, runtime::watcher::Event};

/// Objects by name.
#[derive(Debug)]
pub(crate) struct Kept<K> {
    objects: HashMap<String, Arc<K>>,
    incoming: Option<HashMap<String, Arc<K>>>,
}

/// What an event brought.
#[derive(Debug)]
pub(crate) struct News<K> {
    /// Objects that are new, changed or gone.
    pub(crate) changed: Vec<Arc<K>>,
    /// Whether everything that there was at the start is known now.
    pub(crate) complete: bool,
}

impl<K> Default for Kept<K> {
    fn default() -> Self {
        Self { objects: HashMap::new(), incoming: None }
    }
}

impl<K: Resource> Kept<K> {
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<K>> {
        self.objects.get(name)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<K>> {
        self.objects.values()
    }

    /// One that was just made, before the watch shows it.
    pub(crate) fn add(&mut self, object: K) {
        if let Some(name) = object.meta().name.clone() {
            self.objects.entry(name).or_insert_with(|| Arc::new(object));
        }
    }

    pub(crate) fn take(&mut self, event: Event<K>) -> News<K> {
        let changed = match event {
            Event::Apply(object) => self.apply(object),
            Event::Delete(object) => self.delete(object),
            Event::Init => {
                self.incoming = Some(HashMap::new());
                Vec::new()
            }
            Event::InitApply(object) => {
                if let (Some(incoming), Some(name)) = (&mut self.incoming, object.meta().name.clone()) {
                    incoming.insert(name, Arc::new(object));
                }
                Vec::new()
            }
            Event::InitDone => return News { changed: self.replace(), complete: true },
        };
        News { changed, complete: false }
    }

    fn apply(&mut self, object: K) -> Vec<Arc<K>> {
        let Some(name) = object.meta().name.clone() else { return Vec::new() };
        let object = Arc::new(object);
        self.objects.insert(name, object.clone());
        vec![object]
    }

    /// The deletion of an earlier object of that name is no news.
    fn delete(&mut self, object: K) -> Vec<Arc<K>> {
        let Some(name) = object.meta().name.as_deref() else { return Vec::new() };
        let same = self.objects.get(name).is_some_and(|known| known.meta().uid == object.meta().uid);
        if !same {
            return Vec::new();
        }
        self.objects.remove(name);
        // As it was at its end, not as it was known before.
        vec![Arc::new(object)]
    }

    fn replace(&mut self) -> Vec<Arc<K>> {
        let Some(incoming) = self.incoming.take() else { return Vec::new() };
        let before = mem::replace(&mut self.objects, incoming);
        let after = &self.objects;
        let gone = before.iter().filter(|(name, _)| !after.contains_key(*name)).map(|(_, object)| object);
        let news = after.iter().filter(|(name, object)| {
            before.get(*name).is_none_or(|known| version(known.meta()) != version(object.meta()))
        });
        gone.chain(news.map(|(_, object)| object)).cloned().collect()
    }
}

fn version(meta: &ObjectMeta) -> (Option<&str>, Option<&str>) {
    (meta.uid.as_deref(), meta.resource_version.as_deref())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Pod;

    use super::*;

    fn pod(name: &str, uid: &str, version: &str) -> Pod {
        let mut pod = Pod::default();
        pod.metadata.name = Some(name.to_owned());
        pod.metadata.uid = Some(uid.to_owned());
        pod.metadata.resource_version = Some(version.to_owned());
        pod
    }

    fn names(news: &News<Pod>) -> Vec<String> {
        let mut names: Vec<_> = news.changed.iter().filter_map(|it| it.metadata.name.clone()).collect();
        names.sort();
        names
    }

    fn list(kept: &mut Kept<Pod>, pods: &[Pod]) -> News<Pod> {
        kept.take(Event::Init);
        for pod in pods {
            assert!(names(&kept.take(Event::InitApply(pod.clone()))).is_empty());
        }
        kept.take(Event::InitDone)
    }

    #[test]
    fn a_second_list_tells_what_changed_meanwhile_and_nothing_else() {
        let mut kept = Kept::default();
        let first = list(&mut kept, &[pod("a", "1", "1"), pod("b", "2", "1"), pod("c", "3", "1")]);
        assert_eq!((names(&first), first.complete), (vec!["a".into(), "b".into(), "c".into()], true));
        let second = list(&mut kept, &[pod("a", "1", "1"), pod("b", "2", "7"), pod("d", "4", "8")]);
        assert_eq!(names(&second), ["b", "c", "d"]);
        assert!(kept.get("c").is_none() && kept.get("d").is_some());
        assert!(
            names(&list(&mut kept, &[pod("a", "1", "1"), pod("b", "2", "7"), pod("d", "4", "8")])).is_empty()
        );
    }

    #[test]
    fn what_is_known_stays_while_a_list_is_on_its_way() {
        let mut kept = Kept::default();
        list(&mut kept, &[pod("a", "1", "1")]);
        kept.take(Event::Init);
        assert!(kept.get("a").is_some());
        kept.take(Event::Init);
        kept.take(Event::InitApply(pod("a", "1", "1")));
        assert!(names(&kept.take(Event::InitDone)).is_empty(), "a list that broke off counts for nothing");
    }

    #[test]
    fn a_late_deletion_does_not_take_the_successor() {
        let mut kept = Kept::default();
        kept.take(Event::Apply(pod("a", "2", "5")));
        assert!(names(&kept.take(Event::Delete(pod("a", "1", "4")))).is_empty());
        assert_eq!(names(&kept.take(Event::Delete(pod("a", "2", "6")))), ["a"]);
        assert!(kept.get("a").is_none());
    }
}
