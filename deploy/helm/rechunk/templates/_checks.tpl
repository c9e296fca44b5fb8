{{/* What the schema cannot say: values that contradict each other are refused with a sentence. */}}
{{- define "rechunk.checks" -}}
{{- $coordinator := .Values.coordinator -}}
{{- if not $coordinator.journal -}}
{{- fail "coordinator.journal is not set: say where jobs are recorded, as s3://bucket/rechunk-journal" -}}
{{- end -}}
{{- if and (eq $coordinator.journal "memory:") (gt (int $coordinator.replicas) 1) -}}
{{- fail "coordinator.journal is memory:, so coordinator.replicas must be 1: a second one could not know the jobs" -}}
{{- end -}}
{{- $accounts := list -}}
{{- range $program := list "coordinator" "worker" -}}
{{- if (index $.Values $program).serviceAccount.create -}}
{{- $accounts = append $accounts (include "rechunk.serviceAccount" (dict "root" $ "program" $program)) -}}
{{- end -}}
{{- end -}}
{{- if ne (len $accounts) (len (uniq $accounts)) -}}
{{- fail "coordinator and worker would both make one service account: set serviceAccount.create to false in one of them" -}}
{{- end -}}
{{- if and .Values.config.existingConfigMap .Values.config.stores -}}
{{- fail "config.existingConfigMap and config.stores are both set: the first replaces the second" -}}
{{- end -}}
{{- if and .Values.tls.workersSecret (not .Values.tls.existingSecret) -}}
{{- fail "tls.workersSecret is set and tls.existingSecret is not: without a certificate of the coordinator nobody shows one" -}}
{{- end -}}
{{- if and (or .Values.tokens.usersSecret .Values.tokens.workersSecret) (not .Values.tls.existingSecret) -}}
{{- fail "tokens are asked for and tls.existingSecret is not set: a token is sent encrypted only" -}}
{{- end -}}
{{- if eq (int $coordinator.service.port) (int $coordinator.service.workersPort) -}}
{{- fail "coordinator.service.port and coordinator.service.workersPort are the same: users and workers have a port each" -}}
{{- end -}}
{{- if has (int .Values.monitoring.port) (list 7380 7383) -}}
{{- fail (printf "monitoring.port (%v) is a port of the coordinator's calls: take another, as 7390" .Values.monitoring.port) -}}
{{- end -}}
{{- end }}

{{/* The same for one pool of workers: dict "root" . "name" "spot" "settings" <its values> */}}
{{- define "rechunk.checkPool" -}}
{{- $margin := .root.Values.coordinator.margin -}}
{{- if ge (int .settings.putTimeout) (int $margin) -}}
{{- fail (printf "worker.putTimeout (%v) must be less than coordinator.margin (%v): a write that is under way when its lease ends may come after a deletion" .settings.putTimeout $margin) -}}
{{- end -}}
{{- $scaling := .settings.autoscaling -}}
{{- if and (eq $scaling.type "hpa") (eq (int $scaling.minReplicas) 0) -}}
{{- fail "worker.autoscaling.minReplicas is 0, and hpa keeps one at the least: take keda" -}}
{{- end -}}
{{- if and (ne $scaling.type "none") (gt (int $scaling.minReplicas) (int $scaling.maxReplicas)) -}}
{{- fail (printf "worker.autoscaling.minReplicas (%v) is more than maxReplicas (%v)" $scaling.minReplicas $scaling.maxReplicas) -}}
{{- end -}}
{{- end }}
