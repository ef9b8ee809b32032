package check

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/api/pod"
	"k8s.io/kubernetes/pkg/apis/apps"
	appsvalidation "k8s.io/kubernetes/pkg/apis/apps/validation"
	"k8s.io/kubernetes/pkg/apis/autoscaling"
	autoscalingvalidation "k8s.io/kubernetes/pkg/apis/autoscaling/validation"
	"k8s.io/kubernetes/pkg/apis/core"
	corevalidation "k8s.io/kubernetes/pkg/apis/core/validation"
	"k8s.io/kubernetes/pkg/apis/networking"
	networkingvalidation "k8s.io/kubernetes/pkg/apis/networking/validation"
	"k8s.io/kubernetes/pkg/apis/policy"
	policyvalidation "k8s.io/kubernetes/pkg/apis/policy/validation"
)

// Server says of objects what an API server would.
type Server struct{ definitions map[string]*definition }

// NewServer reads the definitions of the custom resources.
func NewServer() (*Server, error) {
	definitions, err := readDefinitions()
	return &Server{definitions}, err
}

// Refused is what the API server would say to the creation of the object: its
// own defaults and validation, run on it. Custom resources are held to their
// definition.
func (s *Server) Refused(o Object) error {
	object := o.Typed.DeepCopyObject()
	if m, ok := object.(interface {
		GetNamespace() string
		SetNamespace(string)
	}); ok && m.GetNamespace() == "" {
		m.SetNamespace("default")
	}
	legacyscheme.Scheme.Default(object)
	switch v := object.(type) {
	case *corev1.Service:
		allocate(v)
		return invalid(object, &core.Service{}, corevalidation.ValidateServiceCreate)
	case *corev1.ConfigMap:
		return invalid(object, &core.ConfigMap{}, corevalidation.ValidateConfigMap)
	case *corev1.Secret:
		return invalid(object, &core.Secret{}, corevalidation.ValidateSecret)
	case *corev1.ServiceAccount:
		return invalid(object, &core.ServiceAccount{}, corevalidation.ValidateServiceAccount)
	case *appsv1.StatefulSet:
		return invalid(object, &apps.StatefulSet{}, func(s *apps.StatefulSet) field.ErrorList {
			return appsvalidation.ValidateStatefulSet(s, appsvalidation.StatefulSetValidationOptions{}, pod.GetValidationOptionsFromPodTemplate(&s.Spec.Template, nil))
		})
	case *appsv1.Deployment:
		return invalid(object, &apps.Deployment{}, func(d *apps.Deployment) field.ErrorList {
			return appsvalidation.ValidateDeployment(d, pod.GetValidationOptionsFromPodTemplate(&d.Spec.Template, nil))
		})
	case *autoscalingv2.HorizontalPodAutoscaler:
		return invalid(object, &autoscaling.HorizontalPodAutoscaler{}, func(a *autoscaling.HorizontalPodAutoscaler) field.ErrorList {
			return autoscalingvalidation.ValidateHorizontalPodAutoscaler(a, autoscalingvalidation.HorizontalPodAutoscalerSpecValidationOptions{MinReplicasLowerBound: 1})
		})
	case *networkingv1.NetworkPolicy:
		return invalid(object, &networking.NetworkPolicy{}, func(p *networking.NetworkPolicy) field.ErrorList {
			return networkingvalidation.ValidateNetworkPolicy(p, networkingvalidation.NetworkPolicyValidationOptions{})
		})
	case *networkingv1.Ingress:
		return invalid(object, &networking.Ingress{}, networkingvalidation.ValidateIngressCreate)
	case *policyv1.PodDisruptionBudget:
		return invalid(object, &policy.PodDisruptionBudget{}, func(p *policy.PodDisruptionBudget) field.ErrorList {
			return policyvalidation.ValidatePodDisruptionBudget(p, policyvalidation.PodDisruptionBudgetValidationOptions{})
		})
	}
	return s.refusedBySchema(o)
}

// allocate gives a Service what the server gives it before it validates.
func allocate(s *corev1.Service) {
	if s.Spec.ClusterIP == corev1.ClusterIPNone {
		s.Spec.ClusterIPs = []string{corev1.ClusterIPNone}
	}
	if s.Spec.Type == corev1.ServiceTypeLoadBalancer && s.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal {
		s.Spec.HealthCheckNodePort = 32000
	}
}

// invalid converts the object to the server's internal form and validates that.
func invalid[T runtime.Object](object runtime.Object, internal T, validate func(T) field.ErrorList) error {
	if err := legacyscheme.Scheme.Convert(object, internal, nil); err != nil {
		return fmt.Errorf("converting: %w", err)
	}
	return validate(internal).ToAggregate()
}
