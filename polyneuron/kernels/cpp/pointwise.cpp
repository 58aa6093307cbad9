// One function for one type of storage, compiled with -DSTORAGE=Float32|Bfloat16,
// -DFUNCTION='Radial<3, 3>' and -DHEADER='"radial/radial.hpp"', which defines it.
#include "pointwise.hpp"

#include HEADER

extern "C" {

bool forward(const void* x, void* y, const float* const* parameters, std::int64_t outer,
             std::int64_t functions, std::int64_t inner, int threads) {
  return forward<FUNCTION>((const Stored*)x, (Stored*)y, parameters, {outer, functions, inner},
                           threads);
}

void backward(const void* g, const void* x, void* g_x, const float* const* parameters,
              float* const* gradients, std::int64_t outer, std::int64_t functions,
              std::int64_t inner, int threads) {
  backward<FUNCTION>((const Stored*)g, (const Stored*)x, (Stored*)g_x, parameters, gradients,
                     {outer, functions, inner}, threads);
}
}
