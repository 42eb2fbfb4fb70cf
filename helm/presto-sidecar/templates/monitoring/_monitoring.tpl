{{/* Labels of an object that Prometheus' operator or Grafana looks for: the chart's own, and what a value adds. */}}
{{- define "presto-sidecar.monitoring.labels" -}}
{{- include "presto-sidecar.labels" .context }}
{{- with .labels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Where the pods with a sidecar are, as items of a list. */}}
{{- define "presto-sidecar.monitoring.namespaces" -}}
{{- toYaml (.Values.monitoring.namespaces | default (list .Release.Namespace)) -}}
{{- end -}}

{{/*
One file of rules/ as items of a PrometheusRule's groups. The file stands for one Prometheus that sees these sidecars
alone; in a cluster each matcher of the job is narrowed down to the namespaces, so that two releases do not alert for
each other.
*/}}
{{- define "presto-sidecar.monitoring.groups" -}}
{{- $rules := .context.Values.monitoring.rules -}}
{{- $namespaces := include "presto-sidecar.monitoring.namespaces" .context | fromYamlArray | join "|" -}}
{{- $job := `job="presto-sidecar"` -}}
{{- $text := .context.Files.Get .file | replace $job (printf `%s, namespace=~"%s"` $job $namespaces) -}}
{{- range (fromYaml $text).groups }}
- name: {{ .name }}
  rules:
  {{- range .rules }}
  {{- if not (has .alert $rules.disabled) }}
  {{- $rule := merge (dict "labels" (merge (dict) $rules.alertLabels .labels)) . }}
  {{- toYaml (list $rule) | nindent 4 }}
  {{- end }}
  {{- end }}
{{- end }}
{{- end -}}
