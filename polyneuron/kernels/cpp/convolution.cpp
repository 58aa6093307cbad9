// One shape of convolution, compiled with -DSHAPE='6,16,5,0,14,14': channels in and out, kernel,
// padding, height and width of the images. The function comes by its entry points in pooling.cpp.
#include "convolution.hpp"

using Shaped = Convolution<SHAPE>;

extern "C" {

bool convolution_forward(const float* x, const float* weight, const std::int64_t* strides,
                         const float* bias, const float* const* parameters, std::int64_t functions,
                         void* const* pool, float* y, float* kept, std::uint8_t* which,
                         std::int64_t images, int threads) {
  const Pool entries{decltype(Pool::table)(pool[0]), decltype(Pool::prepare)(pool[1]),
                     decltype(Pool::windows)(pool[2])};
  return Shaped::forward(x, weight, {strides}, bias, parameters, functions, entries, y, kept, which,
                         images, threads);
}

// The values alone, before any function and pooling.
void convolution_values(const float* x, const float* weight, const std::int64_t* strides,
                        const float* bias, float* y, std::int64_t images, int threads) {
  Shaped::values(x, weight, {strides}, bias, y, images, threads);
}

void convolution_backward(const float* g, const std::uint8_t* which, const float* x,
                          const float* weight, const std::int64_t* strides, float* g_x,
                          float* g_weight, float* g_bias, std::int64_t images, int threads) {
  Shaped::backward(g, which, x, weight, {strides}, g_x, g_weight, g_bias, images, threads);
}
}
