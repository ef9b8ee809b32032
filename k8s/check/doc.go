// Package check holds the manifests of k8s/ to what a cluster would say of
// them, without a cluster: its tests render base and overlays with kustomize,
// decode every object strictly against the API's types, evaluate the restricted
// Pod Security Standard, match selectors against pods, and start the gateway's
// own configuration check with the rendered environment.
//
// It is a module of its own, so that the service doesn't depend on Kubernetes.
package check
