{{/* The name of what is made, short enough for a pod's label. */}}
{{- define "isthmus-agent.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Labels by which pods are found; they never change. */}}
{{- define "isthmus-agent.selector" -}}
app.kubernetes.io/name: {{ .Values.nameOverride | default .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Labels of everything. */}}
{{- define "isthmus-agent.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "isthmus-agent.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: agent
app.kubernetes.io/part-of: isthmus
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "isthmus-agent.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "isthmus-agent.fullname" .) -}}
{{- else -}}
{{- required "serviceAccount.name: name the account that exists, or let one be made with serviceAccount.create" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "isthmus-agent.image" -}}
{{- with .Values.image -}}
{{- with .registry }}{{ . }}/{{ end }}{{ .repository }}
{{- if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* The namespaces that functions run in, as a list in JSON. */}}
{{- define "isthmus-agent.namespaces" -}}
{{- if .Values.namespaces.all -}}
[]
{{- else -}}
{{- .Values.namespaces.names | default (list .Release.Namespace) | uniq | toJson -}}
{{- end -}}
{{- end -}}

{{/* The agent's configuration file: what the values say, and over it what they say literally. */}}
{{- define "isthmus-agent.config" -}}
{{- $runners := .Values.runners -}}
{{- $pods := dict "images" $runners.images "image_pull_policy" $runners.imagePullPolicy "image_pull_secrets" $runners.imagePullSecrets "run_as_non_root" $runners.runAsNonRoot -}}
{{- $kubernetes := dict "namespaces" (include "isthmus-agent.namespaces" . | fromJsonArray) "pods" $pods -}}
{{- if gt (int .Values.replicas) 1 -}}
{{- if .Values.gateways -}}
{{- fail "replicas: an agent with gateways has its key and its share on a volume of its own, so that there is one; set replicas to 1" -}}
{{- end -}}
{{- $_ := set $kubernetes "leader" (dict "namespace" .Release.Namespace "name" (include "isthmus-agent.fullname" .)) -}}
{{- end -}}
{{- if .Values.gateways -}}
{{- $_ := set $pods "packages_url" (printf "http://%s-packages.%s.svc:9091" (include "isthmus-agent.fullname" .) .Release.Namespace) -}}
{{- end -}}
{{- $namespaces := include "isthmus-agent.namespaces" . | fromJsonArray -}}
{{- $share := dict "namespace" (.Values.namespaces.default | default (empty $namespaces | ternary .Release.Namespace (first $namespaces))) -}}
{{- $config := dict "data" "/var/lib/isthmus/agent" "gateways" .Values.gateways "target" (dict "kubernetes" $kubernetes "custom_resources" $share) "admin" (dict "listen" "0.0.0.0:9090") "log" .Values.log -}}
{{- if .Values.gateways -}}
{{- $_ := set $config "packages" (dict "listen" "0.0.0.0:9091") -}}
{{- end -}}
{{- if .Values.joinToken.existingSecret -}}
{{- $_ := set $config "join_token_file" "/etc/isthmus/join-token/token" -}}
{{- end -}}
{{- toYaml (mergeOverwrite $config (deepCopy .Values.config)) -}}
{{- end -}}

{{/* All that the agent does in a namespace that functions run in. */}}
{{- define "isthmus-agent.rules" -}}
# What people write is read; into it go the status, and the number of replicas that an autoscaler needs. What the gateway wants here
# is made, changed and deleted.
- apiGroups: [compute.functionmesh.io]
  resources: [functions, sources, sinks]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [compute.functionmesh.io]
  resources: [functionmeshes]
  verbs: [get, list, watch]
- apiGroups: [compute.functionmesh.io]
  resources: [functions/status, functionmeshes/status]
  verbs: [patch]
# Children name their owner so that Kubernetes deletes them after it; some clusters let only those do so who may finalize it.
- apiGroups: [compute.functionmesh.io]
  resources: [functions/finalizers, functionmeshes/finalizers]
  verbs: [update]
- apiGroups: [apps]
  resources: [statefulsets]
  verbs: [get, list, watch, create, patch]
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch, create, patch]
# These go when a resource is no longer scaled by itself.
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [autoscaling.k8s.io]
  resources: [verticalpodautoscalers]
  verbs: [get, list, watch, create, patch, delete]
# Pods are looked at, never changed; their logs are for those whom the gateway lets read them.
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
{{- if eq "Proxy" (dig "target" "custom_resources" "figures" "way" "Direct" .Values.config) }}
# Asks instances what they count through the API server.
- apiGroups: [""]
  resources: [pods/proxy]
  verbs: [get]
{{- end }}
# Pulsar's addresses for what the gateway wants here; of others' only whether they exist.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, list, watch, create, patch, delete]
# By name only: neither list nor watch, which would show the agent those of others.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, create, patch, delete]
{{- end -}}
