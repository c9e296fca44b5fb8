{{/* The programs' TOML file. Helm's own toToml writes whole numbers as 5000.0, which the programs refuse. */}}
{{- define "rechunk.toml" -}}
{{- if kindIs "map" . -}}
{ {{- range $index, $key := keys . | sortAlpha }}{{ if $index }}, {{ end }}{{ $key }} = {{ include "rechunk.toml" (index $ $key) }}{{ end -}} }
{{- else if kindIs "string" . -}}
{{ toJson . }}
{{- else if kindIs "float64" . -}}
{{- if eq (floor .) . }}{{ int64 . }}{{ else }}{{ . }}{{ end -}}
{{- else -}}
{{ . }}
{{- end -}}
{{- end }}

{{- define "rechunk.config" -}}
{{- range .Values.config.stores }}
[[stores]]
{{- range $key, $value := . }}
{{ $key }} = {{ include "rechunk.toml" $value }}
{{- end }}
{{ end }}
{{- if not (kindIs "invalid" .Values.config.workerHour) }}
[prices]
worker_hour = {{ include "rechunk.toml" .Values.config.workerHour }}
{{ end }}
{{- end }}
