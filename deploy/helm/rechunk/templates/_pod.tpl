{{/* What the pods of both programs have in common. Each takes: dict "root" . "program" "worker" "settings" <its values> */}}

{{- define "rechunk.podMetadata" -}}
annotations:
  {{- if not .root.Values.config.existingConfigMap }}
  checksum/config: {{ include "rechunk.config" .root | sha256sum }}
  {{- end }}
  kubectl.kubernetes.io/default-container: {{ .program }}
  {{- with .settings.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
labels:
  {{- include "rechunk.selector" .root | nindent 2 }}
  app.kubernetes.io/component: {{ .program }}
  {{- with .pool }}
  rechunk/pool: {{ . }}
  {{- end }}
  {{- with .settings.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "rechunk.podSpec" -}}
serviceAccountName: {{ include "rechunk.serviceAccount" . }}
automountServiceAccountToken: false
# Else a service that begins with rechunk- would set variables that look like the programs' own.
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml .root.Values.podSecurityContext | nindent 2 }}
{{- with .settings.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .settings.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .settings.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .settings.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "rechunk.containerCommon" -}}
image: {{ include "rechunk.image" .root | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  {{- toYaml .root.Values.securityContext | nindent 2 }}
{{- $secret := .root.Values.credentials.existingSecret }}
{{- if or $secret .settings.extraEnvFrom }}
envFrom:
  {{- with $secret }}
  - secretRef:
      name: {{ . }}
  {{- end }}
  {{- with .settings.extraEnvFrom }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Variables of either program; a program's own come before. */}}
{{- define "rechunk.env" -}}
- name: RECHUNK_LOG_FORMAT
  value: {{ .root.Values.logFormat }}
{{- with .root.Values.traces }}
{{- if .endpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ .endpoint | quote }}
- name: OTEL_TRACES_SAMPLER
  value: traceidratio
- name: OTEL_TRACES_SAMPLER_ARG
  value: {{ .share | quote }}
{{- end }}
{{- end }}
{{- with .settings.log }}
- name: RUST_LOG
  value: {{ . | quote }}
{{- end }}
{{- with .settings.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Both programs say how they are: alive whatever others do; ready once the coordinator reigns, while it answers a worker. */}}
{{- define "rechunk.probes" -}}
livenessProbe:
  httpGet:
    path: /livez
    port: http
  periodSeconds: 10
  timeoutSeconds: 10
  failureThreshold: 6
readinessProbe:
  httpGet:
    path: /readyz
    port: http
  periodSeconds: 5
  timeoutSeconds: 5
{{- end }}

{{/* The Secrets of a program: a list of name, Secret, its keys and where they are. */}}
{{- define "rechunk.secrets" -}}
{{- $tls := .root.Values.tls -}}
{{- $tokens := .root.Values.tokens -}}
{{- $secrets := list -}}
{{- if eq .program "coordinator" -}}
{{- $secrets = append $secrets (dict "name" "tls" "secret" $tls.existingSecret "keys" (list "tls.crt" "tls.key")) -}}
{{- $secrets = append $secrets (dict "name" "worker-ca" "secret" $tls.workersSecret "keys" (list "ca.crt")) -}}
{{- $secrets = append $secrets (dict "name" "user-tokens" "secret" $tokens.usersSecret "keys" (list "tokens")) -}}
{{- $secrets = append $secrets (dict "name" "worker-tokens" "secret" $tokens.workersSecret "keys" (list "tokens")) -}}
{{- else -}}
{{- $secrets = append $secrets (dict "name" "ca" "secret" $tls.existingSecret "keys" (list "ca.crt")) -}}
{{- $secrets = append $secrets (dict "name" "tls" "secret" $tls.workersSecret "keys" (list "tls.crt" "tls.key")) -}}
{{- $secrets = append $secrets (dict "name" "token" "secret" $tokens.workersSecret "keys" (list "token")) -}}
{{- end -}}
{{- $named := list -}}
{{- range $secrets -}}
{{- if .secret -}}
{{- $named = append $named . -}}
{{- end -}}
{{- end -}}
{{- toJson $named -}}
{{- end }}

{{- define "rechunk.volumeMounts" -}}
- name: config
  mountPath: /etc/rechunk
  readOnly: true
{{- range include "rechunk.secrets" . | fromJsonArray }}
- name: {{ .name }}
  mountPath: /etc/rechunk-{{ .name }}
  readOnly: true
{{- end }}
{{- with .settings.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "rechunk.volumes" -}}
- name: config
  configMap:
    name: {{ include "rechunk.configMap" .root }}
{{- range include "rechunk.secrets" . | fromJsonArray }}
- name: {{ .name }}
  secret:
    secretName: {{ .secret }}
    defaultMode: 0440
    items:
      {{- range .keys }}
      - key: {{ . }}
        path: {{ . }}
      {{- end }}
{{- end }}
{{- with .settings.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}
