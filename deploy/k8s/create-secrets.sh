#!/usr/bin/env bash
# Makes the Secret that the deployment needs, with fresh random values, and leaves an existing one as it is.
#     deploy/k8s/create-secrets.sh [NAMESPACE]      default: allsource
# To use keys of your own, create the Secret allsource-secrets yourself; docs/guides/deploy.md lists its members.
set -euo pipefail

namespace="${1:-allsource}"

if kubectl --namespace "$namespace" get secret allsource-secrets >/dev/null 2>&1; then
  echo "The Secret allsource-secrets is there already, in the namespace $namespace. Nothing was changed."
  exit 0
fi

random() {
  head -c 32 /dev/urandom | base64 | tr -d '\n=' | tr '+/' '-_'
}

# The values go through standard input, so that they show in no list of processes.
kubectl --namespace "$namespace" create --filename - <<YAML
apiVersion: v1
kind: Secret
metadata:
  name: allsource-secrets
  labels:
    app.kubernetes.io/part-of: allsource
type: Opaque
stringData:
  internal-token: "$(random)"
  bootstrap-api-key: "ask_$(random)"
  jwt-secret: "$(random)"
  nats-core-password: "p$(random)"
  nats-query-password: "p$(random)"
YAML

echo 'The admin key:'
echo "    kubectl --namespace $namespace get secret allsource-secrets --output go-template='{{index .data \"bootstrap-api-key\" | base64decode}}'"
