{{/* What a pod around a container of ours needs beside it. */}}

{{/* Ports that leave the pod by the sidecar, and no mesh may take hold of: Presto's or the egress proxy's, the store's. */}}
{{- define "presto-sidecar.egressPorts" -}}
{{- $ports := list (include "presto-sidecar.egressProxyPort" . | default "443") -}}
{{- if ne .Values.store.kind "mounted" -}}
{{- $ports = append $ports (include "presto-sidecar.storePort" .) -}}
{{- end -}}
{{- $ports | uniq | join "," -}}
{{- end -}}

{{/* Empty where calls leave without one. */}}
{{- define "presto-sidecar.egressProxyPort" -}}
{{- if .Values.networkPolicy.egressProxyPort -}}
{{ .Values.networkPolicy.egressProxyPort | int }}
{{- else if .Values.env.PRESTO_EGRESS_PROXY -}}
{{ regexFind "[0-9]+$" .Values.env.PRESTO_EGRESS_PROXY }}
{{- end -}}
{{- end -}}

{{/* Of the Service kubernetes, which listens on 443, or the Vault's own. */}}
{{- define "presto-sidecar.storePort" -}}
{{- if eq .Values.store.kind "vault" -}}
{{ regexFind ":[0-9]+/?$" .Values.store.vault.address | trimPrefix ":" | trimSuffix "/" | default "443" }}
{{- else -}}
443
{{- end -}}
{{- end -}}

{{/*
Inbound: the admin port, which kubelet and Prometheus ask in plain HTTP and without the mesh's certificates.
Outbound: TLS goes end to end to Presto, and the sidecar starts before the mesh's proxy may be there.
*/}}
{{- define "presto-sidecar.podAnnotations" -}}
{{- if eq .Values.mesh "istio" -}}
traffic.sidecar.istio.io/excludeInboundPorts: {{ .Values.admin.port | quote }}
traffic.sidecar.istio.io/excludeOutboundPorts: {{ include "presto-sidecar.egressPorts" . | quote }}
{{- else if eq .Values.mesh "linkerd" -}}
config.linkerd.io/skip-inbound-ports: {{ .Values.admin.port | quote }}
config.linkerd.io/skip-outbound-ports: {{ include "presto-sidecar.egressPorts" . | quote }}
{{- end -}}
{{- end -}}

{{/* An amount of CPU or memory as a number, to be compared with another: 100m is 0.1. */}}
{{- define "presto-sidecar.amount" -}}
{{- $units := dict "" 1 "m" 0.001 "k" 1e3 "M" 1e6 "G" 1e9 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 -}}
{{- $text := toString . -}}
{{- $unit := regexFind "[a-zA-Z]*$" $text -}}
{{- mulf (trimSuffix $unit $text) (get $units $unit) -}}
{{- end -}}

{{/* Are these the resources of a Guaranteed container: CPU and memory limited, and asked for in full? */}}
{{- define "presto-sidecar.isGuaranteed" -}}
{{- $limits := .limits | default dict -}}
{{- $requests := .requests | default dict -}}
{{- $is := true -}}
{{- range list "cpu" "memory" -}}
{{- $limit := get $limits . -}}
{{- $request := get $requests . | default $limit -}}
{{- if not $limit -}}
{{- $is = false -}}
{{- else if ne (include "presto-sidecar.amount" $limit) (include "presto-sidecar.amount" $request) -}}
{{- $is = false -}}
{{- end -}}
{{- end -}}
{{- if $is }}true{{ end -}}
{{- end -}}

{{- define "presto-sidecar.imagePullSecrets" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Items of a NetworkPolicy's egress: names, Presto or the proxy before it, and the store. */}}
{{- define "presto-sidecar.egressRules" -}}
{{- $policy := .Values.networkPolicy -}}
- ports:
    {{- range (ternary (list 53 5353) (list 53) (eq .Values.platform "openshift")) }}
    - port: {{ . }}
      protocol: UDP
    - port: {{ . }}
      protocol: TCP
    {{- end }}
{{- $proxy := include "presto-sidecar.egressProxyPort" . }}
{{- if $proxy }}
{{ include "presto-sidecar.egressRule" (dict "cidrs" $policy.egressProxyCidrs "ports" (list $proxy)) }}
{{- else }}
{{ include "presto-sidecar.egressRule" (dict "cidrs" $policy.egressCidrs "ports" (list 443)) }}
{{- end }}
{{- if eq .Values.store.kind "kubernetes" }}
{{ include "presto-sidecar.egressRule" (dict "cidrs" $policy.storeCidrs "ports" $policy.apiServerPorts) }}
{{- else if eq .Values.store.kind "vault" }}
{{ include "presto-sidecar.egressRule" (dict "cidrs" $policy.storeCidrs "ports" (list (include "presto-sidecar.storePort" .))) }}
{{- end }}
{{- end -}}

{{- define "presto-sidecar.egressRule" -}}
- to:
    {{- range .cidrs }}
    - ipBlock:
        cidr: {{ . | quote }}
    {{- end }}
  ports:
    {{- range .ports }}
    - port: {{ . }}
      protocol: TCP
    {{- end }}
{{- end -}}
