// The mean cross-entropy of a batch, its gradient, and the number of images classified correctly.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace {

// The first of the largest; a NaN is larger than every number, as torch has it.
std::int64_t largest(const float* row, std::int64_t classes) {
  std::int64_t best = 0;
  for (std::int64_t k = 1; k < classes && row[best] == row[best]; ++k)
    if (row[k] > row[best] || row[k] != row[k]) best = k;
  return best;
}

}  // namespace

extern "C" {

// logits and g (n, classes): g receives d loss / d logits. Returns false if a label is no class.
bool cross_entropy(const float* logits, const std::int64_t* labels, std::int64_t n,
                   std::int64_t classes, double smoothing, float* loss, std::int64_t* correct,
                   float* g) {
  double total = 0;
  *correct = 0;
  for (std::int64_t i = 0; i < n; ++i, logits += classes, g += classes) {
    const std::int64_t label = labels[i];
    if (label < 0 || label >= classes) return false;
    const std::int64_t found = largest(logits, classes);
    *correct += found == label;
    const float most = logits[found];
    double sum = 0, distances = 0;
    for (std::int64_t k = 0; k < classes; ++k) {
      g[k] = std::exp(logits[k] - most);
      sum += g[k];
      distances += double(logits[k]) - most;
    }
    const double log_sum = std::log(sum), at_label = log_sum - (double(logits[label]) - most);
    total += (1 - smoothing) * at_label;
    // Not simply added: 0 times the infinite loss of a class that is not asked for is no number.
    if (smoothing > 0) total += smoothing * (log_sum - distances / double(classes));
    const float rest = float(smoothing / double(classes));
    for (std::int64_t k = 0; k < classes; ++k) g[k] = (float(g[k] / sum) - rest) / float(n);
    g[label] -= float(1 - smoothing) / float(n);
  }
  // Infinite where the sum exceeds a float, as torch's is: such a run has diverged.
  *loss = float(total) / float(n);
  return true;
}
}
