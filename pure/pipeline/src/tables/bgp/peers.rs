//! Peers with the profile and the password they name.

use std::collections::{BTreeMap, BTreeSet};

use steelyard_model::bgp::{JoinedPassword, JoinedPeer, Password};
use steelyard_model::service::Family;
use steelyard_model::{
    BfdProfile, BgpPeer, Code, Diagnostic, Missing, NamespacedName, Pool, Severity,
};

use super::Candidate;
use crate::codes;
use crate::suggestion::Suggester;
use crate::tables::names::{Meant, Names, ambiguous};
use crate::tables::row::Selections;
use crate::tables::world::World;

/// What Kubernetes calls a Secret with a password.
const BASIC_AUTH: &str = "kubernetes.io/basic-auth";
const PASSWORD: &str = "password";

/// Peers that hear of IPv6 addresses, and of which pool.
pub(super) fn told_of_ipv6<'a>(
    candidates: &[Candidate<'a>],
    selections: &Selections,
    pools: &'a [Pool],
) -> BTreeMap<&'a NamespacedName, &'a Pool> {
    let mut told = BTreeMap::new();
    let has_ipv6 = |pool: &&Pool| pool.ranges.iter().any(|range| range.family() == Family::V6);
    for pool in pools.iter().filter(has_ipv6) {
        let selecting = selections.get(&pool.id).into_iter().flatten();
        let selecting = selecting.map(|index| &candidates[*index]).filter(|it| !it.refused);
        for peer in selecting.flat_map(|candidate| &candidate.peers) {
            told.entry(&peer.id).or_insert(pool);
        }
    }
    told
}

/// The peers that count, by name. `told_of_ipv6` cannot use BFD's echo mode.
pub(super) fn resolve(
    world: &World<'_>,
    told_of_ipv6: &BTreeMap<&NamespacedName, &Pool>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<JoinedPeer> {
    let profiles = Names::new(world.bfd_profiles.iter().map(|(id, profile)| (*id, *profile)));
    let mut suggester = Suggester::new();
    let mut peers = Vec::new();
    for &peer in world.bgp_peers.values() {
        let bfd = profile(peer, &profiles, &mut suggester).and_then(|profile| {
            let pool = profile.filter(|it| it.echo_mode).and_then(|_| told_of_ipv6.get(&peer.id));
            pool.map_or(Ok(profile), |pool| Err(echo(peer, pool)))
        });
        let password = password(peer, world, diagnostics);
        match (bfd, password) {
            (Ok(bfd), Ok(password)) => {
                peers.push(JoinedPeer { peer: peer.clone(), bfd: bfd.cloned(), password });
            }
            (bfd, password) => {
                diagnostics.extend(bfd.err().into_iter().chain(password.err()).map(|it| *it))
            }
        }
    }
    peers
}

fn profile<'a>(
    peer: &BgpPeer,
    profiles: &Names<'a, &'a BfdProfile>,
    suggester: &mut Suggester,
) -> Result<Option<&'a BfdProfile>, Box<Diagnostic>> {
    let Some(name) = &peer.bfd_profile else { return Ok(None) };
    match profiles.look_up(name, &peer.id.namespace) {
        Meant::One(profile) => Ok(Some(profile)),
        Meant::Several(several) => {
            let path = "spec.bfdProfile".into();
            Err(Box::new(ambiguous(&peer.object, &path, ("BFDProfile", name), several)))
        }
        Meant::Nothing => {
            let near = suggester.nearest(name, profiles.all());
            let missing = Missing::named("BFDProfile", name).alike(near.is_some());
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => "add a BFDProfile of this name, or remove bfdProfile".to_owned(),
            };
            let say = |no: &str| format!("there is {no} BFDProfile named `{name}`");
            let (code, path) = (codes::BFD_PROFILE_MISSING, "spec.bfdProfile");
            let refusal = refusal(peer, code, path, say("no"), help);
            Err(Box::new(refusal.missing(missing.if_invalid(say("no valid")))))
        }
    }
}

fn echo(peer: &BgpPeer, pool: &Pool) -> Box<Diagnostic> {
    let name = peer.bfd_profile.as_deref().unwrap_or_default();
    let what = format!(
        "profile `{name}` has echoMode, which is for IPv4 only, and pool {} with IPv6 addresses is \
         announced to this peer",
        pool.id.name
    );
    let help = "use a profile without echoMode, or announce the pool to other `peers`";
    refusal(peer, codes::BFD_ECHO_IPV6, "spec.bfdProfile", what, help)
}

fn password(
    peer: &BgpPeer,
    world: &World<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<JoinedPassword, Box<Diagnostic>> {
    let own = &*peer.id.namespace;
    let (name, namespace) = match &peer.password {
        None => return Ok(JoinedPassword::None),
        Some(Password::Plain(value)) => return Ok(JoinedPassword::Known(value.clone())),
        Some(Password::Secret { name, namespace }) => (name, namespace.as_deref().unwrap_or(own)),
    };
    // MetalLB looks in its own namespace whatever is written, or hands the reference on.
    let places = BTreeSet::from([namespace, own]);
    let mut secrets = places.iter().filter_map(|place| world.secrets.get(&(*place, name)));
    let Some(secret) = secrets.next() else {
        let is_own = namespace == own;
        let so = if is_own { "" } else { " in the input; the session waits for it" };
        let say = |no: &str| format!("there is {no} Secret `{name}` in namespace {namespace}{so}");
        let help = format!("add it, of type {BASIC_AUTH} with a key `{PASSWORD}`");
        let code = codes::PASSWORD_SECRET_MISSING;
        let missing = refusal(peer, code, "spec.passwordSecret.name", say("no"), help);
        let secret = Missing::named("Secret", name).within(namespace);
        let mut missing = Box::new(missing.missing(secret.if_invalid(say("no valid"))));
        if is_own {
            return Err(missing);
        }
        missing.severity = Severity::Warning;
        diagnostics.push(*missing);
        return Ok(JoinedPassword::Elsewhere(NamespacedName::new(namespace, name.as_str())));
    };
    let invalid = |what: String, help: &str| {
        let (code, path) = (codes::PASSWORD_SECRET_INVALID, "spec.passwordSecret.name");
        refusal(peer, code, path, format!("{} {what}", secret.object), help)
    };
    if secret.kind != BASIC_AUTH {
        let what = format!("is of type {}, not {BASIC_AUTH}", secret.kind);
        return Err(invalid(what, "create the Secret anew with `type: kubernetes.io/basic-auth`"));
    }
    match secret.data.get(PASSWORD) {
        Some(value) => Ok(JoinedPassword::Known(value.clone())),
        None if secret.unreadable.contains(PASSWORD) => Err(invalid(
            format!("has a `{PASSWORD}` that is not base64"),
            "encode it, or write it under `stringData`",
        )),
        None => Err(invalid(
            format!("has no key `{PASSWORD}`"),
            "add the password under `stringData.password`",
        )),
    }
}

/// Something that keeps the peer from being used.
fn refusal(
    peer: &BgpPeer,
    code: Code,
    path: &str,
    what: String,
    help: impl Into<String>,
) -> Box<Diagnostic> {
    let message = format!("{what}, so {} is not used", peer.object);
    Box::new(Diagnostic::new(Severity::Error, code, &peer.object, path, message, help))
}
