// Order statistics of a benchmark's samples, and how they are printed.
#pragma once

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

namespace tidewaiter::bench {

// The value below which `share` (0 to 1) of the samples lie. Of no samples: 0.
inline double Percentile(std::vector<double> samples, double share) {
  if (samples.empty()) return 0;
  std::sort(samples.begin(), samples.end());
  const auto at = static_cast<std::size_t>(share * static_cast<double>(samples.size() - 1) + 0.5);
  return samples[std::min(at, samples.size() - 1)];
}

inline double Median(const std::vector<double>& samples) {
  return Percentile(samples, 0.5);
}

inline void PrintRow(const std::string& name, const std::vector<double>& samples,
                     const char* unit) {
  std::printf("%-28s p50 %9.2f %s   p90 %9.2f   p99 %9.2f   (%zu samples)\n", name.c_str(),
              Median(samples), unit, Percentile(samples, 0.9), Percentile(samples, 0.99),
              samples.size());
}

}  // namespace tidewaiter::bench
