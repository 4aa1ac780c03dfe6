// Package kubernetes_test holds the manifests of this folder to the types of
// Kubernetes' API. It is a module of its own, for those types are large and
// nothing else needs them: cd deploy/kubernetes && go test
package kubernetes_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	admission "k8s.io/pod-security-admission/api"
	security "k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// decode reads a manifest; a field that the type does not have, or that is
// there twice, is an error.
func decode(t *testing.T, manifest []byte) runtime.Object {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		apps.AddToScheme, batch.AddToScheme, core.AddToScheme, networking.AddToScheme, policy.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	o, _, err := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer().Decode(manifest, nil, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, manifest)
	}
	return o
}

func decodeFile[T any](t *testing.T, name string) T {
	t.Helper()
	manifest, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	o, ok := any(decode(t, manifest)).(T)
	if !ok {
		t.Fatalf("%s is another kind", name)
	}
	return o
}

func TestEveryManifestIsWhatItsTypeSays(t *testing.T) {
	files, err := filepath.Glob("*.yaml")
	if err != nil || len(files) < 9 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, name := range files {
		if name == "kustomization.yaml" {
			continue // kustomize's own, below
		}
		if o := decodeFile[meta.Object](t, name); name != "namespace.yaml" && o.GetNamespace() != "postern" {
			t.Errorf("%s is in the namespace %q", name, o.GetNamespace())
		}
	}
}

func TestAnUnknownFieldIsAnError(t *testing.T) {
	manifest, err := os.ReadFile("service.yaml")
	if err != nil {
		t.Fatal(err)
	}
	wrong := bytes.Replace(manifest, []byte("selector:"), []byte("selektor:"), 1)
	scheme := runtime.NewScheme()
	if err := core.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	if _, _, err := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer().Decode(wrong, nil, nil); err == nil {
		t.Error("a misspelt field was taken")
	}
}

func TestKustomizeBuildsTheFolder(t *testing.T) {
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range built.Resources() {
		manifest, err := r.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		if d, ok := decode(t, manifest).(*apps.Deployment); ok {
			if got := d.Spec.Template.Spec.Containers[0].Image; got != "registry.example.com/postern:v1.0.0" {
				t.Errorf("the image is %s", got)
			}
		}
	}
	if built.Size() != 6 {
		t.Errorf("%d resources", built.Size())
	}
}

// TestThePodsKeepToTheRestrictedLevel, which their namespace enforces.
func TestThePodsKeepToTheRestrictedLevel(t *testing.T) {
	namespace := decodeFile[*core.Namespace](t, "namespace.yaml")
	level := admission.Level(namespace.Labels[admission.EnforceLevelLabel])
	if level != admission.LevelRestricted {
		t.Errorf("the namespace enforces %q", level)
	}
	evaluator, err := security.NewEvaluator(security.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, pod := range map[string]core.PodTemplateSpec{
		"deployment": decodeFile[*apps.Deployment](t, "deployment.yaml").Spec.Template,
		"migration":  decodeFile[*batch.Job](t, "migrate.yaml").Spec.Template,
	} {
		verdict := security.AggregateCheckResults(evaluator.EvaluatePod(
			admission.LevelVersion{Level: level, Version: admission.LatestVersion()}, &pod.ObjectMeta, &pod.Spec))
		if !verdict.Allowed {
			t.Errorf("%s: %s: %s", name, verdict.ForbiddenReason(), verdict.ForbiddenDetail())
		}
	}
}

// TestTheManifestsFindEachOther: selectors meet the pods, and ports, settings
// and secrets that are named are there.
func TestTheManifestsFindEachOther(t *testing.T) {
	deployment := decodeFile[*apps.Deployment](t, "deployment.yaml")
	job := decodeFile[*batch.Job](t, "migrate.yaml")
	service := decodeFile[*core.Service](t, "service.yaml")
	nodes, migration := labels.Set(deployment.Spec.Template.Labels), labels.Set(job.Spec.Template.Labels)
	budget, rules := decodeFile[*policy.PodDisruptionBudget](t, "disruption.yaml"), decodeFile[*networking.NetworkPolicy](t, "network.yaml")
	for what, s := range map[string]*meta.LabelSelector{
		"deployment": deployment.Spec.Selector, "budget": budget.Spec.Selector, "network policy": &rules.Spec.PodSelector,
		"service": {MatchLabels: service.Spec.Selector},
	} {
		selector, err := meta.LabelSelectorAsSelector(s)
		if err != nil {
			t.Fatal(err)
		}
		if !selector.Matches(nodes) {
			t.Errorf("%s: %s does not select the nodes", what, selector)
		}
		if selector.Matches(migration) != (what == "network policy") {
			t.Errorf("%s: %s and the migration", what, selector)
		}
	}
	ports := map[string]bool{}
	for _, p := range deployment.Spec.Template.Spec.Containers[0].Ports {
		ports[p.Name] = true
	}
	for _, p := range service.Spec.Ports {
		if !ports[p.TargetPort.StrVal] || p.TargetPort.StrVal == "admin" {
			t.Errorf("the service names the port %q", p.TargetPort.StrVal)
		}
	}
	for _, rule := range rules.Spec.Ingress {
		for _, p := range rule.Ports {
			if !ports[p.Port.StrVal] {
				t.Errorf("the network policy names the port %q", p.Port.StrVal)
			}
		}
	}
	if got, want := deployment.Spec.Template.Spec.Containers[0].EnvFrom[0].ConfigMapRef.Name, decodeFile[*core.ConfigMap](t, "settings.yaml").Name; got != want {
		t.Errorf("the deployment reads the settings %q, not %q", got, want)
	}
	secret := decodeFile[*core.Secret](t, "secret.example.yaml")
	for _, pod := range []core.PodSpec{deployment.Spec.Template.Spec, job.Spec.Template.Spec} {
		if got := pod.Volumes[0].Secret.SecretName; got != secret.Name {
			t.Errorf("a pod mounts the secret %q, not %q", got, secret.Name)
		}
	}
	if _, there := secret.StringData["postern.toml"]; !there {
		t.Error("the secret lacks the file of POSTERN_CONFIG")
	}
}
