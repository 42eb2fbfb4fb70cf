{{/*
What values.schema.json can't say in a sentence, or can't compare. No message shows a value: one that is pasted into
the wrong place may be a secret.
*/}}
{{- define "presto-sidecar.checkValues" -}}
{{- include "presto-sidecar.checkVersion" . -}}
{{- include "presto-sidecar.checkForms" . -}}
{{- if not .Values.url -}}
{{- fail "url is not set, and there is no default: name the origin of your Presto API, as in --set url=https://presto.example" -}}
{{- end -}}
{{- include "presto-sidecar.checkPorts" . -}}
{{- include "presto-sidecar.checkTimes" . -}}
{{- include "presto-sidecar.checkStore" . -}}
{{- include "presto-sidecar.checkAudit" . -}}
{{- if and .Values.egressProxy.secretName .Values.env.PRESTO_EGRESS_PROXY -}}
{{- fail "egressProxy.secretName and env.PRESTO_EGRESS_PROXY are both set: there is one way out. Leave one of them out." -}}
{{- end -}}
{{- if and .Values.otlpHeaders.secretName (not (or .Values.env.OTEL_EXPORTER_OTLP_ENDPOINT .Values.env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT)) -}}
{{- fail "otlpHeaders.secretName is set, and no collector that the fields are for: name it in env.OTEL_EXPORTER_OTLP_ENDPOINT, or leave them out." -}}
{{- end -}}
{{- include "presto-sidecar.checkNetwork" . -}}
{{- if and (eq (int .Values.app.runAsUser) 65532) (ne .Values.platform "openshift") -}}
{{- fail "app.runAsUser is 65532, the sidecar's own user: whoever runs as it could look into the sidecar. Give the app another." -}}
{{- end -}}
{{- end -}}

{{/* What each template of ours begins with: is anything rendered at all, and of values that are well? */}}
{{- define "presto-sidecar.enabled" -}}
{{- include "presto-sidecar.checkVersion" . -}}
{{- if .Values.enabled -}}
{{- include "presto-sidecar.checkValues" . -}}
true
{{- end -}}
{{- end -}}

{{/* `helm upgrade --reuse-values` takes the defaults of the chart that was installed before, which lack what is new. */}}
{{- define "presto-sidecar.checkVersion" -}}
{{- range list "enabled" "store" "rotator" "control" "rbac" "egressProxy" "otlpHeaders" "networkPolicy" "admin" "audit" "app" "env" "image" "monitoring" "injection" -}}
{{- if not (hasKey $.Values .) -}}
{{- fail (printf "The value %s is missing: these are the values of an earlier version of this chart, as --reuse-values takes them. Use --reset-then-reuse-values, which keeps what you have set and takes the new defaults for the rest." .) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Each text has the form that _forms.tpl, which is made from the table of variables, asks for. */}}
{{- define "presto-sidecar.checkForms" -}}
{{- range include "presto-sidecar.forms" . | fromJsonArray -}}
{{- $value := $.Values -}}
{{- range .path -}}
{{- if kindIs "map" $value -}}{{- $value = get $value . -}}{{- else -}}{{- $value = "" -}}{{- end -}}
{{- end -}}
{{- if and (kindIs "string" $value) $value (not (regexMatch .pattern $value)) -}}
{{- fail (printf "%s has not the form that it needs: %s" (join "." .path) .says) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "presto-sidecar.checkPorts" -}}
{{- if eq (int .Values.port) (int .Values.admin.port) -}}
{{- fail (printf "port and admin.port are both %d: give the sidecar's two listeners two ports." (int .Values.port)) -}}
{{- end -}}
{{- if and .Values.app.enabled (or (eq (int .Values.app.port) (int .Values.port)) (eq (int .Values.app.port) (int .Values.admin.port))) -}}
{{- fail (printf "app.port is %d, which the sidecar uses in the same pod: change it, port or admin.port." (int .Values.app.port)) -}}
{{- end -}}
{{- end -}}

{{- define "presto-sidecar.checkNetwork" -}}
{{- $policy := .Values.networkPolicy -}}
{{- if and $policy.enabled .Values.egressProxy.secretName (not $policy.egressProxyPort) -}}
{{- fail "networkPolicy.egressProxyPort is not set: the proxy's URL is in a Secret that the chart can't read, so say which port its rule is to open." -}}
{{- end -}}
{{- if $policy.injected -}}
{{- if not (and $policy.enabled .Values.injection.enabled) -}}
{{- fail "networkPolicy.injected is of networkPolicy.enabled with injection.enabled: set both, or leave it out." -}}
{{- end -}}
{{- $namespaces := list -}}
{{- range $policy.injected -}}{{- $namespaces = append $namespaces .namespace -}}{{- end -}}
{{- if ne (len $namespaces) (len (uniq $namespaces)) -}}
{{- fail "networkPolicy.injected names a namespace twice: put all of its rules into one entry." -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "presto-sidecar.checkTimes" -}}
{{- if .Values.terminationGracePeriodSeconds -}}
{{- $drain := include "presto-sidecar.drainSeconds" . | int64 -}}
{{- if le (.Values.terminationGracePeriodSeconds | int64) $drain -}}
{{- fail (printf "terminationGracePeriodSeconds is %d, but PRESTO_DRAIN_MAX alone takes up to %d s: kubelet would kill the sidecar in the middle of a call. Make it longer than PRESTO_DRAIN_MAX and the app's own shutdown together, or leave it out." (.Values.terminationGracePeriodSeconds | int64) $drain) -}}
{{- end -}}
{{- end -}}
{{- $min := include "presto-sidecar.milliseconds" (.Values.env.PRESTO_DRAIN_MIN | default "0s") | int64 -}}
{{- $max := include "presto-sidecar.milliseconds" (.Values.env.PRESTO_DRAIN_MAX | default "25s") | int64 -}}
{{- if gt $min $max -}}
{{- fail "env.PRESTO_DRAIN_MIN is longer than PRESTO_DRAIN_MAX: the sidecar would not start. Shorten it, or lengthen PRESTO_DRAIN_MAX." -}}
{{- end -}}
{{- end -}}

{{- define "presto-sidecar.checkStore" -}}
{{- $store := .Values.store -}}
{{- $rotator := .Values.rotator -}}
{{- if eq $store.kind "mounted" -}}
{{- if $rotator.enabled -}}
{{- fail "rotator.enabled is true and store.kind is mounted: a Secret that is mounted can't be written, so nobody could renew there. Set store.kind to kubernetes or vault." -}}
{{- end -}}
{{- if $store.sealingKey.secretName -}}
{{- fail "store.sealingKey.secretName is set and store.kind is mounted: a token that is fed by hand is not sealed. Leave the key out, or set store.kind to kubernetes or vault." -}}
{{- end -}}
{{- end -}}
{{- if eq $store.kind "kubernetes" -}}
{{- if eq $store.kubernetes.secretName $rotator.credentials.secretName -}}
{{- fail "rotator.credentials.secretName is the Secret of store.kubernetes.secretName: whoever follows the token could read the account's password. Give the account a Secret of its own." -}}
{{- end -}}
{{- end -}}
{{- if eq $store.kind "vault" -}}
{{- if not (and $store.vault.address $store.vault.entry) -}}
{{- fail "store.kind is vault: name the Vault in store.vault.address (https://vault.example:8200) and the token's entry in store.vault.entry (secret/presto)." -}}
{{- end -}}
{{- if and $rotator.enabled (not $rotator.credentials.entry) -}}
{{- fail "rotator.enabled is true and store.kind is vault: name the account's entry in rotator.credentials.entry (secret/presto-account)." -}}
{{- end -}}
{{- if eq $store.vault.entry $rotator.credentials.entry -}}
{{- fail "rotator.credentials.entry is store.vault.entry: whoever follows the token could read the account's password. Give the account an entry of its own." -}}
{{- end -}}
{{- include "presto-sidecar.checkLogin" . -}}
{{- if and $rotator.lease $store.vault.auth.audience -}}
{{- fail "rotator.lease and store.vault.auth.audience are both set: the Lease is asked for with the same token, which is then for the Vault alone. Leave one of them out." -}}
{{- end -}}
{{- else -}}
{{- if $rotator.lease -}}
{{- fail "rotator.lease is of store.kind: vault; with kubernetes the rotators take the Lease of the Secret's name." -}}
{{- end -}}
{{- end -}}
{{- if and $rotator.createSecrets (not (and $rotator.enabled (eq $store.kind "kubernetes"))) -}}
{{- fail "rotator.createSecrets is of store.kind: kubernetes with rotator.enabled: there is no Secret to make otherwise." -}}
{{- end -}}
{{- end -}}

{{/* Which values a login has is the method's to say. */}}
{{- define "presto-sidecar.checkLogin" -}}
{{- $auth := .Values.store.vault.auth -}}
{{- $rotator := .Values.rotator -}}
{{- if eq $auth.method "approle" -}}
{{- if $auth.audience -}}
{{- fail "store.vault.auth.audience is of store.vault.auth.method: kubernetes; an AppRole logs in without the service account's token. Leave it out." -}}
{{- end -}}
{{- $sameSecret := and (eq $auth.secretId.secretName $rotator.vaultSecretId.secretName) (eq $auth.secretId.key $rotator.vaultSecretId.key) -}}
{{- if and $rotator.enabled $auth.roleId (or (eq $auth.roleId $rotator.vaultRoleId) $sameSecret) -}}
{{- fail "rotator.vaultRoleId or rotator.vaultSecretId is that of store.vault.auth: whoever follows the token could read the account's password. Give the rotators a role and a secret id of their own." -}}
{{- end -}}
{{- else if or $auth.roleId $auth.secretId.secretName $rotator.vaultRoleId $rotator.vaultSecretId.secretName -}}
{{- fail "A role id or a secret id is given (store.vault.auth, or vaultRoleId and vaultSecretId of rotator), and the login is another: set store.vault.auth.method to approle, or leave them out." -}}
{{- end -}}
{{- end -}}

{{/* Only of who is rendered: a release of rotators alone needs no login for sidecars. Contexts: root, and the role. */}}
{{- define "presto-sidecar.checkAppRole" -}}
{{- $auth := .root.Values.store.vault.auth -}}
{{- $rotator := .root.Values.rotator -}}
{{- if ne .role "rotator" -}}
{{- if not (and $auth.roleId $auth.secretId.secretName) -}}
{{- fail "store.vault.auth.method is approle: give the sidecars' role id in store.vault.auth.roleId, and name the Secret with their secret id in store.vault.auth.secretId.secretName." -}}
{{- end -}}
{{- else if not (and $rotator.vaultRoleId $rotator.vaultSecretId.secretName) -}}
{{- fail "store.vault.auth.method is approle: give the rotators' role id in rotator.vaultRoleId, and name the Secret with their secret id in rotator.vaultSecretId.secretName." -}}
{{- end -}}
{{- end -}}

{{- define "presto-sidecar.checkAudit" -}}
{{- if and .Values.audit.volume .Values.env.PRESTO_AUDIT -}}
{{- fail "audit.volume and env.PRESTO_AUDIT are both set: the record is kept in one place. Leave one of them out." -}}
{{- end -}}
{{- if ne (eq .Values.audit.volume "claim") (ne (.Values.audit.claimName | default "") "") -}}
{{- fail "audit.volume: claim and audit.claimName go together: name the PersistentVolumeClaim, or leave both out." -}}
{{- end -}}
{{- if and .Values.audit.sizeLimit (ne .Values.audit.volume "emptyDir") -}}
{{- fail "audit.sizeLimit is of audit.volume: emptyDir alone; a claim has a size of its own." -}}
{{- end -}}
{{- end -}}
