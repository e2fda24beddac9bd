//! Every family there is, by what it is about. Names that MetalLB or Traefik have are theirs, so
//! that dashboards go on.

use crate::{Declaration, Kind, MetricFamily};

/// Upper bounds of the gateway's durations, in seconds: Traefik's default.
pub const DURATIONS: [f64; 4] = [0.1, 0.3, 1.2, 5.0];

/// Bounds of ingress-nginx's histograms of times, in seconds.
pub const NGINX_TIMES: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// The same of requests and answers, in bytes.
pub const NGINX_LENGTHS: [f64; 10] = [10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 100.0];
/// The same of what was sent, in bytes.
pub const NGINX_SIZES: [f64; 7] = [10.0, 100.0, 1e3, 1e4, 1e5, 1e6, 1e7];

const fn count(names: &[&str]) -> usize {
    names.len()
}

/// Declares families, and [`ALL`] with a row for each.
macro_rules! families {
    ($($area:literal { $(
        $id:ident: $kind:expr, $name:literal [$($label:literal),*] $help:literal;
    )* })*) => {
        $($(
            #[doc = $help]
            pub const $id: MetricFamily<{ count(&[$($label),*]) }> =
                MetricFamily { name: $name, help: $help, kind: $kind, labels: [$($label),*] };
        )*)*

        /// All of them, in the order of the page.
        pub const ALL: &[Declaration] = &[$($(Declaration {
            area: $area,
            name: $name,
            help: $help,
            kind: $kind,
            labels: &[$($label),*],
        },)*)*];
    };
}

families! {
    "Requests" {
        ENTRY_POINT_REQUESTS: Kind::Counter, "traefik_entrypoint_requests_total"
            ["code", "entrypoint", "method", "protocol"] "Requests, by entrypoint";
        ENTRY_POINT_DURATIONS: Kind::Histogram(&DURATIONS),
            "traefik_entrypoint_request_duration_seconds"
            ["code", "entrypoint", "method", "protocol"] "Time to answer, by entrypoint";
        ENTRY_POINT_REQUEST_BYTES: Kind::Counter, "traefik_entrypoint_requests_bytes_total"
            ["code", "entrypoint", "method", "protocol"] "Bytes of request bodies, by entrypoint";
        ENTRY_POINT_RESPONSE_BYTES: Kind::Counter, "traefik_entrypoint_responses_bytes_total"
            ["code", "entrypoint", "method", "protocol"] "Bytes of response bodies, by entrypoint";
        ROUTER_REQUESTS: Kind::Counter, "traefik_router_requests_total"
            ["code", "method", "protocol", "router", "service"] "Requests, by router";
        ROUTER_DURATIONS: Kind::Histogram(&DURATIONS), "traefik_router_request_duration_seconds"
            ["code", "method", "protocol", "router", "service"] "Time to answer, by router";
        ROUTER_REQUEST_BYTES: Kind::Counter, "traefik_router_requests_bytes_total"
            ["code", "method", "protocol", "router", "service"]
            "Bytes of request bodies, by router";
        ROUTER_RESPONSE_BYTES: Kind::Counter, "traefik_router_responses_bytes_total"
            ["code", "method", "protocol", "router", "service"]
            "Bytes of response bodies, by router";
        SERVICE_REQUESTS: Kind::Counter, "traefik_service_requests_total"
            ["code", "method", "protocol", "service"] "Requests, by service";
        SERVICE_DURATIONS: Kind::Histogram(&DURATIONS), "traefik_service_request_duration_seconds"
            ["code", "method", "protocol", "service"] "Time to answer, by service";
        SERVICE_REQUEST_BYTES: Kind::Counter, "traefik_service_requests_bytes_total"
            ["code", "method", "protocol", "service"] "Bytes of request bodies, by service";
        SERVICE_RESPONSE_BYTES: Kind::Counter, "traefik_service_responses_bytes_total"
            ["code", "method", "protocol", "service"] "Bytes of response bodies, by service";
        SERVICE_RETRIES: Kind::Counter, "traefik_service_retries_total"
            ["service"] "Attempts at another endpoint, by service";
        COPIED_REQUESTS: Kind::Counter, "steelyard_copied_requests_total"
            ["outcome"] "Copies of requests for mirrors, by what came of them";
        FILTER_ASKS: Kind::Counter, "steelyard_filter_asks_total"
            ["filter", "outcome"]
            "Questions of filters to who says who may pass, counts or has pages, by what came of them";
        FILTER_REFUSALS: Kind::Counter, "steelyard_filter_refusals_total"
            ["filter"] "Requests that a filter answered with an error, by its kind";
        SERVICE_SERVER_UP: Kind::Gauge, "traefik_service_server_up"
            ["service", "url"] "Whether an endpoint passes its check: 1, or 0; by service and endpoint";
        RETRIES_WITHHELD: Kind::Counter, "steelyard_service_retries_withheld_total"
            ["service"]
            "Requests that were not tried again since too many were already, by service";
        ENDPOINT_FIT: Kind::Gauge, "steelyard_endpoint_fit"
            ["endpoint", "service"]
            "Whether an endpoint gets requests: 1, or 0 where its check or its connections fail";
        ENTRY_POINT_TLS_REQUESTS: Kind::Counter, "traefik_entrypoint_requests_tls_total"
            ["entrypoint", "tls_cipher", "tls_version"] "Requests over TLS, by entrypoint";
        ROUTER_TLS_REQUESTS: Kind::Counter, "traefik_router_requests_tls_total"
            ["router", "service", "tls_cipher", "tls_version"] "Requests over TLS, by router";
        SERVICE_TLS_REQUESTS: Kind::Counter, "traefik_service_requests_tls_total"
            ["service", "tls_cipher", "tls_version"] "Requests over TLS, by service";
        REQUEST_FAULTS: Kind::Counter, "steelyard_request_faults_total"
            ["cause", "entrypoint"]
            "Requests that no endpoint answered, or not to the end, and connections of TCP routes \
             that were cut off, by cause";
        ENDPOINT_DURATIONS: Kind::Histogram(&DURATIONS),
            "steelyard_endpoint_request_duration_seconds"
            ["endpoint"] "Time to answer, by the endpoint that answered";
        ENDPOINT_IN_FLIGHT: Kind::Gauge, "steelyard_endpoint_requests_in_flight"
            ["endpoint"] "Requests that an endpoint has and has not answered whole";
        ENDPOINT_CONNECTS: Kind::Summary, "steelyard_endpoint_connect_seconds"
            ["endpoint"] "Time to connect to an endpoint";
        ENDPOINT_CONNECT_FAULTS: Kind::Counter, "steelyard_endpoint_connect_failures_total"
            ["endpoint"] "Connections that an endpoint did not take";
        LOG_LOST: Kind::Counter, "steelyard_access_log_lost_lines_total"
            [] "Lines of the access log that were dropped, since it could not be written";
        TRACED: Kind::Counter, "steelyard_traced_requests_total"
            ["outcome"] "Traced requests: sent to the collector, or dropped";
    }
    "Requests under the names of ingress-nginx, for its class" {
        NGINX_REQUESTS: Kind::Counter, "nginx_ingress_controller_requests"
            ["canary", "host", "ingress", "method", "namespace", "path", "service", "status"]
            "Requests, by Ingress";
        NGINX_DURATIONS: Kind::Histogram(&NGINX_TIMES),
            "nginx_ingress_controller_request_duration_seconds"
            ["canary", "host", "ingress", "method", "namespace", "path", "service", "status"]
            "Time to answer, by Ingress";
        NGINX_RESPONSE_DURATIONS: Kind::Histogram(&NGINX_TIMES),
            "nginx_ingress_controller_response_duration_seconds"
            ["canary", "host", "ingress", "method", "namespace", "path", "service", "status"]
            "Time that endpoints took to answer, by Ingress";
        NGINX_HEADER_DURATIONS: Kind::Histogram(&NGINX_TIMES),
            "nginx_ingress_controller_header_duration_seconds"
            ["canary", "host", "ingress", "method", "namespace", "path", "service", "status"]
            "Time that endpoints took to begin to answer, by Ingress";
        NGINX_CONNECT_DURATIONS: Kind::Histogram(&NGINX_TIMES),
            "nginx_ingress_controller_connect_duration_seconds"
            ["canary", "host", "ingress", "method", "namespace", "path", "service", "status"]
            "Time to connect to endpoints, by Ingress";
        NGINX_REQUEST_SIZES: Kind::Histogram(&NGINX_LENGTHS),
            "nginx_ingress_controller_request_size"
            ["canary", "host", "ingress", "method", "namespace", "path", "service", "status"]
            "Bytes of requests, by Ingress";
        NGINX_RESPONSE_SIZES: Kind::Histogram(&NGINX_LENGTHS),
            "nginx_ingress_controller_response_size"
            ["canary", "host", "ingress", "method", "namespace", "path", "service", "status"]
            "Bytes of response bodies, by Ingress";
        NGINX_BYTES_SENT: Kind::Histogram(&NGINX_SIZES),
            "nginx_ingress_controller_bytes_sent"
            ["canary", "host", "ingress", "method", "namespace", "path", "service", "status"]
            "The same, under the name that it had before";
        NGINX_CONNECTIONS: Kind::Gauge, "nginx_ingress_controller_nginx_process_connections"
            ["state"] "Connections that are open (`active`), and where they stand";
        NGINX_CONNECTIONS_EVER: Kind::Counter,
            "nginx_ingress_controller_nginx_process_connections_total" ["state"]
            "Connections that were taken in";
        NGINX_PROCESS_REQUESTS: Kind::Counter,
            "nginx_ingress_controller_nginx_process_requests_total" []
            "All requests";
        NGINX_PROCESS_CPU: Kind::Counter,
            "nginx_ingress_controller_nginx_process_cpu_seconds_total" []
            "Time of processors that was used";
        NGINX_PROCESS_MEMORY: Kind::Gauge,
            "nginx_ingress_controller_nginx_process_resident_memory_bytes" []
            "Memory that is in RAM";
        NGINX_PROCESS_START: Kind::Gauge,
            "nginx_ingress_controller_nginx_process_oldest_start_time_seconds" []
            "When the process was started, in seconds since 1970";
        NGINX_SUCCESS: Kind::Counter, "nginx_ingress_controller_success" []
            "Configurations that were taken up";
        NGINX_RELOADED: Kind::Gauge, "nginx_ingress_controller_config_last_reload_successful" []
            "Always 1: a configuration that cannot be read as a whole is none";
        NGINX_RELOADED_AT: Kind::Gauge,
            "nginx_ingress_controller_config_last_reload_successful_timestamp_seconds" []
            "When a configuration was taken up last, in seconds since 1970";
        NGINX_EXPIRY: Kind::Gauge, "nginx_ingress_controller_ssl_expire_time_seconds"
            ["host", "namespace", "secret_name"]
            "Until when a certificate is valid, in seconds since 1970";
    }
    "Connections" {
        OPEN_CONNECTIONS: Kind::Gauge, "traefik_open_connections"
            ["entrypoint", "protocol"] "Open connections, by entry point and protocol";
        TCP_CONNECTIONS: Kind::Counter, "steelyard_tcp_connections_total"
            ["entrypoint", "service"] "Connections of TCP routes that an endpoint took";
        TCP_BYTES: Kind::Counter, "steelyard_tcp_bytes_total"
            ["direction", "entrypoint", "service"]
            "Bytes of TCP routes from clients (in) and to them (out)";
        UDP_SESSIONS: Kind::Counter, "steelyard_udp_sessions_total"
            ["entrypoint", "service"] "Sessions of UDP routes";
        UDP_DATAGRAMS: Kind::Counter, "steelyard_udp_datagrams_total"
            ["direction", "entrypoint", "service"]
            "Datagrams of UDP routes from clients (in) and to them (out)";
        UDP_BYTES: Kind::Counter, "steelyard_udp_bytes_total"
            ["direction", "entrypoint", "service"]
            "Bytes of their payload";
        MADE_ROOM: Kind::Counter, "steelyard_connections_made_room_total"
            ["awaited", "entrypoint"]
            "Connections ended because others needed their place, by what was awaited of them";
        TURNED_AWAY: Kind::Counter, "steelyard_connections_turned_away_total"
            ["cause", "entrypoint"]
            "Connections ended before their first request, by cause";
        FLOODED: Kind::Counter, "steelyard_connections_flooded_total"
            ["entrypoint", "kind"]
            "Connections of HTTP/2 ended because their client wore them out, by what with";
        HANDSHAKES: Kind::Counter, "steelyard_tls_handshakes_total"
            ["entrypoint"] "Handshakes of TLS that came to their end";
        HANDSHAKES_RESUMED: Kind::Counter, "steelyard_tls_handshakes_resumed_total"
            ["entrypoint"] "Those of them that went on with an earlier session, by a ticket";
        HANDSHAKE_FAILURES: Kind::Counter, "steelyard_tls_handshake_failures_total"
            ["cause", "entrypoint"] "Handshakes of TLS that came to nothing, by cause";
        CERTIFICATES: Kind::Gauge, "traefik_tls_certs_not_after"
            ["cn", "sans", "serial"] "Until when certificates are valid, in seconds since 1970";
        OCSP_ANSWERS: Kind::Counter, "steelyard_ocsp_answers_total"
            ["outcome"] "Questions to OCSP responders about certificates that want an answer beside them";
        OCSP_LACKING: Kind::Gauge, "steelyard_ocsp_lacking"
            [] "Certificates that ask for an OCSP response and have none, or are revoked";
        CONNECTIONS: Kind::Gauge, "steelyard_connections"
            ["part"] "Connections that have a place";
        CONNECTIONS_LIMIT: Kind::Gauge, "steelyard_connections_limit"
            ["part"] "Places for connections";
        CONNECTIONS_CROWDED: Kind::Counter, "steelyard_connections_crowded_total"
            ["part"] "Connections for which there was no place at once";
        CONNECTIONS_REFUSED: Kind::Counter, "steelyard_connections_refused_total"
            ["part"] "Connections that the system refused to accept";
    }
    "Forwarded ports" {
        FORWARDED_FLOWS: Kind::Counter, "steelyard_forwarded_connections_total"
            ["service", "ip", "port", "protocol", "by"]
            "TCP connections and UDP flows that came for a port, by who carries them: kernel, process";
        FORWARDED_OPEN: Kind::Gauge, "steelyard_forwarded_connections"
            ["service", "ip", "port", "protocol"]
            "TCP connections and UDP flows that this process carries now";
        FORWARDED_BYTES: Kind::Counter, "steelyard_forwarded_bytes_total"
            ["service", "ip", "port", "protocol", "by", "direction"]
            "Bytes from clients (in) and to them (out): of IP packets where the kernel carries them, else of their payload";
        FORWARDED_PACKETS: Kind::Counter, "steelyard_forwarded_packets_total"
            ["service", "ip", "port", "protocol", "by", "direction"]
            "Packets, and datagrams of UDP, from clients (in) and to them (out)";
        FORWARD_FAILURES: Kind::Counter, "steelyard_forwarded_failures_total"
            ["service", "ip", "port", "protocol", "cause"]
            "Connections and flows that this process carried to no endpoint, or not to their end, by cause";
    }
    "Addresses on the LAN" {
        ANNOUNCED: Kind::Gauge, "metallb_speaker_announced"
            ["service", "protocol", "node", "ip"]
            "Addresses of Services that this node announces";
        LAYER2_REQUESTS: Kind::Untyped, "metallb_layer2_requests_received"
            ["ip"] "ARP requests and neighbor solicitations received for the address";
        LAYER2_RESPONSES: Kind::Untyped, "metallb_layer2_responses_sent"
            ["ip"] "Answers to them";
        LAYER2_GRATUITOUS: Kind::Untyped, "metallb_layer2_gratuitous_sent"
            ["ip"] "Unasked announcements of the address, in frames";
        ECHO_REPLIES: Kind::Counter, "steelyard_layer2_echo_replies_total"
            ["ip"] "Pings answered for the address";
        LAYER2_CONFLICTS: Kind::Counter, "steelyard_layer2_conflicts_total"
            ["ip"] "Frames in which another machine claimed the address";
        IGNORED_FRAMES: Kind::Counter, "steelyard_layer2_ignored_frames_total"
            ["reason"] "Frames heard that led to nothing, by reason";
        UNSENT_FRAMES: Kind::Counter, "steelyard_layer2_unsent_frames_total"
            [] "Frames that an interface did not take";
    }
    "Nodes that share addresses" {
        VIP_OWNER: Kind::Gauge, "steelyard_vip_owner"
            ["ip", "node", "interface"]
            "1 for the node that owns the address, as this node knows";
        FAILOVERS: Kind::Counter, "steelyard_failovers_total"
            [] "Addresses taken over from nodes that were not heard any more";
        FAILOVER_TIME: Kind::Summary, "steelyard_failover_seconds"
            [] "From the owner's last heartbeat due to the announcement by this node";
        HEARTBEAT_ROUND_TRIP: Kind::Gauge, "steelyard_heartbeat_rtt_seconds"
            ["peer", "interface"] "Round trip of heartbeats";
        VIP_CONFLICTS: Kind::Counter, "steelyard_vip_conflicts_total"
            [] "Times that a machine which is no member had one of the addresses";
        HEARTBEATS_REFUSED: Kind::Counter, "steelyard_heartbeats_refused_total"
            ["reason"] "Datagrams on the port of heartbeats that were not taken, by reason";
    }
    "Addresses of pools" {
        POOL_ADDRESSES: Kind::Gauge, "metallb_allocator_addresses_total"
            ["pool"] "Addresses of the pool";
        POOL_IPV4: Kind::Gauge, "metallb_allocator_ipv4_addresses_total"
            ["pool"] "Those of IPv4";
        POOL_IPV6: Kind::Gauge, "metallb_allocator_ipv6_addresses_total"
            ["pool"] "Those of IPv6";
        POOL_IN_USE: Kind::Gauge, "metallb_allocator_addresses_in_use_total"
            ["pool"] "Addresses of the pool that Services have, each once";
        POOL_IPV4_IN_USE: Kind::Gauge, "metallb_allocator_ipv4_addresses_in_use_total"
            ["pool"] "Those of IPv4";
        POOL_IPV6_IN_USE: Kind::Gauge, "metallb_allocator_ipv6_addresses_in_use_total"
            ["pool"] "Those of IPv6";
        POOL_SERVICES: Kind::Gauge, "metallb_allocator_services_allocated_total"
            ["pool"] "Services that have an address of the pool";
    }
    "The cluster" {
        CLIENT_UPDATES: Kind::Counter, "metallb_k8s_client_updates_total"
            [] "Writes that the API server took";
        CLIENT_UPDATE_ERRORS: Kind::Counter, "metallb_k8s_client_update_errors_total"
            [] "Writes that it did not take, or did not answer";
        UPDATE_CONFLICTS: Kind::Counter, "steelyard_status_conflicts_total"
            [] "Writes of what had changed since it was decided upon, and was decided anew";
        CONFIG_LOADED: Kind::Gauge, "metallb_k8s_client_config_loaded_bool"
            [] "1 once something was decided by what the cluster says";
        CONFIG_STALE: Kind::Gauge, "metallb_k8s_client_config_stale_bool"
            [] "1 while what is in force is older than what the cluster says";
        LEADER: Kind::Gauge, "steelyard_leader" [] "1 while this replica leads";
        CLUSTER_WATCHES: Kind::Gauge, "steelyard_cluster_watches" ["resource", "standing"]
            "What is read of the API server, by how it stands: followed, awaited, cut_off, refused, absent";
    }
    "Configuration" {
        CONFIG_RELOADS: Kind::Counter, "traefik_config_reloads_total" [] "Config reloads";
        CONFIG_LAST_RELOAD: Kind::Gauge, "traefik_config_last_reload_success"
            [] "Last config reload success";
        FINDINGS: Kind::Gauge, "steelyard_findings"
            ["severity", "code"] "What is found of the configuration now, as `get diagnostics` has it";
        IDLE_ROUTES: Kind::Gauge, "steelyard_routes_serving_nobody"
            ["cause"]
            "Routes that serve nobody, by why: configuration, no_endpoint, no_connection";
        BUILD: Kind::Gauge, "steelyard_build_info" ["version"] "1; the version that runs";
    }
    "The process" {
        PROCESS_CPU: Kind::Counter, "process_cpu_seconds_total"
            [] "Time of processors that was used, by the system for us included";
        PROCESS_MEMORY: Kind::Gauge, "process_resident_memory_bytes" [] "Memory that is in RAM";
        PROCESS_OPEN_FDS: Kind::Gauge, "process_open_fds" [] "File descriptors that are open";
        PROCESS_MAX_FDS: Kind::Gauge, "process_max_fds" [] "File descriptors that may be open";
        PROCESS_START: Kind::Gauge, "process_start_time_seconds"
            [] "When the process was started, in seconds since 1970";
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn is_count(kind: Kind) -> bool {
        matches!(kind, Kind::Counter | Kind::Untyped)
    }

    #[test]
    fn each_name_is_declared_once() {
        let names: BTreeSet<_> = ALL.iter().map(|it| it.name).collect();
        assert_eq!(names.len(), ALL.len());
    }

    /// The rules of `promtool check metrics`.
    #[test]
    fn names_follow_the_conventions() {
        const SCALED: [&str; 7] =
            ["milliseconds", "microseconds", "minutes", "ms", "kilobytes", "megabytes", "percent"];
        const SERIES: [&str; 3] = ["_sum", "_count", "_bucket"];
        for Declaration { name, help, kind, labels, .. } in ALL {
            // Of pools MetalLB has gauges that end like counters.
            // And ingress-nginx has counters that end otherwise.
            let is_theirs = name.starts_with("nginx_ingress_controller_");
            if !name.starts_with("metallb_allocator_") && !is_theirs {
                assert_eq!(*kind == Kind::Counter, name.ends_with("_total"), "{name}");
            }
            assert!(!SERIES.iter().any(|end| name.ends_with(end)), "{name}");
            assert!(name.split('_').all(|word| !SCALED.contains(&word)), "{name}: no base unit");
            let is_word = |it: &str| it.bytes().all(|it| it.is_ascii_lowercase() || it == b'_');
            let words = ["layer2", "ipv4", "ipv6", "k8s"];
            let plain = words.iter().fold(name.to_string(), |name, word| name.replace(word, ""));
            assert!(is_word(&plain), "{name}");
            assert!(labels.iter().all(|it| is_word(it) && !["le", "quantile"].contains(it)));
            assert!(!help.is_empty() && !help.ends_with('.'), "{name}");
            assert!(*kind != Kind::Untyped || name.starts_with("metallb_"), "{name}: not our name");
            assert!(
                is_theirs || !is_count(*kind) || !name.contains("seconds") || name.contains("cpu")
            );
        }
    }

    #[test]
    fn buckets_rise() {
        for it in ALL {
            let Kind::Histogram(bounds) = it.kind else { continue };
            assert!(bounds.is_sorted_by(|a, b| a < b) && bounds.iter().all(|it| it.is_finite()));
        }
    }
}
