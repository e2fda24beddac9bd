{{/* Labels of an object; the argument is a list of the root and the component ("" for none). */}}
{{- define "steelyard.labels" -}}
app.kubernetes.io/name: steelyard
{{- with index . 1 }}
app.kubernetes.io/component: {{ . }}
{{- end }}
app.kubernetes.io/version: {{ (index . 0).Chart.AppVersion | quote }}
{{- end }}

{{/* What selects the pods of a component. */}}
{{- define "steelyard.selector" -}}
app.kubernetes.io/name: steelyard
app.kubernetes.io/component: {{ . }}
{{- end }}

{{/* Annotations of the pods of a component: a list of the root and its values. */}}
{{- define "steelyard.annotations" -}}
{{- $annotations := dict }}
{{- if (index . 0).Values.metrics.scrapeAnnotations }}
{{- $annotations = dict "prometheus.io/scrape" "true" "prometheus.io/port" "9180" "prometheus.io/path" "/metrics" }}
{{- end }}
{{- with merge (dict) (index . 1).podAnnotations $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "steelyard.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{/* What each role is told: a list of the root, the role, its values, and, where it has some, options
that follow from these. */}}
{{- define "steelyard.container" -}}
{{- $root := index . 0 -}}
name: {{ index . 1 }}
image: {{ include "steelyard.image" $root | quote }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
args:
  - {{ index . 1 }}
  - --namespace=$(POD_NAMESPACE)
  - --node-name=$(NODE_NAME)
  - --admin=0.0.0.0:9180
  - --log-format=json
  - --log-level={{ $root.Values.logLevel }}
  {{- if $root.Values.shadow }}
  - --shadow
  {{- end }}
  {{- with $root.Values.loadBalancerClass }}
  - --lb-class={{ . }}
  {{- end }}
  {{- if $root.Values.admin.tokenSecret }}
  - --admin-token-file=/admin/token
  {{- end }}
  {{- with rest (rest (rest .)) }}
  {{- range first . }}
  - {{ . }}
  {{- end }}
  {{- end }}
  {{- with (index . 2).extraArgs }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
env:
  {{- range $name, $path := dict "NODE_NAME" "spec.nodeName" "POD_NAME" "metadata.name" "POD_NAMESPACE" "metadata.namespace" "POD_UID" "metadata.uid" }}
  - name: {{ $name }}
    valueFrom:
      fieldRef:
        apiVersion: v1
        fieldPath: {{ $path }}
  {{- end }}
startupProbe:
  httpGet: {path: /healthz, port: admin, scheme: HTTP}
  periodSeconds: 1
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /healthz, port: admin, scheme: HTTP}
  periodSeconds: 10
  timeoutSeconds: 5
readinessProbe:
  httpGet: {path: /readyz, port: admin, scheme: HTTP}
  periodSeconds: 2
  timeoutSeconds: 2
{{- with (index . 2).resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Where the token of the admin API is, in a container and in its pod. */}}
{{- define "steelyard.tokenMount" -}}
- {name: admin-token, mountPath: /admin, readOnly: true}
{{- end }}
{{- define "steelyard.tokenVolume" -}}
- name: admin-token
  secret: {secretName: {{ .Values.admin.tokenSecret }}, items: [{key: token, path: token}]}
{{- end }}

{{/* What a container that needs nothing of its node may do. */}}
{{- define "steelyard.restricted" -}}
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
readOnlyRootFilesystem: true
{{- end }}

{{/* Where pods of a role run: its values. */}}
{{- define "steelyard.placement" -}}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{- define "steelyard.pullSecrets" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* "yes" where speakers open the gateway's listeners at its addresses, and lend them to it. */}}
{{- define "steelyard.lends" -}}
{{- if and (eq .Values.speaker.carrier "direct") .Values.gateway.enabled (eq .Values.gateway.service.type "LoadBalancer") }}yes{{ end }}
{{- end }}

{{/* Where they meet: a folder of the node, since listeners are lent from pod to pod. */}}
{{- define "steelyard.listenersVolume" -}}
- name: listeners
  hostPath: {path: /run/steelyard, type: DirectoryOrCreate}
{{- end }}
