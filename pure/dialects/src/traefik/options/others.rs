//! Options of the API, of transports, and of what is left.

use super::Form::{Below, List, Number, Switch, Text, Time, Word};
use super::OptionFate::{Cosmetic, Differs, Later, Reads, Refused};
use super::{StaticOption, rows};

const AT_HOME: &str = "nothing here phones home";
const CERTIFICATES: &str = "nobody is asked for certificates: those of Secrets and files are shown";
const OLDEST: &str = "TLS 1.2 is the lowest";
const SUITES: &str = "without those of CBC and RSA key exchange, which are refused";
const KEPT: &str = "of HTTP/1; 0, and what is not said, is as the program has it";
const HALF: &str =
    "where nothing is said, one side may be open for an hour after the other is closed";
const ALIVE: &str =
    "where nothing is said, after three minutes and then every 15 s; it is not turned off";
const VERSIONS: &[&str] = &["VersionTLS10", "VersionTLS11", "VersionTLS12", "VersionTLS13"];
const WHERE_UNSAID: &str = "0, and what is not said, is as the program has it";
const IDLE: &str =
    "connections that are idle for longer are not used; none is kept for more than 90 s";
const BELIEVED: &str = "it restricts whom to believe, and is not honoured";
const CNAME: &str = "hosts are compared as they are asked for";

pub(super) const ROWS: &[StaticOption] = rows! {
    "api" Switch, "false", Reads;
    "api.basePath" Text, "/", Reads;
    "api.dashboard" Switch, "true", Reads;
    "api.dashboardName" Text, "", Cosmetic("the page has a name of its own");
    "api.debug" Switch, "false", Later("nothing is shown for debugging");
    "api.disableDashboardAd" Switch, "false", Cosmetic("there is none");
    "api.insecure" Switch, "false", Reads;
    "ping" Switch, "false", Reads;
    "ping.entryPoint" Text, "traefik", Reads;
    "ping.manualRouting" Switch, "false", Reads;
    "ping.terminatingStatusCode" Number, "503", Reads;
    "certificatesResolvers.*.**" Below, "", Later(CERTIFICATES);
    "configFile" Text, "", Reads;
    "core.defaultRuleSyntax" Word(&["v3", "v2"]), "v3", Reads;
    "experimental.**" Below, "", Later("there are no plugins, and one way to speak to servers");
    "global.checkNewVersion" Switch, "true", Cosmetic(AT_HOME);
    "global.notAppendXForwardedFor" Switch, "false", Reads;
    "global.sendAnonymousUsage" Switch, "false", Cosmetic(AT_HOME);
    "hostResolver.cnameFlattening" Switch, "false", Later(CNAME);
    "hostResolver.resolvConfig" Text, "/etc/resolv.conf", Later(CNAME);
    "hostResolver.resolvDepth" Number, "5", Later(CNAME);
    "hub.**" Below, "", Later("there is no hub");
    "ocsp" Below, "", Cosmetic("responders that certificates name are asked in any case");
    "ocsp.responderOverrides.*" Text, "", Later("responders that certificates name are asked");
    "spiffe.workloadAPIAddr" Text, "", Later("nobody is known by SPIFFE");
    "serversTransport.cipherSuites" List, "", Differs(SUITES);
    "serversTransport.disableHTTP2" Switch, "false", Reads;
    "serversTransport.forwardingTimeouts.dialTimeout" Time, "30s", Differs(WHERE_UNSAID);
    "serversTransport.forwardingTimeouts.idleConnTimeout" Time, "90s", Differs(IDLE);
    "serversTransport.forwardingTimeouts.pingTimeout" Time, "15s", Reads;
    "serversTransport.forwardingTimeouts.readIdleTimeout" Time, "0", Reads;
    "serversTransport.forwardingTimeouts.responseHeaderTimeout" Time, "0", Differs(WHERE_UNSAID);
    "serversTransport.insecureSkipVerify" Switch, "false", Reads;
    "serversTransport.maxIdleConnsPerHost" Number, "200", Differs(KEPT);
    "serversTransport.maxVersion" Word(VERSIONS), "", Differs(OLDEST);
    "serversTransport.minVersion" Word(VERSIONS), "", Differs(OLDEST);
    "serversTransport.peerCertURI" Text, "", Refused(BELIEVED);
    "serversTransport.rootCAs" List, "", Reads;
    "serversTransport.serverName" Text, "", Reads;
    "serversTransport.spiffe.**" Below, "", Refused(BELIEVED);
    "tcpServersTransport.dialKeepAlive" Time, "15s", Differs(ALIVE);
    "tcpServersTransport.dialTimeout" Time, "30s", Differs(WHERE_UNSAID);
    "tcpServersTransport.terminationDelay" Time, "0", Differs(HALF);
    "tcpServersTransport.tls.insecureSkipVerify" Switch, "false", Reads;
    "tcpServersTransport.tls.peerCertURI" Text, "", Refused(BELIEVED);
    "tcpServersTransport.tls.rootCAs" List, "", Reads;
    "tcpServersTransport.tls.serverName" Text, "", Reads;
    "tcpServersTransport.tls.spiffe.**" Below, "", Refused(BELIEVED);
};
