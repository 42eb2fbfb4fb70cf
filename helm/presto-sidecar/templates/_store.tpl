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
  value: {{ $store.vault.auth.method | quote }}
{{- with $store.vault.auth.mount }}
- name: PRESTO_VAULT_MOUNT
  value: {{ . | quote }}
{{- end }}
{{- if eq $store.vault.auth.method "approle" }}
{{- include "presto-sidecar.checkAppRole" . }}
- name: PRESTO_VAULT_ROLE_ID
  value: {{ ternary $root.Values.rotator.vaultRoleId $store.vault.auth.roleId $rotates | quote }}
- name: PRESTO_VAULT_SECRET_ID_FILE
  value: "/var/run/presto-sidecar/vault-secret-id/secret-id"
{{- else }}
- name: PRESTO_VAULT_ROLE
  value: {{ ternary $root.Values.rotator.vaultRole $store.vault.auth.role $rotates | quote }}
{{- end }}
{{- end }}
{{- if $store.sealingKey.secretName }}
- name: PRESTO_STORE_KEY_FILE
  value: "/var/run/presto-sidecar/key/key"
{{- end }}
{{- end -}}

{{/* Does it log in to Vault by a role id and a secret id? */}}
{{- define "presto-sidecar.byAppRole" -}}
{{- if and (eq .root.Values.store.kind "vault") (eq .root.Values.store.vault.auth.method "approle") }}true{{ end -}}
{{- end -}}

{{/* Does it show the service account's token to anybody: to the API server, or to Vault? */}}
{{- define "presto-sidecar.usesAccount" -}}
{{- if eq .root.Values.store.kind "mounted" -}}
{{- else if not (include "presto-sidecar.byAppRole" .) }}true
{{- else if and (eq .role "rotator") .root.Values.rotator.lease }}true
{{- end -}}
{{- end -}}

{{/* Folders, never a subPath: a file mounted by subPath never changes. */}}
{{- define "presto-sidecar.storeMounts" -}}
{{- $store := .root.Values.store -}}
{{- if eq $store.kind "mounted" }}
- name: presto-sidecar-token
  mountPath: /var/run/presto-sidecar/token
  readOnly: true
{{- end }}
{{- if include "presto-sidecar.usesAccount" . }}
- name: presto-sidecar-api
  mountPath: /var/run/secrets/kubernetes.io/serviceaccount
  readOnly: true
{{- end }}
{{- if include "presto-sidecar.byAppRole" . }}
- name: presto-sidecar-vault-secret-id
  mountPath: /var/run/presto-sidecar/vault-secret-id
  readOnly: true
{{- end }}
{{- if and (eq $store.kind "vault") $store.vault.caConfigMapName }}
- name: presto-sidecar-vault-ca
  mountPath: /var/run/presto-sidecar/vault-ca
  readOnly: true
{{- end }}
{{- if $store.sealingKey.secretName }}
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
{{- $store := .root.Values.store -}}
{{- if eq $store.kind "mounted" }}
- name: presto-sidecar-token
  secret:
    secretName: {{ $store.mounted.secretName }}
    defaultMode: 292
    items:
      - key: {{ $store.mounted.key }}
        path: token
{{- end }}
{{- if include "presto-sidecar.usesAccount" . }}
- name: presto-sidecar-api
  projected:
    defaultMode: 292
    sources:
      - serviceAccountToken:
          path: token
          expirationSeconds: 3600
          {{- if and (eq $store.kind "vault") $store.vault.auth.audience }}
          audience: {{ $store.vault.auth.audience | quote }}
          {{- end }}
      - configMap:
          name: kube-root-ca.crt
          items:
            - key: ca.crt
              path: ca.crt
{{- end }}
{{- if include "presto-sidecar.byAppRole" . }}
{{- $secretId := ternary .root.Values.rotator.vaultSecretId $store.vault.auth.secretId (eq .role "rotator") }}
- name: presto-sidecar-vault-secret-id
  secret:
    secretName: {{ $secretId.secretName }}
    defaultMode: 292
    items:
      - key: {{ $secretId.key }}
        path: secret-id
{{- end }}
{{- if and (eq $store.kind "vault") $store.vault.caConfigMapName }}
- name: presto-sidecar-vault-ca
  configMap:
    name: {{ $store.vault.caConfigMapName }}
    items:
      - key: {{ $store.vault.caKey }}
        path: ca.crt
{{- end }}
{{- if $store.sealingKey.secretName }}
- name: presto-sidecar-key
  secret:
    secretName: {{ $store.sealingKey.secretName }}
    defaultMode: 292
    items:
      - key: {{ $store.sealingKey.key }}
        path: key
{{- end }}
{{- end -}}
