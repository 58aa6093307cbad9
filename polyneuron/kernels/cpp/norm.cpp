// One function for one type of storage, compiled with -DSTORAGE=Float32|Bfloat16 and
// -DFUNCTION='Radial<3, 3>' or another of functions.hpp.
#include "norm.hpp"

extern "C" {

bool norm_forward(const void* z, const void* residual, void* y, const float* const* parameters,
                  std::int64_t functions, const float* weight, const float* bias, float* mean,
                  float* variance, double eps, int training, std::int64_t outer,
                  std::int64_t channels, std::int64_t inner, int threads) {
  return norm_forward<FUNCTION>((const Stored*)z, (const Stored*)residual, (Stored*)y, parameters,
                                functions, {weight, bias, mean, variance, eps, training != 0},
                                {outer, channels, inner}, threads);
}

void norm_backward(const void* g, const void* z, const void* residual, void* g_u, void* g_z,
                   const float* const* parameters, float* const* gradients,
                   std::int64_t functions, const float* weight, const float* bias, float* mean,
                   float* variance, double eps, int training, float* g_weight, float* g_bias,
                   std::int64_t outer, std::int64_t channels, std::int64_t inner, int threads) {
  norm_backward<FUNCTION>((const Stored*)g, (const Stored*)z, (const Stored*)residual,
                          (Stored*)g_u, (Stored*)g_z, parameters, gradients, functions,
                          {weight, bias, mean, variance, eps, training != 0}, g_weight, g_bias,
                          {outer, channels, inner}, threads);
}
}
