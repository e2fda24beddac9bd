//! What a Service asks of its addresses: MetalLB's annotations, and `spec.loadBalancerIP`, which no
//! API server looks at.

use std::net::IpAddr;

use steelyard_model::{
    AddressRequest, AddressWish, BadRequest, DeprecatedAnnotation, Families, FieldPath, Labels,
    PoolRequest,
};

use crate::annotation::{OLD_PREFIX, REQUESTS, Text, Wishes};

/// Puts together what is written; an empty text asks for nothing.
pub(crate) fn of(wishes: &Wishes, field: Option<&str>, annotations: &Labels) -> AddressWish {
    let pool = wishes.pool.as_ref().filter(|text| !text.value.is_empty());
    AddressWish {
        request: request(wishes.addresses.as_ref(), field),
        pool: pool.map(|text| PoolRequest { name: text.value.clone(), path: path(text) }),
        sharing_key: wishes.sharing_key.as_ref().map(|text| text.value.clone()),
        deprecated: deprecated(annotations).collect(),
    }
}

/// The field or the annotation, not both.
fn request(annotated: Option<&Text>, field: Option<&str>) -> Option<AddressRequest> {
    let annotated = annotated.filter(|text| !text.value.is_empty());
    let field = field.filter(|text| !text.is_empty());
    Some(match (annotated, field) {
        (None, None) => return None,
        (None, Some(text)) => AddressRequest {
            addresses: address(text).map(|it| vec![it]).ok_or_else(|| bad_field(text)),
            path: FieldPath::from("spec.loadBalancerIP"),
        },
        (Some(text), None) => AddressRequest { addresses: listed(&text.value), path: path(text) },
        (Some(text), Some(_)) => {
            AddressRequest { addresses: Err(BadRequest::Twice), path: path(text) }
        }
    })
}

fn bad_field(text: &str) -> BadRequest {
    BadRequest::Field(text.to_owned())
}

fn address(text: &str) -> Option<IpAddr> {
    text.trim().parse().ok().map(|address: IpAddr| address.to_canonical())
}

fn listed(value: &str) -> Result<Vec<IpAddr>, BadRequest> {
    let parsed: Option<Vec<IpAddr>> = value.split(',').map(address).collect();
    let addresses = parsed.ok_or_else(|| BadRequest::List(value.to_owned()))?;
    match Families::of(&addresses) {
        Some(_) => Ok(addresses),
        None => Err(BadRequest::Families(addresses)),
    }
}

fn deprecated(annotations: &Labels) -> impl Iterator<Item = DeprecatedAnnotation> {
    let old = annotations.keys().filter_map(|key| Some((key, key.strip_prefix(OLD_PREFIX)?)));
    old.map(|(key, name)| DeprecatedAnnotation {
        key: key.clone(),
        is_request: REQUESTS.contains(&name),
    })
}

fn path(text: &Text) -> FieldPath {
    FieldPath::annotation(&text.key)
}
