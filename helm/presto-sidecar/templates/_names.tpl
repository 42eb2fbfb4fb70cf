{{/* At most 63 characters: it is also the value of a label. */}}
{{- define "presto-sidecar.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains .Chart.Name .Release.Name -}}
{{ .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end -}}
{{- end -}}

{{/* A name with something behind it, within the same 63. */}}
{{- define "presto-sidecar.nameWith" -}}
{{- $room := sub 62 (len .suffix) | int -}}
{{ printf "%s-%s" (include "presto-sidecar.fullname" .root | trunc $room | trimSuffix "-") .suffix }}
{{- end -}}

{{- define "presto-sidecar.rotatorName" -}}
{{- include "presto-sidecar.nameWith" (dict "root" . "suffix" "rotator") -}}
{{- end -}}

{{/*
Labels that select pods. The context is the chart's, for all pods of the release; or root and a component, `app` or
`rotator`, which tells the two apart.
*/}}
{{- define "presto-sidecar.selectorLabels" -}}
{{- $root := .root | default . -}}
app.kubernetes.io/name: {{ $root.Chart.Name }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{/* Labels of any object; the same contexts. */}}
{{- define "presto-sidecar.labels" -}}
{{- $root := .root | default . -}}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{ include "presto-sidecar.selectorLabels" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
{{- end -}}
