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
{{- with .settings.log }}
- name: RUST_LOG
  value: {{ . | quote }}
{{- end }}
{{- with .settings.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "rechunk.volumeMounts" -}}
- name: config
  mountPath: /etc/rechunk
  readOnly: true
{{- with .settings.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "rechunk.volumes" -}}
- name: config
  configMap:
    name: {{ include "rechunk.configMap" .root }}
{{- with .settings.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}
