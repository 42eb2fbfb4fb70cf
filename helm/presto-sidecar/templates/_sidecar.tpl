{{/*
The sidecar, for the pod of any chart. A chart that has this one as a dependency includes these with
  (index .Subcharts "presto-sidecar")
as the context, so that the values under its key `presto-sidecar` are used:
  presto-sidecar.pod                       all of the pod's spec that is ours, in one line; or, one by one, where the
                                           pod has init containers and volumes of its own:
  presto-sidecar.container                 first item of the pod's initContainers
  presto-sidecar.volumes                   items of the pod's volumes
  presto-sidecar.terminationGracePeriodSeconds
  presto-sidecar.url                       what the app calls
  presto-sidecar.noProxy                   what the app's NO_PROXY has to hold
  presto-sidecar.podAnnotations            annotations of the pod, where `mesh` is set
  presto-sidecar.egressRules               items of a NetworkPolicy's egress: names, Presto and the store
  presto-sidecar.controlMount              item of the app's volumeMounts, where control.shareWithApp is true
Nothing of it touches the pod's own securityContext.
*/}}

{{- define "presto-sidecar.image" -}}
{{- $tag := .Values.image.tag | default .Chart.AppVersion -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}:{{ $tag }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ $tag }}
{{- end -}}
{{- end -}}

{{- define "presto-sidecar.url" -}}
http://127.0.0.1:{{ .Values.port }}
{{- end -}}

{{- define "presto-sidecar.noProxy" -}}
127.0.0.1,localhost,::1
{{- end -}}

{{/* Folder of the control socket, in our container and, where it is shared, in the app's. */}}
{{- define "presto-sidecar.controlFolder" -}}
/var/run/presto-sidecar/control
{{- end -}}

{{/* Read-only for the app: it may connect to the socket, not put another in its place. */}}
{{- define "presto-sidecar.controlMount" -}}
- name: presto-sidecar-control
  mountPath: {{ include "presto-sidecar.controlFolder" . }}
  readOnly: true
{{- end -}}

{{/* Contexts: root, and the role. Loopback stays inside the pod, and so does the proxy. */}}
{{- define "presto-sidecar.env" -}}
{{- $root := .root -}}
{{- $rotates := eq .role "rotator" -}}
- name: POD_IP
  valueFrom:
    fieldRef:
      fieldPath: status.podIP
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
- name: PRESTO_URL
  value: {{ $root.Values.url | quote }}
{{- if $rotates }}
- name: PRESTO_ROLE
  value: "rotator"
{{- else }}
- name: PRESTO_LISTEN
  value: "127.0.0.1:{{ $root.Values.port }},[::1]:{{ $root.Values.port }}"
{{- end }}
- name: PRESTO_ADMIN_LISTEN
  value: "$(POD_IP):{{ $root.Values.admin.port }}"
- name: PRESTO_CONTROL_LISTEN
  value: "unix:{{ include "presto-sidecar.controlFolder" $root }}/control.sock{{ if and $root.Values.control.shareWithApp (not $rotates) }}?mode=0660{{ end }}"
{{ include "presto-sidecar.storeEnv" . }}
{{- if $root.Values.ca.configMapName }}
- name: PRESTO_CA_FILE
  value: "/var/run/presto-sidecar/ca/ca.crt"
{{- end }}
{{- if $root.Values.egressProxy.secretName }}
- name: PRESTO_EGRESS_PROXY_FILE
  value: "/var/run/presto-sidecar/egress-proxy/url"
{{- end }}
{{- if and $root.Values.otlpHeaders.secretName (not $rotates) }}
- name: OTEL_EXPORTER_OTLP_HEADERS_FILE
  value: "/var/run/presto-sidecar/otlp-headers/headers"
{{- end }}
{{- if $root.Values.audit.volume }}
- name: PRESTO_AUDIT
  value: "file:/var/lib/presto-sidecar/audit/$(POD_NAME).jsonl"
{{- end }}
{{- $env := $root.Values.env -}}
{{- if $rotates -}}
{{- $serving := include "presto-sidecar.servingVariables" $root | fromJsonArray -}}
{{- $env = dict -}}
{{- range $name, $value := $root.Values.env -}}
{{- if not (has $name $serving) -}}{{- $_ := set $env $name $value -}}{{- end -}}
{{- end -}}
{{- $env = merge (dict) $root.Values.rotator.env $env -}}
{{- end -}}
{{- range $name, $value := $env }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end -}}

{{/* Contexts: root, and the role; of presto-sidecar.volumes the chart's, for whoever includes it has no rotators. */}}
{{- define "presto-sidecar.volumeMounts" -}}
{{- $values := .root.Values -}}
- name: presto-sidecar-control
  mountPath: {{ include "presto-sidecar.controlFolder" .root }}
{{- include "presto-sidecar.storeMounts" . }}
{{- if $values.ca.configMapName }}
- name: presto-sidecar-ca
  mountPath: /var/run/presto-sidecar/ca
  readOnly: true
{{- end }}
{{- if $values.egressProxy.secretName }}
- name: presto-sidecar-egress-proxy
  mountPath: /var/run/presto-sidecar/egress-proxy
  readOnly: true
{{- end }}
{{- if and $values.otlpHeaders.secretName (ne .role "rotator") }}
- name: presto-sidecar-otlp-headers
  mountPath: /var/run/presto-sidecar/otlp-headers
  readOnly: true
{{- end }}
{{- if $values.audit.volume }}
- name: presto-sidecar-audit
  mountPath: /var/lib/presto-sidecar/audit
{{- end }}
{{- end -}}

{{/* In memory: a volume on the node's disk would keep the cluster autoscaler from moving the pod. */}}
{{- define "presto-sidecar.controlVolume" -}}
- name: presto-sidecar-control
  emptyDir:
    medium: Memory
    sizeLimit: 1Mi
{{- end -}}

{{- define "presto-sidecar.volumes" -}}
{{ include "presto-sidecar.volumesOf" (dict "root" . "role" "proxy") }}
{{- end -}}

{{- define "presto-sidecar.volumesOf" -}}
{{- $values := .root.Values -}}
{{ include "presto-sidecar.controlVolume" .root }}
{{- include "presto-sidecar.storeVolumes" . }}
{{- if $values.ca.configMapName }}
- name: presto-sidecar-ca
  configMap:
    name: {{ $values.ca.configMapName }}
    items:
      - key: {{ $values.ca.key }}
        path: ca.crt
{{- end }}
{{- if $values.egressProxy.secretName }}
- name: presto-sidecar-egress-proxy
  secret:
    secretName: {{ $values.egressProxy.secretName }}
    defaultMode: 292
    items:
      - key: {{ $values.egressProxy.key }}
        path: url
{{- end }}
{{- if and $values.otlpHeaders.secretName (ne .role "rotator") }}
- name: presto-sidecar-otlp-headers
  secret:
    secretName: {{ $values.otlpHeaders.secretName }}
    defaultMode: 292
    items:
      - key: {{ $values.otlpHeaders.key }}
        path: headers
{{- end }}
{{- if eq $values.audit.volume "emptyDir" }}
- name: presto-sidecar-audit
  {{- if $values.audit.sizeLimit }}
  emptyDir:
    sizeLimit: {{ $values.audit.sizeLimit | quote }}
  {{- else }}
  emptyDir: {}
  {{- end }}
{{- else if eq $values.audit.volume "claim" }}
- name: presto-sidecar-audit
  persistentVolumeClaim:
    claimName: {{ $values.audit.claimName }}
{{- end }}
{{- end -}}

{{/*
What a container of ours is, whatever its role. Contexts: root, the role, and its resources.
No preStop: a native sidecar's runs when the pod starts to end, while the app still calls.
No exec probes: each would be another Node inside the sidecar's own memory limit.
*/}}
{{- define "presto-sidecar.containerBody" -}}
{{- $root := .root -}}
image: {{ include "presto-sidecar.image" $root | quote }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
args: [start]
env:
  {{- include "presto-sidecar.env" . | nindent 2 }}
ports:
  - name: presto-admin
    containerPort: {{ $root.Values.admin.port }}
startupProbe:
  httpGet:
    path: /startupz
    port: presto-admin
  periodSeconds: 1
  timeoutSeconds: 2
  failureThreshold: 60
readinessProbe:
  httpGet:
    path: /readyz
    port: presto-admin
  periodSeconds: 5
  timeoutSeconds: 2
  failureThreshold: 2
livenessProbe:
  httpGet:
    path: /livez
    port: presto-admin
  periodSeconds: 10
  timeoutSeconds: 2
  failureThreshold: 3
resources:
  {{- toYaml .resources | nindent 2 }}
# What it said last, where it said nothing to this end.
terminationMessagePolicy: FallbackToLogsOnError
securityContext:
  {{- include "presto-sidecar.containerSecurity" . | nindent 2 }}
volumeMounts:
  {{- include "presto-sidecar.volumeMounts" . | nindent 2 }}
{{- end -}}

{{- define "presto-sidecar.containerSecurity" -}}
runAsNonRoot: true
{{- if ne .root.Values.platform "openshift" }}
runAsUser: 65532
runAsGroup: {{ if and .root.Values.control.shareWithApp (ne .role "rotator") }}{{ .root.Values.control.group | int64 }}{{ else }}65532{{ end }}
{{- end }}
readOnlyRootFilesystem: true
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "presto-sidecar.container" -}}
{{- include "presto-sidecar.checkValues" . -}}
name: presto-sidecar
restartPolicy: Always
{{ include "presto-sidecar.containerBody" (dict "root" . "role" "proxy" "resources" .Values.resources) }}
{{- end -}}

{{- define "presto-sidecar.pod" -}}
# The app must not have the service account's token: whoever has it may read what the sidecar may.
automountServiceAccountToken: false
# A Service named presto would otherwise fill the environment with PRESTO_* names.
enableServiceLinks: false
terminationGracePeriodSeconds: {{ include "presto-sidecar.terminationGracePeriodSeconds" . }}
# Native sidecar: it starts before the app, is restarted on its own, and ends after the app.
initContainers:
  - {{ include "presto-sidecar.container" . | nindent 4 | trim }}
volumes:
  {{- include "presto-sidecar.volumes" . | nindent 2 }}
{{- end -}}
