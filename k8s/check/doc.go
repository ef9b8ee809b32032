// Package check holds the manifests of k8s/ to what a cluster would say of
// them, without a cluster: its tests render base and overlays with every
// combination of components by kustomize, decode every object strictly, run the
// API server's own defaults and validation on it, hold custom resources to
// their definitions, evaluate the restricted Pod Security Standard, match
// selectors against pods and against those of a second install, and start the
// gateway's own configuration check with each rendered environment.
//
// It is a module of its own, so that the service doesn't depend on Kubernetes.
package check
