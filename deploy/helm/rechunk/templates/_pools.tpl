{{/* The pools of workers: a JSON object from names to values. Without worker.pools there is one, without a name. */}}
{{- define "rechunk.pools" -}}
{{- $base := omit .Values.worker "pools" "serviceAccount" -}}
{{- $pools := dict -}}
{{- range $name, $own := .Values.worker.pools -}}
{{- $_ := set $pools $name (mustMergeOverwrite (deepCopy $base) $own) -}}
{{- end -}}
{{- if not $pools -}}
{{- $_ := set $pools "" $base -}}
{{- end -}}
{{- range $name, $settings := $pools -}}
{{- include "rechunk.checkPool" (dict "root" $ "name" $name "settings" $settings) -}}
{{- end -}}
{{- toJson $pools -}}
{{- end }}

{{/* The name of a pool's objects: dict "root" . "pool" "spot" */}}
{{- define "rechunk.poolName" -}}
{{ include "rechunk.fullname" .root }}-worker{{ with .pool }}-{{ . }}{{ end }}
{{- end }}

{{- define "rechunk.poolSelector" -}}
{{ include "rechunk.selector" .root }}
app.kubernetes.io/component: worker
{{- with .pool }}
rechunk/pool: {{ . }}
{{- end }}
{{- end }}

{{/* A size in MiB: the schema lets only whole Mi and Gi through. */}}
{{- define "rechunk.mebibytes" -}}
{{- if hasSuffix "Gi" . -}}
{{ mul (trimSuffix "Gi" . | int64) 1024 }}
{{- else -}}
{{ trimSuffix "Mi" . | int64 }}
{{- end -}}
{{- end }}
