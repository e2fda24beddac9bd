//! Options of the access log, metrics, traces and logs.

use super::Form::{Below, List, Number, Switch, Text, Word};
use super::OptionFate::{Cosmetic, Differs, Later, Reads};
use super::{StaticOption, rows};

const PUSHED: &str = "metrics are not sent: they are at /metrics of the admin interface";
const TRACED: &str = "tracing.otlp.http.endpoint says whether requests are traced";
const HEADER_LABELS: &str = "as clients send them, and of counts of requests alone; 256 sets of values \
     are told apart, and all more are `other`";
const STDERR: &str = "logs go to standard error";
const SHOWN: &[&str] = &["keep", "drop", "redact"];

pub(super) const ROWS: &[StaticOption] = rows! {
    "accessLog" Switch, "false", Reads;
    "accessLog.addInternals" Switch, "false", Reads;
    "accessLog.bufferingSize" Text, "0", Reads;
    "accessLog.dualOutput" Switch, "false", Later("there is one output");
    "accessLog.fields.defaultMode" Text, "keep", Reads;
    "accessLog.fields.headers.defaultMode" Text, "drop", Reads;
    "accessLog.fields.headers.names.*" Text, "", Reads;
    "accessLog.fields.names.*" Text, "", Reads;
    "accessLog.fields.queryParameters.defaultMode" Word(SHOWN), "keep", Reads;
    "accessLog.fields.queryParameters.names.*" Word(SHOWN), "", Reads;
    "accessLog.filePath" Text, "", Reads;
    "accessLog.filters.minDuration" Text, "0", Reads;
    "accessLog.filters.retryAttempts" Switch, "false", Reads;
    "accessLog.filters.statusCodes" List, "", Reads;
    "accessLog.format" Text, "common", Reads;
    "accessLog.otlp.**" Below, "", Later("lines are written, not sent");
    "metrics.addInternals" Switch, "false", Reads;
    "metrics.datadog.**" Below, "", Later(PUSHED);
    "metrics.influxDB2.**" Below, "", Later(PUSHED);
    "metrics.otlp.**" Below, "", Later(PUSHED);
    "metrics.prometheus" Switch, "false", Reads;
    "metrics.prometheus.addEntryPointsLabels" Switch, "true", Reads;
    "metrics.prometheus.addRoutersLabels" Switch, "false", Reads;
    "metrics.prometheus.addServicesLabels" Switch, "true", Reads;
    "metrics.prometheus.buckets" Text, "0.1,0.3,1.2,5", Reads;
    "metrics.prometheus.entryPoint" Text, "traefik", Reads;
    "metrics.prometheus.headerLabels.*" Text, "", Differs(HEADER_LABELS);
    "metrics.prometheus.manualRouting" Switch, "false", Reads;
    "metrics.statsD.**" Below, "", Later(PUSHED);
    "tracing" Switch, "false", Cosmetic(TRACED);
    "tracing.addInternals" Switch, "false", Reads;
    "tracing.capturedRequestHeaders" List, "", Differs("as clients send them");
    "tracing.capturedResponseHeaders" List, "", Differs("as clients get them");
    "tracing.globalAttributes.*" Text, "", Reads;
    "tracing.otlp" Below, "", Cosmetic(TRACED);
    "tracing.otlp.grpc.**" Below, "",
        Later("collectors are spoken to by HTTP alone (tracing.otlp.http.endpoint)");
    "tracing.otlp.http" Below, "", Cosmetic(TRACED);
    "tracing.otlp.http.endpoint" Text, "", Reads;
    "tracing.otlp.http.headers.*" Text, "", Reads;
    "tracing.otlp.http.tls.**" Below, "", Later("whom the machine believes is believed");
    "tracing.resourceAttributes.*" Text, "", Reads;
    "tracing.safeQueryParams" List, "",
        Differs("queries are told of only where some are named, in `url.query`");
    "tracing.sampleRate" Text, "1", Reads;
    "tracing.serviceName" Text, "traefik", Reads;
    "log.compress" Switch, "false", Later(STDERR);
    "log.filePath" Text, "", Later(STDERR);
    "log.format" Word(&["common", "json"]), "common",
        Differs("`--log-format` goes before it, and lines are the program's own");
    "log.level" Word(&["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", "PANIC"]), "ERROR",
        Differs("`--log-level` goes before it, and without either it is `INFO`");
    "log.maxAge" Number, "0", Later(STDERR);
    "log.maxBackups" Number, "0", Later(STDERR);
    "log.maxSize" Number, "0", Later(STDERR);
    "log.noColor" Switch, "false", Cosmetic("colours are for terminals alone");
    "log.otlp.**" Below, "", Later(STDERR);
};
