//! What a Service asks for, and what its spec makes of that.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use steelyard_model::{
    self as model, BadRequest, Family, FamilyPolicy, FieldPath, Protocol, Service, ServiceType,
    TrafficPolicy,
};

use crate::refusal::Refusal;

/// Whether a Service gets addresses here at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It does.
    Ours,
    /// Not of type LoadBalancer.
    NotLoadBalancer,
    /// Of a load balancer class that is not ours: whatever it holds is another's business.
    Foreign,
    /// As it stands it can have none.
    Blocked(Box<Refusal>),
}

/// Which families the addresses must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Families {
    /// Nothing is said: IPv4 where a pool has it, else IPv6.
    Any,
    /// One address of this family.
    One(Family),
    /// One of each; not `required`, one alone will do, preferably of `first`.
    Both { required: bool, first: Family },
}

/// Which addresses are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Any will do.
    Any,
    /// Exactly these.
    Addresses(Vec<IpAddr>),
    /// Something that is no request; what the Service holds stays.
    Invalid(BadRequest),
}

/// On what terms an address may be shared.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Terms {
    /// Value of `allow-shared-ip`; empty means not at all.
    pub(crate) key: Arc<str>,
    /// The selector under externalTrafficPolicy Local, else empty.
    pub(crate) backend: Arc<str>,
}

/// Transport and number of each port.
pub(crate) type Ports = Arc<[(Protocol, u16)]>;

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) standing: Standing,
    pub(crate) families: Families,
    /// ipFamilyPolicy PreferDualStack: a second family is welcome.
    pub(crate) prefers_dual: bool,
    pub(crate) request: Request,
    /// Pool asked for by name.
    pub(crate) pool: Option<Box<str>>,
    pub(crate) terms: Terms,
    pub(crate) ports: Ports,
}

/// Wishes, of which most are like others and lie in memory once: of the same ports, the last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wishes {
    last: BTreeMap<Ports, Arc<Wish>>,
    /// How many there were when it was last looked which are still used.
    used: usize,
}

/// So many are kept without a look at whether they are still used.
const FEW: usize = 64;

impl Wishes {
    /// The same, as others have it.
    pub(crate) fn known(&mut self, wish: Wish) -> Arc<Wish> {
        if let Some(last) = self.last.get(&wish.ports).filter(|last| ***last == wish) {
            return last.clone();
        }
        let wish = Arc::new(wish);
        self.last.insert(wish.ports.clone(), wish.clone());
        if self.last.len() > FEW.max(2 * self.used) {
            self.last.retain(|_, wish| Arc::strong_count(wish) > 1);
            self.used = self.last.len();
        }
        wish
    }
}

impl Wish {
    /// The wish of nobody.
    pub(crate) fn nothing() -> Self {
        Self {
            standing: Standing::Ours,
            families: Families::Any,
            prefers_dual: false,
            request: Request::Any,
            pool: None,
            terms: Terms::default(),
            ports: Ports::default(),
        }
    }

    /// Reads `service`; `class` is the load balancer class that is ours.
    pub(crate) fn read(service: &Service, class: Option<&str>) -> Self {
        let request = request(service);
        let families = families(service);
        let standing = standing(service, class, &families);
        let families = settle(families.unwrap_or(Families::Any), service, &request);
        let one_is_asked_for =
            service.cluster_ips.is_empty() && matches!(families, Families::One(_));
        let prefers_dual = service.family_policy == Some(FamilyPolicy::PreferDualStack);
        Self {
            standing,
            families,
            prefers_dual: prefers_dual && !one_is_asked_for,
            request,
            pool: service.wish.pool.as_ref().map(|pool| pool.name.as_str().into()),
            terms: terms(service),
            ports: service.ports.iter().map(|port| (port.protocol, port.port)).collect(),
        }
    }

    /// The terms in one line, for [`steelyard_model::Holding::sharing`]; empty without a key.
    pub(crate) fn sharing(&self) -> String {
        if self.terms.key.is_empty() {
            return String::new();
        }
        let mut ports: Vec<_> =
            self.ports.iter().map(|(how, port)| format!("{how}/{port}")).collect();
        ports.sort();
        let mut line = format!("key {:?}, ports {}", self.terms.key, ports.join(" "));
        if !self.terms.backend.is_empty() {
            line += &format!(", backend {}", self.terms.backend);
        }
        line
    }
}

fn standing(
    service: &Service,
    class: Option<&str>,
    families: &Result<Families, Refusal>,
) -> Standing {
    if service.kind != ServiceType::LoadBalancer {
        return Standing::NotLoadBalancer;
    }
    if service.load_balancer_class.as_deref() != class {
        return Standing::Foreign;
    }
    if service.headless {
        return Standing::Blocked(Box::new(Refusal::Headless));
    }
    match families {
        Ok(_) => Standing::Ours,
        Err(refusal) => Standing::Blocked(Box::new(refusal.clone())),
    }
}

/// Cluster addresses decide; without them ipFamilies and ipFamilyPolicy do.
fn families(service: &Service) -> Result<Families, Refusal> {
    let policy = service.family_policy;
    let requires = policy == Some(FamilyPolicy::RequireDualStack);
    let both =
        |first| Families::Both { required: policy != Some(FamilyPolicy::PreferDualStack), first };
    let first = service.ip_families.first().copied();
    match *service.cluster_ips.as_slice() {
        [] if requires || policy == Some(FamilyPolicy::PreferDualStack) => {
            Ok(both(first.unwrap_or(Family::V4)))
        }
        // What the API server infers when two families are named without a policy.
        [] if policy.is_none() && service.ip_families.len() > 1 => Ok(both(service.ip_families[0])),
        [] => Ok(first.map_or(Families::Any, Families::One)),
        [_] if requires => {
            Err(Refusal::NotEnoughClusterIps { cluster_ips: service.cluster_ips.clone() })
        }
        _ => match model::Families::of(&service.cluster_ips) {
            Some(model::Families::One(family)) => Ok(Families::One(family)),
            Some(model::Families::Both) => Ok(both(first.unwrap_or(Family::V4))),
            None => Err(Refusal::ClusterIpFamilies { cluster_ips: service.cluster_ips.clone() }),
        },
    }
}

/// Where the cluster says nothing, the requested addresses tell the families.
fn settle(families: Families, service: &Service, request: &Request) -> Families {
    let Request::Addresses(addresses) = request else { return families };
    let open = matches!(families, Families::Any | Families::Both { required: false, .. });
    if !open || !service.cluster_ips.is_empty() {
        return families;
    }
    match **addresses {
        [address] => Families::One(Family::of(address)),
        _ => Families::Both { required: true, first: Family::V4 },
    }
}

fn request(service: &Service) -> Request {
    match service.wish.request.as_ref().map(|asked| asked.addresses.clone()) {
        None => Request::Any,
        Some(Ok(addresses)) => Request::Addresses(addresses),
        Some(Err(bad)) => Request::Invalid(bad),
    }
}

/// Where a Service asks for addresses, or would.
pub(crate) fn request_path(service: &Service) -> FieldPath {
    let asked = service.wish.request.as_ref().map(|asked| asked.path.clone());
    asked.unwrap_or_else(|| FieldPath::from("spec.loadBalancerIP"))
}

/// Where a Service asks for a pool by name.
pub(crate) fn pool_path(service: &Service) -> FieldPath {
    service.wish.pool.as_ref().map_or_else(FieldPath::root, |pool| pool.path.clone())
}

fn terms(service: &Service) -> Terms {
    let mut backend = String::new();
    if service.external_traffic_policy == TrafficPolicy::Local {
        let pairs: Vec<_> =
            service.selector.iter().map(|(key, value)| format!("{key}={value}")).collect();
        backend = pairs.join(",");
    }
    let key = service.wish.sharing_key.as_deref().unwrap_or_default();
    // Nothing, as most have, lies in memory once.
    let text = |it: &str| if it.is_empty() { Arc::default() } else { Arc::from(it) };
    Terms { key: text(key), backend: text(&backend) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_many_wish_lies_in_memory_once_and_what_nobody_wishes_any_more_goes() {
        let of = |port: u16| Wish { ports: [(Protocol::Tcp, port)].into(), ..Wish::nothing() };
        let mut wishes = Wishes::default();
        let kept = wishes.known(of(80));
        assert!(Arc::ptr_eq(&kept, &wishes.known(of(80))));
        let other = wishes.known(Wish { prefers_dual: true, ..of(80) });
        assert!(other.prefers_dual && !kept.prefers_dual);
        for port in 1_000..11_000 {
            wishes.known(of(port));
        }
        assert!(wishes.last.len() <= FEW + 1, "{}", wishes.last.len());
        assert!(Arc::ptr_eq(&other, &wishes.known(Wish::clone(&other))), "somebody has it");
    }
}
