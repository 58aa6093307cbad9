// Each of Eq. 4's two means over the functions of several layers, and its gradients.

#include <cmath>
#include <cstdint>

namespace {

// A layer's w (functions, points) and, for the second mean, c_x: else null.
struct Layer {
  const float *w, *c_x;
  std::int64_t functions, points;

  double factor(std::int64_t n) const { return c_x ? c_x[n] : 1; }
  // sum_i w_i, or sum_i w_i c_i, of function a.
  double sum(std::int64_t a) const {
    double all = 0;
    for (std::int64_t n = a * points; n < (a + 1) * points; ++n) all += w[n] * factor(n);
    return all;
  }
};

struct Layers {
  const float *const *w, *const *c_x;
  const std::int64_t* shapes;
  std::int64_t count;

  Layer operator[](std::int64_t i) const {
    return {w[i], c_x ? c_x[i] : nullptr, shapes[2 * i], shapes[2 * i + 1]};
  }
  double functions() const {
    double all = 0;
    for (std::int64_t i = 0; i < count; ++i) all += double(shapes[2 * i]);
    return all;
  }
};

// NaN of a NaN, as torch's derivative of the absolute value.
double sign(double x) { return x > 0 ? 1 : x < 0 ? -1 : x; }

}  // namespace

extern "C" {

// The mean of |sum_i w_i c_i|, or of |sum_i w_i| if c_x is null. `shapes` has A and s of each layer.
float penalty(const float* const* w, const float* const* c_x, const std::int64_t* shapes,
              std::int64_t count) {
  const Layers layers{w, c_x, shapes, count};
  double total = 0;
  for (std::int64_t i = 0; i < count; ++i)
    for (std::int64_t a = 0; a < layers[i].functions; ++a) total += std::abs(layers[i].sum(a));
  return float(total / layers.functions());
}

// From g = dL/d mean; g_c is null where c_x is. With `add`, to the gradients that are there.
void penalty_backward(const float* const* w, const float* const* c_x, const std::int64_t* shapes,
                      std::int64_t count, float g, bool add, float* const* g_w,
                      float* const* g_c) {
  const Layers layers{w, c_x, shapes, count};
  const double share = g / layers.functions();
  const auto put = [=](float& to, double value) { to = add ? to + float(value) : float(value); };
  for (std::int64_t i = 0; i < count; ++i) {
    const Layer own = layers[i];
    for (std::int64_t a = 0; a < own.functions; ++a) {
      const double by_sum = share * sign(own.sum(a));
      for (std::int64_t n = a * own.points; n < (a + 1) * own.points; ++n) {
        put(g_w[i][n], by_sum * own.factor(n));
        if (c_x) put(g_c[i][n], by_sum * own.w[n]);
      }
    }
  }
}
}
