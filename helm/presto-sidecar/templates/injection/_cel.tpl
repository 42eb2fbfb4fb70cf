{{/*
Values as CEL, the language of admission policies: what the named templates of the sidecar render is what is injected,
and what is asked for afterwards.
*/}}

{{/*
A value as an expression. By dyn(), since the lists and maps of Kubernetes' CEL take members of one type only.
Of strings, JSON's escapes are CEL's too.
*/}}
{{- define "presto-sidecar.injection.literal" -}}
{{- $value := . -}}
{{- $members := list -}}
{{- if kindIs "map" $value -}}
{{- range $key := keys $value | sortAlpha -}}
{{- $members = append $members (printf "%s: %s" (toJson $key) (include "presto-sidecar.injection.literal" (get $value $key))) -}}
{{- end -}}
{{- printf "dyn({%s})" (join ", " $members) -}}
{{- else if kindIs "slice" $value -}}
{{- range $value -}}
{{- $members = append $members (include "presto-sidecar.injection.literal" .) -}}
{{- end -}}
{{- printf "dyn([%s])" (join ", " $members) -}}
{{- else -}}
{{- printf "dyn(%s)" (toJson $value) -}}
{{- end -}}
{{- end -}}

{{/*
Whether what stands at a place has all that a value has; more is let be. Contexts: the place, an expression whose last
step may be an optional one; the value; and a name for the members of lists, which nested lists make longer.
Members with a name are looked for by it, others must stand in the same order.
*/}}
{{- define "presto-sidecar.injection.holds" -}}
{{- $place := .place -}}
{{- $value := .value -}}
{{- $item := .item -}}
{{- $all := list -}}
{{- if and (kindIs "map" $value) $value -}}
{{- range $key := keys $value | sortAlpha -}}
{{- $all = append $all (include "presto-sidecar.injection.holds" (dict "place" (printf "%s.?%s" $place $key) "value" (get $value $key) "item" $item)) -}}
{{- end -}}
{{- else if kindIs "map" $value -}}
{{- $all = append $all (printf "%s.hasValue()" $place) -}}
{{- else if kindIs "slice" $value -}}
{{- $named := and $value (kindIs "map" (first $value)) -}}
{{- if $named -}}{{- $named = hasKey (first $value) "name" -}}{{- end -}}
{{- if $named -}}
{{- range $value -}}
{{- $all = append $all (printf "%s.orValue([]).exists(%s, %s)" $place $item (include "presto-sidecar.injection.holds" (dict "place" $item "value" . "item" (printf "%si" $item)))) -}}
{{- end -}}
{{- else -}}
{{- $all = append $all (printf "size(%s.orValue([])) == %d" $place (len $value)) -}}
{{- range $index, $member := $value -}}
{{- $all = append $all (include "presto-sidecar.injection.holds" (dict "place" (printf "%s[?%d]" $place $index) "value" $member "item" $item)) -}}
{{- end -}}
{{- end -}}
{{- else if $value -}}
{{- $all = append $all (printf "%s == optional.of(dyn(%s))" $place (toJson $value)) -}}
{{- else -}}
{{- /* What is empty is left out of the object that policies are shown. */ -}}
{{- $all = append $all (printf "%s.orValue(dyn(%s)) == dyn(%s)" $place (toJson $value) (toJson $value)) -}}
{{- end -}}
{{- join " && " $all -}}
{{- end -}}

{{/* A list of texts as an expression. */}}
{{- define "presto-sidecar.injection.texts" -}}
{{- $texts := list -}}
{{- range . -}}{{- $texts = append $texts (. | toString | toJson) -}}{{- end -}}
{{- printf "[%s]" (join ", " $texts) -}}
{{- end -}}
