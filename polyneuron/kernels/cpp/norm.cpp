// One function behind a batch norm, for one type of storage, compiled as pointwise.cpp is.
// `statistics` are the means, then the variances of the channels.
#include "norm.hpp"

#include HEADER

extern "C" {

bool norm_forward(const void* z, const void* residual, void* y, const float* const* parameters,
                  std::int64_t functions, const float* weight, const float* bias,
                  float* statistics, float* running_mean, float* running_variance,
                  double momentum, double eps, int training, std::int64_t outer,
                  std::int64_t channels, std::int64_t inner, int threads) {
  const Norm norm{weight,           bias,     statistics, statistics + channels, running_mean,
                  running_variance, momentum, eps,        training != 0};
  return norm_forward<FUNCTION>((const Stored*)z, (const Stored*)residual, (Stored*)y, parameters,
                                functions, norm, {outer, channels, inner}, threads);
}

void norm_backward(const void* g, const void* z, const void* residual, void* g_u, void* g_z,
                   const float* const* parameters, float* const* gradients,
                   std::int64_t functions, const float* weight, const float* bias,
                   float* statistics, double eps, int training, float* g_weight, float* g_bias,
                   std::int64_t outer, std::int64_t channels, std::int64_t inner, int threads) {
  const Norm norm{weight,  bias, statistics, statistics + channels, nullptr,
                  nullptr, 0,    eps,        training != 0};
  norm_backward<FUNCTION>((const Stored*)g, (const Stored*)z, (const Stored*)residual,
                          (Stored*)g_u, (Stored*)g_z, parameters, gradients, functions, norm,
                          g_weight, g_bias, {outer, channels, inner}, threads);
}
}
