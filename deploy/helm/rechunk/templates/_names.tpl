{{/* Names and labels. */}}
{{- define "rechunk.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "rechunk.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "rechunk.name" .) .Release.Name -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name (include "rechunk.name" .) | trunc 40 | trimSuffix "-" }}
{{- end -}}
{{- end }}

{{- define "rechunk.coordinator" -}}
{{ include "rechunk.fullname" . }}-coordinator
{{- end }}

{{- define "rechunk.selector" -}}
app.kubernetes.io/name: {{ include "rechunk.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "rechunk.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "rechunk.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "rechunk.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* The service account of a program: dict "root" . "program" "worker" */}}
{{- define "rechunk.serviceAccount" -}}
{{- $account := (index .root.Values .program).serviceAccount -}}
{{- if $account.create -}}
{{ default (printf "%s-%s" (include "rechunk.fullname" .root) .program) $account.name }}
{{- else -}}
{{ default "default" $account.name }}
{{- end -}}
{{- end }}

{{- define "rechunk.configMap" -}}
{{ default (printf "%s-config" (include "rechunk.fullname" .)) .Values.config.existingConfigMap }}
{{- end }}
