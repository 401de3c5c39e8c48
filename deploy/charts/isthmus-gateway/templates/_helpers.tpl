{{/* The name of what is made, short enough for a pod's label. */}}
{{- define "isthmus-gateway.fullname" -}}
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
{{- define "isthmus-gateway.selector" -}}
app.kubernetes.io/name: {{ .Values.nameOverride | default .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Labels of everything. */}}
{{- define "isthmus-gateway.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "isthmus-gateway.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: gateway
app.kubernetes.io/part-of: isthmus
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "isthmus-gateway.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "isthmus-gateway.fullname" .) -}}
{{- else -}}
{{- required "serviceAccount.name: name the account that exists, or let one be made with serviceAccount.create" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "isthmus-gateway.image" -}}
{{- with .Values.image -}}
{{- with .registry }}{{ . }}/{{ end }}{{ .repository }}
{{- if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* The Service's name as other clusters' agents would not know it, and this cluster's do. */}}
{{- define "isthmus-gateway.host" -}}
{{- printf "%s.%s.svc.%s" (include "isthmus-gateway.fullname" .) .Release.Namespace .Values.clusterDomain -}}
{{- end -}}

{{/* The gateway's configuration file: what the values say, and over it what they say literally. */}}
{{- define "isthmus-gateway.config" -}}
{{- $name := include "isthmus-gateway.fullname" . -}}
{{- $host := include "isthmus-gateway.host" . -}}
{{- $inside := list $host (printf "%s.%s.svc" $name .Release.Namespace) (printf "%s.%s" $name .Release.Namespace) $name "localhost" "127.0.0.1" "::1" -}}
{{- $names := concat .Values.names $inside -}}
{{- $advertise := .Values.advertise | default (list (printf "%s:7443" (first $names))) -}}
{{- $server := dict "listen" "0.0.0.0:7443" "names" $names "advertise" $advertise -}}
{{- $config := dict "federation" .Values.federation.name "data" "/var/lib/isthmus-gateway" "server" $server "admin" (dict "listen" "0.0.0.0:9090") "log" .Values.log -}}
{{- toYaml (mergeOverwrite $config (deepCopy .Values.config)) -}}
{{- end -}}
