package check

import (
	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	_ "k8s.io/kubernetes/pkg/apis/apps/install" // the API server's own groups
	_ "k8s.io/kubernetes/pkg/apis/autoscaling/install"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	_ "k8s.io/kubernetes/pkg/apis/policy/install"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// Scheme has the types of the API server and of the custom resources that
// components use.
var Scheme = scheme()

func scheme() *runtime.Scheme {
	for _, add := range []func(*runtime.Scheme) error{certmanagerv1.AddToScheme, monitoringv1.AddToScheme, gatewayv1.Install} {
		if err := add(legacyscheme.Scheme); err != nil {
			panic(err) // the libraries don't fit each other
		}
	}
	return legacyscheme.Scheme
}
