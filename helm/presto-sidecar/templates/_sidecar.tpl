{{/*
The sidecar, for the pod of any chart. A chart that has this one as a dependency includes these with
  (index .Subcharts "presto-sidecar")
as the context, so that the values under its key `presto-sidecar` are used:
  presto-sidecar.container                 first item of the pod's initContainers
  presto-sidecar.volumes                   items of the pod's volumes
  presto-sidecar.securityContext           the pod's securityContext
  presto-sidecar.terminationGracePeriodSeconds
  presto-sidecar.url                       what the app calls
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

{{/* Loopback stays inside the pod, and so does the proxy. */}}
{{- define "presto-sidecar.env" -}}
- name: POD_IP
  valueFrom:
    fieldRef:
      fieldPath: status.podIP
- name: PRESTO_URL
  value: {{ .Values.url | quote }}
- name: PRESTO_LISTEN
  value: "127.0.0.1:{{ .Values.port }}"
- name: PRESTO_ADMIN_LISTEN
  value: "{{ if eq .Values.admin.ipFamily "IPv6" }}[$(POD_IP)]{{ else }}$(POD_IP){{ end }}:{{ .Values.admin.port }}"
{{- /* All containers of a pod share the loopback: a listener there would let the app end the sidecar. */}}
- name: PRESTO_CONTROL_LISTEN
  value: "off"
- name: PRESTO_TOKEN_FILE
  value: "/var/run/presto-sidecar/token/token"
{{- if .Values.ca.configMapName }}
- name: PRESTO_CA_FILE
  value: "/var/run/presto-sidecar/ca/ca.crt"
{{- end }}
{{- if or .Values.audit.volume (eq (.Values.env.PRESTO_AUDIT | default "off") "stdout") }}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
{{- end }}
{{- if .Values.audit.volume }}
- name: PRESTO_AUDIT
  value: "file:/var/lib/presto-sidecar/audit/$(POD_NAME).jsonl"
{{- end }}
{{- range $name, $value := .Values.env }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end -}}

{{/* Folders, never a subPath: a file mounted by subPath never changes. */}}
{{- define "presto-sidecar.volumeMounts" -}}
- name: presto-sidecar-token
  mountPath: /var/run/presto-sidecar/token
  readOnly: true
{{- if .Values.ca.configMapName }}
- name: presto-sidecar-ca
  mountPath: /var/run/presto-sidecar/ca
  readOnly: true
{{- end }}
{{- if .Values.audit.volume }}
- name: presto-sidecar-audit
  mountPath: /var/lib/presto-sidecar/audit
{{- end }}
{{- end -}}

{{- define "presto-sidecar.volumes" -}}
- name: presto-sidecar-token
  secret:
    secretName: {{ .Values.token.secretName }}
    # 0440: root and the pod's fsGroup may read it, nobody may write it.
    defaultMode: 288
    items:
      - key: {{ .Values.token.key }}
        path: token
{{- if .Values.ca.configMapName }}
- name: presto-sidecar-ca
  configMap:
    name: {{ .Values.ca.configMapName }}
    items:
      - key: {{ .Values.ca.key }}
        path: ca.crt
{{- end }}
{{- if eq .Values.audit.volume "emptyDir" }}
- name: presto-sidecar-audit
  {{- if .Values.audit.sizeLimit }}
  emptyDir:
    sizeLimit: {{ .Values.audit.sizeLimit | quote }}
  {{- else }}
  emptyDir: {}
  {{- end }}
{{- else if eq .Values.audit.volume "claim" }}
- name: presto-sidecar-audit
  persistentVolumeClaim:
    claimName: {{ .Values.audit.claimName }}
{{- end }}
{{- end -}}

{{/* The group is the sidecar's: by it the token's file is readable to the sidecar. */}}
{{- define "presto-sidecar.securityContext" -}}
runAsNonRoot: true
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/*
No preStop: a native sidecar's runs when the pod starts to end, while the app still calls.
No exec probes: each would be another Node inside the sidecar's own memory limit.
*/}}
{{- define "presto-sidecar.container" -}}
{{- include "presto-sidecar.checkValues" . -}}
name: presto-sidecar
image: {{ include "presto-sidecar.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
restartPolicy: Always
args: [start]
env:
  {{- include "presto-sidecar.env" . | nindent 2 }}
ports:
  - name: presto-admin
    containerPort: {{ .Values.admin.port }}
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
  {{- toYaml .Values.resources | nindent 2 }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  readOnlyRootFilesystem: true
  allowPrivilegeEscalation: false
  capabilities:
    drop: [ALL]
  seccompProfile:
    type: RuntimeDefault
volumeMounts:
  {{- include "presto-sidecar.volumeMounts" . | nindent 2 }}
{{- end -}}
