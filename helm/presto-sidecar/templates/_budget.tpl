{{/* A duration (250ms, 10s, 5m, 24h) as milliseconds. */}}
{{- define "presto-sidecar.milliseconds" -}}
{{- $units := dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 -}}
{{- $unit := regexFind "[a-z]+$" . -}}
{{- mul (trimSuffix $unit . | int64) (get $units $unit) -}}
{{- end -}}

{{/* PRESTO_DRAIN_MAX in whole seconds, rounded up. */}}
{{- define "presto-sidecar.drainSeconds" -}}
{{- $drain := include "presto-sidecar.milliseconds" (.Values.env.PRESTO_DRAIN_MAX | default "25s") | int64 -}}
{{- div (add $drain 999) 1000 -}}
{{- end -}}

{{/*
One budget covers the whole pod's end: kubelet ends the app first, and the sidecar drains in what is
left. Five seconds are for all that is neither.
*/}}
{{- define "presto-sidecar.terminationGracePeriodSeconds" -}}
{{- include "presto-sidecar.checkValues" . -}}
{{- if .Values.terminationGracePeriodSeconds -}}
{{- .Values.terminationGracePeriodSeconds | int64 -}}
{{- else -}}
{{- add .Values.app.shutdownSeconds (include "presto-sidecar.drainSeconds" .) 5 -}}
{{- end -}}
{{- end -}}

{{/* A rotator has no app: a token that was just issued is stored within the drain. */}}
{{- define "presto-sidecar.rotatorGracePeriodSeconds" -}}
{{- add (include "presto-sidecar.drainSeconds" .) 5 -}}
{{- end -}}
