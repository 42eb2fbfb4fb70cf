{{/* Where the token lives, and what a container of ours needs to get there. Contexts: root, and the role. */}}

{{- define "presto-sidecar.tokenNamespace" -}}
{{ .Values.store.kubernetes.namespace | default .Release.Namespace }}
{{- end -}}

{{- define "presto-sidecar.storeEnv" -}}
{{- $root := .root -}}
{{- $store := .root.Values.store -}}
{{- $rotates := eq .role "rotator" -}}
{{- if eq $store.kind "mounted" -}}
- name: PRESTO_TOKEN_FILE
  value: "/var/run/presto-sidecar/token/token"
{{- else if eq $store.kind "kubernetes" -}}
{{- $namespace := include "presto-sidecar.tokenNamespace" $root -}}
- name: PRESTO_STORE
  value: "kubernetes:{{ $namespace }}/{{ $store.kubernetes.secretName }}{{ if ne $store.kubernetes.key "record" }}?key={{ $store.kubernetes.key }}{{ end }}"
{{- if $rotates }}
- name: PRESTO_CREDENTIALS
  value: "kubernetes:{{ $namespace }}/{{ $root.Values.rotator.credentials.secretName }}"
{{- end }}
{{- else -}}
- name: PRESTO_STORE
  value: "vault:{{ $store.vault.entry }}{{ if ne $store.vault.field "record" }}?field={{ $store.vault.field }}{{ end }}"
{{- if $rotates }}
- name: PRESTO_CREDENTIALS
  value: "vault:{{ $root.Values.rotator.credentials.entry }}"
{{- if $root.Values.rotator.lease }}
- name: PRESTO_LOCK
  value: "kubernetes:{{ $root.Release.Namespace }}/{{ $root.Values.rotator.lease }}"
{{- end }}
{{- end }}
- name: VAULT_ADDR
  value: {{ $store.vault.address | quote }}
{{- with $store.vault.namespace }}
- name: VAULT_NAMESPACE
  value: {{ . | quote }}
{{- end }}
{{- if $store.vault.caConfigMapName }}
- name: VAULT_CACERT
  value: "/var/run/presto-sidecar/vault-ca/ca.crt"
{{- end }}
- name: PRESTO_VAULT_AUTH
  value: "kubernetes"
- name: PRESTO_VAULT_MOUNT
  value: {{ $store.vault.auth.mount | quote }}
- name: PRESTO_VAULT_ROLE
  value: {{ ternary $root.Values.rotator.vaultRole $store.vault.auth.role $rotates | quote }}
{{- end }}
{{- if $store.sealingKey.secretName }}
- name: PRESTO_STORE_KEY_FILE
  value: "/var/run/presto-sidecar/key/key"
{{- end }}
{{- end -}}

{{/* Folders, never a subPath: a file mounted by subPath never changes. */}}
{{- define "presto-sidecar.storeMounts" -}}
{{- if eq .Values.store.kind "mounted" -}}
- name: presto-sidecar-token
  mountPath: /var/run/presto-sidecar/token
  readOnly: true
{{- else -}}
- name: presto-sidecar-api
  mountPath: /var/run/secrets/kubernetes.io/serviceaccount
  readOnly: true
{{- if and (eq .Values.store.kind "vault") .Values.store.vault.caConfigMapName }}
- name: presto-sidecar-vault-ca
  mountPath: /var/run/presto-sidecar/vault-ca
  readOnly: true
{{- end }}
{{- end }}
{{- if .Values.store.sealingKey.secretName }}
- name: presto-sidecar-key
  mountPath: /var/run/presto-sidecar/key
  readOnly: true
{{- end }}
{{- end -}}

{{/*
Mode 0444 (292): any user of our container may read them, nobody may write them, and no other container mounts them.
So nothing is asked of the pod's fsGroup, which is the app's.
*/}}
{{- define "presto-sidecar.storeVolumes" -}}
{{- if eq .Values.store.kind "mounted" -}}
- name: presto-sidecar-token
  secret:
    secretName: {{ .Values.store.mounted.secretName }}
    defaultMode: 292
    items:
      - key: {{ .Values.store.mounted.key }}
        path: token
{{- else -}}
- name: presto-sidecar-api
  projected:
    defaultMode: 292
    sources:
      - serviceAccountToken:
          path: token
          expirationSeconds: 3600
          {{- if and (eq .Values.store.kind "vault") .Values.store.vault.auth.audience }}
          audience: {{ .Values.store.vault.auth.audience | quote }}
          {{- end }}
      - configMap:
          name: kube-root-ca.crt
          items:
            - key: ca.crt
              path: ca.crt
{{- if and (eq .Values.store.kind "vault") .Values.store.vault.caConfigMapName }}
- name: presto-sidecar-vault-ca
  configMap:
    name: {{ .Values.store.vault.caConfigMapName }}
    items:
      - key: {{ .Values.store.vault.caKey }}
        path: ca.crt
{{- end }}
{{- end }}
{{- if .Values.store.sealingKey.secretName }}
- name: presto-sidecar-key
  secret:
    secretName: {{ .Values.store.sealingKey.secretName }}
    defaultMode: 292
    items:
      - key: {{ .Values.store.sealingKey.key }}
        path: key
{{- end }}
{{- end -}}
