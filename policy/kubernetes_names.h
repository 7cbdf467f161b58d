// Names as the Kubernetes API takes them (k8s.io/apimachinery/pkg/util/validation). Pure.
#pragma once

#include <string_view>

namespace tidewaiter::policy {

// A label's name: [PREFIX/]NAME (IsQualifiedName). PREFIX is a DNS-1123 subdomain of at most 253
// bytes; NAME has at most 63 letters, digits, '-', '_' and '.', the first and last alphanumeric.
bool IsQualifiedName(std::string_view name) noexcept;

// A label's name that Kubernetes keeps for itself: under kubernetes.io or k8s.io, and the two that
// the Job controller puts on every pod of a Job ("job-name", "controller-uid"). The API server
// refuses a Job whose template gives one of those another value (ValidateGeneratedSelector).
bool IsKubernetesLabel(std::string_view name) noexcept;

// A variable's name (IsEnvVarName): [-._a-zA-Z][-._a-zA-Z0-9]*, not "." and without ".." before.
// Newer clusters take more (RelaxedEnvironmentVariableValidation); every cluster takes these.
bool IsVariableName(std::string_view name) noexcept;

}  // namespace tidewaiter::policy
