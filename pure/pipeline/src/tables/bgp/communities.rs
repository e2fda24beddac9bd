//! Aliases of communities. One namespace holds each alias once, as MetalLB wants of its own.

use std::collections::BTreeMap;

use steelyard_model::bgp::CommunityRef;
use steelyard_model::suggest::nearest;
use steelyard_model::{BgpAdvertisement, Community, Diagnostic, FieldPath, Severity};

use crate::codes;
use crate::tables::world::World;

/// Names that router vendors give to well-known communities (RFC 1997, 3765, 7999, 8326).
const WELL_KNOWN: [(&str, &str); 7] = [
    ("noexport", "65535:65281"),
    ("noadvertise", "65535:65282"),
    ("noexportsubconfed", "65535:65283"),
    ("localas", "65535:65283"),
    ("nopeer", "65535:65284"),
    ("blackhole", "65535:666"),
    ("gracefulshutdown", "65535:0"),
];

pub(super) struct Aliases<'a> {
    /// By alias, then namespace.
    by_name: BTreeMap<&'a str, BTreeMap<&'a str, Community>>,
}

impl<'a> Aliases<'a> {
    pub(super) fn new(world: &World<'a>, diagnostics: &mut Vec<Diagnostic>) -> Self {
        let mut by_name: BTreeMap<&str, BTreeMap<&str, Community>> = BTreeMap::new();
        for object in world.communities.values() {
            for (index, (name, value)) in object.aliases.iter().enumerate() {
                let in_namespaces = by_name.entry(name).or_default();
                let namespace = &*object.id.namespace;
                if in_namespaces.contains_key(namespace) {
                    let path = FieldPath::from("spec.communities").index(index).key("name");
                    diagnostics.push(Diagnostic::new(
                        Severity::Error,
                        codes::COMMUNITY_ALIAS_DUPLICATE,
                        &object.object,
                        path,
                        format!("`{name}` is an alias of another Community object already"),
                        "remove one of the two, or rename it",
                    ));
                } else {
                    in_namespaces.insert(namespace, *value);
                }
            }
        }
        Self { by_name }
    }

    /// The communities of an advertisement, in order; none if one is not known.
    pub(super) fn resolve(
        &self,
        advertisement: &BgpAdvertisement,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Vec<Community>> {
        let mut communities = Some(Vec::new());
        for (index, written) in advertisement.communities.iter().enumerate() {
            let community = match written {
                CommunityRef::Value(community) => Some(*community),
                CommunityRef::Alias(name) => self.meant(name, index, advertisement, diagnostics),
            };
            match (&mut communities, community) {
                (Some(known), Some(community)) => known.push(community),
                _ => communities = None,
            }
        }
        let mut communities = communities?;
        communities.sort_by(Community::by_text);
        communities.dedup();
        Some(communities)
    }

    fn meant(
        &self,
        name: &str,
        index: usize,
        advertisement: &BgpAdvertisement,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Community> {
        let in_namespaces = self.by_name.get(name);
        let own = in_namespaces.and_then(|all| all.get(&*advertisement.id.namespace));
        let mut all = in_namespaces.into_iter().flat_map(BTreeMap::values);
        match (own, all.next(), all.next()) {
            (Some(community), ..) | (None, Some(community), None) => return Some(*community),
            _ => {}
        }
        let path = FieldPath::from("spec.communities").index(index);
        let (message, help) = match in_namespaces {
            Some(all) => {
                let places: Vec<&str> = all.keys().copied().collect();
                let places = places.join(", ");
                (
                    format!("`{name}` is an alias in each of the namespaces {places}"),
                    "rename one of the aliases, or write the community's value".to_owned(),
                )
            }
            None => {
                (format!("`{name}` is neither a community nor an alias of one"), self.help(name))
            }
        };
        let (severity, code) = (Severity::Error, codes::COMMUNITY_UNKNOWN);
        diagnostics.push(Diagnostic::new(
            severity,
            code,
            &advertisement.object,
            path,
            format!("{message}, so {} is not used", advertisement.object),
            help,
        ));
        None
    }

    fn help(&self, name: &str) -> String {
        let bare: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        let bare = bare.to_ascii_lowercase();
        if let Some((_, value)) = WELL_KNOWN.iter().find(|(known, _)| *known == bare) {
            return format!("write \"{value}\", or add a Community object with this alias");
        }
        match nearest(name, self.by_name.keys().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "write 65000:100 or large:65000:1:2, or add a Community object with this alias"
                .to_owned(),
        }
    }
}
