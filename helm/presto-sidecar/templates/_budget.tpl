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
{{- if kindIs "invalid" .Values.terminationGracePeriodSeconds -}}
{{- add .Values.app.shutdownSeconds (include "presto-sidecar.drainSeconds" .) 5 -}}
{{- else -}}
{{- include "presto-sidecar.checkValues" . -}}
{{- .Values.terminationGracePeriodSeconds | int64 -}}
{{- end -}}
{{- end -}}

{{/* What values.schema.json can't compare: one value with another. */}}
{{- define "presto-sidecar.checkValues" -}}
{{- if eq (int .Values.port) (int .Values.admin.port) -}}
{{- fail (printf "port and admin.port are both %d: give the sidecar's two listeners two ports." (int .Values.port)) -}}
{{- end -}}
{{- if and .Values.app.enabled (or (eq (int .Values.app.port) (int .Values.port)) (eq (int .Values.app.port) (int .Values.admin.port))) -}}
{{- fail (printf "app.port is %d, which the sidecar uses in the same pod: change it, port or admin.port." (int .Values.app.port)) -}}
{{- end -}}
{{- if not (kindIs "invalid" .Values.terminationGracePeriodSeconds) -}}
{{- $drain := include "presto-sidecar.drainSeconds" . | int64 -}}
{{- if le (.Values.terminationGracePeriodSeconds | int64) $drain -}}
{{- fail (printf "terminationGracePeriodSeconds is %d, but PRESTO_DRAIN_MAX alone takes up to %d s: kubelet would kill the sidecar in the middle of a call. Make it longer than PRESTO_DRAIN_MAX and the app's own shutdown together, or leave it out." (.Values.terminationGracePeriodSeconds | int64) $drain) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.audit.volume .Values.env.PRESTO_AUDIT -}}
{{- fail "audit.volume and env.PRESTO_AUDIT are both set: the record is kept in one place. Leave one of them out." -}}
{{- end -}}
{{- if ne (eq .Values.audit.volume "claim") (ne (.Values.audit.claimName | default "") "") -}}
{{- fail "audit.volume: claim and audit.claimName go together: name the PersistentVolumeClaim, or leave both out." -}}
{{- end -}}
{{- if and .Values.audit.sizeLimit (ne .Values.audit.volume "emptyDir") -}}
{{- fail "audit.sizeLimit is of audit.volume: emptyDir alone; a claim has a size of its own." -}}
{{- end -}}
{{- $min := include "presto-sidecar.milliseconds" (.Values.env.PRESTO_DRAIN_MIN | default "0s") | int64 -}}
{{- $max := include "presto-sidecar.milliseconds" (.Values.env.PRESTO_DRAIN_MAX | default "25s") | int64 -}}
{{- if gt $min $max -}}
{{- fail "env.PRESTO_DRAIN_MIN is longer than PRESTO_DRAIN_MAX: the sidecar would not start. Shorten it, or lengthen PRESTO_DRAIN_MAX." -}}
{{- end -}}
{{- end -}}
