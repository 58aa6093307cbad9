// Adam's update of all parameters in one call, and the norm of their gradients.

#include <cmath>
#include <cstdint>

namespace {

constexpr std::int64_t FEWEST_A_THREAD = 1 << 15;
constexpr int SUMS = 16;

struct Rates {
  double rate, decay, beta1, beta2, epsilon;
  int decoupled;
};

// As torch's Adam: bias corrections in double, all else in float.
void update(float* p, const float* g, float* m, float* v, float* steps, std::int64_t n, Rates r,
            int threads) {
  const double step = *steps += 1;
  const float size = float(r.rate / (1 - std::pow(r.beta1, step)));
  const float scale = float(1 / std::sqrt(1 - std::pow(r.beta2, step)));
  const float shrink = r.decoupled ? float(1 - r.rate * r.decay) : 1;
  const float coupled = r.decoupled ? 0 : float(r.decay), epsilon = float(r.epsilon);
  const float beta1 = float(r.beta1), rest1 = float(1 - r.beta1);
  const float beta2 = float(r.beta2), rest2 = float(1 - r.beta2);
#pragma omp parallel for simd schedule(static) num_threads(threads) if (n >= 2 * FEWEST_A_THREAD)
  for (std::int64_t i = 0; i < n; ++i) {
    const float gradient = g[i] + coupled * p[i];
    m[i] = beta1 * m[i] + rest1 * gradient;
    v[i] = beta2 * v[i] + rest2 * (gradient * gradient);
    p[i] = shrink * p[i] - size * m[i] / (std::sqrt(v[i]) * scale + epsilon);
  }
}

}  // namespace

extern "C" {

// `tensors` has five pointers a parameter: values, gradient, both moments and the step count.
void adam_update(void* const* tensors, const std::int64_t* sizes, std::int64_t parameters,
                 double rate, double decay, double beta1, double beta2, double epsilon,
                 int decoupled, int threads) {
  const Rates rates{rate, decay, beta1, beta2, epsilon, decoupled};
  for (std::int64_t i = 0; i < parameters; ++i, tensors += 5)
    update((float*)tensors[0], (const float*)tensors[1], (float*)tensors[2], (float*)tensors[3],
           (float*)tensors[4], sizes[i], rates, threads);
}

// The square root of the sum of all squares. Several sums, added in order, keep the bits the same
// on every run and fill the registers.
void norm(const float* const* tensors, const std::int64_t* sizes, std::int64_t count,
          double* found) {
  double total = 0;
  for (std::int64_t t = 0; t < count; ++t) {
    double sum[SUMS] = {};
    std::int64_t i = 0;
    for (; i + SUMS <= sizes[t]; i += SUMS)
      for (int j = 0; j < SUMS; ++j) sum[j] += double(tensors[t][i + j]) * tensors[t][i + j];
    for (; i < sizes[t]; ++i) sum[i % SUMS] += double(tensors[t][i]) * tensors[t][i];
    for (int j = 0; j < SUMS; ++j) total += sum[j];
  }
  *found = std::sqrt(total);
}
}
