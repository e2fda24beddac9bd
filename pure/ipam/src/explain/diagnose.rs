//! The same for `check`: one diagnostic for each thing to change, at the field to change.

use std::net::IpAddr;
use std::sync::Arc;

use steelyard_model::suggest::nearest;
use steelyard_model::{BadRequest, Code, Diagnostic, FieldPath, Missing, Service, Severity};

use super::text::{reserved, taken};
use crate::allocator::{Allocator, Claim};
use crate::codes;
use crate::exclusion::{Exclusion, ExclusionRule};
use crate::refusal::{NoRequest, Refusal};
use crate::reserved::Occupant;
use crate::wish::{Families, Request, Standing, pool_path, request_path};

/// How many pools a message goes through.
const LISTED: usize = 4;
/// How many names are compared with one that nobody has.
const LOOKED_AT: usize = 1_000;
const HOW_TO_REQUEST: &str =
    "write one address, or one IPv4 and one IPv6 address with a comma between them, in one place";

impl Allocator {
    /// What users should change about `claim`.
    pub(crate) fn diagnose(&self, claim: &Claim, exclusions: &[Exclusion]) -> Vec<Diagnostic> {
        let Some(service) = &claim.service else { return Vec::new() };
        let mut found = Vec::new();
        if claim.wish.standing == Standing::Foreign {
            found.push(self.foreign_class(service));
            return found;
        }
        if let Request::Invalid(bad) = &claim.wish.request {
            found.push(invalid_request(claim, service, bad));
        } else if let Some(refusal) = &claim.refusal {
            found.push(self.refused(claim, service, refusal, exclusions));
        }
        found.extend(self.occupied(claim).map(|it| self.of_machine(claim, service, it)));
        found.extend(second_family(claim, service));
        let old = service.wish.deprecated.iter().filter(|old| old.is_request);
        found.extend(old.map(|old| deprecated(service, &old.key)));
        found
    }

    /// A Service has an address that a machine has, too.
    fn of_machine(
        &self,
        claim: &Claim,
        service: &Service,
        (address, occupant): (IpAddr, &Occupant),
    ) -> Diagnostic {
        let is_asked_for = matches!(claim.wish.request, Request::Addresses(_));
        let path = if is_asked_for { request_path(service) } else { "spec.type".into() };
        let also = if is_asked_for { ", and request another" } else { "" };
        let help = format!(
            "leave {address} out of pool {}{also}: then the Service gets another address; or give \
             {occupant} another one",
            self.pool_of(address)
        );
        Diagnostic::new(
            Severity::Error,
            codes::ADDRESS_OF_MACHINE,
            &service.object,
            path,
            format!(
                "the Service has {address}, which is an address of {occupant} too, so nobody \
                 announces it"
            ),
            help,
        )
    }

    fn foreign_class(&self, service: &Service) -> Diagnostic {
        let ours = self.class();
        let path = FieldPath::from("spec.loadBalancerClass");
        let (message, help) = match (&service.load_balancer_class, ours) {
            (Some(theirs), _) => (
                format!("the Service is of load balancer class {theirs:?} and is left alone"),
                format!("remove the class, or start with --lb-class {theirs}"),
            ),
            (None, ours) => (
                "the Service has no load balancer class and is left alone".to_owned(),
                format!("set spec.loadBalancerClass: {}", ours.unwrap_or_default()),
            ),
        };
        let object = &service.object;
        Diagnostic::new(Severity::Info, codes::FOREIGN_CLASS, object, path, message, help)
    }

    fn refused(
        &self,
        claim: &Claim,
        service: &Service,
        refusal: &Refusal,
        exclusions: &[Exclusion],
    ) -> Diagnostic {
        let (severity, code) = kind(refusal);
        let path = place(service, refusal);
        let (message, help) = self.words(claim, service, refusal, exclusions);
        let mut found = Diagnostic::new(severity, code, &service.object, path, message, help);
        if let Some(missing) = self.missing(refusal) {
            found = found.missing(missing);
        }
        found
    }

    /// The pool that would be the answer.
    fn missing(&self, refusal: &Refusal) -> Option<Missing> {
        match refusal {
            Refusal::UnknownPool { name } => {
                let is_alike = self.nearest(name).is_some();
                let missing = Missing::named("IPAddressPool", name).alike(is_alike);
                Some(missing.if_invalid(unknown_pool("no valid", name)))
            }
            Refusal::NoneAvailable | Refusal::PoolFull { .. } if self.pools.is_empty() => {
                Some(Missing::any("IPAddressPool"))
            }
            _ => None,
        }
    }

    /// The pool that is named nearly so, among those that there is time to look at.
    fn nearest(&self, name: &str) -> Option<&str> {
        nearest(name, self.pools.names().take(LOOKED_AT))
    }

    /// What is wrong, and what to do.
    fn words(
        &self,
        claim: &Claim,
        service: &Service,
        refusal: &Refusal,
        exclusions: &[Exclusion],
    ) -> (String, String) {
        match refusal {
            Refusal::OutsidePools { addresses } => {
                let message = match **addresses {
                    [a, b] => format!("no single pool has both {a} and {b}"),
                    _ => format!("no pool has {}, which the Service asks for", listed(addresses)),
                };
                (message, best(exclusions).map_or_else(no_pools, |it| it.help.clone()))
            }
            Refusal::OtherPool { addresses, name } => (
                format!("{} is not in pool {name}, which is asked for too", listed(addresses)),
                format!("request an address of {name}, or remove {}", pool_path(service)),
            ),
            Refusal::Reserved { address, occupant } => {
                reserved(*address, occupant, &self.pool_of(*address))
            }
            Refusal::Taken(conflict) => taken(conflict),
            Refusal::NotForService { pool } => {
                let excluded = exclusions.iter().find(|it| it.pool == *pool);
                let unknown = || (refusal.to_string(), "ask for another pool".to_owned());
                excluded.map_or_else(unknown, |it| (it.message.clone(), it.help.clone()))
            }
            Refusal::UnknownPool { name } => (unknown_pool("no", name), self.known_pools(name)),
            Refusal::AmbiguousPool { name } => (
                format!("several namespaces have a pool {name:?}"),
                "give the pools different names".to_owned(),
            ),
            Refusal::WrongFamilies { .. } => wrong_families(claim, service),
            Refusal::NotEnoughClusterIps { .. } | Refusal::ClusterIpFamilies { .. } => (
                "the Service gets no address: its cluster addresses are not one of each family \
                 that it requires"
                    .to_owned(),
                "use a dual-stack cluster, or ipFamilyPolicy: PreferDualStack or SingleStack"
                    .to_owned(),
            ),
            Refusal::NotHeld => (
                "the Service gets no address yet: steelyard.lock has none for it".to_owned(),
                "the node that was started with --lock-writer writes it: see that it runs and \
                 that its steelyard.lock gets here"
                    .to_owned(),
            ),
            Refusal::NotWritten => (
                "the Service gets no address yet: its status has none".to_owned(),
                "the controller gives it one: `kubectl get events` of its namespace says why it \
                 has not"
                    .to_owned(),
            ),
            Refusal::Headless => (
                "the Service gets no address: it is headless".to_owned(),
                "remove clusterIP: None, or use type: ClusterIP".to_owned(),
            ),
            Refusal::InvalidRequest(bad) => (plain(bad), HOW_TO_REQUEST.to_owned()),
            Refusal::NoneAvailable | Refusal::PoolFull { .. } => self.none(exclusions),
        }
    }

    /// The name of the pool that has `address`.
    fn pool_of(&self, address: IpAddr) -> Arc<str> {
        let place = self.pools.locate(&[address]).and_then(|places| places.first().copied());
        place.map_or_else(Arc::default, |(pool, ..)| self.pools.get(pool).pool.id.name.clone())
    }

    fn none(&self, exclusions: &[Exclusion]) -> (String, String) {
        if self.pools.is_empty() {
            return (
                "the Service gets no address: there is no valid IPAddressPool".to_owned(),
                no_pools(),
            );
        }
        let relevant =
            |it: &&Exclusion| !matches!(it.rule, ExclusionRule::OtherPoolRequested { .. });
        let relevant: Vec<_> = exclusions.iter().filter(relevant).collect();
        let mut reasons: Vec<_> =
            relevant.iter().take(LISTED).map(|it| it.message.clone()).collect();
        match self.pools.count().saturating_sub(exclusions.len() - relevant.len() + LISTED) {
            0 => {}
            more => reasons.push(format!("{more} more pools do not serve it either")),
        }
        let help = best(exclusions).map_or_else(no_pools, |it| it.help.clone());
        (format!("the Service gets no address: {}", reasons.join("; ")), help)
    }

    fn known_pools(&self, name: &str) -> String {
        if let Some(near) = self.nearest(name) {
            return format!("did you mean {near}?");
        }
        let names: Vec<_> = self.pools.names().take(LISTED).collect();
        if names.is_empty() {
            no_pools()
        } else {
            format!("name a pool, such as {}", names.join(", "))
        }
    }
}

fn unknown_pool(no: &str, name: &str) -> String {
    format!("there is {no} pool {name:?}")
}

fn kind(refusal: &Refusal) -> (Severity, Code) {
    match refusal {
        Refusal::OutsidePools { .. } | Refusal::OtherPool { .. } => {
            (Severity::Error, codes::ADDRESS_OUTSIDE_POOLS)
        }
        Refusal::Reserved { .. } => (Severity::Error, codes::ADDRESS_RESERVED),
        Refusal::Taken(_) => (Severity::Error, codes::ADDRESS_TAKEN),
        Refusal::NotForService { .. } => (Severity::Error, codes::POOL_NOT_FOR_SERVICE),
        Refusal::UnknownPool { .. } | Refusal::AmbiguousPool { .. } => {
            (Severity::Error, codes::UNKNOWN_POOL)
        }
        Refusal::WrongFamilies { .. } => (Severity::Error, codes::REQUEST_FAMILIES),
        Refusal::InvalidRequest(_) => (Severity::Error, codes::INVALID_ADDRESS_REQUEST),
        Refusal::NotEnoughClusterIps { .. } | Refusal::ClusterIpFamilies { .. } => {
            (Severity::Warning, codes::CLUSTER_IP_FAMILIES)
        }
        // The controller says more.
        Refusal::NotWritten => (Severity::Info, codes::NO_ADDRESS),
        Refusal::NotHeld
        | Refusal::Headless
        | Refusal::NoneAvailable
        | Refusal::PoolFull { .. } => (Severity::Warning, codes::NO_ADDRESS),
    }
}

/// The field to change.
fn place(service: &Service, refusal: &Refusal) -> FieldPath {
    let asks_for_pool = service.wish.pool.is_some();
    match refusal {
        Refusal::UnknownPool { .. } | Refusal::AmbiguousPool { .. } => pool_path(service),
        Refusal::NotForService { .. } | Refusal::PoolFull { .. } if asks_for_pool => {
            pool_path(service)
        }
        Refusal::NotEnoughClusterIps { .. } | Refusal::ClusterIpFamilies { .. } => {
            "spec.clusterIPs".into()
        }
        Refusal::Headless => "spec.clusterIP".into(),
        Refusal::NotHeld
        | Refusal::NotWritten
        | Refusal::NoneAvailable
        | Refusal::PoolFull { .. } => "spec.type".into(),
        _ => request_path(service),
    }
}

fn listed(addresses: &[IpAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}

fn no_pools() -> String {
    "add an IPAddressPool with addresses of your network, and an L2Advertisement; or mend what is \
     reported about yours"
        .to_owned()
}

/// The exclusion that is the least work to undo.
fn best(exclusions: &[Exclusion]) -> Option<&Exclusion> {
    exclusions.iter().min_by_key(|exclusion| match exclusion.rule {
        ExclusionRule::Taken(_) | ExclusionRule::Reserved { .. } => 0,
        ExclusionRule::LeftOut { .. } => 1,
        ExclusionRule::Full { .. } => 2,
        ExclusionRule::NotAutoAssign => 3,
        ExclusionRule::WrongFamilies => 4,
        ExclusionRule::NoFamily { .. } => 5,
        ExclusionRule::Selector => 6,
        ExclusionRule::Namespace => 7,
        ExclusionRule::OutsidePool { .. } => 8,
        ExclusionRule::OtherPoolRequested { .. } => 9,
    })
}

fn wrong_families(claim: &Claim, service: &Service) -> (String, String) {
    let has = match claim.wish.families {
        Families::One(family) => format!("{family} only"),
        Families::Any | Families::Both { .. } => "IPv4 and IPv6".to_owned(),
    };
    let because = if service.cluster_ips.is_empty() { "ipFamilies" } else { "clusterIPs" };
    (
        format!(
            "the requested addresses do not match the Service's families ({has}, by {because})"
        ),
        "request one address for each family that the Service has".to_owned(),
    )
}

/// What is wrong with a request, in fewer of MetalLB's words.
fn plain(bad: &BadRequest) -> String {
    match bad {
        BadRequest::Families(addresses) => match **addresses {
            [a, b] => format!("{a} and {b} are of one family"),
            _ => format!("{} are more than two addresses", listed(addresses)),
        },
        bad => NoRequest(bad).to_string(),
    }
}

fn invalid_request(claim: &Claim, service: &Service, bad: &BadRequest) -> Diagnostic {
    let text = plain(bad);
    let kept = if claim.addresses().is_empty() { "" } else { "; it keeps the address it has" };
    Diagnostic::new(
        Severity::Error,
        codes::INVALID_ADDRESS_REQUEST,
        &service.object,
        request_path(service),
        format!("the request for addresses is not valid: {text}{kept}"),
        HOW_TO_REQUEST,
    )
}

fn second_family(claim: &Claim, service: &Service) -> Option<Diagnostic> {
    let lacks = claim.wish.prefers_dual && claim.addresses().len() == 1;
    lacks.then(|| {
        Diagnostic::new(
            Severity::Info,
            codes::SECOND_FAMILY_MISSING,
            &service.object,
            "spec.ipFamilyPolicy",
            format!("the Service prefers two families and gets {} alone", claim.addresses()[0]),
            "add a range of the other family to the same pool, or use ipFamilyPolicy: SingleStack",
        )
    })
}

fn deprecated(service: &Service, key: &str) -> Diagnostic {
    let name = key.split_once('/').map_or(key, |(_, name)| name);
    Diagnostic::new(
        Severity::Info,
        codes::DEPRECATED_ANNOTATION,
        &service.object,
        FieldPath::annotation(key),
        format!("annotation {key} is deprecated"),
        format!("use metallb.io/{name}"),
    )
}
