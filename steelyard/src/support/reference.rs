//! That nothing of Traefik 3.7 is forgotten: names from its reference (kinds' fields, files,
//! options, matchers, paths), each of which a table has.

use super::{SupportTable, TABLES};

/// Tables by how their title begins, and what they have: `a.{b,c}` is `a.b` and `a.c`.
const NAMES: &[(&str, &[&str])] = &[
    (
        "IngressRoute",
        &[
            "spec.{entryPoints,ingressClassName}",
            "spec.parentRefs[].{name,namespace}",
            "spec.routes[].{kind,match,priority,syntax}",
            "spec.routes[].middlewares[].{name,namespace}",
            "spec.routes[].observability.{accessLogs,metrics,traceVerbosity,tracing}",
            "spec.routes[].services[].{SERVICE}",
            "spec.tls.{certResolver,domains,options,secretName,store}",
        ],
    ),
    (
        "IngressRouteTCP",
        &[
            "spec.{entryPoints,ingressClassName}",
            "spec.routes[].{match,priority,syntax}",
            "spec.routes[].middlewares[].{name,namespace}",
            "spec.routes[].services[].{name,namespace,nativeLB,nodePortLB,port,proxyProtocol}",
            "spec.routes[].services[].{serversTransport,terminationDelay,tls,weight}",
            "spec.tls.{certResolver,domains,options,passthrough,secretName,store}",
        ],
    ),
    (
        "IngressRouteUDP",
        &[
            "spec.{entryPoints,ingressClassName}",
            "spec.routes[].services[].{name,namespace,nativeLB,nodePortLB,port,weight}",
        ],
    ),
    (
        "TraefikService",
        &[
            "spec.weighted.services[].{SERVICE}",
            "spec.weighted.sticky",
            "spec.mirroring.{SERVICE}",
            "spec.mirroring.{maxBodySize,mirrorBody}",
            "spec.mirroring.mirrors[].{SERVICE}",
            "spec.mirroring.mirrors[].percent",
            "spec.highestRandomWeight.services[].{SERVICE}",
            "spec.failover.{service,fallback}.{SERVICE}",
            "spec.failover.errors.{maxRequestBodyBytes,status}",
        ],
    ),
    (
        "ServersTransport",
        &[
            "spec.{certificatesSecrets,cipherSuites,disableHTTP2,insecureSkipVerify,maxVersion}",
            "spec.{maxIdleConnsPerHost,minVersion,peerCertURI,rootCAs,rootCAsSecrets,serverName}",
            "spec.spiffe",
            "spec.forwardingTimeouts.{dialTimeout,idleConnTimeout,pingTimeout,readIdleTimeout}",
            "spec.forwardingTimeouts.responseHeaderTimeout",
        ],
    ),
    (
        "ServersTransportTCP",
        &[
            "spec.{dialKeepAlive,dialTimeout,proxyProtocol,terminationDelay}",
            "spec.tls.{certificatesSecrets,insecureSkipVerify,peerCertURI,rootCAs,serverName}",
            "spec.tls.{rootCAsSecrets,spiffe}",
        ],
    ),
    (
        "TLSOption",
        &[
            "spec.{alpnProtocols,cipherSuites,curvePreferences,disableSessionTickets,maxVersion}",
            "spec.{minVersion,preferServerCipherSuites,sniStrict}",
            "spec.clientAuth.{clientAuthType,secretNames}",
        ],
    ),
    ("TLSStore", &["spec.{certificates,defaultCertificate,defaultGeneratedCert}"]),
    ("MiddlewareTCP", &["spec.inFlightConn.amount", "spec.{ipAllowList,ipWhiteList}.sourceRange"]),
    (
        "Middleware",
        &[
            "spec.{addPrefix.prefix,chain.middlewares,contentType.autoDetect,grpcWeb.allowOrigins}",
            "spec.{basicAuth,digestAuth}.{headerField,realm,removeHeader,secret}",
            "spec.buffering.{maxRequestBodyBytes,maxResponseBodyBytes,memRequestBodyBytes}",
            "spec.buffering.{memResponseBodyBytes,retryExpression}",
            "spec.circuitBreaker.{checkPeriod,expression,fallbackDuration,recoveryDuration}",
            "spec.circuitBreaker.responseCode",
            "spec.compress.{defaultEncoding,encodings,excludedContentTypes,includedContentTypes}",
            "spec.compress.minResponseBodyBytes",
            "spec.encodedCharacters.{allowEncodedBackSlash,allowEncodedHash,allowEncodedPercent}",
            "spec.encodedCharacters.{allowEncodedNullCharacter,allowEncodedQuestionMark}",
            "spec.encodedCharacters.{allowEncodedSemicolon,allowEncodedSlash}",
            "spec.errors.{errorRequestHeaders,query,service,status,statusRewrites}",
            "spec.forwardAuth.{addAuthCookiesToResponse,address,authRequestHeaders,authSigninURL}",
            "spec.forwardAuth.{authResponseHeaders,authResponseHeadersRegex,forwardBody,tls}",
            "spec.forwardAuth.{headerField,maxBodySize,maxResponseBodySize,trustForwardHeader}",
            "spec.forwardAuth.{preserveLocationHeader,preserveRequestMethod}",
            "spec.headers.{accessControlAllowCredentials,accessControlAllowHeaders,allowedHosts}",
            "spec.headers.{accessControlAllowMethods,accessControlAllowOriginList,frameDeny}",
            "spec.headers.{accessControlAllowOriginListRegex,accessControlExposeHeaders}",
            "spec.headers.{accessControlMaxAge,addVaryHeader,browserXssFilter,publicKey}",
            "spec.headers.{contentSecurityPolicy,contentSecurityPolicyReportOnly,isDevelopment}",
            "spec.headers.{contentTypeNosniff,customBrowserXSSValue,customFrameOptionsValue}",
            "spec.headers.{customRequestHeaders,customResponseHeaders,featurePolicy}",
            "spec.headers.{forceSTSHeader,hostsProxyHeaders,permissionsPolicy,referrerPolicy}",
            "spec.headers.{sslForceHost,sslHost,sslProxyHeaders,sslRedirect,sslTemporaryRedirect}",
            "spec.headers.{stsIncludeSubdomains,stsPreload,stsSeconds}",
            "spec.inFlightReq.{amount,sourceCriterion}",
            "spec.ipAllowList.{ipStrategy,rejectStatusCode,sourceRange}",
            "spec.ipWhiteList.{ipStrategy,sourceRange}",
            "spec.passTLSClientCert.{info,pem}",
            "spec.plugin",
            "spec.rateLimit.{average,burst,period,redis,sourceCriterion}",
            "spec.redirectRegex.{permanent,regex,replacement}",
            "spec.redirectScheme.{permanent,port,scheme}",
            "spec.{replacePath.path,replacePathRegex.regex,replacePathRegex.replacement}",
            "spec.retry.{attempts,disableRetryOnNetworkError,initialInterval,maxRequestBodyBytes}",
            "spec.retry.{retryNonIdempotentMethod,status,timeout}",
            "spec.{stripPrefix.forceSlash,stripPrefix.prefixes,stripPrefixRegex.regex}",
        ],
    ),
    (
        "Dynamic configuration in files",
        &[
            "http.routers.*.{entryPoints,middlewares,parentRefs,priority,rule,ruleSyntax,service}",
            "http.routers.*.tls.{certResolver,domains,options}",
            "http.routers.*.observability.{accessLogs,metrics,traceVerbosity,tracing}",
            "http.services.*.loadBalancer.{passHostHeader,responseForwarding,serversTransport}",
            "http.services.*.loadBalancer.{passiveHealthCheck,sticky,strategy}",
            "http.services.*.loadBalancer.servers[].{preservePath,url,weight}",
            "http.services.*.loadBalancer.healthCheck.{followRedirects,headers,hostname,interval}",
            "http.services.*.loadBalancer.healthCheck.{method,mode,path,port,scheme,status,timeout}",
            "http.services.*.loadBalancer.healthCheck.unhealthyInterval",
            "http.services.*.{weighted,mirroring,failover,highestRandomWeight}",
            "http.services.*.middlewares",
            "http.{middlewares,serversTransports}.*",
            "tcp.{middlewares,routers,serversTransports,services}.*",
            "udp.{routers,services}.*",
            "tls.certificates[].{certFile,keyFile,stores}",
            "tls.options.*.{alpnProtocols,cipherSuites,clientAuth,curvePreferences,maxVersion}",
            "tls.options.*.{disableSessionTickets,minVersion,preferServerCipherSuites,sniStrict}",
            "tls.stores.*.{defaultCertificate,defaultGeneratedCert}",
        ],
    ),
    (
        "Matchers of requests",
        &[
            "{ClientIP,Header,HeaderRegexp,Host,HostRegexp,Method,Path,PathPrefix,PathRegexp}",
            "{Query,QueryRegexp}",
        ],
    ),
    ("Matchers of connections", &["{ALPN,ClientIP,HostSNI,HostSNIRegexp}"]),
    (
        "Matchers of requests, version 2",
        &[
            "{ClientIP,Headers,HeadersRegexp,Host,HostHeader,HostRegexp,Method,Path,PathPrefix}",
            "Query",
        ],
    ),
    ("Matchers of connections, version 2", &["{ALPN,ClientIP,HostSNI,HostSNIRegexp}"]),
    (
        "Static options: entry points",
        &[
            "entryPoints.*.{address,allowACMEByPass,asDefault,reusePort}",
            "entryPoints.*.forwardedHeaders.{addXForwardedSchemeHeaders,connection,insecure}",
            "entryPoints.*.forwardedHeaders.{notAppendXForwardedFor,trustedIPs}",
            "entryPoints.*.http.{encodeQuerySemicolons,maxHeaderBytes,middlewares,sanitizePath}",
            "entryPoints.*.http.{encodedCharacters,tls,underscoreHeadersStrategy}",
            "entryPoints.*.http.redirections.entryPoint.{permanent,priority,scheme,to}",
            "entryPoints.*.http.tls.{certResolver,domains,options}",
            "entryPoints.*.http2.{maxConcurrentStreams,maxDecoderHeaderTableSize}",
            "entryPoints.*.http2.maxEncoderHeaderTableSize",
            "entryPoints.*.http3.advertisedPort",
            "entryPoints.*.observability.{accessLogs,metrics,traceVerbosity,tracing}",
            "entryPoints.*.proxyProtocol.{insecure,trustedIPs}",
            "entryPoints.*.transport.{keepAliveMaxRequests,keepAliveMaxTime}",
            "entryPoints.*.transport.lifeCycle.{graceTimeOut,requestAcceptGraceTimeout}",
            "entryPoints.*.transport.respondingTimeouts.{idleTimeout,readTimeout,writeTimeout}",
            "entryPoints.*.udp.timeout",
        ],
    ),
    (
        "Static options: providers",
        &[
            "providers.{precedence,providersThrottleDuration}",
            "providers.file.{debugLogGeneratedTemplate,directory,filename,watch}",
            "providers.kubernetesCRD.{allowCrossNamespace,allowEmptyServices,certAuthFilePath}",
            "providers.kubernetesCRD.{allowExternalNameServices,crossProviderNamespaces,token}",
            "providers.kubernetesCRD.{disableClusterScopeResources,endpoint,ingressClass}",
            "providers.kubernetesCRD.{labelSelector,namespaces,nativeLBByDefault}",
            "providers.kubernetesCRD.throttleDuration",
            "providers.kubernetesIngress.{allowEmptyServices,allowExternalNameServices}",
            "providers.kubernetesIngress.{crossProviderNamespaces,disableClusterScopeResources}",
            "providers.kubernetesIngress.{disableIngressClassLookup,ingressClass,labelSelector}",
            "providers.kubernetesIngress.ingressEndpoint.{hostname,ip,publishedService}",
            "providers.kubernetesIngress.{namespaces,nativeLBByDefault,reportNodeInternalIPs}",
            "providers.kubernetesIngress.{strictPrefixMatching,throttleDuration}",
            "providers.{kubernetesIngressNGINX,kubernetesGateway}.x",
            "providers.{swarm,docker,redis,knative,consul,consulCatalog,nomad,etcd,ecs,http}.x",
            "providers.{rest,zooKeeper,plugin}.x",
        ],
    ),
    (
        "Static options: what is told",
        &[
            "accessLog.{addInternals,bufferingSize,dualOutput,filePath,format,otlp.x}",
            "accessLog.filters.{minDuration,retryAttempts,statusCodes}",
            "accessLog.fields.{defaultMode,headers,names,queryParameters}",
            "metrics.{addInternals,datadog.x,influxDB2.x,otlp.x,statsD.x}",
            "metrics.prometheus.{addEntryPointsLabels,addRoutersLabels,addServicesLabels,buckets}",
            "metrics.prometheus.{entryPoint,headerLabels,manualRouting}",
            "tracing.{addInternals,capturedRequestHeaders,capturedResponseHeaders,sampleRate}",
            "tracing.{otlp.grpc.x,otlp.http.endpoint,otlp.http.headers,otlp.http.tls.x}",
            "tracing.{resourceAttributes,safeQueryParams,serviceName}",
            "log.{compress,filePath,format,level,maxAge,maxBackups,maxSize,noColor,otlp.x}",
        ],
    ),
    (
        "Static options: everything else",
        &[
            "api.{basePath,dashboard,dashboardName,debug,disableDashboardAd,insecure}",
            "certificatesResolvers.*.x",
            "core.defaultRuleSyntax",
            "experimental.x",
            "global.{checkNewVersion,notAppendXForwardedFor,sendAnonymousUsage}",
            "hostResolver.{cnameFlattening,resolvConfig,resolvDepth}",
            "ocsp.responderOverrides",
            "ping.{entryPoint,manualRouting,terminatingStatusCode}",
            "serversTransport.{insecureSkipVerify,maxIdleConnsPerHost,rootCAs,spiffe.x}",
            "serversTransport.forwardingTimeouts.{dialTimeout,idleConnTimeout}",
            "serversTransport.forwardingTimeouts.responseHeaderTimeout",
            "spiffe.workloadAPIAddr",
            "tcpServersTransport.{dialKeepAlive,dialTimeout,terminationDelay}",
            "tcpServersTransport.tls.{insecureSkipVerify,rootCAs,spiffe.x}",
        ],
    ),
    (
        "Paths of the API",
        &[
            "/api/{rawdata,overview,version,entrypoints,entrypoints/NAME,support-dump}",
            "/api/{certificates,certificates/NAME,providers/rest}",
            "/api/{http,tcp}/{routers,services,middlewares}",
            "/api/{http,tcp}/{routers,services,middlewares}/NAME",
            "/api/udp/{routers,services}",
            "/api/udp/{routers,services}/NAME",
            "/debug/{pprof,vars}",
            "/ping",
            "{page,per_page,search,status,serviceName,middlewareName,sortBy,direction}",
        ],
    ),
    (
        "Services of the program itself",
        &["{acme-http,api,dashboard,noop,ping,prometheus,rest}@internal"],
    ),
];

/// What is in it wherever Traefik's kinds name a service.
const SERVICE: &str = "kind,name,namespace,passHostHeader,port,scheme,strategy,weight,nativeLB,\
                       nodePortLB,middlewares,responseForwarding.flushInterval,serversTransport,\
                       sticky.cookie,healthCheck.{followRedirects,headers,hostname,interval,method,\
                       mode,path,port,scheme,status,timeout,unhealthyInterval},\
                       passiveHealthCheck.{failureWindow,maxFailedAttempts}";

#[test]
fn nothing_is_forgotten() {
    let tables: Vec<SupportTable> = TABLES.iter().flat_map(|tables| tables()).collect();
    let mut forgotten = Vec::new();
    for (title, patterns) in NAMES {
        let table = tables.iter().find(|it| it.title == *title);
        let rows = &table.unwrap_or_else(|| panic!("no table {title}")).rows;
        for name in patterns.iter().flat_map(|it| expanded(&it.replace("SERVICE", SERVICE))) {
            if !rows.iter().any(|row| is_said_by(&row.name, &name)) {
                forgotten.push(format!("{title}: {name}"));
            }
        }
    }
    assert!(forgotten.is_empty(), "{}", forgotten.join("\n"));
    assert_eq!(expanded("a.{b,c.{d,e}}.f"), ["a.b.f", "a.c.d.f", "a.c.e.f"]);
    assert!(!is_said_by("spec.routes", "spec.routesx") && is_said_by("spec.**", "spec.a"));
}

/// Whether a row is of a field, of all that is below it, or of what it is in.
fn is_said_by(row: &str, name: &str) -> bool {
    let row = row.trim_end_matches(".**");
    let goes_on = |whole: &str, part: &str| {
        whole.strip_prefix(part).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    goes_on(row, name) || goes_on(name, row)
}

/// `a.{b,c}` → `a.b`, `a.c`.
fn expanded(pattern: &str) -> Vec<String> {
    let Some(open) = pattern.find('{') else { return vec![pattern.to_owned()] };
    let (mut depth, mut parts, mut from) = (0, Vec::new(), open + 1);
    for (at, letter) in pattern.char_indices().skip_while(|(at, _)| *at < open) {
        match letter {
            '{' => depth += 1,
            '}' if depth == 1 => {
                parts.push(&pattern[from..at]);
                let (before, after) = (&pattern[..open], &pattern[at + 1..]);
                let each = parts.iter().map(|part| format!("{before}{part}{after}"));
                return each.flat_map(|it| expanded(&it)).collect();
            }
            '}' => depth -= 1,
            ',' if depth == 1 => {
                parts.push(&pattern[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    panic!("{pattern} does not end")
}
