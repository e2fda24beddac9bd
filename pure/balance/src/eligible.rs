//! Which endpoints may take new traffic.

use steelyard_model::{Endpoint, EndpointState};

/// The ready ones; when none is ready, those that answer all the same. Never those that do not.
pub fn eligible(endpoints: &[Endpoint]) -> Vec<&Endpoint> {
    let those = |wanted: fn(EndpointState) -> bool| -> Vec<&Endpoint> {
        endpoints.iter().filter(|endpoint| wanted(endpoint.state)).collect()
    };
    let ready = those(|state| state == EndpointState::Ready);
    if ready.is_empty() { those(EndpointState::is_last_resort) } else { ready }
}

#[cfg(test)]
mod tests {
    use steelyard_model::Host;

    use super::*;

    fn endpoint(port: u16, state: EndpointState) -> Endpoint {
        Endpoint { host: Host::Name("h".into()), port, state, node: None, zones: None }
    }

    fn ports(endpoints: &[Endpoint]) -> Vec<u16> {
        eligible(endpoints).iter().map(|endpoint| endpoint.port).collect()
    }

    #[test]
    fn ready_before_others_that_answer() {
        use EndpointState::{NotReady, Ready, Serving, Terminating};
        let states = [Ready, Terminating, Serving, NotReady];
        let all: Vec<_> = (1..).zip(states).map(|(port, state)| endpoint(port, state)).collect();
        assert_eq!(ports(&all), [1]);
        assert_eq!(ports(&all[1..]), [2, 3]);
        assert_eq!(ports(&all[3..]), [0_u16; 0]);
    }
}
