//! Paths below `/admin/v2`, encoded so that no name can become a part of the path.

use reqwest::Url;

use super::Error;
use crate::topic::{TopicName, speakable};

/// What is asked about.
#[derive(Debug, Clone)]
pub(super) struct Path {
    segments: Vec<String>,
    query: Vec<(&'static str, &'static str)>,
}

impl Path {
    pub(super) fn to(segments: &[&str]) -> Result<Self, Error> {
        for segment in segments {
            speakable(segment).map_err(|problem| Error::Name { name: (*segment).to_owned(), problem })?;
        }
        Ok(Self {
            segments: segments.iter().map(|segment| (*segment).to_owned()).collect(),
            query: Vec::new(),
        })
    }

    pub(super) fn to_topic(topic: &TopicName, further: &[&str]) -> Result<Self, Error> {
        let namespace = topic.namespace();
        let mut segments =
            vec![topic.domain().as_str(), namespace.tenant(), namespace.namespace(), topic.local()];
        segments.extend(further);
        Self::to(&segments)
    }

    pub(super) fn with(mut self, key: &'static str, value: &'static str) -> Self {
        self.query.push((key, value));
        self
    }

    pub(super) fn below(&self, base: &Url) -> Url {
        let mut url = base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["admin", "v2"]).extend(&self.segments);
        }
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(path: &Path) -> String {
        path.below(&Url::parse("http://broker:8080").unwrap()).to_string()
    }

    #[test]
    fn a_topic_s_name_stays_one_segment() {
        let topic = "persistent://acme/sales/a b?c#d%2F..;ü".parse().unwrap();
        let path = Path::to_topic(&topic, &["subscription", "x/../y"]).unwrap().with("force", "true");
        assert_eq!(
            url(&path),
            "http://broker:8080/admin/v2/persistent/acme/sales/a%20b%3Fc%23d%252F..;%C3%BC/subscription/x%2F..%2Fy?force=true"
        );
    }

    #[test]
    fn a_name_that_would_be_swallowed_is_refused() {
        for name in ["", ".", ".."] {
            assert!(matches!(Path::to(&["namespaces", name]), Err(Error::Name { .. })), "{name:?}");
        }
    }

    #[test]
    fn a_path_before_the_api_is_kept() {
        let path = Path::to(&["clusters"]).unwrap();
        for base in ["https://proxy/pulsar/", "https://proxy/pulsar"] {
            assert_eq!(
                path.below(&Url::parse(base).unwrap()).as_str(),
                "https://proxy/pulsar/admin/v2/clusters"
            );
        }
        assert_eq!(url(&path), "http://broker:8080/admin/v2/clusters");
    }
}
