{{/* What the policies of injection have in common. */}}

{{- define "presto-sidecar.injection.check" -}}
{{- if hasPrefix "PRESTO_" .Values.injection.urlVariable -}}
{{- fail "injection.urlVariable begins with PRESTO_, as the sidecar's own variables do: choose another name for the app's." -}}
{{- end -}}
{{- $requests := .Values.resources.requests | default dict -}}
{{- if not (and $requests.cpu $requests.memory) -}}
{{- fail "resources.requests has not both cpu and memory: a namespace with a quota would refuse every pod with the sidecar. Give both." -}}
{{- end -}}
{{- /* Every API server has APIService, and Helm by itself knows it not: without it nothing is known of the cluster. */ -}}
{{- $served := .Capabilities.APIVersions -}}
{{- if and ($served.Has "apiregistration.k8s.io/v1/APIService") (not ($served.Has "admissionregistration.k8s.io/v1/MutatingAdmissionPolicy")) -}}
{{- fail (printf "injection.enabled needs Kubernetes 1.36 or newer, and this cluster (%s) does not serve MutatingAdmissionPolicy in admissionregistration.k8s.io/v1. Leave it off, and put the sidecar into pods by the chart's named templates or by plain YAML (docs/deployment.md)." .Capabilities.KubeVersion.Version) -}}
{{- end -}}
{{- end -}}

{{/* Policies have no namespace: two releases of one name must not meet. */}}
{{- define "presto-sidecar.injection.name" -}}
{{- printf "%s-%s.%s" (include "presto-sidecar.fullname" .root) .suffix .root.Release.Namespace -}}
{{- end -}}

{{/*
The namespaces stand in the policy itself, not in its binding: an expression that can't be compiled is told for each
object that the policy alone matches, whatever a binding says.
*/}}
{{- define "presto-sidecar.injection.namespaces" -}}
namespaceSelector:
  matchLabels:
    presto-sidecar/inject: {{ .Values.injection.namespaceLabel | quote }}
{{- end -}}

{{- define "presto-sidecar.injection.newPods" -}}
{{ include "presto-sidecar.injection.namespaces" . }}
resourceRules:
  - apiGroups: [""]
    apiVersions: [v1]
    operations: [CREATE]
    resources: [pods]
{{- end -}}

{{/* A mirror pod shows one that kubelet runs from a file of its own; the image is for Linux. */}}
{{- define "presto-sidecar.injection.kinds" -}}
- name: not-a-mirror
  expression: >-
    !('kubernetes.io/config.mirror' in object.metadata.?annotations.orValue({}))
- name: not-windows
  expression: >-
    object.spec.?os.?name.orValue('') != 'windows' && object.spec.?nodeSelector[?'kubernetes.io/os'].orValue('') != 'windows'
{{- end -}}

{{- define "presto-sidecar.injection.asked" -}}
object.metadata.?annotations[?'presto-sidecar/inject'].orValue('') == 'enabled'
{{- end -}}

{{/* Those of a pod that a namespace may have as well, for all its pods. */}}
{{- define "presto-sidecar.injection.shared" -}}
["cpu-request", "cpu-limit", "memory-request", "memory-limit", "url-variable"]
{{- end -}}

{{/* What a pod's annotations ask for, and where they don't, its namespace's; empty where neither does. */}}
{{- define "presto-sidecar.injection.settings" -}}
- name: settings
  expression: >-
    {{ include "presto-sidecar.injection.shared" . }}.transformMapEntry(i, key, {key:
    object.metadata.?annotations[?('presto-sidecar/' + key)].orValue(
    namespaceObject.metadata.?annotations[?('presto-sidecar/' + key)].orValue(''))})
{{- end -}}

{{/* Which resource each of these annotations is. */}}
{{- define "presto-sidecar.injection.amounts" -}}
[["cpu-request", "requests/cpu"], ["memory-request", "requests/memory"], ["cpu-limit", "limits/cpu"], ["memory-limit", "limits/memory"]]
{{- end -}}

{{/* Is the variable of an annotation one that the app may have? Names that begin with PRESTO_ are the sidecar's. */}}
{{- define "presto-sidecar.injection.isVariable" -}}
variables.settings['url-variable'].matches('^[A-Za-z_][A-Za-z0-9_]*$') && !variables.settings['url-variable'].startsWith('PRESTO_')
{{- end -}}

{{/* Secrets that the sidecar alone may have: names, as its volumes and variables have them. */}}
{{- define "presto-sidecar.injection.secrets" -}}
{{- $names := list -}}
{{- range include "presto-sidecar.volumes" . | fromYamlArray -}}
{{- with .secret -}}{{- $names = append $names .secretName -}}{{- end -}}
{{- with .projected -}}{{- range .sources -}}{{- with .secret -}}{{- $names = append $names .name -}}{{- end -}}{{- end -}}{{- end -}}
{{- end -}}
{{- $container := include "presto-sidecar.container" . | fromYaml -}}
{{- range $container.env -}}
{{- with .valueFrom -}}{{- with .secretKeyRef -}}{{- $names = append $names .name -}}{{- end -}}{{- end -}}
{{- end -}}
{{- uniq $names | toJson -}}
{{- end -}}

{{/* Is the image of a container, c, from our repository? By tag or digest; by the chart's digest where it has one. */}}
{{- define "presto-sidecar.injection.isOurImage" -}}
{{- $image := include "presto-sidecar.image" . -}}
{{- $repository := regexReplaceAll "(:[^:/@]+)?(@.*)?$" $image "" -}}
[':', '@'].exists(s, c.image.startsWith({{ toJson $repository }} + s))
{{- with regexFind "@.*$" $image }} && c.image.endsWith({{ toJson . }}){{ end }}
{{- end -}}

{{/* A variable of the sidecar's, where it has a value; else empty. */}}
{{- define "presto-sidecar.injection.variable" -}}
{{- $name := .name -}}
{{- $container := include "presto-sidecar.container" .root | fromYaml -}}
{{- range $container.env -}}{{- if eq .name $name -}}{{- .value -}}{{- end -}}{{- end -}}
{{- end -}}

{{/* The Secret that the store's record is in, as NAMESPACE/NAME; empty where the store is no Secret that is read by name. */}}
{{- define "presto-sidecar.injection.record" -}}
{{- $store := include "presto-sidecar.injection.variable" (dict "root" . "name" "PRESTO_STORE") -}}
{{- if hasPrefix "kubernetes:" $store -}}
{{- regexReplaceAll "\\?.*$" (trimPrefix "kubernetes:" $store) "" -}}
{{- end -}}
{{- end -}}

{{/* May the pod's service account do that to a Secret? Contexts: a Secret's name and an expression for its namespace; the verb. */}}
{{- define "presto-sidecar.injection.may" -}}
authorizer.serviceAccount(request.namespace, variables.account).group('').resource('secrets').namespace({{ .secret.namespace }}).name({{ .secret.name | toJson }}).check('{{ .verb }}').allowed()
{{- end -}}
