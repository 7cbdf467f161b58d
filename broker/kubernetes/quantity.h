// resource.Quantity of Kubernetes ("Resource quantities"): the forms that amounts of memory, CPU
// and storage come in. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace tidewaiter::kubernetes {

// In thousandths: "1500m" is 1500, "2" is 2000, "64Mi" is 67108864000. Whole numbers with one of
// the suffixes m, k, M, G, T, P, Ki, Mi, Gi, Ti, Pi; nothing for other forms, or where it
// overflows.
std::optional<std::int64_t> QuantityMillis(std::string_view text);

}  // namespace tidewaiter::kubernetes
