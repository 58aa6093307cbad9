// A linear layer y = x W^T + b of any size, with its gradients.
//
// Torch's own is good at large layers. At the sizes of a small network's head a call costs as much
// as the product, and the library's blocks are larger than the matrices.
#include "product.hpp"

extern "C" {

// Images (n, rows, columns) as (n, columns, rows): between channels-last and contiguous ones.
void turn_images(const float* from, float* to, std::int64_t n, std::int64_t rows,
                 std::int64_t columns) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float* __restrict image = from + i * rows * columns;
    float* __restrict turned = to + i * rows * columns;
    for (std::int64_t c = 0; c < columns; ++c)
      for (std::int64_t r = 0; r < rows; ++r) turned[c * rows + r] = image[r * columns + c];
  }
}

// x (n, in), weight (out, in), bias (out), y (n, out), all row by row.
void linear_forward(const float* x, const float* weight, const float* bias, float* y,
                    std::int64_t n, std::int64_t in, std::int64_t out, int threads) {
  const Columns columns(out);
  Floats turned(in * columns.padded()), offsets(columns.padded());
  std::copy_n(bias, out, offsets.data());
  // By a few columns: the lines that are written stay in the first cache.
  for (std::int64_t first = 0; first < in; first += LANES)
    for (std::int64_t o = 0; o < out; ++o)
      for (std::int64_t i = first; i < std::min(in, first + LANES); ++i)
        turned[i * columns.padded() + o] = weight[o * in + i];
  multiply({x, in, 1}, {turned.data(), columns.padded()}, {y, out}, n, out, in, offsets.data(),
           threads);
}

// g is dL/dy. g_x may be null.
void linear_backward(const float* g, const float* x, const float* weight, float* g_x,
                     float* g_weight, float* g_bias, std::int64_t n, std::int64_t in,
                     std::int64_t out, int threads) {
  const Rows inputs = padded_rows({x, in}, n, in), outputs = padded_rows({weight, in}, out, in);
  const Columns columns(in);
  const Floats nothing(columns.padded());
  multiply({g, 1, out}, inputs.matrix, {g_weight, in}, out, in, n, nothing.data(), threads);
  if (g_x) multiply({g, out, 1}, outputs.matrix, {g_x, in}, n, in, out, nothing.data(), threads);
  std::vector<double> sums(out);
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t o = 0; o < out; ++o) sums[o] += g[i * out + o];
  for (std::int64_t o = 0; o < out; ++o) g_bias[o] = float(sums[o]);
}
}
